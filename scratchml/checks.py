"""Is it right? Compare what you derived with what can be measured, and name the mistake.

A falling loss proves little: many wrong gradients still point downhill. These checks look at every
parameter, in float64, with a random `dy`, and when something differs they say what it looks like.
"""

import copy

import numpy as np

STEP = 1e-5


class CheckFailed(AssertionError):
    """A check found a mistake; the message says where, how large, and what it looks like."""


def gradient_check(layer, x, *args, rng, tolerance=1e-6, limit=1000):
    """Compare every gradient that `backward` gives with finite differences of `forward`.

    For a layer the scalar whose gradient is taken is `sum(y * dy)` with a random `dy`; for a loss
    it is the loss itself (`args` are then its targets). Each entry `p` of `x` and of every
    parameter is moved a little: `dp ~ (f(p + h) - f(p - h)) / 2h`, with `h = 1e-5` in float64.
    Where the function has a kink, any slope between the two one-sided ones is accepted. Arrays with
    more than `limit` entries are checked at `limit` random ones. Inputs changed in place, a dtype
    that is not kept, randomness in eval mode, and gradients that are zero everywhere (nothing to
    check) fail too.

    Raises CheckFailed with a diagnosis. Prints one line when all is well.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """
    name, rng = _name(layer), rng.spawn(1)[0]  # else dy could be the very numbers of x
    integer = not np.issubdtype(np.asarray(x).dtype, np.floating)
    x = np.array(x) if integer else np.array(x, np.float64)
    layer = _copy(layer, np.float64)
    y, dy, analytic = _run(copy.deepcopy(layer), x, args, rng)

    arrays = ({} if integer else {"x": x}) | _parameters(layer)
    if missing := arrays.keys() - analytic.keys():
        raise CheckFailed(f"{name}: backward stores no gradient for {_list(missing)}: "
                          "assign self.grads with the names of self.params")
    for key, array in arrays.items():
        numerical, low, high, diagonal = _slopes(layer, x, args, key, y, dy, rng, limit)
        mine = np.asarray(analytic[key])
        if _size(numerical) == 0:
            _nothing_to_check(name, key, mine)
        if mine.shape == array.shape:
            slack = tolerance * _size(numerical)
            between = (mine >= low - slack) & (mine <= high + slack)
            numerical = np.where(between, mine, numerical)
        _compare(name, key, mine, numerical, "numerical", tolerance,
                 dy=dy, diagonal=diagonal, batch=len(x) if np.ndim(x) else 1, layer=layer)
    _check_dtype(name, layer, x, args, y.shape)
    _check_eval(name, layer, x, args)
    print(f"✓ {name}: {', '.join(_d(key) for key in arrays)} match finite differences")


def same(mine, reference, x, *args, rng, tolerance=1e-10):
    """Is your layer (or loss) the library's? Compare the outputs and every gradient.

    The reference's parameters are copied into yours, both run in float64 on the same `x` and the
    same random `dy`. Raises CheckFailed with a diagnosis; prints one line when all agrees.

    Derived in notebooks/01_nn.ipynb, section *Neuron, layer, forward pass*.
    """
    name, rng = _name(mine), rng.spawn(1)[0]
    x = np.array(x, np.float64) if np.issubdtype(np.asarray(x).dtype, np.floating) else np.array(x)
    mine, reference = _copy(mine, np.float64), _copy(reference, np.float64)
    own, given = _parameters(mine), _parameters(reference)
    if own.keys() != given.keys():
        raise CheckFailed(f"{name} has the parameters {_list(own)}, "
                          f"the library's {_name(reference)} has {_list(given)}")
    for key, p in own.items():
        if p.shape != given[key].shape:
            hint = ": it looks transposed" if p.T.shape == given[key].shape else ""
            raise CheckFailed(f"{name}: {key} has shape {p.shape}, "
                              f"the library's has {given[key].shape}{hint}")
        p[...] = given[key]
    y, dy, theirs = _run(reference, x, args, rng)
    my_y, _, ours = _run(mine, x, args, rng, dy)
    batch = len(x) if np.ndim(x) else 1
    _compare(name, "the output", my_y, y, "the library's", tolerance, batch=batch, layer=mine)
    for key, expected in theirs.items():
        if key not in ours:
            raise CheckFailed(f"{name}: backward stores no gradient for {key}")
        _compare(name, key, ours[key], expected, "the library's", tolerance,
                 dy=dy, batch=batch, layer=mine)
    print(f"✓ {name} is the library's {_name(reference)}: "
          f"output{''.join(', ' + _d(key) for key in theirs)}")


