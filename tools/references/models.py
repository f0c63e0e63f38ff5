"""Whole models through `to_torch`: twenty steps with each optimizer.

PyTorch's models are made by `scratchml.interop.to_torch`. `CNN.x .y` are eighteen
examples; each step takes six of them. `CNN.Adam.losses` is the loss of each step.
"""

from functools import partial

import numpy as np

import scratchml as s
from references import RNG, Case, of
from references.nn import fill

STEPS = 20
BATCHES = 3
BOUND = 1e-9
OPTIMIZERS = {  # ours, PyTorch's, and the options, by the same names
    "SGD": ("SGD", "SGD", dict(lr=0.2)),
    "momentum": ("SGD", "SGD", dict(lr=0.05, momentum=0.9)),
    "Nesterov": ("SGD", "SGD", dict(lr=0.05, momentum=0.9, nesterov=True)),
    "AdaGrad": ("AdaGrad", "Adagrad", dict(lr=0.1)),
    "RMSProp": ("RMSProp", "RMSprop", dict(lr=0.01)),
    "Adam": ("Adam", "Adam", dict(lr=0.02)),
}
ROWS = {
    "NN": "a `Sequential` of `Linear` layers",
    "BatchNorm": "a `Sequential` with `BatchNorm`",
    "CNN": "a `Sequential` with `Conv2d`",
    "Fire": "a `Sequential` with `Fire` and `GlobalAvgPool2d`",
    "RNN": "a `Sequential` with `RNN`",
    "LSTM": "a `Sequential` with `LSTM`",
    "GRU": "a `Sequential` with `GRU`",
    "TextClassifier": "`TextClassifier`",
    "CharacterModel": "`CharacterModel`",
}


def cases():
    """Every comparison of this file."""
    return [
        Case(
            f"{name}.{optimizer}",
            partial(theirs, name, optimizer),
            partial(ours, name, optimizer),
            f"{row}, {STEPS} steps with each optimizer",
            inputs=name,
            bound=BOUND,
        )
        for name, row in ROWS.items()
        for optimizer in OPTIMIZERS
    ]


def model(name):
    """A small one of each kind in the course; its weights are replaced."""
    rng = RNG
    if name in ("RNN", "LSTM", "GRU"):
        cell = getattr(s, name)(3, 4, rng=rng)
        return s.Sequential(cell, s.Flatten(), s.Linear(20, 3, rng=rng))
    makers = {
        "NN": lambda: s.Sequential(
            s.Linear(6, 5, rng=rng),
            s.Tanh(),
            s.Linear(5, 4, rng=rng),
            s.LeakyReLU(),
            s.Linear(4, 3, rng=rng),
        ),
        "BatchNorm": lambda: s.Sequential(
            s.Linear(6, 5, rng=rng),
            s.Tanh(),  # a bias right before BatchNorm has no gradient
            s.BatchNorm(5),
            s.Linear(5, 3, rng=rng),
        ),
        "CNN": lambda: s.Sequential(
            s.Conv2d(1, 3, 3, padding=1, rng=rng),
            s.ReLU(),
            s.MaxPool2d(2),
            s.Conv2d(3, 4, 2, rng=rng),
            s.Sigmoid(),
            s.AvgPool2d(2, stride=1),
            s.Flatten(),
            s.Linear(16, 3, rng=rng),
        ),
        "Fire": lambda: s.Sequential(
            s.Fire(1, 2, 3, rng=rng),
            s.BatchNorm(6),
            s.GlobalAvgPool2d(),
            s.Linear(6, 3, rng=rng),
        ),
        "TextClassifier": lambda: s.TextClassifier(
            9, 3, embedding=3, hidden=4, rng=rng
        ),
        "CharacterModel": lambda: s.CharacterModel(
            5, embedding=3, hidden=4, cell="GRU", rng=rng
        ),
    }
    return makers[name]()


def inputs():
    """Each model has a generator of its own."""
    return {name: inputs_of(name, seed) for seed, name in enumerate(ROWS)}


def inputs_of(name, seed):
    rng = np.random.default_rng(seed)
    shapes = {"NN": (18, 6), "BatchNorm": (18, 6)}
    shapes |= {"CNN": (18, 1, 8, 8), "Fire": (18, 1, 5, 4)}
    x = rng.standard_normal(shapes.get(name, (18, 5, 3)))
    y = rng.integers(0, 3, 18)
    if name == "TextClassifier":  # texts of 0 to 6 words
        words = np.arange(6) < rng.integers(0, 7, (18, 1))
        x = np.where(words, rng.integers(1, 9, (18, 6)), 0)
    elif name == "CharacterModel":
        x, y = rng.integers(0, 5, (2, 18, 6))
    found = {"x": x, "y": y}
    for key, p in model(name).parameters().items():
        found[f"start.{key}"] = rng.standard_normal(p.shape) / 2
    if name == "TextClassifier":
        found["start.embedding.W"][0] = 0  # padding is nothing
    return found


def build(name, given):
    """Our model in float64, at its frozen start."""
    return fill(model(name), of(given, "start"))


def examples(given):
    """The examples of each step."""
    for step in range(STEPS):
        rows = slice(step % BATCHES, None, BATCHES)
        yield given["x"][rows], given["y"][rows]


def ours(name, optimizer, given):
    """Losses, and the weights and buffers at the end."""
    built = build(name, given)
    kind, _, options = OPTIMIZERS[optimizer]
    walk = getattr(s, kind)(**options)
    losses = []
    for x, y in examples(given):
        value, _, _ = s.train_step(built, s.CrossEntropyLoss(), walk, x, y)
        losses.append(value)
    return end_of(losses, built)


def theirs(name, optimizer, given):
    """The same of PyTorch, there by `to_torch` and back by `from_torch`."""
    import torch
    from torch.nn import functional

    from scratchml.interop import from_torch, to_torch

    module = to_torch(build(name, given))
    _, kind, options = OPTIMIZERS[optimizer]
    walk = getattr(torch.optim, kind)(module.parameters(), **options)
    losses = []
    for x, y in examples(given):
        walk.zero_grad()
        # The classes are last; PyTorch wants them second: one row for every character.
        scores = module(torch.tensor(x)).flatten(0, -2)
        loss = functional.cross_entropy(scores, torch.tensor(y.ravel()))
        loss.backward()
        walk.step()
        losses.append(loss.item())
    return end_of(losses, from_torch(module))


def end_of(losses, built):
    end = {f"end.{key}": a for key, a in built.state_dict().items()}
    return {"losses": np.array(losses)} | end
