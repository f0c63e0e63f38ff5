"""Freeze PyTorch's Fire and its scores for four photographs, for `make test`.

`data/references/squeezenet.npz` holds `fire/x`, `/dy`, the weights, `/y` and all
gradients in float64, and for each photograph its scores and `.../pixels`, a checksum of
what went in. The same versions on the same machine write the same bytes.

    python tools/references_squeezenet.py
"""

import zlib

import numpy as np

from references import FOLDER, save
from scratchml import photos
from scratchml.squeezenet import Fire, preprocess, squeezenet

PHOTOGRAPHS = ("cat", "coffee", "rocket", "astronaut")
FIRE = 3, 2, 4


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
    return copy_weights(squeezenet(), model)


def copy_weights(ours, theirs):
    """Give PyTorch's module the weights of ours: `W` is its weight, `b` its bias."""
    import torch

    weights = {}
    for name, p in ours.parameters().items():
        layer, _, letter = name.rpartition(".")
        their_name = {"W": "weight", "b": "bias"}[letter]
        weights[f"{layer}.{their_name}"] = torch.tensor(p)
    theirs.load_state_dict(weights)
    return theirs


def photograph(name):
    """A photograph of scikit-image as the network takes it, `(1, 227, 227, 3)`."""
    return photos.square(photos.photographs()[name])[None]


def run_fire():
    """One Fire: what goes in, what comes out, and every gradient."""
    import torch

    rng = np.random.default_rng(0)
    ours = Fire(*FIRE, rng=rng, dtype=np.float64)
    theirs = copy_weights(ours, torch_fire(*FIRE).double())
    found = {"x": rng.standard_normal((2, FIRE[0], 5, 6))}
    x = torch.tensor(found["x"], requires_grad=True)
    y = theirs(x)
    found["dy"] = rng.standard_normal(tuple(y.shape))
    y.backward(torch.tensor(found["dy"]))
    found |= {"y": y.detach().numpy(), "dx": x.grad.numpy(), **ours.parameters()}
    for name, layer in theirs.named_children():
        found[f"d{name}.W"] = layer.weight.grad.numpy()
        found[f"d{name}.b"] = layer.bias.grad.numpy()
    return {f"fire/{key}": array for key, array in found.items()}


def run_photographs():
    """The scores of the whole network, float32."""
    import torch

    model = torch_squeezenet()
    found = {}
    for name in PHOTOGRAPHS:
        image = photograph(name)
        with torch.no_grad():
            scores = model(torch.tensor(preprocess(image).copy()))
        found[f"{name}/pixels"] = np.array(zlib.crc32(image.tobytes()))
        found[f"{name}/scores"] = scores[0].numpy()
    return found


def main():
    import torch

    torch.set_num_threads(1)
    arrays = run_fire() | run_photographs()
    size = save(FOLDER / "squeezenet.npz", arrays)
    print(
        f"data/references/squeezenet.npz: {len(arrays)} arrays, {size:,} bytes, "
        f"with torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
