"""Is your function the library's? Both get the same arguments, and what they give is
compared, number by number.
"""

import copy
import inspect
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ._compare import diagnose_shape, size, worst
from ._differences import Arrays, Differs, are_close, at, difference
from ._failures import CheckFailed, learner_code
from ._support import Array
from .layers import Layer, Sequential

Function = Callable[..., Any]
Case = Sequence[Any]


def same_function(
    mine: Function,
    reference: Function,
    *cases: Case,
    gives: str | Sequence[str] = "the result",
    name: str = "",
    tolerance: float = 1e-8,
) -> None:
    """Is your function the reference? Call both with the same arguments and compare.

    Each case is one list of arguments. What the functions return is compared, and what
    they leave in their arguments: yours may change in place only what the reference
    changes. `gives` names what is returned; several names stand for a tuple. `name` is
    what the messages call your function.

    Raises CheckFailed with a diagnosis; prints one line when all agrees.
    """
    pair = _Pair(mine, reference, gives, name or mine.__name__, tolerance)
    changed = pair.changed_by_reference(cases)
    for case in cases:
        try:
            pair.compare(case, changed)
        except Differs as error:
            error.fingerprint += pair.fingerprint(cases)
            raise
    print(f"✓ {pair.name}: {', '.join(pair.gives)}")


class _Pair:
    """Your function and the right one."""

    def __init__(
        self,
        mine: Function,
        reference: Function,
        gives: str | Sequence[str],
        name: str,
        tolerance: float,
    ):
        self.mine = mine
        self.reference = reference
        self.several = not isinstance(gives, str)
        self.gives = [gives] if isinstance(gives, str) else list(gives)
        self.name = name
        self.tolerance = tolerance
        self.arguments = list(inspect.signature(mine).parameters)

    def changed_by_reference(self, cases: Sequence[Case]) -> set[str]:
        """The arguments that the reference changes in place, in one case at least."""
        changed = set()
        for case in cases:
            _, left = call(self.reference, case)
            for argument, before, after in zip(
                self.arguments, case, left, strict=False
            ):
                if not equal(before, after):
                    changed.add(argument)
        return changed

    def fingerprint(self, cases: Sequence[Case]) -> str:
        """All numbers that your function gives, on all cases."""
        found = []
        for case in cases:
            try:
                answer, left = call(self.mine, case)
                total = sum(float(a.sum()) for a in _arrays([answer, left]))
                found.append(f"{total:.7g}")
            except Exception as error:
                found.append(type(error).__name__)
        return " ".join(found)

    def compare(self, case: Case, changed: set[str]) -> None:
        right, theirs = call(self.reference, case)
        with learner_code(self.name, **self._given(case)):
            answer, left = call(self.mine, case)
        values = list(zip(self.arguments, case, left, theirs, strict=False))
        for argument, before, after, _ in values:
            if argument not in changed and not equal(before, after):
                raise CheckFailed(
                    f"{self.name} changes its argument `{argument}` in place: whoever "
                    "called it still needs it. Work on a copy."
                )
        parts = self._parts(answer)
        for index in range(len(self.gives)):
            part = np.asarray(right[index] if self.several else right)
            self._check_part(index, parts[index], part, case)
        for argument, before, after, wanted in values:
            if argument in changed:
                _check_changed(f"{self.name}: `{argument}`", before, after, wanted)

    def _parts(self, answer: Any) -> Sequence[Any]:
        if not self.several:
            return [answer]
        wanted = f"return {len(self.gives)} things: {', '.join(self.gives)}"
        if answer is None:
            raise CheckFailed(f"{self.name} returns nothing: end it with {wanted}")
        if not isinstance(answer, tuple | list) or len(answer) != len(self.gives):
            raise CheckFailed(f"{self.name} returns {kind(answer)}: {wanted}")
        return answer

    def _label(self, index: int, case: Case) -> str:
        """What is compared; with the arguments, where they are plain numbers."""
        if all(isinstance(value, int | float) for value in case):
            return f"{self.name}({', '.join(map(str, case))}), {self.gives[index]}"
        return f"{self.name}: {self.gives[index]}"

    def _check_part(self, index: int, answer: Any, right: Array, case: Case) -> None:
        what = self._label(index, case)
        mine = _numbers(what, answer, right)
        if mine.shape != right.shape:
            raise CheckFailed(
                f"{what} has shape {mine.shape}, expected {right.shape}. "
                f"{diagnose_shape(mine, right)}"
            )
        if not np.isfinite(mine.astype(float)).all():
            raise _not_finite(what, mine, right)
        slack = self.tolerance * (size(right) or 1)
        if np.allclose(mine, right, rtol=self.tolerance, atol=slack):
            _check_integer(what, mine, right)
            return
        raise difference(
            what,
            mine,
            right,
            self._given(case),
            lambda: self._look_closer(index, mine, case),
        )

    def _given(self, case: Case) -> Arrays:
        """The arguments that are numbers, by name."""
        return {
            argument: np.asarray(value)
            for argument, value in zip(self.arguments, case, strict=False)
            if isinstance(value, np.ndarray | int | float)
        }

    def _look_closer(self, index: int, mine: Array, case: Case) -> Iterator[str]:
        """Ask both once more, with one argument changed: which one makes trouble?"""
        _, before = self._both(index, case)
        for place, value in enumerate(case):
            if not _is_continuous(value):
                continue
            argument = self.arguments[place]
            ours, theirs = self._both(index, _with(case, place, value * 1.25 + 0.0625))
            if equal(ours, mine) and not equal(theirs, before):
                yield f"It does not depend on `{argument}`: where does that come in?"
        for place, value in enumerate(case):
            if not _is_continuous(value):
                continue
            argument = self.arguments[place]
            for simple in (0, 1):
                ours, theirs = self._both(index, _with(case, place, value * 0 + simple))
                varied = theirs.ndim == 0 or (theirs.size and np.ptp(theirs))
                if varied and np.any(value != simple) and are_close(ours, theirs):
                    yield (
                        f"It is right where `{argument}` is {simple}: look at how "
                        f"`{argument}` comes in."
                    )

    def _both(self, index: int, case: Case) -> tuple[Array, Array]:
        """Your result and the right one; two empty arrays where one cannot be had."""
        found = []
        for function in (self.mine, self.reference):
            try:
                answer, _ = call(function, case)
                part = answer[index] if self.several else answer
                found.append(np.asarray(part, float))
            except Exception:
                return np.empty(0), np.zeros(0)
        return found[0], found[1]


