"""Is it right? Compare what you derived with what can be measured, and name the
mistake.

A falling loss proves little: many wrong gradients still point downhill. These checks
look at every parameter, in float64, with a random `dy`, and when something differs they
say what it looks like.
"""

import copy

import numpy as np

from ._failures import CheckFailed, WrongNumber

STEP = 1e-5
SCALAR = "It looks like one scalar for all units: sum over the batch axis only, axis=0."


def gradient_check(layer, x, *args, rng, tolerance=1e-6, limit=1000):
    """Compare every gradient that `backward` gives with finite differences of
    `forward`.

    For a layer the scalar whose gradient is taken is `sum(y * dy)` with a random `dy`;
    for a loss it is the loss itself (`args` are then its targets). Each entry `p` of
    `x` and of every parameter is moved a little: `dp ~ (f(p + h) - f(p - h)) / 2h`,
    with `h = 1e-5` in float64. Where the function has a kink, any slope between the two
    one-sided ones is accepted; where kinks meet even these may mislead, so what fails
    is checked once more close by. Arrays with more than `limit` entries are checked at
    `limit` random ones. Inputs changed in place, a dtype that is not kept, randomness
    in eval mode, and gradients that are zero everywhere (nothing to check) fail too.

    Raises CheckFailed with a diagnosis. Prints one line when all is well.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """
    rng = rng.spawn(1)[0]  # else dy could be the very numbers of x
    x, layer = _copy_input(x), _copy(layer, np.float64)
    try:
        keys, shape = _check_slopes(layer, x, args, rng, tolerance, limit)
    except WrongNumber as failure:
        for array in _arrays(layer, x).values():
            array += 0.01 * rng.standard_normal(array.shape)
        try:
            keys, shape = _check_slopes(layer, x, args, rng, tolerance, limit)
        except CheckFailed:
            raise failure from None
    _check_modes(layer, x, args, shape)
    print(
        f"✓ {_name(layer)}: {', '.join(_d(key) for key in keys)} match finite differences"
    )


def same(mine, reference, x, *args, rng, tolerance=1e-10):
    """Is your layer (or loss) the library's? Compare the outputs and every gradient.

    The reference's parameters are copied into yours, both run in float64 on the same
    `x` and the same random `dy`. Raises CheckFailed with a diagnosis; prints one line
    when all agrees.

    Derived in notebooks/01_nn.ipynb, section *Neuron, layer, forward pass*.
    """
    name, x, rng = _name(mine), _copy_input(x), rng.spawn(1)[0]
    _require(x.size, f"{name}: nothing to check: x has shape {x.shape}")
    mine, reference = _copy(mine, np.float64), _copy(reference, np.float64)
    own, given = (
        {key: p.shape for key, p in _parameters(layer).items()}
        for layer in (mine, reference)
    )
    _require(
        own == given,
        f"{name} has the parameters {own}, the library's {_name(reference)} "
        f"has {given}",
    )
    for key, p in _parameters(mine).items():
        p[...] = _parameters(reference)[key]
    dy, theirs = _run(reference, x, args, rng)
    _, ours = _run(mine, x, args, rng, dy)
    for key, right in theirs.items():
        _compare(mine, key, ours[key], right, "the library's", tolerance, dy, x)
    print(
        f"✓ {name} is the library's {_name(reference)}: {', '.join(_d(key) for key in theirs)}"
    )


def same_steps(mine, reference, *, rng, steps=10, tolerance=1e-10):
    """Is your optimizer the library's? Both walk from one point along the same
    gradients.

    Raises CheckFailed at the first step that differs, with a diagnosis. Prints one line
    when the walks agree.

    Derived in notebooks/01_nn.ipynb, section *Optimizers*.
    """
    name, gradients = _name(mine), rng.standard_normal((steps, 3, 2))
    walks = (_steps(optimizer, gradients) for optimizer in (mine, reference))
    for t, (step, right) in enumerate(zip(*walks, strict=True)):
        if not np.allclose(step, right, rtol=tolerance, atol=tolerance):
            where = _worst(step, right)
            raise CheckFailed(
                f"{name}: step {t + 1} is wrong, worst at {where}: yours "
                f"{step[where]:.6g}, the library's {right[where]:.6g}. "
                f"{_diagnose_step(mine, reference, t, step, right, gradients)}"
            )
    print(f"✓ {name} walks with the library's {_name(reference)}: {steps} steps")


