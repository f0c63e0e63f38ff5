"""Is it right? Compare what you derived with what can be measured, and name the
mistake.

A falling loss proves little: many wrong gradients still point downhill. These checks
look at every parameter, in float64, with a random `dy`, twice with other numbers and
once in eval mode, and when something differs they say what it looks like.
"""

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec

import numpy as np

from ._batches import check_epochs
from ._compare import both, diagnose_shape, size, worst
from ._diagnoses import Case, diagnose
from ._failures import CheckFailed, WrongNumber, wrapped
from ._steps import diagnose_step, walk
from ._trial import (
    arrays_of,
    attributes,
    check_parameters,
    copy_arrays,
    copy_input,
    copy_of,
    d,
    demand,
    equal,
    forward,
    generators,
    held,
    is_library,
    move_parameters,
    name_of,
    nudged,
    other_rows,
    parameters_of,
    parts,
    run,
)
from .optimizers import Optimizer

P = ParamSpec("P")

STEP = 1e-5
ZERO = 1e-9  # finite differences cannot tell a smaller gradient from none
SECOND = "in a second try, with other numbers, "
EVAL = "in eval mode "


def _told_plainly(check: Callable[P, None]) -> Callable[P, None]:
    """Let a failure start in the caller's line, without the frames of this file."""

    @functools.wraps(check)
    def checked(*args: P.args, **options: P.kwargs) -> None:
        try:
            check(*args, **options)
        except CheckFailed as failure:
            raise failure.with_traceback(None) from None

    return checked


@_told_plainly
def gradient_check(
    layer: Any,
    x: Any,
    *args: Any,
    rng: np.random.Generator,
    tolerance: float = 1e-6,
    limit: int = 1000,
    eval_gradients: bool = True,
) -> None:
    """Compare every gradient that `backward` gives with finite differences of
    `forward`.

    For a layer the scalar whose gradient is taken is `sum(y * dy)` with a random `dy`;
    for a loss it is the loss itself (`args` are then its targets). Each entry `p` of
    `x` and of every parameter is moved a little: `dp ~ (f(p + h) - f(p - h)) / 2h`,
    with `h = 1e-5` in float64. Where the function has a kink, any slope between the two
    one-sided ones is accepted; where kinks meet even these may mislead, so what fails
    is checked once more close by. Arrays with more than `limit` entries are checked at
    `limit` random ones.

    All of it runs twice, the second time with other `x` and parameters, and then in
    eval mode. What is handed in must not change, and randomness must come from the
    layer's own generator. Gradients that are zero in both tries leave nothing to check
    and fail, too. A library layer must keep the dtype; for yours a wider one is a hint.
    `eval_gradients=False` leaves out the gradients of eval mode: few need them.

    Raises CheckFailed with a diagnosis. Prints one line when all is well.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """
    rng = rng.spawn(1)[0]  # else dy could be the very numbers of x
    x = copy_input(x)
    args = copy.deepcopy(args)
    check_parameters(layer)
    layer = copy_of(layer, np.float64)
    keys = list(arrays_of(layer, x))
    demand(
        keys and x.size, f"{name_of(layer)}: nothing to check: x is {x.dtype} {x.shape}"
    )
    check = _GradientCheck(layer, x, args, rng, tolerance, limit)
    check.first_try()
    check.second_try()
    check.flat_loss()
    check.demand_seen()
    check.eval_mode(eval_gradients)
    hint = _check_dtype(layer, x, args)
    told = ", ".join(map(d, keys))
    print(f"✓ {name_of(layer)}: {told} match finite differences")
    if hint:
        print("\n  ".join(wrapped(f"  hint: {hint}")))


