"""One way to build and to call each layer, loss, penalty and optimizer.

The classes are found in the package itself. `LAYERS` says how to use those that need
more than a guess; for any other class the guess is: every size is 4, every other number
0.3, and the input is what its `forward` accepts. A class that this does not suit has a
static method `example(rng)` that returns the layer and its input, or the loss, its
scores and its target.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import scratchml as s

SIZE = 4


@dataclass
class Example:
    """`make(rng)` builds the thing, `inputs(rng)` are the arguments of its forward."""

    make: Callable
    inputs: Callable

    def build(self, dtype=np.float64, seed=0):
        """The layer or loss in `dtype`, with its inputs, always the same for one seed."""
        rng = np.random.default_rng(seed)
        thing = self.make(rng)
        inputs = self.inputs(rng)
        if isinstance(thing, s.Layer):
            thing.astype(dtype)
        return thing, [a.astype(dtype) if a.dtype.kind == "f" else a for a in inputs]


def exported(base):
    """The classes of the package that are a `base`, in its order."""
    return [
        thing
        for thing in vars(s).values()
        if inspect.isclass(thing) and issubclass(thing, base) and thing is not base
    ]


# ------------------------------------------------------------------------------- inputs


def normal(*shape):
    return lambda rng: [rng.standard_normal(shape)]


def ids(*shape):
    return lambda rng: [rng.integers(0, SIZE, shape)]


def pair(*shape):
    return lambda rng: [rng.standard_normal(shape), rng.standard_normal(shape)]


def labelled(*shape):
    return lambda rng: [
        rng.standard_normal(shape),
        rng.integers(0, shape[-1], shape[:-1]),
    ]


def one_hot(*shape):
    return lambda rng: [
        rng.standard_normal(shape),
        np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])],
    ]


def yes_or_no(*shape):
    return lambda rng: [rng.standard_normal(shape), rng.integers(0, 2, shape)]


# What a forward may accept: rows, sequences, images; and if none of them, ids.
FLOATS = [normal(6, 4), normal(6, 5, 4), normal(4, 4, 6, 5)]
IDS = [ids(6, 5)]
# Classes, one-hot rows, anything, yes or no.
TARGETS = [
    *(labelled(5, 3), labelled(2, 4, 3)),
    *(one_hot(5, 3), one_hot(2, 4, 3)),
    *(pair(5, 3), pair(2, 3, 4)),
    *(yes_or_no(5), yes_or_no(5, 3)),
]


# -------------------------------------------------------------------------- the guesses


def build(kind, rng):
    """The class made with what its signature asks for; the rest as it comes."""
    arguments = {}
    for parameter in inspect.signature(kind).parameters.values():
        if parameter.name == "rng":
            arguments["rng"] = rng
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        elif parameter.default is parameter.empty:
            whole = parameter.annotation in (int, parameter.empty)
            arguments[parameter.name] = SIZE if whole else 0.3
    return kind(**arguments)


def refusal(example):
    """What one forward says against it; None if it works."""
    try:
        thing, inputs = example.build()
        thing.forward(*inputs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def of_itself(kind):
    """What the class says of itself."""
    return Example(
        lambda rng: kind.example(rng)[0], lambda rng: list(kind.example(rng)[1:])
    )


def candidates(kind, inputs):
    if hasattr(kind, "example"):
        return [of_itself(kind)]
    return [Example(functools.partial(build, kind), given) for given in inputs]


def guesses(kind, *attempts):
    """The candidates that work, of the first attempt where one does."""
    for inputs in attempts:
        found = [e for e in candidates(kind, inputs) if refusal(e) is None]
        if found:
            return found
    return []


def help_for(kind):
    """What to do about a class without an example."""
    attempts = [*FLOATS, *IDS] if issubclass(kind, s.Layer) else TARGETS
    refusals = {refusal(e) or "nothing is wrong" for e in candidates(kind, attempts)}
    return (
        f"the tests cannot guess how to use {kind.__name__}. Give it a static method "
        "example(rng) that returns the layer and its x, or the loss, its scores and "
        f"its target. What was tried: {'; '.join(sorted(refusals))}"
    )


# ------------------------------------------------------------------------- what is used


def network(rng):
    return s.Sequential(
        s.Flatten(),
        s.Linear(12, 5, rng=rng),
        s.Tanh(),
        s.Dropout(0.3, rng=rng),
        s.Sequential(s.Linear(5, 4, rng=rng), s.LeakyReLU(0.1)),
        s.Linear(4, 3, rng=rng),
    )


BY_HAND = {
    s.Sequential: [
        Example(network, normal(6, 3, 4)),
        Example(lambda rng: s.Sequential(s.ReLU()), normal(5, 3)),
    ],
    s.Linear: [
        Example(lambda rng: s.Linear(4, 3, rng=rng), normal(5, 4)),
        Example(lambda rng: s.Linear(4, 3, rng=rng), normal(2, 5, 4)),
        Example(lambda rng: s.Linear(3, 3, rng=rng), normal(2, 2, 2, 3)),
    ],
    s.Dropout: [
        Example(lambda rng: s.Dropout(0.3, rng=rng), normal(8, 5)),
        Example(lambda rng: s.Dropout(0, rng=rng), normal(5, 3)),
    ],
    s.Embedding: [
        Example(lambda rng: s.Embedding(4, 3, rng=rng), ids(5, 6)),
        Example(lambda rng: s.Embedding(4, 3, rng=rng, padding=0), ids(5, 6)),
    ],
    s.RNN: [Example(lambda rng: s.RNN(4, 3, rng=rng), normal(5, 6, 4))],
    s.LSTM: [Example(lambda rng: s.LSTM(4, 3, rng=rng), normal(5, 6, 4))],
    s.GRU: [Example(lambda rng: s.GRU(4, 3, rng=rng), normal(5, 6, 4))],
    s.TextClassifier: [
        Example(
            lambda rng: s.TextClassifier(4, 3, embedding=2, hidden=4, rng=rng),
            ids(5, 6),
        )
    ],
    s.CharacterModel: [
        Example(
            lambda rng: s.CharacterModel(4, embedding=2, hidden=3, rng=rng), ids(5, 6)
        )
    ],
    s.Conv2d: [
        Example(
            lambda rng: s.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(1, 0), rng=rng),
            normal(4, 2, 6, 5),
        ),
        Example(lambda rng: s.Conv2d(1, 2, 1, rng=rng), normal(3, 1, 4, 2)),
    ],
    s.MaxPool2d: [
        Example(
            lambda rng: s.MaxPool2d((2, 3), stride=1, padding=1), normal(4, 2, 6, 5)
        )
    ],
    s.AvgPool2d: [Example(lambda rng: s.AvgPool2d(2), normal(4, 2, 6, 5))],
}
LAYERS = {
    kind: BY_HAND.get(kind) or guesses(kind, FLOATS, IDS) for kind in exported(s.Layer)
}
LOSSES = {kind: guesses(kind, TARGETS) for kind in exported(s.Loss)}
PENALTIES = {kind: guesses(kind, [normal(5, 3)]) for kind in exported(s.Penalty)}
# Made with a learning rate.
OPTIMIZERS = {kind: [kind] for kind in exported(s.Optimizer)} | {
    s.SGD: [
        s.SGD,
        functools.partial(s.SGD, momentum=0.9),
        functools.partial(s.SGD, momentum=0.9, nesterov=True),
    ]
}