def batches_check(batches, *, rng, n=20, batch_size=6):
    """Does `batches(x, y, batch_size, rng)` give each example once, with its target,
    shuffled?

    Raises CheckFailed with a diagnosis; prints one line when all is well.

    Derived in notebooks/01_nn.ipynb, section *Optimizers*.
    """
    x, y = np.arange(n, dtype=float)[:, None], np.arange(n)
    first, second = (
        [(np.ravel(a), np.array(b)) for a, b in batches(x, y, batch_size, rng) or ()]
        for _ in range(2)
    )
    _require(
        first and second, "batches gives nothing: yield each batch, x and y together"
    )
    xs, ys = (np.concatenate(part) for part in zip(*first, strict=True))
    later = np.concatenate([b for _, b in second])
    _require(
        max(len(a) for a, _ in first) <= batch_size,
        f"a batch has more than {batch_size} examples",
    )
    _require(np.array_equal(xs, ys), "x and y come apart: use one order for both")
    _require(
        len(xs) >= n,
        f"{n - len(set(xs))} of {n} examples never appear in an epoch: "
        "the last, smaller batch counts too",
    )
    _require(
        len(set(xs)) >= n,
        "some examples appear twice in an epoch and others never: "
        "draw a permutation, without replacement",
    )
    _require(
        list(ys) != list(y),
        "the examples are never shuffled: use rng.permutation(len(x))",
    )
    _require(
        list(ys) != list(later), "every epoch has the same order: shuffle anew in each"
    )
    _require(
        np.mean(np.abs(np.diff(ys)) == 1) <= 0.6,
        "only the order of the batches is shuffled, not the examples",
    )
    print("✓ batches: every example once an epoch, with its own target, in a new order")


def _require(ok, message):
    if not ok:
        raise CheckFailed(message)


def _check_slopes(layer, x, args, rng, tolerance, limit):
    """Compare all gradients here; returns the names of the arrays and the shape of the
    output.
    """
    name, arrays = _name(layer), _arrays(layer, x)
    dy, results = _run(copy.deepcopy(layer), x, args, rng)
    for key in arrays:
        mine = results[key]
        slopes, diagonal = _slopes(layer, x, args, key, dy, rng, limit)
        numerical = slopes.mean(axis=0)
        numerical[np.abs(numerical) < 1e-9] = 0.0
        _require(
            _size(numerical) or not mine.any(),
            f"{name}: backward gives {key} a gradient, "
            f"but forward does not depend on {key}: a term never reaches the loss.",
        )
        _require(
            _size(numerical),
            f"{name}: nothing to check. The gradient of {key} is zero "
            "everywhere, so right and wrong look alike: take a batch of several different "
            "examples, or other weights.",
        )
        if mine.shape == numerical.shape:
            slack = tolerance * _size(numerical)
            between = (mine >= slopes.min(0) - slack) & (mine <= slopes.max(0) + slack)
            numerical = np.where(between, mine, numerical)
        _compare(layer, key, mine, numerical, "numerical", tolerance, dy, x, diagonal)
    return list(arrays), dy.shape


def _run(layer, x, args, rng, dy=None):
    """Forward and backward: `dy`, and by name the output, `dx` and the parameters'
    gradients.
    """
    name = _name(layer)
    inputs = {"x": x} | {
        f"argument {i}": a for i, a in enumerate(args, 2) if isinstance(a, np.ndarray)
    }
    before = copy.deepcopy(inputs)
    y = layer.forward(x, *args)
    _require(y is not None, f"{name}: forward returns nothing: end it with return")
    _unchanged(name, "forward", before, inputs)
    dy = np.asarray(rng.standard_normal(np.shape(y)) if dy is None else dy)
    _require(
        np.shape(y) == dy.shape,
        f"{name}: the output has shape {np.shape(y)}, expected {dy.shape}",
    )
    if dy.ndim:
        before["dy"], inputs["dy"] = dy, dy.copy()
        dx = layer.backward(inputs["dy"])
    else:  # a loss: its backward starts from itself
        dy, dx = np.ones(()), layer.backward()
    _unchanged(name, "backward", before, inputs)
    _require(
        dx is not None or x.dtype.kind != "f",
        f"{name}: backward returns nothing: end it "
        "with return dx (or leave needs_input_grad at True to check it)",
    )
    found = {"the output": y, "x": dx}
    found |= layer.gradients() if hasattr(layer, "gradients") else {}
    results = {
        key: np.array(value) for key, value in found.items() if value is not None
    }
    missing = sorted(_parameters(layer).keys() - results.keys())
    _require(
        not missing,
        f"{name}: backward stores no gradient for {', '.join(missing)}: "
        "assign self.grads with the names of self.params",
    )
    for key, value in results.items():
        _require(np.isfinite(value).all(), f"{name}: {_d(key)} holds NaN or infinity")
    return dy, results


