"""One forward and one backward of a layer, with everything about them checked but the
numbers.

What is handed in must not change, what comes back must be arrays of the right kind, the
randomness must be the layer's own. And what every check needs to know of a layer: its
parts, parameters and buffers, its name, a copy of it, other numbers for it.
"""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from ._failures import CheckFailed, learner_code
from ._support import Array

SHIFT = 0.3  # how far a second try moves the numbers


def demand(ok: object, message: str) -> None:
    """Raise CheckFailed with this message unless `ok`."""
    if not ok:
        raise CheckFailed(message)


# -------------------------------------------------------------------------- one trial


class Trial(NamedTuple):
    """What one forward and one backward gave."""

    dy: Array
    y: Array
    gradients: dict[str, Array]  # of x, and of each parameter

    def results(self) -> dict[str, Array]:
        return {"the output": self.y} | self.gradients


def run(
    layer: Any, x: Array, args: tuple[Any, ...], make_dy: Callable[[Any], Array]
) -> Trial:
    """Forward, then backward from `make_dy(shape)`; a loss starts from itself."""
    name = name_of(layer)
    arrays = {f"argument {i}": a for i, a in enumerate(args, 2)}
    given = {"x": x} | {k: a for k, a in arrays.items() if isinstance(a, np.ndarray)}
    with own_generator_only(name):
        with left_alone(layer, "forward", given), watched(layer, "forward", x=x):
            y = layer.forward(x, *args)
        y = numbers(name, "forward", y)
        dy = np.ones(y.shape)
        start: tuple[Array, ...] = ()
        if takes_dy(layer, y):
            dy = make_dy(y.shape)
            demand_shape(name, y, dy)
            given["dy"] = dy.copy()
            start = (given["dy"],)
        else:
            demand_one_number(name, y)
        with left_alone(layer, "backward", given), watched(layer, "backward", dy=dy):
            dx = layer.backward(*start)
    found = gradients(layer, x, dx)
    for key, value in ({"the output": y} | found).items():
        demand(
            np.isfinite(value).all(),
            f"{name}: {d(key)} holds NaN or infinity. Was something divided "
            "by 0, or the root or logarithm of a negative number taken?",
        )
    return Trial(dy, np.array(y), found)


def forward(layer: Any, x: Array, args: tuple[Any, ...]) -> Array:
    """The output alone, as an array of its own."""
    with watched(layer, "forward", x=x):
        return np.array(layer.forward(x, *args))


def watched(layer: Any, method: str, **arrays: Array) -> AbstractContextManager:
    """The learner's lines; our own layers raise their own errors."""
    if is_library(layer):
        return nullcontext()
    return learner_code(f"{name_of(layer)}: {method}", **arrays)


def takes_dy(layer: Any, y: Array) -> bool:
    """Does backward take dy, as a layer's does? A loss's does not."""
    try:
        signature = inspect.signature(layer.backward)
    except (AttributeError, TypeError, ValueError):
        return y.ndim > 0
    asked = [p for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]
    needed = [p for p in asked if p.default is p.empty and p.kind != p.VAR_POSITIONAL]
    return bool(needed) or (bool(asked) and y.ndim > 0)


def demand_shape(name: str, y: Array, dy: Array) -> None:
    demand(
        y.shape == dy.shape,
        f"{name}: the output has shape {y.shape}, expected {dy.shape}",
    )


def demand_one_number(name: str, y: Array) -> None:
    demand(
        y.size == 1,
        f"{name}: the output has shape {y.shape}, and a loss is one number: take the "
        "mean over the batch, .mean()",
    )


# ---------------------------------------------------------------- what must not happen