def call(function: Function, case: Case) -> tuple[Any, list[list[Array]]]:
    """What it returns, and the arrays it was handed, as they are afterwards.

    They are the very arrays: who puts others into a list has not changed these.
    """
    arguments = copy.deepcopy(list(case))
    handed = [list(_arrays(argument)) for argument in arguments]
    return function(*arguments), handed


def _with(case: Case, place: int, value: Any) -> Case:
    return [*case[:place], value, *case[place + 1 :]]


def _is_continuous(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind == "f")
    return isinstance(value, float)


def _check_changed(what: str, before: Any, after: Any, wanted: Any) -> None:
    """Has an argument that is to be changed in place become what it should?"""
    old = _flat(before)
    mine = _flat(after)
    right = _flat(wanted)
    if np.allclose(mine, right, rtol=1e-8, atol=1e-10):
        return
    if np.array_equal(old, mine):
        raise CheckFailed(
            f"{what} is still what it was before the call. Is the factor 1? Or are the "
            "arrays not changed in place, `g *= ...` or `g[...] = ...`? `g = ...` is "
            "a new array that nobody sees."
        )
    raise difference(f"{what} after the call", mine, right, {})


def _numbers(what: str, answer: Any, right: Array) -> Array:
    """The answer as an array; CheckFailed if it is something else."""
    if answer is None:
        raise CheckFailed(f"{what}: your function returns nothing: end it with return")
    try:
        mine = np.asarray(answer)
    except ValueError:
        mine = np.asarray(None)
    if mine.dtype.kind not in "biuf":
        one = "one number" if right.ndim == 0 else f"an array of shape {right.shape}"
        raise CheckFailed(f"{what}: your function returns {kind(answer)}, not {one}")
    if mine.dtype.kind == "b" and right.dtype.kind != "b":
        raise CheckFailed(
            f"{what} holds True and False, not numbers. A comparison or a mask says "
            "where: multiply by it, or choose with np.where(mask, there, elsewhere)."
        )
    return mine


def _not_finite(what: str, mine: Array, right: Array) -> CheckFailed:
    where = worst(mine, right)
    head = (
        f"{what} is not a number everywhere{at(where, ', for example at ')}: "
        f"yours {mine[where]}, right is {right[where]:.6g}."
    )
    hint = (
        "Was something never filled in, divided by 0, or the root or logarithm taken "
        "of a negative number?"
    )
    return Differs(head, str(np.isnan(mine).sum()), "", [hint])