def _slopes(layer, x, args, key, dy, rng, limit):
    """Slopes of sum(y * dy) left and right of each entry of one array, and each entry's
    own.
    """
    layer, x = copy.deepcopy(layer), x.copy()
    array = _arrays(layer, x)[key]
    slopes, diagonal = np.full((2, *array.shape), np.nan), np.full(dy.shape, np.nan)

    def output(where, value):
        array[where] = value
        return np.array(copy.deepcopy(layer).forward(x, *args))

    entries, middle = np.arange(array.size), output(..., array)
    if array.size > limit:
        entries = rng.choice(array.size, limit, replace=False)
    for where in zip(*np.unravel_index(entries, array.shape), strict=True):
        value = array[where]
        above, below = output(where, value + STEP), output(where, value - STEP)
        array[where] = value
        changes = middle - below, above - middle
        slopes[:, *where] = [float((dy * change).sum()) / STEP for change in changes]
        if key == "x" and dy.shape == x.shape:
            diagonal[where] = (above - below)[where] / (2 * STEP)
    return slopes, diagonal


def _compare(layer, key, mine, expected, called, tolerance, dy, x, diagonal=np.nan):
    what = f"{_name(layer)}: {key if key == 'the output' else f'the gradient of {key}'}"
    batch = len(x) if np.ndim(x) else 1
    _require(
        mine.shape == expected.shape,
        f"{what} has shape {mine.shape}, expected "
        f"{expected.shape}. {_diagnose_shape(mine, expected, batch)}",
    )
    # Finite differences are good to about 1e-10, however small the gradient itself.
    scale = max(_size(expected), 1e-3 if called == "numerical" else 0)
    if _size(mine - expected) > tolerance * scale:
        where = _worst(mine, expected)
        raise WrongNumber(
            f"{what} is wrong, worst at {where}: yours {mine[where]:.6g}, {called} "
            f"{expected[where]:.6g}. {_diagnose(mine, expected, batch, layer, key, dy, diagonal)}"
        )


def _diagnose_shape(mine, expected, batch):
    if mine.shape == expected.shape[::-1]:
        return "It looks transposed."
    if mine.size == 1:
        return SCALAR
    if mine.shape == (batch, *expected.shape):
        return "It looks not summed over the batch: add up the rows, axis=0."
    return "Write the shapes below your equation: they allow only one order of the factors."


def _diagnose(mine, expected, batch, layer, key, dy, diagonal):
    """Make each known mistake with the right numbers: which one gives yours?"""
    known = ~np.isnan(expected)
    a, b = mine[known], expected[known]

    def close(u, v):
        if np.shape(u) != np.shape(v):
            return False
        seen = ~np.isnan(u - v)
        return seen.any() and np.allclose(
            u[seen], v[seen], rtol=1e-4, atol=1e-5 * _size(b)
        )

    factor = float(a @ b / (b @ b or 1))
    for guess, message in (
        (0 * expected, "It is zero everywhere: is it ever assigned?"),
        (-expected, "It has the wrong sign."),
        (factor * expected, _diagnose_factor(factor, batch, mine.shape, layer)),
        (expected.T, "It looks transposed."),
        (np.full(mine.shape, b.sum()), SCALAR),
        (
            np.sign(mine) * np.abs(expected),
            "The sizes are right and some signs are not: a sign(...) is missing.",
        ),
        (dy, "It is dy, passed on unchanged: the layer's own derivative is missing."),
        (
            diagonal,
            "It is the layer's own derivative without dy: the chain rule multiplies the two.",
        ),
        (
            dy * diagonal,
            "It looks like the diagonal of the Jacobian only: each output depends on "
            "every input.",
        ),
    ):
        if close(mine, guess):
            return message
    if close(expected, dy * diagonal):
        i = _worst(mine, expected)
        return (
            f"Divided by dy, yours is {mine[i] / dy[i]:.4g} where the layer's slope is "
            f"{diagonal[i]:.4g}."
        )
    if dy.ndim == 3 and "W_hh" in _parameters(layer):
        if key != "x":
            return (
                "What goes back through time is right, as dx is: add up over the steps, "
                "each with its own x_t and the h_{t-1} it started from."
            )
        T = dy.shape[1]
        if late := sum(close(mine[:, t:], expected[:, t:]) for t in range(T)):
            return (
                f"Only the last {late} of {T} time steps are right: a path back through time "
                "is lost. dh_t is dy_t and all that step t+1 sends back."
            )
    return "It matches no mistake known here: compare your equation term by term."


