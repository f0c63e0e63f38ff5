"""What a wrong gradient looks like.

Every diagnosis works in one way: make a known mistake with the right numbers and see
whether it gives what the learner has. A guess is a pair, an array and the words for the
mistake that made it. Where no guess fits, say at least which numbers are right.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ._compare import GENERIC, SCALAR, fits, size
from ._support import Array

Guess: TypeAlias = tuple[Any, str]


@dataclass
class Case:
    """A gradient (or output) that is wrong, and all that a diagnosis may look at.

    `gradient(key, dy=, x=, parameters=)` is the right gradient for other numbers, or
    None where that takes too long. `is_mask` says that the learner's holds True and
    False. `others` are the learner's gradients of the other arrays.
    """

    layer: Any
    key: str
    mine: Array
    right: Array
    dy: Array
    y: Array
    x: Array
    args: tuple[Any, ...]
    is_mask: bool
    gradient: Callable[..., Array | None]
    parameters: dict[str, Array] = field(default_factory=dict)
    others: dict[str, Array] = field(default_factory=dict)

    @property
    def batch(self) -> int:
        return len(self.x) if self.x.ndim else 1

    @property
    def is_output(self) -> bool:
        return self.key == "the output"

    @property
    def is_loss(self) -> bool:
        return self.dy.ndim == 0

    def close(self, guess: Any) -> bool:
        """Is this what the learner has, as far as the right numbers are known?"""
        if guess is None or np.shape(guess) != self.mine.shape:
            return False
        return alike(self.mine, guess, size(self.right))


def alike(a: Array, b: Array, scale: float) -> bool:
    """Are two arrays equal to a few digits, where neither is NaN?"""
    seen = ~np.isnan(a - b)
    close = np.allclose(a[seen], b[seen], rtol=1e-4, atol=1e-5 * scale)
    return bool(seen.any() and close)


def diagnose(case: Case) -> tuple[str, bool]:
    """Words for what went wrong, and whether they name a mistake."""
    for guesses in GUESSES:
        for guess, words in guesses(case):
            if case.close(guess):
                return words, True
    for hint in (slope_of_each_entry, part_that_is_right):
        if words := hint(case):
            return words, False
    return GENERIC, False


# ----------------------------------------------------------------- the whole array


def whole(case: Case) -> Iterator[Guess]:
    """A sign, a factor, the axes, one number for all."""
    right = case.right
    yield 0 * right, "It is zero everywhere: is it ever assigned?"
    yield -right, "It has the wrong sign."
    known = ~np.isnan(right)
    a = case.mine[known]
    b = right[known]
    factor = float(a @ b / (b @ b or 1))
    words = diagnose_factor(factor, case)
    yield factor * right if words else None, words
    yield right.T, "It looks transposed."
    yield np.full(right.shape, b.sum()), SCALAR
    unsigned = np.where(case.mine < 0, -np.abs(right), np.abs(right))
    yield (
        unsigned,
        "The sizes are right and some signs are not: a sign(...) is missing.",
    )
    for other, stored in case.others.items():
        if other != case.key and alike_shape(stored, right):
            if alike(stored, right, size(right)):
                words = f"What belongs here is stored as the gradient of {other}."
                yield case.mine, words


def alike_shape(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.size > 1


def diagnose_factor(factor: float, case: Case) -> str:
    """Words for a constant factor."""
    N = case.batch
    shape = case.x.shape if case.is_output else case.mine.shape
    width = shape[-1] if shape[1:] else 1
    p = getattr(case.layer, "p", 0)
    p = p if isinstance(p, float) else 0.0
    known = [
        (N, f"off by the batch size: {N} times too large. Divide by N exactly once."),
        (
            1 / N,
            f"off by the batch size: {N} times too small. "
            "The loss has divided by N already: sum over the batch, do not average.",
        ),
        (
            1 / width,
            f"{width} times too small: divide by the rows N, not by all the numbers.",
        ),
        (
            width,
            f"{width} times too large: divide by all the numbers, not by the rows N.",
        ),
        (N * width, f"{N * width} times too large: divide by the number of numbers."),
        (1 - p, "1 - p times the right value: the factor 1/(1-p) is missing."),
        (
            (1 - p) ** 2,
            "(1 - p)² times the right value: divide by 1 - p, do not multiply.",
        ),
        (
            (1 - p) / (p or 1),
            f"{(1 - p) / (p or 1):.4g} times the right value: is it divided by p? The "
            "share 1 - p is left over.",
        ),
        (
            1 / (1 - p),
            "1/(1-p) times the right value: that factor comes in twice.",
        ),
        (
            N / width,
            f"{N / width:.4g} times the right value: divide by the rows N, not by the "
            "number of classes or columns.",
        ),
    ]
    for value, words in known:
        if value != 1 and np.isclose(factor, value, rtol=1e-3):
            return f"It is {words}"
    if case.mine.size == 1:  # any number is some factor times another
        return ""
    if abs(factor) > 1e10:
        return (
            f"It is {factor:.4g} times the right value: was something divided by what "
            "adds up to 0 but for rounding, such as ds.sum()?"
        )
    return (
        f"It is {factor:.4g} times the right value everywhere: a constant factor is "
        "off."
    )


# -------------------------------------------------------------------- the chain rule


def own_slopes(case: Case) -> Array | None:
    """Each entry's own slope, where the output has the shape of x."""
    if case.key != "x" or case.dy.shape != case.x.shape or case.is_loss:
        return None
    jacobian = case.gradient("x", dy=None)
    if jacobian is None:
        return None
    square = jacobian.reshape(case.x.size, case.x.size)
    return np.diagonal(square).reshape(case.x.shape)


