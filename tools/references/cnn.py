"""Notebook 03: convolution and pooling, and a small network on real digits."""

from functools import partial

import numpy as np

import scratchml as s
from references import RNG, Case, of
from references.nn import fill, our_layer, torch_fill, torch_forth_and_back

# Case: class, shape of x, channels out, kernel, stride, padding.
LAYERS = {
    "conv 5x5": ("Conv2d", (3, 2, 9, 9), 4, 5, 1, 0),
    "conv 3x3 padded": ("Conv2d", (2, 3, 6, 7), 2, 3, 1, 1),
    "conv 1x1": ("Conv2d", (3, 4, 5, 4), 3, 1, 1, 0),
    "conv strided": ("Conv2d", (2, 2, 10, 9), 3, 3, 2, 1),
    "conv stride above kernel": ("Conv2d", (2, 2, 9, 8), 2, 2, 3, 0),
    "conv not square": ("Conv2d", (2, 2, 7, 11), 3, (2, 5), (2, 3), (1, 2)),
    "conv padded beyond the kernel": ("Conv2d", (1, 1, 3, 4), 2, 2, 1, 3),
    "conv as large as the image": ("Conv2d", (2, 3, 5, 6), 4, (5, 6), 1, 0),
    "max 2x2": ("MaxPool2d", (2, 3, 6, 8), None, 2, 2, 0),
    "max 2x2, rows left over": ("MaxPool2d", (2, 2, 7, 5), None, 2, 2, 0),
    "max overlapping, padded": ("MaxPool2d", (2, 2, 8, 9), None, 3, 2, 1),
    "max not square": ("MaxPool2d", (1, 2, 9, 8), None, (3, 2), (1, 3), (1, 0)),
    "max with ties": ("MaxPool2d", (2, 2, 7, 7), None, 3, 1, 1),
    "mean 2x2": ("AvgPool2d", (2, 3, 6, 8), None, 2, 2, 0),
    "mean overlapping, padded": ("AvgPool2d", (2, 2, 8, 9), None, 3, 2, 1),
    "mean not square": ("AvgPool2d", (1, 2, 9, 8), None, (2, 4), (3, 1), (1, 2)),
    "global mean": ("GlobalAvgPool2d", (3, 2, 5, 4), None, None, None, None),
}
STEPS = 5
RATE = 0.1


def cases():
    """Every comparison of this file."""
    found = []
    for name, (kind, shape, *sizes) in LAYERS.items():
        theirs = partial(torch_answers, kind, shape[1], *sizes)
        ours = partial(our_layer, partial(our_module, kind, shape[1], *sizes))
        found.append(Case(name, theirs, ours, f"`{kind}`, forward and backward"))
    row = f"a network of `Conv2d` and pooling on digits, {STEPS} steps with momentum"
    found.append(Case("steps", torch_network, our_network, row))
    return found


def inputs():
    """Each case has a generator of its own."""
    found = {name: inputs_of(name, *case) for name, case in LAYERS.items()}
    rng = np.random.default_rng(23)
    start = {
        f"start.{name}": rng.standard_normal(p.shape) / 5
        for name, p in network().parameters().items()
    }
    return found | {"steps": start}


def inputs_of(name, kind, shape, c_out, *geometry):
    rng = np.random.default_rng(len(name))
    x = rng.standard_normal(shape)
    if "ties" in name:
        x = np.maximum(x.round(), 0)  # many equal numbers, as behind a ReLU
    layer = our_module(kind, shape[1], c_out, *geometry)
    found = {"x": x, "dy": rng.standard_normal(layer.forward(x).shape)}
    for what, p in layer.params.items():
        found[what] = rng.standard_normal(p.shape) / 3
    return found


def our_module(kind, c_in, c_out, kernel_size, stride, padding):
    """Our layer for a row of LAYERS, in float64."""
    if kind == "GlobalAvgPool2d":
        return s.GlobalAvgPool2d()
    options = {"stride": stride, "padding": padding}
    if kind == "Conv2d":
        options |= {"rng": RNG, "dtype": np.float64}
        return s.Conv2d(c_in, c_out, kernel_size, **options)
    return getattr(s, kind)(kernel_size, **options)


def torch_module(kind, c_in, c_out, kernel_size, stride, padding):
    """PyTorch's layer for a row of LAYERS, in float64."""
    from torch import nn

    if kind == "GlobalAvgPool2d":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    options = {"stride": stride, "padding": padding}
    if kind == "Conv2d":
        return nn.Conv2d(c_in, c_out, kernel_size, **options).double()
    return getattr(nn, kind)(kernel_size, **options)


def torch_answers(kind, c_in, c_out, kernel_size, stride, padding, given):
    module = torch_module(kind, c_in, c_out, kernel_size, stride, padding)
    return torch_forth_and_back(torch_fill(module, given), given["x"], given["dy"])


# -------------------------------------------------------------------------- the network


def digits():
    """Sixteen digits and their labels; they are embedded, so not frozen again."""
    x, y = s.datasets.mnist(full=False).train
    return x[:16].astype(np.float64), y[:16]


def network():
    return s.Sequential(
        s.Conv2d(1, 3, 5, rng=RNG),
        s.ReLU(),
        s.MaxPool2d(2),
        s.Conv2d(3, 4, 3, padding=1, rng=RNG),
        s.ReLU(),
        s.AvgPool2d(2),
        s.Flatten(),
        s.Linear(144, 10, rng=RNG),
    )


def our_network(given):
    """The loss of each step, and the weights at the end."""
    model = fill(network(), of(given, "start"))
    optimizer = s.SGD(RATE, momentum=0.9)
    x, y = digits()
    losses = []
    for _ in range(STEPS):
        value, _, _ = s.train_step(model, s.CrossEntropyLoss(), optimizer, x, y)
        losses.append(value)
    end = {f"end.{name}": p for name, p in model.parameters().items()}
    return {"losses": np.array(losses)} | end


def torch_network(given):
    import torch
    from torch import nn

    model = nn.Sequential(
        nn.Conv2d(1, 3, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(144, 10),
    ).double()
    for i in (0, 3, 7):
        torch_fill(model[i], of(given, f"start.{i}"))
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9)
    x, y = map(torch.tensor, digits())
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    found = {"losses": np.array(losses)}
    for i in (0, 3, 7):
        turn = (lambda W: W.T) if i == 7 else (lambda W: W)
        found |= {f"end.{i}.W": turn(model[i].weight), f"end.{i}.b": model[i].bias}
    return found