@contextmanager
def left_alone(layer: Any, method: str, given: dict[str, Array]) -> Iterator[None]:
    """Fail where the method changes what it was given, or a parameter, in place."""
    name = name_of(layer)
    before = copy.deepcopy(given)
    parameters = copy.deepcopy(parameters_of(layer))
    yield
    for key, old in before.items():
        demand(
            equal(old, given[key]),
            f"{name}: {method} changes its input {key} in place: others still need it. "
            "Work on a copy.",
        )
    for key, p in parameters_of(layer).items():
        demand(
            equal(parameters.get(key), p),
            f"{name}: {method} changes its parameter {key}: only the optimizer moves "
            "parameters.",
        )


def equal(a: Any, b: Any) -> bool:
    floats = np.asarray(a).dtype.kind == "f"
    return np.array_equal(a, b, equal_nan=floats)


@contextmanager
def own_generator_only(name: str) -> Iterator[None]:
    """Fail where numpy's global generator, np.random, is drawn from or seeded."""
    kept = np.random.get_state()  # noqa: NPY002
    before = global_state()
    try:
        yield
        drawn = global_state() != before
    finally:
        np.random.set_state(kept)  # noqa: NPY002
    demand(
        not drawn,
        f"{name} draws from numpy's global generator, np.random, and nobody can repeat "
        "that: draw from the generator that it is given.",
    )