@_told_plainly
def same(
    mine: Any,
    reference: Any,
    x: Any,
    *args: Any,
    rng: np.random.Generator,
    tolerance: float = 1e-10,
    eval_gradients: bool = True,
) -> None:
    """Is your layer (or loss) the library's? Compare the outputs and every gradient.

    The reference's parameters, moved a little, are copied into yours, and both run in
    float64 on the same `x` and the same random `dy`; twice with other numbers, and in
    eval mode, there without the gradients if `eval_gradients` is False. Raises
    CheckFailed with a diagnosis; prints one line when all agrees.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.
    """
    name = name_of(mine)
    rng = rng.spawn(1)[0]
    x = copy_input(x)
    args = copy.deepcopy(args)
    demand(x.size, f"{name}: nothing to check: x has shape {x.shape}")
    check_parameters(mine)
    mine = copy_of(mine, np.float64)
    reference = copy_of(reference, np.float64)
    _check_same_names(mine, reference)
    pair = _Pair(mine, reference, args, rng, tolerance)
    keys = pair.first_try(x)
    pair.second_try(other_rows(x))
    pair.eval_mode(x, eval_gradients)
    told = ", ".join(map(d, keys))
    print(f"✓ {name} is the library's {name_of(reference)}: {told}")


@_told_plainly
def same_steps(
    mine: Optimizer,
    reference: Optimizer,
    *,
    rng: np.random.Generator,
    steps: int = 10,
    tolerance: float = 1e-10,
) -> None:
    """Is your optimizer the library's? Both walk from one point along the same
    gradients.

    Then once more with a learning rate that changes on the way, and with two parameters
    in turns, each with its own `state`. Raises CheckFailed at the first step that
    differs, with a diagnosis. Prints one line when the walks agree.

    Derived in notebooks/01_nn.ipynb, section *Optimizers*.
    """
    name = name_of(mine)
    demand(hasattr(mine, "lr"), f"{name} has no learning rate: it needs self.lr")
    gradients = rng.standard_normal((steps, 3, 2))
    ours, theirs = (walk(optimizer, [gradients])[0] for optimizer in (mine, reference))
    for t, (step, right) in enumerate(zip(ours, theirs, strict=True)):
        if not np.allclose(step, right, rtol=tolerance, atol=tolerance):
            hint, named = diagnose_step(mine, reference, t, ours, theirs, gradients)
            head = f"{name}: step {t + 1} is wrong"
            told = _worst(step, right, "the library's")
            raise WrongNumber(f"{head}, {told}.", hint, named, ours)
    _check_rate(mine, reference, gradients, tolerance)
    _check_states(mine, reference, rng, steps, tolerance)
    print(f"✓ {name} walks with the library's {name_of(reference)}: {steps} steps")


@_told_plainly
def batches_check(
    batches: Callable[..., Iterable[Any]],
    *,
    rng: np.random.Generator,
    n: int = 20,
    batch_size: int = 6,
) -> None:
    """Does `batches(x, y, batch_size, rng)` give each example once, with its target,
    shuffled?

    Every batch but the last is full, shapes and dtypes stay, the caller's arrays are
    not changed, which examples come together changes from epoch to epoch, and the
    order depends on `rng` alone. Other sizes than `n` and `batch_size` are tried, too.

    Raises CheckFailed with a diagnosis; prints one line when all is well.

    Derived in notebooks/deeper/01_nn.ipynb, section *How many examples?*.
    """
    check_epochs(batches, n, batch_size, rng)
    for other_n, other_size in ((15, 5), (4, 7)):
        try:
            check_epochs(batches, other_n, other_size, rng)
        except CheckFailed as failure:
            raise CheckFailed(
                f"with {other_n} examples and batch_size {other_size}: {failure}. "
                f"With {n} and {batch_size} all was well: is one of them written out? "
                "Use len(x) and batch_size."
            ) from None
    print("✓ batches: every example once an epoch, with its own target, in a new order")


# ---------------------------------------------------------------------- gradient_check