def _diagnose_factor(factor, batch, shape, layer):
    width, kept = shape[-1] if shape[1:] else 1, 1 - getattr(layer, "p", 0)
    for known, message in (
        (
            batch,
            f"off by the batch size: {batch} times too large. Divide by N exactly once.",
        ),
        (
            1 / batch,
            f"off by the batch size: {batch} times too small. "
            "The loss has divided by N already: sum over the batch, do not average.",
        ),
        (
            1 / width,
            f"{width} times too small: divide by the rows N, not by all the numbers.",
        ),
        (kept, "1 - p times the right value: the factor 1/(1-p) is missing."),
    ):
        if known != 1 and np.isclose(factor, known, rtol=1e-3):
            return f"It is {message}"
    return f"It is {factor:.4g} times the right value everywhere: a constant factor is off."


def _diagnose_step(mine, reference, t, step, right, gradients):
    if np.allclose(step, -right):
        return "It has the wrong sign: it walks uphill."
    if t == 0:
        double, expected = (
            _steps(o, gradients[:1], rate=2)[0] for o in (mine, reference)
        )
        if np.allclose(expected, 2 * right) and not np.allclose(double, 2 * step):
            return "Part of the step ignores the learning rate: doubling lr does not double it."
        factor = float(np.vdot(step, right) / np.vdot(right, right))
        if np.allclose(step, factor * right):
            return f"It is {factor:.4g} times the right step: a constant factor is off."
        return "The very first step differs: compare the equation term by term."
    walked, wanted = (-_steps(o, np.ones((3, 1)))[:, 0] for o in (mine, reference))
    if np.allclose(wanted, wanted[0], rtol=1e-4) and walked[1] > 1.01 * wanted[0]:
        return (
            f"A constant gradient 1 gives the steps {', '.join(f'{s:.4f}' for s in walked)} "
            f"instead of {wanted[0]:.4f} each: the bias correction needs the step number as "
            "its exponent, 1 - beta**t."
        )
    return (
        "The steps before were right: something is not kept in state from step to step. "
        "Change m, v and the like in place."
    )


def _steps(optimizer, gradients, rate=1):
    """The steps that an optimizer takes along these gradients, starting from ones."""
    name, optimizer, state = _name(optimizer), copy.deepcopy(optimizer), {}
    optimizer.lr *= rate
    p, steps = np.ones(gradients.shape[1:]), []
    for g in gradients:
        before, handed = p.copy(), g.copy()
        optimizer.update(p, handed, state)
        _unchanged(name, "update", {"g": g}, {"g": handed})
        steps.append(p - before)
    _require(
        np.any(steps),
        f"{name}: p never changes. Update it in place: p -= ..., not p = p - ...",
    )
    return np.array(steps)


def _check_modes(layer, x, args, shape):
    """Is the dtype kept, and is nothing random in eval mode?"""
    for dtype in (np.float64, np.float32):
        given, *rest = (
            a.astype(dtype) if getattr(a, "dtype", None) == np.float64 else a
            for a in (x, *args)
        )
        _, results = _run(_copy(layer, dtype), given, rest, None, np.ones(shape, dtype))
        for key, value in results.items():
            is_loss = key == "the output" and not shape  # a Python float
            _require(
                is_loss or value.dtype == dtype,
                f"{_name(layer)}: {_d(key)} is {value.dtype} "
                f"where {np.dtype(dtype)} was given: keep the dtype (math.sqrt, not np.sqrt, "
                "on single numbers)",
            )
    if hasattr(layer, "eval"):
        layer = copy.deepcopy(layer).eval()
        _require(
            np.array_equal(layer.forward(x, *args), layer.forward(x, *args)),
            f"{_name(layer)} is random in eval mode, so every prediction would be: "
            "return x unchanged when self.training is False.",
        )


def _unchanged(name, method, before, after):
    for key, old in before.items():
        _require(
            np.array_equal(old, after[key], equal_nan=old.dtype.kind == "f"),
            f"{name}: {method} changes its input {key} in place: others still need it. "
            "Work on a copy.",
        )


def _copy(layer, dtype):
    layer = copy.deepcopy(layer)
    return layer.astype(dtype) if hasattr(layer, "astype") else layer


def _copy_input(x):
    return np.array(x, np.float64 if np.asarray(x).dtype.kind == "f" else None)


def _arrays(layer, x):
    """All that has a gradient: the parameters and, unless it holds ids, x."""
    return ({"x": x} if x.dtype.kind == "f" else {}) | _parameters(layer)


def _parameters(layer):
    return layer.parameters() if hasattr(layer, "parameters") else {}


def _worst(a, b):
    error = np.nan_to_num(np.abs(a - b), nan=-1)
    return tuple(int(i) for i in np.unravel_index(np.argmax(error), error.shape))


def _size(a):
    return float(np.nanmax(np.abs(a), initial=0))


def _name(thing):
    return type(thing).__name__


def _d(key):
    head, dot, last = key.rpartition(".")
    return "output" if key == "the output" else f"{head}{dot}d{last}"