def same_steps(mine, reference, *, rng, steps=10, tolerance=1e-10):
    """Is your optimizer the library's? Both walk from one point along the same gradients.

    Raises CheckFailed at the first step that differs, with a diagnosis. Prints one line when the
    walks agree.

    Derived in notebooks/01_nn.ipynb, section *Optimizers*.
    """
    name, gradients = _name(mine), rng.standard_normal((steps, 3, 2))
    path, expected = (_walk(name, o, gradients) for o in (mine, reference))
    for t in range(steps):
        if np.allclose(path[t + 1], expected[t + 1], rtol=tolerance, atol=tolerance):
            continue
        step, right = path[t + 1] - path[t], expected[t + 1] - expected[t]
        where = _worst(step, right)
        raise CheckFailed(
            f"{name}: step {t + 1} is wrong, worst at {where}: yours {step[where]:.6g}, "
            f"the library's {right[where]:.6g}. "
            f"{_diagnose_step(name, mine, reference, t, step, right, gradients)}")
    print(f"✓ {name} walks with the library's {_name(reference)}: {steps} steps")


def batches_check(batches, *, rng, n=20, batch_size=6):
    """Does `batches(x, y, batch_size, rng)` give each example once, with its target, shuffled?

    Raises CheckFailed with a diagnosis; prints one line when all is well.

    Derived in notebooks/01_nn.ipynb, section *Optimizers*.
    """
    x, y = np.arange(n, dtype=float)[:, None], np.arange(n)
    epochs = []
    for _ in range(2):
        pairs = [(np.array(a), np.array(b)) for a, b in batches(x, y, batch_size, rng) or ()]
        if not pairs:
            raise CheckFailed("batches gives nothing: yield each batch, x and y together")
        if any(len(a) > batch_size for a, _ in pairs):
            raise CheckFailed(f"a batch has more than {batch_size} examples")
        xs, ys = np.concatenate([a[:, 0] for a, _ in pairs]), np.concatenate([b for _, b in pairs])
        if len(xs) != len(ys) or (xs != ys).any():
            raise CheckFailed("x and y come apart: use one order for both")
        if len(xs) < n:
            raise CheckFailed(f"{n - len(set(xs))} of {n} examples never appear in an epoch: "
                              "the last, smaller batch counts too")
        if len(set(xs)) < n:
            raise CheckFailed("some examples appear twice in an epoch and others never: "
                              "draw a permutation, without replacement")
        epochs.append(ys)
    if (epochs[0] == np.arange(n)).all():
        raise CheckFailed("the examples are never shuffled: use rng.permutation(len(x))")
    if (epochs[0] == epochs[1]).all():
        raise CheckFailed("every epoch has the same order: shuffle anew in each")
    neighbours = np.abs(np.diff(epochs[0])) == 1
    if neighbours.mean() > 0.6:
        raise CheckFailed("only the order of the batches is shuffled, not the examples")
    print("✓ batches: every example once an epoch, with its own target, in a new order")