def chain(case: Case) -> Iterator[Guess]:
    """dy or the layer's own derivative is missing or comes in another way."""
    if case.is_output:
        yield case.x, "It is x, passed on unchanged: nothing happens to it."
    if case.is_output or case.is_loss:
        return
    dy = case.dy
    yield (
        dy,
        "It is dy, passed on unchanged: the layer's own derivative is missing.",
    )
    yield -dy, "It is -dy: the layer's own derivative is missing, and a sign is wrong."
    own = own_slopes(case)
    if own is None:
        return
    truth = ""
    if case.is_mask:
        truth = (
            " It holds True and False: `dy * x > 0` means `(dy * x) > 0`, so write "
            "`dy * (x > 0)`."
        )
        yield (dy * case.x > 0).astype(float), f"It is a mask, not a gradient.{truth}"
    yield (
        own,
        "It is the layer's own derivative without dy: the chain rule multiplies the "
        f"two.{truth}",
    )
    yield dy + own, "dy and the layer's own derivative are added: it multiplies them."
    yield (
        dy * own,
        "It looks like the diagonal of the Jacobian only: each output depends on every "
        "input.",
    )


def elementwise(case: Case) -> Iterator[Guess]:
    """Slips in the slope of a function of each number."""
    own = own_slopes(case)
    if own is None or not alike(case.right, case.dy * own, size(case.right)):
        return
    dy = case.dy
    with np.errstate(all="ignore"):
        yield dy / own, "It is dy divided by the slope: the chain rule multiplies."
        yield dy**2 * own, "It is the right one once more times dy."
        yield dy * own**2, "The slope of the layer comes in twice."
        yield own * dy.sum(), "dy is summed: each number has a dy of its own."
    yield dy * case.x, "It is dy times x: the slope at x is something else."
    yield dy * case.y, "It is dy times y: the layer's output is not its slope."
    at_y = case.gradient("x", dy=dy, x=case.y)
    yield at_y, "It is the slope at y, and not at x: y is what comes out of the layer."


# ------------------------------------------------------------ another dy, other weights


def other_dy(case: Case) -> Iterator[Guess]:
    """The right gradient of another dy: of ones, of one example, of one channel."""
    if case.is_output or case.is_loss:
        return
    for dy, words in reduced(case.dy):
        yield case.gradient(case.key, dy=dy), words


def reduced(dy: Array) -> Iterator[tuple[Array, str]]:
    """Ways to lose a part of dy."""
    yield (
        np.ones_like(dy),
        "It is what comes out where every dy is 1: the chain rule multiplies by dy.",
    )
    for axis in range(dy.ndim):
        length = dy.shape[axis]
        if length == 1:
            continue
        of = "example counts" if axis == 0 else f"along axis {axis} of dy counts"
        for index, which in ((0, "first"), (length - 1, "last")):
            chosen = dy.take([index], axis)
            only = np.zeros_like(dy)
            np.moveaxis(only, axis, 0)[index] = np.moveaxis(chosen, axis, 0)[0]
            yield (
                only,
                f"It looks as if only the {which} {of}: the others are left out.",
            )
            repeated = np.broadcast_to(chosen, dy.shape)
            yield repeated, f"It looks as if only the {which} {of}, for all of them."
        mean = np.broadcast_to(dy.mean(axis, keepdims=True), dy.shape)
        yield mean, f"It looks as if dy were replaced by its mean over axis {axis}."