class _GradientCheck:
    """One object through several tries: what it keeps from call to call shows."""

    def __init__(self, layer, x, args, rng, tolerance, limit):
        self.layer = layer
        self.x = x
        self.args = args
        self.rng = rng
        self.tolerance = tolerance
        self.limit = limit
        self.unused = copy.deepcopy(layer)
        self.seen = set()  # the arrays on which forward was seen to depend

    def first_try(self):
        self.is_loss = self.attempt(self.layer).dy.ndim == 0

    def second_try(self):
        self.limit = min(self.limit, 200)
        move_parameters(self.layer, self.rng)
        self.x = other_rows(self.x)
        try:
            self.attempt(self.layer)
        except CheckFailed as failure:
            copy_arrays(self.layer, self.unused)
            again = functools.partial(self.attempt, when=SECOND)
            raise _kept(failure, self.unused, again, self.dy_after_dy) from None

    def flat_loss(self):
        """A sure loss is flat: look closer to 0, where it is not."""
        if self.is_loss and "x" not in self.seen and self.x.dtype.kind == "f":
            self.x = self.x / 1000
            self.attempt(self.layer)

    def demand_seen(self):
        for key in arrays_of(self.layer, self.x):
            used = "" if key == "x" else f"does forward use {key} at all? If so, "
            demand(
                key in self.seen,
                f"{name_of(self.layer)}: nothing to check. The gradient of {key} is "
                f"zero everywhere, so right and wrong look alike: {used}take a batch "
                "of several different examples, or other weights.",
            )

    def eval_mode(self, gradients):
        if not hasattr(self.layer, "eval"):
            return
        calm = copy.deepcopy(self.layer)
        calm.eval()
        _check_calm(copy.deepcopy(calm), self.x, self.args)
        _check_not_frozen(self.layer, self.x, self.args)
        self.limit = min(self.limit, 30)
        if gradients and self.differs(calm):
            self.attempt(calm, when=EVAL)

    def differs(self, calm):
        """Is anything in eval mode not what it is in training?"""
        trained = run(copy.deepcopy(self.layer), self.x, self.args, self.random)
        evaluated = run(copy.deepcopy(calm), self.x, self.args, lambda _: trained.dy)
        ours = trained.results()
        theirs = evaluated.results()
        return not all(equal(ours[key], theirs[key]) for key in ours)

    def random(self, shape):
        return self.rng.standard_normal(shape)

    def dy_after_dy(self, layer):
        """Two calls on the same numbers."""
        first = run(layer, self.x, self.args, self.random)
        return first, run(layer, self.x, self.args, lambda _: first.dy)

    def attempt(self, layer, when=""):
        """Where kinks meet even right gradients differ: what fails has another try."""
        try:
            return self.compare(layer, self.x, when)
        except WrongNumber as failure:
            for p in parameters_of(layer).values():
                p += 0.01 * self.random(p.shape)
            try:
                return self.compare(layer, nudged(self.x, self.rng), when)
            except CheckFailed:
                raise failure from None

    def compare(self, layer, x, when):
        """Compare all gradients on these numbers."""
        before = copy.deepcopy(layer)
        trial = run(layer, x, self.args, self.random)
        _check_repeatable(before, x, self.args, trial.y)
        source = _Numerical(before, x, self.args, trial)
        for key in arrays_of(layer, x):
            head = f"{name_of(layer)}: {when}"
            mine = trial.gradients[key]
            slopes = source.slopes(key, self.rng, self.limit)
            self.note(key, slopes, source.zero)
            right = self.expected(key, mine, slopes, source, head)
            slack = max(self.tolerance * max(size(right), 1e-3), source.noise)
            case = source.case(key, mine, right)
            _compare(f"{head}the gradient of {key}", case, "numerical", slack)
        return trial

    def note(self, key, slopes, zero):
        """A bias before a normalisation moves the last digit; an unused one nothing."""
        least = zero if key == "x" else 0
        if np.nanmax(np.abs(slopes), initial=0) > least:
            self.seen.add(key)

    def expected(self, key, mine, slopes, source, head):
        """The numerical gradient; at a kink yours, if it lies between both slopes."""
        right = np.array(slopes.mean(axis=0))
        right[np.abs(right) <= source.zero] = 0.0
        if not size(right):
            demand(
                size(mine) <= source.zero,
                f"{head}backward gives {key} a gradient, but forward does not depend "
                f"on {key}: a term never reaches the loss.",
            )
            return np.where(np.isnan(right), np.nan, mine)
        if mine.shape == right.shape and mine.dtype.kind == "f":
            slack = self.tolerance * size(right) + source.noise
            low = slopes.min(axis=0) - slack
            high = slopes.max(axis=0) + slack
            right = np.where((mine >= low) & (mine <= high), mine, right)
        return right