def _run(layer, x, args, rng, dy=None):
    name = _name(layer)
    before, args_before = x.copy(), copy.deepcopy(args)
    y = layer.forward(x, *args)
    if y is None:
        raise CheckFailed(f"{name}: forward returns nothing: end it with return")
    _unchanged(name, "forward", "x", before, x)
    for i, (old, new) in enumerate(zip(args_before, args, strict=True)):
        if isinstance(old, np.ndarray):
            _unchanged(name, "forward", f"argument {i + 2}", old, new)
    if not np.isfinite(y).all():
        raise CheckFailed(f"{name}: forward gives NaN or infinity")
    if np.ndim(y) == 0:
        dy, dx = None, layer.backward()
    else:
        dy = rng.standard_normal(y.shape) if dy is None else dy
        if np.shape(dy) != np.shape(y):
            raise CheckFailed(f"{name}: the output has shape {np.shape(y)}, expected {dy.shape}")
        handed = dy.copy()
        dx = layer.backward(handed)
        _unchanged(name, "backward", "dy", dy, handed)
    _unchanged(name, "backward", "x", before, x)
    gradients = dict(_gradients(layer))
    if dx is not None:
        gradients = {"x": dx} | gradients
    elif np.issubdtype(x.dtype, np.floating):
        raise CheckFailed(f"{name}: backward returns nothing: end it with return dx "
                          "(or leave needs_dx at True to check it)")
    return np.asarray(y), dy, {k: np.array(g) for k, g in gradients.items()}


def _slopes(layer, x, args, key, y, dy, rng, limit):
    """Central and one-sided slopes of sum(y * dy) along the entries of one array."""
    frozen = copy.deepcopy(layer)
    moved_x = x.copy()
    array = moved_x if key == "x" else _parameters(frozen)[key]
    central, low, high = (np.full(array.shape, np.nan) for _ in range(3))
    diagonal = np.full(array.shape, np.nan)
    weight = np.float64(1) if dy is None else dy

    def output():
        return np.array(copy.deepcopy(frozen).forward(moved_x, *args))

    entries = np.arange(array.size)
    if array.size > limit:
        entries = rng.choice(array.size, limit, replace=False)
    middle = output()
    for where in zip(*np.unravel_index(entries, array.shape), strict=True):
        value = array[where]
        array[where] = value + STEP
        above = output()
        array[where] = value - STEP
        below = output()
        array[where] = value
        left = float((weight * (middle - below)).sum()) / STEP
        right = float((weight * (above - middle)).sum()) / STEP
        central[where] = (left + right) / 2
        low[where], high[where] = min(left, right), max(left, right)
        if key == "x" and y.shape == array.shape:
            diagonal[where] = (above - below)[where] / (2 * STEP)
    central[np.abs(central) < 1e-9] = 0.0
    return central, low, high, diagonal


def _compare(name, key, mine, expected, called, tolerance, **context):
    mine = np.asarray(mine)
    what = key if key == "the output" else f"the gradient of {key}"
    if mine.shape != expected.shape:
        raise CheckFailed(f"{name}: {what} has shape {mine.shape}, expected {expected.shape}. "
                          f"{_diagnose_shape(mine, expected, **context)}")
    known = ~np.isnan(expected)
    # Finite differences are good to about 1e-10, however small the gradient itself.
    scale = max(_size(expected), 1e-3 if called == "numerical" else 1e-300)
    error = np.where(known, np.abs(mine - expected), 0)
    if not (error <= tolerance * scale).all():
        where = _worst(np.where(known, mine, 0), np.where(known, expected, 0))
        raise CheckFailed(
            f"{name}: {what} is wrong, worst at {where}: yours {mine[where]:.6g}, {called} "
            f"{expected[where]:.6g}. {_diagnose(key, mine, expected, known, **context)}")


def _diagnose_shape(mine, expected, *, batch, dy=None, **_):
    if mine.shape == expected.shape[::-1]:
        return "It looks transposed."
    if mine.size == 1 and expected.size > 1:
        return "It looks like one scalar for all units: sum over the batch axis only, axis=0."
    if mine.shape == (batch, *expected.shape):
        return "It looks not summed over the batch: add up the rows, axis=0."
    if mine.size == expected.size:
        return "The numbers are there, the shape is not: reshape it."
    return "Write the shapes below your equation: they allow only one order of the factors."