def global_state() -> Any:
    """What a draw changes. Of two normal numbers the second only lowers a flag."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    return state["state"]["pos"], state["state"]["key"].tobytes(), state["has_gauss"]


# ------------------------------------------------------------------- what comes back


def numbers(name: str, method: str, value: Any) -> Array:
    """What a method returned, if it is an array of numbers, or one number."""
    demand(value is not None, f"{name}: {method} returns nothing: end it with return")
    array = None
    if isinstance(value, np.ndarray | np.generic | float | int):
        array = np.asarray(value)
    if array is not None and array.dtype.kind in "biuf":
        return array
    wanted = "one array is the output"
    if method == "backward":
        wanted = "return dx alone, and assign the other gradients to self.grads"
    raise CheckFailed(f"{name}: {method} returns {kind_of(value)}: {wanted}")


def gradients(layer: Any, x: Array, dx: Any) -> dict[str, Array]:
    """dx and the gradient of every parameter, by name; raises where one is missing."""
    name = name_of(layer)
    found = {}
    if dx is not None:
        found["x"] = np.array(numbers(name, "backward", dx))
    demand(
        dx is not None or x.dtype.kind != "f",
        f"{name}: backward returns nothing: end it with return dx (or leave "
        "needs_input_grad at True to check it)",
    )
    stored = {key: g for key, g in held(layer, "grads").items() if g is not None}
    parameters = parameters_of(layer)
    missing = ", ".join(sorted(parameters.keys() - stored.keys()))
    others = ", ".join(sorted(stored.keys() - parameters.keys()))
    demand(
        not missing,
        f"{name}: backward stores no gradient for {missing}: assign self.grads with "
        f"the names of self.params{others and ', not ' + others}",
    )
    for key in parameters:
        array = np.asarray(stored[key])
        demand(
            array.dtype.kind in "biuf",
            f"{name}: the gradient of {key} is {kind_of(stored[key])}, not an array",
        )
        found[key] = np.array(array)
    return found


# ------------------------------------------------------------------ what a layer has


def parts(layer: Any) -> Iterator[tuple[str, Any]]:
    """The layer and the layers inside it, each with the beginning of its names."""
    if hasattr(layer, "named_layers"):
        yield from layer.named_layers()
    else:
        yield "", layer


def held(layer: Any, kind: str) -> dict[str, Any]:
    """All that the parts keep in `params`, `grads` or `buffers`, by name."""
    found: dict[str, Any] = {}
    for prefix, part in parts(layer):
        own = getattr(part, kind, {})
        demand(
            isinstance(own, Mapping),
            f"{name_of(part)}: self.{kind} is {kind_of(own)}: make it a dictionary "
            'with the names of the parameters, for example {"W": ..., "b": ...}',
        )
        found |= {prefix + key: value for key, value in own.items()}
    return found


def parameters_of(layer: Any) -> dict[str, Array]:
    return held(layer, "params")


def arrays_of(layer: Any, x: Array) -> dict[str, Array]:
    """All that has a gradient: the parameters and, unless it holds ids, x."""
    return ({"x": x} if x.dtype.kind == "f" else {}) | parameters_of(layer)


def generators(layer: Any) -> list[np.random.Generator]:
    """The generators that the parts keep."""
    kept = [value for _, part in parts(layer) for value in attributes(part)]
    return [value for value in kept if isinstance(value, np.random.Generator)]


def attributes(part: Any) -> list[Any]:
    return list(getattr(part, "__dict__", {}).values())


def check_parameters(layer: Any) -> None:
    """Parameters are arrays of floats: an optimizer changes them in place."""
    for key, p in parameters_of(layer).items():
        demand(
            isinstance(p, np.ndarray),
            f"{name_of(layer)}: the parameter {key} is {kind_of(p)}, which cannot be "
            "changed in place: make it an array, np.array(...)",
        )
        demand(
            p.dtype.kind == "f",
            f"{name_of(layer)}: the parameter {key} holds {p.dtype}, and no optimizer "
            "can move that a little: make it floats",
        )


def is_library(layer: Any) -> bool:
    """Is every part of it one of ours?"""
    kinds = {type(part) for _, part in parts(layer)}
    return all(kind.__module__.split(".")[0] == "scratchml" for kind in kinds)


def name_of(thing: Any) -> str:
    return type(thing).__name__


def kind_of(thing: Any) -> str:
    kind = type(thing).__name__
    article = "an" if kind[0] in "aeiou" else "a"
    length = f" of {len(thing)}" if isinstance(thing, tuple | list) else ""
    return f"{article} {kind}{length}"


def d(key: str) -> str:
    """The name of a gradient: "0.W" becomes "0.dW"."""
    head, dot, last = key.rpartition(".")
    return "output" if key == "the output" else f"{head}{dot}d{last}"


# --------------------------------------------------------------- copies, other numbers


def copy_of(layer: Any, dtype: Any) -> Any:
    """A copy with its arrays in this dtype, under all the names that they have."""
    arrays = [
        a for kind in ("params", "buffers", "grads") for a in held(layer, kind).values()
    ]
    floats = [a for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    turned = {id(a): a.astype(dtype) for a in floats}
    return copy.deepcopy(layer, turned)


def copy_input(x: Any) -> Array:
    return np.array(x, np.float64 if np.asarray(x).dtype.kind == "f" else None)


def copy_arrays(source: Any, target: Any) -> None:
    """Give `target` the parameters and buffers of `source`, where the names agree."""
    for kind in ("params", "buffers"):
        theirs = held(source, kind)
        for key, a in held(target, kind).items():
            if key in theirs:
                a[...] = theirs[key]


def move_parameters(layer: Any, rng: np.random.Generator) -> None:
    """Each number by up to 0.3 of itself, so that no sign changes; zeros by 0.3."""
    for p in parameters_of(layer).values():
        factors = 1 + SHIFT * rng.uniform(-1, 1, p.shape)
        zeros = SHIFT * rng.standard_normal(p.shape)
        p[...] = np.where(p == 0, zeros, p * factors)


def other_rows(x: Array) -> Array:
    """Other numbers of the same kind: each row mixed with its neighbour.

    A mixture of probabilities, of pixels or of positive numbers is one again. Ids move
    by one row.
    """
    if x.ndim == 0:
        return (1 - SHIFT) * x
    neighbour = np.roll(x, 1, axis=0 if len(x) > 1 else -1)
    if x.dtype.kind != "f":
        return neighbour
    return (1 - SHIFT) * x + SHIFT * neighbour


def nudged(x: Array, rng: np.random.Generator) -> Array:
    """The same place, a hundredth away; ids stay."""
    if x.dtype.kind != "f":
        return x
    return x + 0.01 * rng.standard_normal(x.shape)
