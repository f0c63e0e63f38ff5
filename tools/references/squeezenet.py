"""SqueezeNet: one Fire with all its gradients, and the scores of four photographs.

A photograph is not frozen, only a checksum of its pixels.
"""

import zlib
from functools import partial

import numpy as np

import scratchml as s
from references import RNG, Case
from references.nn import our_layer
from scratchml import photos
from scratchml.squeezenet import preprocess, squeezenet

PHOTOGRAPHS = ("cat", "coffee", "rocket", "astronaut")
FIRE = 3, 2, 4


def cases():
    """Every comparison of this file."""
    fire = partial(our_layer, lambda: s.Fire(*FIRE, rng=RNG))
    row = "`Fire`, forward and backward"
    # The photographs are compared in tests/test_squeezenet.py.
    scores = [Case(name, partial(torch_scores, name)) for name in PHOTOGRAPHS]
    return [Case("fire", torch_answers, fire, row), *scores]


def inputs():
    """Each in the order of its names."""
    rng = np.random.default_rng(0)
    fire = s.Fire(*FIRE, rng=rng, dtype=np.float64)
    given = dict(fire.parameters())
    given["x"] = rng.standard_normal((2, FIRE[0], 5, 6))
    given["dy"] = rng.standard_normal(fire.forward(given["x"]).shape)
    return {"fire": given} | {name: {} for name in PHOTOGRAPHS}


def photograph(name):
    """A photograph of scikit-image as the network takes it, `(1, 227, 227, 3)`."""
    return photos.square(photos.photographs()[name])[None]


def torch_fire(c_in, squeeze, expand):
    """PyTorch's Fire, built by hand; its names are those of ours."""
    import torch
    from torch import nn

    class TorchFire(nn.Module):
        def __init__(self):
            super().__init__()
            self.squeeze = nn.Conv2d(c_in, squeeze, 1)
            self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
            self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

        def forward(self, x):
            s = torch.relu(self.squeeze(x))
            return torch.relu(torch.cat([self.expand1x1(s), self.expand3x3(s)], dim=1))

    return TorchFire()


def torch_squeezenet():
    """SqueezeNet 1.1 of PyTorch's layers, with the weights of ours."""
    from torch import nn

    model = nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        torch_fire(64, 16, 64),
        torch_fire(128, 16, 64),
        nn.MaxPool2d(3, stride=2),
        torch_fire(128, 32, 128),
        torch_fire(256, 32, 128),
        nn.MaxPool2d(3, stride=2),
        torch_fire(256, 48, 192),
        torch_fire(384, 48, 192),
        torch_fire(384, 64, 256),
        torch_fire(512, 64, 256),
        nn.Conv2d(512, 1000, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return copy_weights(squeezenet().parameters(), model)


def copy_weights(parameters, theirs):
    """Give PyTorch's module our weights: `W` is its weight, `b` its bias."""
    import torch

    weights = {}
    for name, p in parameters.items():
        layer, _, letter = name.rpartition(".")
        their_name = {"W": "weight", "b": "bias"}[letter]
        weights[f"{layer}.{their_name}"] = torch.tensor(p)
    theirs.load_state_dict(weights)
    return theirs


def torch_answers(given):
    """One Fire: what comes out, and every gradient."""
    import torch

    parameters = {name: p for name, p in given.items() if name not in ("x", "dy")}
    theirs = copy_weights(parameters, torch_fire(*FIRE).double())
    x = torch.tensor(given["x"], requires_grad=True)
    y = theirs(x)
    y.backward(torch.tensor(given["dy"]))
    found = {"y": y, "dx": x.grad}
    for name, layer in theirs.named_children():
        found[f"d{name}.W"] = layer.weight.grad
        found[f"d{name}.b"] = layer.bias.grad
    return found


def torch_scores(name, given):
    """The scores of one photograph, float32."""
    import torch

    image = photograph(name)
    with torch.no_grad():
        scores = torch_squeezenet()(torch.tensor(preprocess(image).copy()))
    pixels = np.array(zlib.crc32(image.tobytes()))
    return {"pixels": pixels, "scores": scores[0]}