def _diagnose(key, mine, expected, known, *, batch, dy=None, diagonal=None, layer=None):
    a, b = mine[known], expected[known]

    def close(u, v):
        return np.shape(u) == np.shape(v) and np.allclose(u, v, rtol=1e-4, atol=1e-5 * _size(b))

    if not np.isfinite(a).all():
        return "It holds NaN or infinity."
    if not a.any():
        return "It is zero everywhere: is it ever assigned?"
    if close(a, -b):
        return "It has the wrong sign."
    if mine.ndim == 2 and len(set(mine.shape)) == 1 and close(mine.T[known], b):
        return "It looks transposed."
    factor = float(a @ b / (b @ b)) if b.any() else 0.0
    if close(a, factor * b):
        return _diagnose_factor(factor, batch, mine.shape, layer)
    if a.size > 1 and np.allclose(a, a[0]) and known.all():
        if close(a[0], b.sum()) or close(a[0], b.mean()):
            return "It looks like one scalar for all units: sum over the batch axis only, axis=0."
    if close(np.abs(a), np.abs(b)) or (np.allclose(a, a[0]) and close(a, np.abs(b))):
        return "The sizes are right and some signs are not: a sign(...) is missing."
    if key == "x" and dy is not None and dy.shape == mine.shape:
        if close(a, dy[known]):
            return "It is dy, passed on unchanged: the layer's own derivative is missing."
        if diagonal is not None and close(a, diagonal[known]):
            return "It is the layer's own derivative without dy: the chain rule multiplies the two."
        if diagonal is not None and close(a, (dy * diagonal)[known]):
            return ("It looks like the diagonal of the Jacobian only: "
                    "each output depends on every input.")
    if dy is not None and dy.shape[1:] == mine.shape and any(close(a, row[known]) for row in dy):
        return "It looks not summed over the batch: only one example counts."
    if diagonal is not None and dy is not None and np.shape(diagonal) == dy.shape and close(
            b, (dy * diagonal)[known]):
        i = np.argmax(np.abs(a - b))
        return (f"Divided by dy, yours is {a[i] / dy[known][i]:.4g} where the layer's slope is "
                f"{diagonal[known][i]:.4g}.")
    if dy is not None and dy.ndim == 3 and "W_hh" in _parameters(layer):
        if key != "x":
            return ("What goes back through time is right, as dx is: add up over the steps, "
                    "each with its own x_t and the h_{t-1} it started from.")
        late = [close(mine[:, t:], expected[:, t:]) for t in range(mine.shape[1])]
        if any(late):
            return (f"Only the last {sum(late)} of {len(late)} time steps are right: a path back "
                    "through time is lost. dh_t is dy_t and all that step t+1 sends back.")
    wrong = np.abs(a - b) > 1e-4 * _size(b)
    if wrong.mean() < 0.5:
        return f"Only {wrong.sum()} of {a.size} entries are wrong: look for what they share."
    return "It matches no mistake known here: compare your equation term by term."


def _diagnose_factor(factor, batch, shape, layer):
    if batch > 1 and np.isclose(factor, batch, rtol=1e-3):
        return f"It is off by the batch size: {batch} times too large. Divide by N exactly once."
    if batch > 1 and np.isclose(factor, 1 / batch, rtol=1e-3):
        return (f"It is off by the batch size: {batch} times too small. "
                "The loss has divided by N already: sum over the batch, do not average.")
    if shape[1:] and np.isclose(factor, 1 / shape[-1], rtol=1e-3):
        return f"It is {shape[-1]} times too small: divide by the rows N, not by all the numbers."
    p = getattr(layer, "p", None)
    if isinstance(p, float) and np.isclose(factor, 1 - p, rtol=1e-3):
        return "It is 1 - p times the right value: the factor 1/(1-p) is missing."
    return f"It is {factor:.4g} times the right value everywhere: a constant factor is off."


def _diagnose_step(name, mine, reference, t, step, right, gradients):
    if np.allclose(step, -right):
        return "It has the wrong sign: it walks uphill."
    if t == 0:
        slow, fast = (_first_step(mine, gradients, factor) for factor in (1, 2))
        want_slow, want_fast = (_first_step(reference, gradients, factor) for factor in (1, 2))
        if np.allclose(want_fast, 2 * want_slow) and not np.allclose(fast, 2 * slow):
            return "Part of the step ignores the learning rate: doubling lr does not double it."
        factor = float(np.vdot(step, right) / np.vdot(right, right))
        if np.allclose(step, factor * right):
            return f"It is {factor:.4g} times the right step: a constant factor is off."
        return "The very first step differs: compare the equation term by term."
    ones = np.ones((3, *gradients.shape[1:]))
    walked, wanted = (-np.diff(_walk(name, o, ones), axis=0)[:, 0, 0] for o in (mine, reference))
    if np.allclose(wanted, wanted[0], rtol=1e-4) and walked[1] > 1.01 * wanted[0]:
        return (f"A constant gradient 1 gives the steps {', '.join(f'{s:.4f}' for s in walked)} "
                f"instead of {wanted[0]:.4f} each: the bias correction needs the step number as "
                "its exponent, 1 - beta**t.")
    return ("The steps before were right: something is not kept in state from step to step. "
            "Change m, v and the like in place.")