class _Numerical:
    """Finite differences of one forward."""

    def __init__(self, layer, x, args, trial):
        self.layer = layer
        self.x = x
        self.args = args
        self.trial = trial
        rounding = 4 * np.finfo(float).eps * size(trial.y * trial.dy)
        self.noise = rounding / STEP
        self.zero = max(ZERO, self.noise)
        self.jacobians = {}

    def slopes(self, key, rng, limit):
        """Slopes of sum(y * dy) left and right of each entry; NaN where unchecked."""
        array = arrays_of(self.layer, self.x)[key]
        slopes = np.full((2, array.size), np.nan)
        entries = np.arange(array.size)
        if array.size > limit:
            entries = rng.choice(array.size, limit, replace=False)
        for entry, changes in self.changes(key, entries, self.x, {}):
            slopes[:, entry] = [(self.trial.dy * change).sum() for change in changes]
        return slopes.reshape(2, *array.shape)

    def changes(self, key, entries, x, parameters):
        """What each entry changes in the output, per unit, downwards and upwards."""
        layer = copy.deepcopy(self.layer)
        x = x.copy()
        for name, p in parameters.items():
            parameters_of(layer)[name][...] = p
        array = arrays_of(layer, x)[key]
        calm = copy.deepcopy(layer)
        middle = forward(calm, x, self.args)
        # Copies take most of the time: only for what draws, or remembers.
        copies = generators(layer) or not equal(middle, forward(calm, x, self.args))
        for entry in entries:
            value = array.flat[entry]
            changes = []
            for moved in (value - STEP, value + STEP):
                array.flat[entry] = moved
                subject = copy.deepcopy(layer) if copies else layer
                y = subject.forward(x, *self.args)
                changes.append((y - middle) / (moved - value))
            array.flat[entry] = value
            yield entry, changes

    def gradient(self, key, dy=None, x=None, parameters=None):
        """The gradient for another dy, x or parameters; the Jacobian without a dy."""
        jacobian = self.jacobians.get(key)
        if jacobian is None or x is not None or parameters:
            jacobian = self.jacobian(key, self.x if x is None else x, parameters or {})
        if x is None and not parameters:
            self.jacobians[key] = jacobian
        if dy is None or jacobian is None:
            return jacobian
        return np.tensordot(jacobian, dy, np.ndim(dy))

    def jacobian(self, key, x, parameters):
        """Entry by entry, how each output moves; None where that would take long."""
        array = arrays_of(self.layer, self.x)[key]
        shape = self.trial.dy.shape
        if array.size * self.trial.dy.size > 100_000:
            return None
        changes = self.changes(key, range(array.size), x, parameters)
        rows = [(left + right) / 2 for _, (left, right) in changes]
        return np.reshape(rows, (*array.shape, *shape))

    def case(self, key, mine, right):
        return Case(
            layer=self.layer,
            key=key,
            mine=mine.astype(float),
            is_mask=mine.dtype.kind == "b",
            right=right,
            dy=self.trial.dy,
            y=self.trial.y,
            x=self.x,
            args=self.args,
            gradient=self.gradient,
            parameters=parameters_of(self.layer),
            others=self.trial.gradients,
        )


def _check_repeatable(layer, x, args, y):
    """The same seed gives the same answer."""
    again = forward(copy.deepcopy(layer), x, args)
    demand(
        np.allclose(again, y, rtol=1e-6, equal_nan=True),
        f"{name_of(layer)}: forward gives another answer each time, though its "
        "generator is the same. Draw from the generator that it is given, self.rng, "
        "so that the same seed gives the same answer.",
    )


def _check_calm(layer, x, args):
    """Two predictions from the same x are the same, and leave no trace."""
    name = name_of(layer)
    before = copy.deepcopy(held(layer, "buffers"))
    states = [g.bit_generator.state for g in generators(layer)]
    y = forward(layer, x, args)
    again = forward(layer, x, args)
    for key, old in before.items():
        demand(
            equal(old, held(layer, "buffers")[key]),
            f"{name}: in eval mode forward changes its buffer {key}, and the next "
            "prediction with it: only training may.",
        )
    drawn = states != [g.bit_generator.state for g in generators(layer)]
    told = "gives another answer to the same x in eval mode: only training may move it"
    if drawn or not states:
        told = (
            "is random in eval mode, so every prediction would be: return x unchanged "
            "when self.training is False"
        )
    demand(equal(y, again), f"{name} {told}.")