def other_weights(case: Case) -> Iterator[Guess]:
    """The right gradient if a parameter stood the other way round."""
    if case.is_output or case.is_loss:
        return
    for name, p in case.parameters.items():
        if name == case.key:
            continue
        if p.ndim == 2 and p.shape[0] == p.shape[1] > 1:
            turned = case.gradient(case.key, dy=case.dy, parameters={name: p.T})
            yield turned, f"{name} looks transposed in it: backwards it is {name}.T."
        if p.ndim == 4 and p.shape[-1] > 1:
            flipped = {name: p[:, :, ::-1, ::-1]}
            turned = case.gradient(case.key, dy=case.dy, parameters=flipped)
            yield turned, f"{name} is turned round in it: it met this patch as it is."


# ----------------------------------------------------------- a term more, a factor more


def known_arrays(case: Case) -> dict[str, Array]:
    """What a learner has at hand and may have put into the equation."""
    known = {"x": case.x, "y": case.y, "dy": case.dy} | case.parameters
    if len(case.args) == 1:
        target = np.asarray(case.args[0])
        if target.shape == case.x.shape:
            known |= {"the target": target, "the error": case.x - target}
    return {
        name: np.asarray(a, float)
        for name, a in known.items()
        if a.dtype.kind in "fiu" and a.ndim and fits(a, case.mine)
    }


def terms(case: Case) -> Iterator[Guess]:
    """A known array is added, missing, or multiplied."""
    if case.mine.size < 3:
        return
    right = case.right
    rest = case.mine - right
    for name, a in known_arrays(case).items():
        factor = fitted(rest, np.broadcast_to(a, rest.shape))
        if alike(rest, factor * a + 0 * rest, size(rest)):
            yield case.mine, added(name, factor)
        with np.errstate(all="ignore"):
            yield right * a, f"It is the right one times {name}: that is too much."
            yield right * a * a, f"It is the right one times {name} squared."
            yield right / a, f"The factor {name} is missing."
    if np.nanstd(rest) < 1e-5 * size(rest):
        value = float(np.nanmean(rest))
        yield case.mine, f"It is the right one plus {value:.4g} everywhere."


def added(name: str, factor: float) -> str:
    amount = "" if np.isclose(abs(factor), 1) else f"{abs(factor):.4g} times "
    if factor < 0:
        return f"It is the right one minus {amount}{name}: is that term missing?"
    return f"It is the right one plus {amount}{name}: that term is too much."


def fitted(a: Array, b: Array) -> float:
    """The factor that brings b closest to a, where both are known."""
    seen = ~np.isnan(a + b)
    return float(a[seen] @ b[seen] / (b[seen] @ b[seen] or 1))


def forms(case: Case) -> Iterator[Guess]:
    """For losses: the gradient goes like x, like sign(x), and should not."""
    if not case.is_loss or case.is_output or case.mine.size < 3:
        return
    right = next(
        (words for words, a in shapes_of(case) if goes_like(case.right, a)), ""
    )
    should = f" The right one goes like {right}." if right else ""
    for words, a in shapes_of(case):
        factor = fitted(case.mine, a)
        if factor and words != right:
            told = f"It is proportional to {words}, {factor:.4g} times.{should}"
            yield factor * a, told


def shapes_of(case: Case) -> Iterator[tuple[str, Array]]:
    for name, a in known_arrays(case).items():
        if name in ("x", "the error") and a.shape == case.mine.shape:
            yield name, a
            yield f"sign({name})", np.sign(a)
            yield f"|{name}|", np.abs(a)
            yield f"{name} squared", a**2
    yield "1, whatever x is", np.ones(case.mine.shape)


def goes_like(a: Array, form: Array) -> bool:
    factor = fitted(a, form)
    return bool(factor) and alike(a, factor * form, size(a))