def _check_integer(what: str, mine: Array, right: Array) -> None:
    if right.dtype.kind in "iu" and mine.dtype.kind not in "iu":
        raise CheckFailed(
            f"{what} has the right value, {mine.flat[0]}, but it counts something: "
            "give an integer. `//` stays an integer, int(...) makes one."
        )


def kind(thing: Any) -> str:
    """What a wrong answer is, in words."""
    if isinstance(thing, tuple | list):
        parts = ", ".join(kind(part) for part in thing[:6])
        return f"a {type(thing).__name__} of {len(thing)} ({parts})"
    if isinstance(thing, np.ndarray):
        return f"an array of shape {thing.shape}"
    if isinstance(thing, type | types.FunctionType):
        return f"{thing.__name__} itself"
    if isinstance(thing, int | float | str | np.generic):
        return repr(thing)
    return f"a {type(thing).__name__}"


def equal(a: Any, b: Any) -> bool:
    """Do two arguments, whatever they are, hold the same numbers?"""
    ours = list(_arrays(a))
    theirs = list(_arrays(b))
    return len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))


def _flat(thing: Any) -> Array:
    return np.concatenate([np.ravel(a) for a in _arrays(thing)])


def _arrays(thing: Any) -> Iterator[Array]:
    """All numbers inside: of lists, dictionaries, and the attributes of objects."""
    if isinstance(thing, np.ndarray | int | float | np.generic):
        yield np.asarray(thing)
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from _arrays(part)
    elif isinstance(thing, dict):
        yield from _arrays(list(thing.values()))
    elif not isinstance(thing, type | types.FunctionType):
        yield from _arrays(list(getattr(thing, "__dict__", {}).values()))


# ---------------------------------------------------------------------- random answers


def same_draws(
    mine: Function,
    probabilities: Function,
    *cases: Case,
    rng: np.random.Generator,
    n: int = 2000,
) -> None:
    """Does your function draw class k with probability k, from the generator it gets?

    `mine(*case, rng)` returns the number of one class, `probabilities(*case)` gives the
    probability of each. The shares of `n` draws may be off by four standard errors.

    Raises CheckFailed with a diagnosis; prints one line when all is well.
    """
    name = mine.__name__
    seed = int(rng.integers(1 << 30))
    for case in cases:
        p = probabilities(*case)
        with learner_code(name, scores=np.asarray(case[0])):
            draws = _drawn(mine, case, np.random.default_rng(seed), n)
        for draw in draws:
            _check_class(name, draw, len(p))
        _check_generator_is_used(name, mine, case, seed)
        shares = np.bincount(np.array(draws, int), minlength=len(p)) / n
        if np.abs(shares - p).max() > 4 * np.sqrt(0.25 / n):
            raise _other_shares(name, case, shares, p)
    print(f"✓ {name} draws with the right shares, for {len(cases)} inputs")


def _drawn(mine: Function, case: Case, rng: np.random.Generator, n: int) -> list[Any]:
    arguments = copy.deepcopy(list(case))
    return [mine(*arguments, rng) for _ in range(n)]


def _check_generator_is_used(name: str, mine: Function, case: Case, seed: int) -> None:
    several = []
    for _ in range(2):
        generator = np.random.default_rng(seed)
        before = generator.bit_generator.state
        arguments = copy.deepcopy(list(case))
        several.append([mine(*arguments, generator) for _ in range(20)])
        if not equal(case, arguments):
            raise CheckFailed(
                f"{name} changes what it is given in place: the next draw still needs "
                "it. Work on a copy."
            )
    used = generator.bit_generator.state != before
    if used and equal(*several):
        return
    same = equal([several[0][0]] * 20, several[0])
    always = "It is always the same class: draw one. " if same else ""
    raise CheckFailed(
        f"{name} does not draw from the generator `rng` that it is given. {always}Use "
        "rng.choice(len(scores), p=p): the same seed then gives the same text, another "
        "seed another."
    )


def _check_class(name: str, draw: Any, classes: int) -> None:
    wanted = f"return the number of one class, 0 to {classes - 1}"
    if draw is None:
        raise CheckFailed(f"{name} returns nothing: {wanted}")
    if np.ndim(draw) > 0:
        hint = " (without size= there is a single one)" if np.size(draw) == 1 else ""
        raise CheckFailed(f"{name} returns {kind(draw)}: {wanted}{hint}")
    if isinstance(draw, str) or draw not in range(classes):
        raise CheckFailed(
            f"{name} returns {draw!r}: {wanted}. rng.choice(len(scores), p=p) draws "
            "the number, rng.choice(p, p=p) one of the values."
        )