def _check_not_frozen(layer, x, args):
    """Another seed gives another answer: what is random in training must draw."""
    trained = forward(copy.deepcopy(layer), x, args)
    for kind in {type(part) for _, part in parts(layer) if _has_generator(part)}:
        calm = copy.deepcopy(layer)
        for _, part in parts(calm):
            part.training = part.training and type(part) is not kind
        if equal(forward(calm, x, args), trained):
            continue
        moved = copy.deepcopy(layer)
        forward(moved, x, args)
        states, later = (
            [g.bit_generator.state for g in generators(one)] for one in (layer, moved)
        )
        demand(
            states != later,
            f"{name_of(layer)} draws the same numbers in every call: draw from the "
            "generator that it is given, self.rng, not from one made anew.",
        )


def _has_generator(part):
    return any(isinstance(value, np.random.Generator) for value in attributes(part))


def _kept(failure, unused, attempt, twice):
    """Why does the second try fail? Would an object that has kept nothing pass?"""
    name = name_of(unused)
    fresh = copy.deepcopy(unused)
    try:
        attempt(fresh)
    except WrongNumber as wrong:
        return CheckFailed(
            f"{wrong.head} With the first numbers it was right. Is something of them "
            "kept, a copy or a transpose of the parameters, or does a name of the "
            "notebook stand where self.... belongs? Or was a term 0, a factor 1? "
            f"{wrong.hint}"
        )
    except CheckFailed as wrong:
        return wrong
    first, second = twice(copy.deepcopy(unused))
    told = f"{name}: the first call is right, the second is not: "
    for key, g in first.gradients.items():
        if g.any() and np.allclose(second.gradients[key], 2 * g):
            return CheckFailed(
                f"{told}the gradients add up over the calls. Assign them anew in each "
                "backward: self.grads = {...}, and not +=."
            )
    return CheckFailed(
        f"{told}something of the first call is kept, x for example. Compute anew in "
        f"each forward what backward needs. {failure}"
    )


def _check_dtype(layer, x, args):
    """A hint where a learner's layer widens float32; an error where ours does."""
    other = {}
    for dtype in (np.float64, np.float32):
        given = [
            a.astype(dtype) if getattr(a, "dtype", None) == np.float64 else a
            for a in (x, *args)
        ]
        copied = copy_of(layer, dtype)
        ones = functools.partial(np.ones, dtype=dtype)
        try:
            trial = run(copied, given[0], tuple(given[1:]), ones)
        except CheckFailed as failure:
            if is_library(layer):
                raise
            return f"with float32 it fails. {failure}"
        found = trial.results() if trial.dy.ndim else trial.gradients
        other = {key: a.dtype for key, a in found.items() if a.dtype != dtype}
        for key, kind in other.items():
            narrower = kind.kind == "f" and kind.itemsize < np.dtype(dtype).itemsize
            demand(
                not (narrower or is_library(layer)),
                f"{name_of(layer)}: {d(key)} is {kind} where {np.dtype(dtype)} was "
                "given: keep the dtype (math.sqrt, not np.sqrt, on single numbers)",
            )
    if not other:
        return ""
    kinds = " and ".join(sorted({str(kind) for kind in other.values()}))
    told = ", ".join(map(d, other))
    return (
        f"the numbers are right. For float32 {told} would be {kinds}: .astype(x.dtype) "
        "keeps the type"
    )


# -------------------------------------------------------------------------------- same