def sums(case: Case) -> Iterator[Guess]:
    """A term that is summed over one axis is missing, or summed over another."""
    if case.is_output or case.mine.ndim < 2 or np.isnan(case.right).any():
        return
    rest = case.mine - case.right
    for axis in range(rest.ndim):
        if rest.shape[axis] < 3:
            continue
        told = (
            f"A sum or mean over axis {axis}{{}} is missing, or is another one: each "
            "number along that axis has a part in all the others."
        )
        yield case.right + along(rest, np.ones_like(rest), axis), told.format("")
        for name, a in (("y", case.y), ("x", case.x)):
            if a.shape == rest.shape:
                part = along(rest, a, axis)
                yield case.right + part, told.format(f", times {name},")
                mean = rest.mean(axis, keepdims=True)
                both = mean + along(rest, a - a.mean(axis, keepdims=True), axis)
                if rest.shape[axis] > 3:
                    words = f", and one times {name},"
                    yield case.right + both, told.format(words)


def along(rest: Array, a: Array, axis: int) -> Array:
    """The part of `rest` that is `a` times one number for each line along the axis."""
    lengths = (a * a).sum(axis, keepdims=True)
    return a * (rest * a).sum(axis, keepdims=True) / np.where(lengths, lengths, 1)


# ---------------------------------------------------------------------- cross-entropy


