"""Two answers, yours and the right one: how do they differ?

Nothing here knows a particular exercise. It looks for what connects the two arrays: a
sign, a factor, a term, a row that is wrong.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from ._compare import GENERIC, both, fits, size, worst
from ._failures import CheckFailed
from ._support import Array

Arrays = dict[str, Array]
Hints = Callable[[], Iterator[str]]


class Differs(CheckFailed):
    """A number differs: `head` says which.

    A diagnosis is looked for when somebody reads it; where it names no mistake for
    certain, `unnamed` is the message without it. `fingerprint` is all numbers in one:
    two answers with the same mistake have the same.
    """

    def __init__(self, head: str, fingerprint: str, certain: str, hints: Iterable[str]):
        super().__init__(head)
        self.head = head
        self.fingerprint = fingerprint
        self._diagnosis = certain
        self._hints = iter(hints)
        if not certain:
            self.unnamed = head

    def __str__(self) -> str:
        self._diagnosis = self._diagnosis or next(self._hints, GENERIC)
        return f"{self.head} {self._diagnosis}"


def difference(
    what: str, mine: Array, right: Array, given: Arrays, hints: Hints | None = None
) -> Differs:
    """The error for numbers that differ: the worst one, and what connects all of them.

    `given` holds the arrays both were made from, by name. `hints` may say more, where
    nothing is certain.
    """
    where = worst(mine, right)
    head = (
        f"{what} is wrong{at(where, ', worst at ')}: "
        f"{both(mine, right, where, 'right is')}."
    )
    ramp = np.sqrt(np.arange(1, mine.size + 1))
    fingerprint = f"{float(mine.ravel() @ ramp):.7g}"
    certain = next(_connections(mine, right, given), "")
    whole = right.dtype.kind in "iu"

    def all_hints() -> Iterator[str]:
        if hints:
            yield from hints()
        if whole and mine.size == 1:
            yield f"It is {int(mine) - int(right):+d} off here."
        yield from _functions_of(mine, right)
        yield from _terms(mine, right, given)
        yield from _places(mine, right)

    return Differs(head, fingerprint, certain, all_hints())


def are_close(mine: Array, right: Array) -> bool:
    if mine.shape != right.shape:
        return False
    return bool(np.allclose(mine, right, rtol=1e-6, atol=1e-8 * (size(right) or 1)))


def at(where: tuple[int, ...], before: str = " at ") -> str:
    return f"{before}[{', '.join(map(str, where))}]" if where else ""


# ------------------------------------------------------------------------ certainties


def _connections(mine: Array, right: Array, given: Arrays) -> Iterator[str]:
    """Sentences that are certain: this is what your answer is."""
    rounded = mine.dtype.kind in "iu" and right.dtype.kind == "f"
    if rounded and any(are_close(mine, cut(right)) for cut in (np.trunc, np.round)):
        yield "It is cut to integers: keep the decimals."
    if not mine.any():
        yield "It is zero everywhere: is it ever assigned?"
    for name, value in given.items():
        if value.ndim and np.array_equal(value, mine):
            yield f"It is `{name}`, handed back as it came: nothing is changed."
    if are_close(mine, -right):
        yield "It has the wrong sign."
    if right.size == 1:
        return
    yield from _mean_or_sum(mine, right, given)
    if are_close(mine, right.T):
        yield "It looks transposed."
    if are_close(np.abs(mine), np.abs(right)):
        yield "The sizes are right, but some signs are not."
    if are_close(mine, np.round(right)) or are_close(mine, np.trunc(right)):
        yield "It is cut to integers: keep the decimals."


def _mean_or_sum(mine: Array, right: Array, given: Arrays) -> Iterator[str]:
    """The right one, times or divided by the length of an axis or by an argument."""
    factor = _factor(mine, right)
    if not factor:
        return
    for name, value in given.items():
        for axis, length in enumerate(value.shape):
            which = f"the length of axis {axis} of `{name}`"
            if length > 1 and np.isclose(factor, 1 / length):
                yield f"It is {length} times too small ({which}): a mean for a sum?"
            if length > 1 and np.isclose(factor, length):
                yield f"It is {length} times too large ({which}): a sum for a mean?"
        if value.ndim == 0 and value not in (0, 1):
            if np.isclose(factor, value):
                yield f"It is the right one times `{name}`."
            if np.isclose(factor * value, 1):
                yield f"It is the right one divided by `{name}`."


def _factor(mine: Array, right: Array) -> float:
    """The one factor that makes yours of the right one; 0 where there is none."""
    if not right.any():
        return 0.0
    factor = float(np.vdot(mine, right) / np.vdot(right, right))
    return factor if are_close(mine, factor * right) else 0.0


# ------------------------------------------------------------------------------ hints


def _functions_of(mine: Array, right: Array) -> Iterator[str]:
    """Is yours a function of the right one?"""
    found: dict[str, Callable[[Array], Array]] = {
        "1 minus the right one": lambda a: 1 - a,
        "1 divided by the right one: upside down": lambda a: 1 / a,
        "the square of the right one: a root is missing": np.square,
        "the root of the right one": np.sqrt,
        "exp of the right one": np.exp,
        "tanh of the right one": np.tanh,
        "what comes before the tanh: the tanh is missing": np.arctanh,
        "the logarithm of the right one": np.log,
        "the right one divided by its own sum": lambda a: a / a.sum(),
        "the right one divided by its own largest": lambda a: a / a.max(),
        "the right one divided by its own norm": lambda a: a / np.linalg.norm(a),
    }
    with np.errstate(all="ignore"):
        for words, function in found.items():
            if are_close(mine, function(right)):
                yield f"It is {words}."
    factor = _factor(mine, right)
    if factor and right.size > 1:
        yield (
            f"It is {factor:.4g} times the right value everywhere: "
            "a constant factor is off."
        )


def _terms(mine: Array, right: Array, given: Arrays) -> Iterator[str]:
    """Is yours the right one with one argument added, subtracted or multiplied?"""
    if right.size > 1 and np.ptp(mine - right) <= 1e-6 * (size(right) or 1):
        off = mine.flat[0] - right.flat[0]
        yield f"It is {off:+.4g} off everywhere: a term is too much, or missing."
    for name, value in given.items():
        if not fits(value, mine) or not value.any():
            continue
        made = {
            f"plus `{name}`: that term is too much": right + value,
            f"minus `{name}`: that term is missing": right - value,
            f"times `{name}`: that factor is too much": right * value,
            f"times the square of `{name}`": right * value**2,
        }
        for words, array in made.items():
            if are_close(mine, array):
                yield f"It is the right one {words}."
    if mine.size > 1 and np.ptp(mine) == 0 and np.ptp(right):
        yield "It is the same number everywhere: an index, or an axis, does not move."


def _places(mine: Array, right: Array) -> Iterator[str]:
    """Which rows, columns or entries are right?"""
    for axis in range(right.ndim):
        if are_close(mine, np.flip(right, axis)):
            yield f"The numbers are right, but in reverse order along axis {axis}."
        for step in (1, -1):
            if are_close(mine, np.roll(right, step, axis)):
                yield f"The numbers are right, but one place off along axis {axis}."
    if right.size > 2 and are_close(np.sort(mine, None), np.sort(right, None)):
        yield "The numbers are right, but in other places: which index moves?"
    good = np.isclose(mine, right, 1e-6, 1e-6 * (size(right) or 1))
    if right.ndim == 0 or not good.any():
        return
    for axis in range(right.ndim):
        others = tuple(i for i in range(right.ndim) if i != axis)
        wrong = np.flatnonzero(~good.all(axis=others))
        if 0 < wrong.size < right.shape[axis]:
            index = [":"] * right.ndim
            index[axis] = "i"
            which = ", ".join(map(str, wrong[:6]))
            yield (
                f"Only a part is right: [{', '.join(index)}] is wrong for i = {which}. "
                "What is different there?"
            )
    yield f"{good.sum()} of {good.size} numbers are right: what differs in the rest?"