class _Pair:
    """Yours beside the library's, on the same numbers."""

    def __init__(self, mine, reference, args, rng, tolerance):
        self.mine = mine
        self.reference = reference
        self.args = args
        self.rng = rng
        self.tolerance = tolerance
        self.unused = copy.deepcopy(mine)

    def first_try(self, x):
        move_parameters(self.reference, self.rng)
        return self.compare(self.mine, x, "")

    def second_try(self, x):
        move_parameters(self.reference, self.rng)
        ready = copy.deepcopy(self.reference)

        def again(fresh):
            self.reference = copy.deepcopy(ready)
            self.compare(fresh, x, SECOND)

        def twice(fresh):
            first = run(fresh, x, self.args, self.rng.standard_normal)
            return first, run(fresh, x, self.args, lambda _: first.dy)

        try:
            self.compare(self.mine, x, SECOND)
        except CheckFailed as failure:
            if generators(self.mine):  # a fresh one would draw the first numbers again
                _check_not_frozen(self.mine, x, self.args)
                raise
            copy_arrays(ready, self.unused)
            raise _kept(failure, self.unused, again, twice) from None

    def eval_mode(self, x, gradients):
        if hasattr(self.mine, "eval") and hasattr(self.reference, "eval"):
            self.mine.eval()
            self.reference.eval()
            self.compare(self.mine, x, EVAL, gradients)

    def compare(self, mine, x, when, gradients=True):
        """Compare the outputs and all gradients on these numbers."""
        copy_arrays(self.reference, mine)
        before = copy.deepcopy(self.reference)
        theirs = run(self.reference, x, self.args, self.rng.standard_normal)
        ours = run(mine, x, self.args, lambda _: theirs.dy)
        source = _Numerical(before, x, self.args, theirs)
        results = theirs.results() if gradients else {"the output": theirs.y}
        for key, right in results.items():
            what = key if key == "the output" else f"the gradient of {key}"
            case = source.case(key, ours.results()[key], right)
            case.layer = mine
            case.others = ours.gradients
            head = f"{name_of(mine)}: {when}{what}"
            _compare(head, case, "the library's", self.tolerance * size(right))
        return list(results)


def _check_same_names(mine, reference):
    own, given = (
        {key: p.shape for key, p in parameters_of(layer).items()}
        for layer in (mine, reference)
    )
    demand(
        own == given,
        f"{name_of(mine)} has the parameters {own}, the library's {name_of(reference)} "
        f"has {given}",
    )


# --------------------------------------------------------------------------- comparing


def _compare(head, case, called, slack):
    """Raise unless the two arrays agree: shapes first, then the worst entry."""
    mine = case.mine
    right = case.right
    if mine.shape != right.shape:
        hint = diagnose_shape(mine, right, case.batch)
        raise CheckFailed(
            f"{head} has shape {mine.shape}, expected {right.shape}. {hint}"
        )
    if size(mine - right) > slack:
        hint, named = diagnose(case)
        told = _worst(mine, right, called)
        raise WrongNumber(f"{head} is wrong, {told}.", hint, named, mine)


def _worst(mine, right, called):
    where = worst(mine, right)
    return f"worst at {where}: {both(mine, right, where, called)}"


# -------------------------------------------------------------------------- same_steps


def _check_rate(mine, reference, gradients, tolerance):
    """Is the learning rate read in every step?"""
    half = len(gradients) // 2
    rates = [1] * half + [0.25] * (len(gradients) - half)
    ours, theirs = (walk(o, [gradients], rates)[0] for o in (mine, reference))
    for t, (step, right) in enumerate(zip(ours, theirs, strict=True)):
        told = _worst(step, right, "the library's")
        demand(
            np.allclose(step, right, rtol=tolerance, atol=tolerance),
            f"{name_of(mine)}: right until the learning rate changes; step {t + 1}, "
            f"with another one, is wrong, {told}. Read self.lr in every step, where p "
            "changes: state keeps no learning rate.",
        )


def _check_states(mine, reference, rng, steps, tolerance):
    """Has each parameter a state of its own?"""
    gradients = [rng.standard_normal((steps, *shape)) for shape in ((3, 2), (4,))]
    told = (
        f"{name_of(mine)}: right for one parameter, wrong for two parameters in turns. "
        "Each has a state of its own: keep m, v, t and the like in `state`, not on "
        "self."
    )
    try:
        ours = walk(mine, gradients)
    except CheckFailed:
        raise CheckFailed(told) from None
    theirs = walk(reference, gradients)
    for steps_taken, right in zip(ours, theirs, strict=True):
        demand(np.allclose(steps_taken, right, rtol=tolerance, atol=tolerance), told)