def cross_entropy(case: Case) -> Iterator[Guess]:
    """The gradient is (p - one_hot) / N, and p and one-hot are all there is."""
    target = class_numbers(case)
    if target is None:
        return
    N, C = case.x.shape
    e = np.exp(case.x - case.x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    hot = (target[:, None] == np.arange(C)).astype(float)
    if not alike(case.right, (p - hot) / N, size(case.right)):
        return
    for guess, words in cross_entropy_slips(p, hot, target):
        for factor, also in (
            (1 / N, ""),
            (1, " And it is not divided by N."),
            (1 / C, " And it is divided by the number of classes, not by N."),
            (1 / (N * C), " And it is divided by all the numbers, not by the rows N."),
            (-1 / N, " And its sign is wrong."),
        ):
            yield factor * guess, words + also


def class_numbers(case: Case) -> Array | None:
    if not case.is_loss or case.is_output or len(case.args) != 1:
        return None
    target = np.asarray(case.args[0])
    fits_rows = case.x.ndim == 2 and target.shape == case.x.shape[:1]
    return target if fits_rows and target.dtype.kind in "iu" else None


def cross_entropy_slips(p: Array, hot: Array, target: Array) -> Iterator[Guess]:
    everywhere = np.broadcast_to(hot.any(axis=0), p.shape)
    with np.errstate(all="ignore"):
        yield (
            p - everywhere,
            "1 is subtracted in every row of those columns: each row has one class, "
            "ds[rows, t] -= 1, with rows = np.arange(N).",
        )
        yield p, "It is p alone: the 1 at the right class is not subtracted."
        yield (
            np.where(hot, -1, p),
            "The right class is set to -1: subtract 1 there, -=.",
        )
        yield np.where(hot, 1, p), "The right class is set to 1: subtract 1 there, -=."
        yield p + hot, "1 is added at the right class: subtract it."
        yield p - target[:, None], "The number of the class is subtracted, not one-hot."
        yield np.log(p) - hot, "It is log p where p belongs."
        yield np.log(p), "It is log p where p belongs, and no 1 is subtracted."
        yield (
            hot * (p - 1),
            "It gives only the right class a gradient: the others get p.",
        )
        yield -hot, "The probability p is missing: ds = p - one_hot."
        yield (
            -hot / p,
            "It is the derivative of -log p with respect to p, not to the scores.",
        )
        yield (
            p * (1 - p),
            "p (1 - p) is the diagonal of the softmax alone: ds = p - one_hot.",
        )
        yield hot * p, "Only the right class has its p: ds = p - one_hot."
        yield (p - hot) * p, "It is the right one times p: that factor is too much."
        yield (
            p - np.roll(hot, 1, axis=1),
            "1 is subtracted one class too far to the right.",
        )


# ------------------------------------------------------------------- time, and ids


def over_time(case: Case) -> Iterator[Guess]:
    """Recurrent layers: what goes back through time, and what is added up."""
    if case.dy.ndim != 3 or "W_hh" not in case.parameters or case.is_output:
        return
    yield from wrong_states(case)
    if case.key != "x":
        yield (
            case.mine,
            "What goes back through time is right, as dx is: add up over the steps, "
            "each with its own x_t and the h_{t-1} it started from.",
        )
        return
    T = case.dy.shape[1]
    scale = size(case.right)
    ends = [alike(case.mine[:, t:], case.right[:, t:], scale) for t in range(T)]
    if late := sum(ends):
        lost = "lost" if late == 1 else "lost, or taken twice"
        yield (
            case.mine,
            f"Only the last {late} of {T} time steps are right: a path back through "
            f"time is {lost}. dh_t is dy_t plus what step t+1 sends back, no more.",
        )


def wrong_states(case: Case) -> Iterator[Guess]:
    """A tanh RNN whose slope is taken at another state."""
    W_xh = case.parameters.get("W_xh")
    W_hh = case.parameters["W_hh"]
    h = case.y
    if W_xh is None or W_hh.shape[0] != W_hh.shape[1] or h.shape[-1] != len(W_hh):
        return
    before = np.roll(h, 1, axis=1)
    before[:, 0] = 0
    for states, words in (
        (np.broadcast_to(h[:, -1:], h.shape), "the last state"),
        (before, "the state before"),
        (np.roll(h, -1, axis=1), "the state after"),
    ):
        da = back_through_time(case.dy, 1 - states**2, W_hh)
        guess = da @ W_xh.T if case.key == "x" else None
        yield (
            guess,
            f"The slope of each step is taken at {words}: it belongs to the state that "
            "the step made, 1 - h[t + 1]**2.",
        )


def back_through_time(dy: Array, slopes: Array, W_hh: Array) -> Array:
    """da of every step, from the last to the first."""
    da = np.zeros_like(dy)
    back = np.zeros_like(dy[:, 0])
    for t in reversed(range(dy.shape[1])):
        da[:, t] = (dy[:, t] + back) * slopes[:, t]
        back = da[:, t] @ W_hh.T
    return da


def repeated_ids(case: Case) -> Iterator[Guess]:
    """An embedding: ids that occur twice."""
    if case.x.dtype.kind not in "iu" or case.mine.ndim != 2 or case.is_output:
        return
    if case.dy.shape != (*case.x.shape, case.mine.shape[1]):
        return
    once = np.zeros(case.mine.shape)
    once[case.x] = case.dy
    yield (
        once,
        "An id that occurs several times counts only once: np.add.at(dW, ids, dy) adds "
        "up, dW[ids] += dy does not.",
    )


GUESSES: tuple[Callable[[Case], Iterator[Guess]], ...] = (
    whole,
    chain,
    cross_entropy,
    repeated_ids,
    elementwise,
    other_dy,
    over_time,
    other_weights,
    terms,
    forms,
    sums,
)


# ------------------------------------------------------------------------- weak hints


def slope_of_each_entry(case: Case) -> str:
    """For functions of each number: yours divided by dy, beside the slope."""
    own = own_slopes(case)
    if own is None or not alike(case.right, case.dy * own, size(case.right)):
        return ""
    right = part_that_is_right(case)
    error = np.abs(case.mine - case.right)
    i = np.unravel_index(np.nanargmax(error), error.shape)
    ratio = case.mine[i] / case.dy[i]
    return (
        f"Divided by dy, yours is {ratio:.4g} where the layer's slope is {own[i]:.4g}. "
        f"{right}"
    ).strip()


def part_that_is_right(case: Case) -> str:
    """How many numbers are right, where the wrong ones are, and whether they are 0."""
    known = ~np.isnan(case.right)
    scale = size(case.right)
    good = np.isclose(case.mine, case.right, rtol=1e-4, atol=1e-6 * scale) & known
    wrong = known & ~good
    nonzero = good & (case.right != 0)
    if not nonzero.any() or good.sum() < 0.15 * known.sum():
        return ""
    told = f"{good.sum()} of {known.sum()} numbers are right"
    if where := lines_of(wrong):
        return f"{told}: wrong are those {where}."
    if not case.mine[wrong].any():
        return f"{told}, the others are 0: what is left out there?"
    if not case.right[wrong].any():
        return f"{told}, the others should be 0: what switches them off?"
    return f"{told}: what is different in the others?"


def lines_of(wrong: Array) -> str:
    """The rows or columns that the wrong entries fill, where they fill some."""
    for axis in range(wrong.ndim):
        others = tuple(i for i in range(wrong.ndim) if i != axis)
        filled = np.asarray(wrong.all(axis=others))
        count = wrong.size // wrong.shape[axis] * filled.sum()
        if wrong.shape[axis] > 1 and wrong.sum() == count:
            which = ", ".join(map(str, np.flatnonzero(filled)[:6]))
            return f"with index {which} on axis {axis}"
    return ""
