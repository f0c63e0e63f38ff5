"""What PyTorch, scikit-learn and lime answer, frozen so that every machine can compare.

    make references          (or: PYTHONPATH=tools python -m references)

writes `data/references/*.npz`, one file for each module of this package;
`scratchml.datasets.references` reads them. A *case* knows what the peer answers and
what we answer to the same inputs. tests/test_parity.py compares ours with the file
everywhere, and the file with the peers where they are installed; tools/parity_table.py
measures both anew for the README. Everything is float64. Every key is `case.what`:

    linear_2d.x .W .b .dy       what goes in, weights as ours are
    linear_2d.y .dx .dW .db     what the peer answers: `d` is for a gradient
    network.start.0.W           the weights of a whole model, by our names: before,
    network.end.0.W             and after the last step
    path.x                      a group of inputs that several cases share,
    adam.path                   and what one of them answers
    versions                    who answered

The same versions on the same machine write the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np

from scratchml import datasets
from scratchml._support import replace_file

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "data" / "references"
SUBJECTS = ("nn", "rnn", "cnn", "squeezenet", "models", "lime")

# Relative bounds: one forward and backward; many steps one after the other.
VALUES = 1e-12
PATHS = 1e-10

# For layers whose weights are replaced at once.
RNG = np.random.default_rng(0)


@dataclass
class Case:
    """One comparison: `theirs(given)` and `ours(given)` return {what: array}.

    `row` is its line in the README's table; cases of the same row share it. Without
    `ours` a test of its own compares.
    """

    name: str
    theirs: Callable
    ours: Callable | None = None
    row: str = ""
    inputs: str = ""
    peer: str = "PyTorch"
    bound: float = VALUES

    def __post_init__(self):
        self.inputs = self.inputs or self.name


@cache
def cases(subject):
    """The cases of one file."""
    return import_module(f"references.{subject}").cases()


@cache
def inputs(subject):
    """The inputs of one file, {group: {what: array}}: the same on every machine."""
    return import_module(f"references.{subject}").inputs()


@cache
def answers(subject):
    """One file, {name: array}."""
    return datasets.references(subject)


def of(arrays, case):
    """The arrays of one case or group, by their short names."""
    return {
        name.removeprefix(f"{case}."): a
        for name, a in arrays.items()
        if name.startswith(f"{case}.")
    }


def keyed(case, arrays):
    return {f"{case}.{what}": a for what, a in arrays.items()}


def frozen(subject, case):
    """The inputs and the answers of one case, from the file."""
    asked = inputs(subject)
    arrays = of(answers(subject), case.inputs)
    given = {what: arrays[what] for what in asked[case.inputs]}
    answered = of(answers(subject), case.name)
    for what in asked.get(case.name, ()):
        del answered[what]
    return given, answered


def theirs(case, given):
    """What the peer answers, as numpy arrays of their own."""
    return {what: as_array(a) for what, a in case.theirs(given).items()}


def as_array(answer):
    if hasattr(answer, "detach"):
        answer = answer.detach().numpy()
    return np.array(answer, order="C")


def compute(subject):
    """One file: all inputs, all answers, {name: array}."""
    shared = inputs(subject)
    found = {}
    for group, arrays in shared.items():
        found |= keyed(group, arrays)
    for case in cases(subject):
        found |= keyed(case.name, theirs(case, shared[case.inputs]))
    return found


def difference(mine, their):
    """The largest relative difference of any array; both must have the same ones."""
    if mine.keys() != their.keys():
        raise AssertionError(f"ours {sorted(mine)}, theirs {sorted(their)}")
    return max(relative(what, mine[what], a) for what, a in their.items())


def relative(what, mine, answer):
    """The largest difference, in parts of the largest number."""
    mine = np.asarray(mine, float)
    answer = np.asarray(answer, float)
    if mine.shape != answer.shape:
        raise AssertionError(f"{what}: shapes {mine.shape} and {answer.shape}")
    scale = max(np.abs(answer).max(), 1e-300)
    return np.abs(mine - answer).max() / scale


def versions():
    names = ("numpy", "torch", "scikit-learn", "lime")
    return np.array([f"{name} {version(name).partition('+')[0]}" for name in names])


def save(path, arrays):
    """Write the arrays whole or not at all; returns the number of bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # np.savez writes no dates: the same arrays give the same bytes.
    replace_file(path, lambda file: np.savez(file, **arrays))
    return path.stat().st_size