def _first_step(optimizer, gradients, factor):
    optimizer = copy.deepcopy(optimizer)
    optimizer.lr = optimizer.lr * factor
    path = _walk(_name(optimizer), optimizer, gradients[:1])
    return path[1] - path[0]


def _walk(name, optimizer, gradients):
    optimizer, state = copy.deepcopy(optimizer), {}
    p = np.ones(gradients.shape[1:])
    path = [p.copy()]
    for g in gradients:
        handed = g.copy()
        optimizer.update(p, handed, state)
        _unchanged(name, "update", "g", g, handed)
        path.append(p.copy())
    if (path[-1] == path[0]).all():
        raise CheckFailed(f"{name}: p never changes. Update it in place: p -= ..., not p = p - ...")
    return np.array(path)


def _nothing_to_check(name, key, mine):
    if mine.any():
        raise CheckFailed(f"{name}: backward gives {key} a gradient, but forward does not depend "
                          f"on {key}: a term never reaches the loss.")
    raise CheckFailed(
        f"{name}: nothing to check. The gradient of {key} is zero everywhere, so right and wrong "
        "look alike: take a batch of several different examples, or other weights.")


def _check_dtype(name, layer, x, args, shape):
    for dtype in (np.float64, np.float32):
        copied = _copy(layer, dtype)
        given, *rest = (a.astype(dtype) if getattr(a, "dtype", None) == np.float64 else a
                        for a in (x, *args))
        y = copied.forward(given, *rest)
        dy = () if np.ndim(y) == 0 else (np.ones(shape, dtype),)
        results = {"the output": y} if dy else {}
        dx = copied.backward(*dy)
        results |= ({} if dx is None else {"dx": dx}) | _gradients(copied)
        for key, value in results.items():
            if value.dtype != dtype and (dx is not None or key != "dx"):
                raise CheckFailed(f"{name}: {_d(key) if key in _gradients(copied) else key} is "
                                  f"{value.dtype} where {np.dtype(dtype)} was given: keep the "
                                  "dtype (math.sqrt, not np.sqrt, on single numbers)")


def _check_eval(name, layer, x, args):
    if not hasattr(layer, "eval"):
        return
    layer = copy.deepcopy(layer).eval()
    if not np.array_equal(layer.forward(x, *args), layer.forward(x, *args)):
        raise CheckFailed(f"{name} is random in eval mode, so every prediction would be: return x "
                          "unchanged when self.training is False.")


def _copy(layer, dtype):
    layer = copy.deepcopy(layer)
    return layer.astype(dtype) if hasattr(layer, "astype") else layer


def _unchanged(name, method, what, before, after):
    if not np.array_equal(before, after, equal_nan=np.issubdtype(before.dtype, np.inexact)):
        raise CheckFailed(f"{name}: {method} changes its input {what} in place: others still need "
                          "it. Work on a copy.")


def _parameters(layer):
    return layer.parameters() if hasattr(layer, "parameters") else {}


def _gradients(layer):
    return layer.gradients() if hasattr(layer, "gradients") else {}


def _worst(a, b):
    index = np.unravel_index(np.argmax(np.abs(a - b)), np.shape(a))
    return tuple(int(i) for i in index)


def _size(a):
    return float(np.nanmax(np.abs(a), initial=0))


def _name(thing):
    return type(thing).__name__


def _d(key):
    head, dot, last = key.rpartition(".")
    return f"{head}{dot}d{last}"


def _list(names):
    return ", ".join(sorted(names)) or "none"