def _other_shares(name: str, case: Case, shares: Array, p: Array) -> Differs:
    where = int(np.abs(shares - p).argmax())
    inputs = ", ".join(np.array2string(np.asarray(a), precision=3) for a in case)
    head = (
        f"{name}({inputs}, rng): how often class {where} is drawn is wrong: yours "
        f"{shares[where]:.3f}, right is {p[where]:.3f}."
    )
    certain = ""
    if shares.max() == 1:
        certain = "It is always the same class: draw, with rng.choice."
    elif np.ptp(shares) < 4 * np.sqrt(0.5 / 1000):
        certain = "All classes are alike: draw with p=p."
    likeliest = p.argmax()
    if shares[likeliest] == shares.min():
        hint = "The likeliest class comes least often: a sign is wrong."
    elif shares[likeliest] > p[likeliest]:
        hint = "The likely classes come too often, as with a lower temperature."
    else:
        hint = "The likely classes come too seldom, as with a higher temperature."
    return Differs(head, str(shares), certain, [hint])


# ---------------------------------------------------------------------------- networks


def check_network(
    make: Callable[[np.random.Generator], Any],
    x: Array,
    kinds: Sequence[str],
    sizes: Sequence[int],
    *,
    rng: np.random.Generator,
) -> None:
    """Is it the network that was asked for? Send `x` through it, layer by layer.

    `make(rng)` builds it, `kinds` are the classes of its layers and `sizes` their
    numbers of parameters. Prints one line a layer. Raises CheckFailed where the data
    cannot pass, a layer is another one, or its weights do not come from `rng`.
    """
    name = make.__name__
    model = make(rng)
    if not isinstance(model, Sequential):
        said = "nothing" if model is None else kind(model)
        raise CheckFailed(
            f"{name} returns {said}: end it with return Sequential(one layer, the "
            "next, ...)"
        )
    print(f"{'the input':65} {x.shape}")
    for layer in model.layers:
        try:
            x = layer.forward(x)
        except (ValueError, TypeError) as error:
            raise CheckFailed(f"the data cannot pass {layer}: {error}") from None
        print(f"{layer!s:65} {x.shape!s:15} {_size(layer):5,} parameters")
    _check_layers(name, model.layers, kinds, sizes)
    _check_weights(name, make)


def _size(layer: Layer) -> int:
    return sum(p.size for p in layer.parameters().values())


def _check_layers(
    name: str, layers: Sequence[Layer], kinds: Sequence[str], sizes: Sequence[int]
) -> None:
    ours = [type(layer).__name__ for layer in layers]
    listed = ", ".join(ours)
    if ours and ours[-1] == "Softmax":
        raise CheckFailed(
            f"{name}: the network ends in scores, the softmax is inside "
            "CrossEntropyLoss."
        )
    for wanted in dict.fromkeys(kinds):
        found = ours.count(wanted)
        if found != kinds.count(wanted):
            raise CheckFailed(
                f"{name} has {found} layers of the kind {wanted}, not "
                f"{kinds.count(wanted)}. Yours are {listed}. (Without a ReLU between "
                "them, two linear layers are one.)"
            )
    if ours != list(kinds):
        raise CheckFailed(f"{name}: the layers stand in another order: {listed}")
    for layer, wanted_size in zip(layers, sizes, strict=True):
        if _size(layer) != wanted_size:
            raise CheckFailed(
                f"{name}: {layer} has {_size(layer):,} parameters, expected "
                f"{wanted_size:,}: its sizes are not those that were asked for"
            )


def _check_weights(name: str, make: Callable[[np.random.Generator], Any]) -> None:
    """The same seed gives the same weights, and another seed others."""
    first, again, other = (
        make(np.random.default_rng(seed)).parameters() for seed in (0, 0, 1)
    )
    for key, p in first.items():
        drawn = p.ndim > 1
        repeated = np.array_equal(p, again[key])
        if drawn and (not repeated or np.array_equal(p, other[key])):
            raise CheckFailed(
                f"{name}: the weights {key} do not come from the generator that {name} "
                "is given: hand it on, rng=rng, to each layer that has weights"
            )
