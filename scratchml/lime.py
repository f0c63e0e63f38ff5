"""Why does a model answer as it does here? LIME (Ribeiro, Singh and Guestrin, 2016).

Switch parts of one input off at random, ask the model each time, and fit a small linear
model to the answers, the nearer ones counting more. Its coefficients are the
explanation. The model is only `predict(batch) -> (n, classes)` probabilities: nothing
here knows what is inside.
"""

import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from ._support import progress_bar, require
from .explanation import Explanation, Surrogate, position
from .text import words

DESIGNS = ("iid", "paired", "orthogonal")
MODES = ("classification", "regression")
SELECTIONS = ("auto", "none", "forward_selection", "highest_weights")

# Thai, Lao, Burmese, Khmer, kana and Han: written without spaces between words.
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{6}"
)


# -------------------------------------------------------------------- perturb and weigh


def sample_masks(
    n: int,
    d: int,
    *,
    rng: np.random.Generator,
    kind: str = "image",
    design: str = "iid",
) -> np.ndarray:
    """Which of `d` parts stay on in each of `n` copies: `(n, d)` bool, row 0 all on.

    `kind="image"`: each part is on with probability 1/2. `kind="text"`: the number of
    parts switched off is uniform in 1..d, and so is the choice of parts given their
    number.

    One row alone looks the same in every design; the designs differ in how the rows are
    correlated. `"iid"` draws them one by one (LIME). `"paired"` follows each by its
    opposite: the error of one is undone by the next. `"orthogonal"` also takes the
    pairs from the rows of a Hadamard matrix, where any two parts agree in half of the
    rows.

    Raises ValueError for fewer than 2 masks, no part, an unknown kind or design.

    Derived in notebooks/04_lime.ipynb, section *Perturb, ask, weigh*; the designs
    in notebooks/deeper/04_lime.ipynb, section *Does it work?*.

    >>> sample_masks(4, 5, rng=np.random.default_rng(0)).astype(int)
    array([[1, 1, 1, 1, 1],
           [1, 0, 0, 0, 1],
           [1, 1, 1, 1, 1],
           [1, 0, 1, 0, 1]])
    """
    require(
        n >= 2 and d >= 1 and kind in ("image", "text") and design in DESIGNS,
        "sample_masks expects n >= 2 masks of d >= 1 parts, kind 'image' or 'text', "
        f"design in {DESIGNS}, got n={n}, d={d}, {kind!r}, {design!r}",
    )
    rows = n - 1 if design == "iid" else n // 2
    u = rng.random((rows, d))  # parts go off in the order of these numbers
    off = rng.integers(1, d + 1, rows)  # so many of them, in a text
    if design == "orthogonal":
        u = (_hadamard_bits(rows, d, rng) + u) / 2  # the bit says which half u is in
    if design != "iid":
        # The opposite goes off in the opposite order. Its number off is mirrored too,
        # k to d + 1 - k, which is uniform in 1..d again.
        u = _alternate(u, 1 - u)[: n - 1]
        off = _alternate(off, d + 1 - off)[: n - 1]
    if kind == "text":
        last_off = np.take_along_axis(np.sort(u), off[:, None] - 1, axis=1)
        on = u > last_off
    else:
        on = u > 0.5
    return np.vstack([np.ones((1, d), bool), on])


def _alternate(first, second):
    """Rows of both in turn: first[0], second[0], first[1], second[1], ..."""
    return np.stack([first, second], axis=1).reshape(-1, *first.shape[1:])


def _hadamard_bits(rows, d, rng):
    """Random 0/1 rows, in blocks where any two columns agree in half of the rows.

    A block is a Hadamard matrix: bit (i, j) says whether the numbers i and j have an
    odd number of binary digits 1 in common. Its rows are shuffled, its `d` columns are
    drawn, and each is flipped or not. Column 0 is left out, being constant.
    """
    size = 1 << d.bit_length()  # the power of 2 above d
    blocks = math.ceil(rows / size)
    i = np.stack([rng.permutation(size) for _ in range(blocks)])[:, :, None]
    j = np.stack([1 + rng.permutation(size - 1)[:d] for _ in i])[:, None, :]
    flip = rng.integers(0, 2, (len(i), 1, d))
    bits = (np.bitwise_count(i & j) + flip) % 2
    return bits.reshape(-1, d)[:rows]


def mask_distance(Z: np.ndarray) -> np.ndarray:
    """Cosine distance of each mask to the all-ones mask.

    `D = 1 - sqrt(k / d)` with k of d parts on. Shapes: `(n, d)` in, `(n,)` out, each in
    [0, 1]. Raises ValueError for another shape or d = 0.

    Derived in notebooks/deeper/04_lime.ipynb, section *How near is near?*.

    >>> mask_distance([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
    array([0. , 0.5, 1. ])
    """
    Z = np.asarray(Z, np.float64)
    require(
        Z.ndim == 2 and Z.shape[1] > 0, f"mask_distance expects (n, d), got {Z.shape}"
    )
    return 1 - np.sqrt(Z.mean(axis=1))


def exponential_kernel(D: np.ndarray, width: float = 0.25) -> np.ndarray:
    """How much a sample at distance `D` counts: `sqrt(exp(-D^2 / width^2))`.

    Shapes: `(n,)` in, `(n,)` out, each in [0, 1]. Raises ValueError unless the width is
    above 0.

    Derived in notebooks/04_lime.ipynb, section *Perturb, ask, weigh*.

    >>> exponential_kernel([0.0, 0.25, 1.0]).round(4)
    array([1.000e+00, 6.065e-01, 3.000e-04])
    """
    require(width > 0, f"exponential_kernel expects a width above 0, got {width}")
    return np.exp(-((np.asarray(D, np.float64) / width) ** 2) / 2)


def _weigh(D, kernel, width):
    """The weights of samples at distances D, by a kernel of the caller's or ours."""
    if kernel is None:
        return exponential_kernel(D, width)
    weights = np.array(kernel(D), np.float64)
    require(
        weights.shape == D.shape
        and np.isfinite(weights).all()
        and weights.min() >= 0
        and weights.max() > 0,
        f"kernel must turn distances {D.shape} into as many finite weights, all >= 0 "
        f"and not all 0, got {weights.shape}: {weights.ravel()[:3]}...",
    )
    return weights


# ---------------------------------------------------------------------------------- fit


def fit_surrogate(
    Z: np.ndarray,
    Y: np.ndarray,
    weights: np.ndarray,
    *,
    alpha: float = 1.0,
    features: int | None = None,
    select: str = "auto",
    paired: bool = False,
) -> Surrogate:
    """Fit `Y ~ intercept + Z @ coef` by weighted ridge regression, all classes at once.

    Centre Z and Y by their weighted means, scale their rows by `sqrt(w)`, and call the
    results X and R. Then `(X'X + alpha I) coef = X'R`; the intercept is not penalised.
    Shapes: Z `(n, d)`, row 0 the original; Y `(n, classes)`; weights `(n,)`.

    `features` keeps that many per class, chosen as LIME does:
    `select="forward_selection"` adds the one that raises R^2 most, again and again;
    `"highest_weights"` takes the largest `|coef * Z[0]|` of a ridge with alpha 0.01;
    `"auto"` is the former up to 6 features, the latter above; `"none"` keeps all. The
    others get coefficient 0.

    Standard errors are the sandwich's, with residuals over `sqrt(1 - leverage)` (HC2),
    so the noise need not be constant. They say how much the coefficients would change
    with another draw of masks, for this alpha and this choice of features. With
    `paired` masks (rows 1 and 2, 3 and 4, ...) the two scores of a pair are added
    before they are squared.

    Raises ValueError for shapes that do not fit, NaN, negative or only zero weights,
    and for features that the samples do not determine when alpha is 0.

    Derived in notebooks/04_lime.ipynb, section *Fit*; the errors (White, 1980) in
    notebooks/deeper/04_lime.ipynb, section *How sure is a coefficient?*.

    >>> Z = sample_masks(50, 3, rng=np.random.default_rng(0))
    >>> Y = 0.1 + Z @ np.array([[0.5], [0.0], [-0.2]])
    >>> weights = exponential_kernel(mask_distance(Z))
    >>> fit = fit_surrogate(Z, Y, weights, alpha=0)
    >>> fit.coef[:, 0].round(6) + 0.0, fit.intercept.round(6)
    (array([ 0.5,  0. , -0.2]), array([0.1]))
    """
    Z, Y, w = (np.asarray(array, np.float64) for array in (Z, Y, weights))
    _check_samples(Z, Y, w)
    _check_fit_options(alpha, features, select)
    share = w / w.sum()
    z_bar = share @ Z
    y_bar = share @ Y
    X = np.sqrt(w)[:, None] * (Z - z_bar)
    R = np.sqrt(w)[:, None] * (Y - y_bar)
    constant = np.ptp(Y, axis=0) <= 1e-12 * np.abs(Y).max(axis=0)
    R[:, constant] = 0  # rounding errors are no answers

    coef = np.zeros((Z.shape[1], Y.shape[1]))
    variance = np.zeros_like(coef)
    error = np.empty_like(R)
    error_loo = np.empty_like(R)
    for chosen, classes in _choose(X, R, Z[0], features, select):
        X_chosen = X[:, chosen]
        P = _ridge_matrix(X_chosen, alpha)
        c = P.T @ R[:, classes]
        e = R[:, classes] - X_chosen @ c  # times sqrt(w), as R
        # Leverage: how far a row decides its own fit, by the intercept and by c.
        # Without that row the fit would miss it by e / (1 - leverage).
        leverage = share + np.vecdot(X_chosen, P)
        rest = np.where(leverage < 1 - 1e-9, 1 - leverage, np.nan)[:, None]
        coef[chosen, classes] = c
        variance[chosen, classes] = _sandwich(P, e / np.sqrt(rest), paired)
        error[:, classes] = e
        error_loo[:, classes] = e / rest

    total = np.where(constant, np.nan, (R**2).sum(axis=0))
    intercept = y_bar - z_bar @ coef
    return Surrogate(
        coef=coef,
        stderr=np.sqrt(variance),
        intercept=intercept,
        r2=1 - (error**2).sum(axis=0) / total,
        r2_loo=1 - (error_loo**2).sum(axis=0) / total,
        local_prediction=intercept + Z[0] @ coef,
        effective_samples=float(1 / (share**2).sum()),
    )


def _check_samples(Z, Y, w):
    fits = (Z.ndim, Y.ndim, w.ndim) == (2, 2, 1) and len(Z) == len(Y) == len(w) > 0
    finite = all(np.isfinite(array).all() for array in (Z, Y, w))
    require(
        fits and finite and w.min() >= 0 and w.sum() > 0,
        "fit_surrogate expects finite Z (n, d), Y (n, classes), weights (n,) "
        f"all >= 0, not all 0, got {Z.shape}, {Y.shape}, {w.shape}",
    )


def _check_fit_options(alpha, features, select):
    require(alpha >= 0, f"fit_surrogate expects alpha >= 0, got {alpha}")
    require(
        select in SELECTIONS and (features is None or features >= 1),
        f"fit_surrogate expects features >= 1 and select in {SELECTIONS}, "
        f"got {features} and {select!r}",
    )


def _ridge_matrix(X, alpha):
    """`P = X (X'X + alpha I)^-1`, `(n, d)`: then `P' R` are the coefficients.

    `P = (X X' + alpha I)^-1 X` is the same, and n x n is less work when d > n.
    """
    n, d = X.shape
    narrow = d <= n
    A = X.T @ X if narrow else X @ X.T
    A += alpha * np.eye(len(A))
    require(
        alpha >= 1e-6 or np.linalg.cond(A) < 1e12,
        f"fit_surrogate: {n} samples do not determine {d} features with "
        f"alpha={alpha:g}; take more samples, fewer features, or alpha > 0",
    )
    inverse = np.linalg.inv(A)
    return X @ inverse if narrow else inverse @ X


def _sandwich(P, u, paired):
    """The variance of each coefficient: the sum over rows of `(P u)^2`.

    `u` are the residuals `(n, classes)`. Rows 1 and 2, 3 and 4, ... of `paired` masks
    depend on each other: they are added before they are squared.
    """
    variance = (P**2).T @ u**2
    if paired:
        both = P[1:-1:2] * P[2::2]
        variance += 2 * both.T @ (u[1:-1:2] * u[2::2])
    return variance.clip(0)


def _choose(X, R, original, features, select):
    """Pairs (the features to use, the classes that use them)."""
    if features is None or select == "none":
        return [(slice(None), slice(None))]
    features = min(features, X.shape[1])
    if select == "forward_selection" or (select == "auto" and features <= 6):
        chosen = np.array([_forward_selection(X, r, features) for r in R.T])
    else:
        c = _ridge_matrix(X, 0.01).T @ R
        size = np.abs(c * original[:, None])
        chosen = np.argsort(-size, axis=0, kind="stable")[:features].T
    return [(some, slice(k, k + 1)) for k, some in enumerate(chosen)]


def _forward_selection(X, r, features):
    """Add the feature that raises R^2 most, again and again.

    With the features already chosen projected out of X and r, feature j raises the
    explained sum of squares by `b_j^2 / a_j`, where `a_j = X_j'X_j` and `b_j = X_j'r`.
    Choosing one subtracts its share from all a and b. That is a step of Cholesky's
    factorisation of X'X with pivots, `factor` being its rows so far; X stays as it is.
    """
    size = (X**2).sum(axis=0)
    a = size.copy()
    b = X.T @ r
    factor = np.zeros((features, len(a)))
    chosen: list[int] = []
    for step in range(features):
        new = a > 1e-10 * size  # the others are combinations of those chosen
        gain = np.where(new, b**2 / np.where(new, a, 1), 0)
        gain[chosen] = -1
        j = int(gain.argmax())
        chosen.append(j)
        if new[j]:
            products = X.T @ X[:, j] - factor[:, j] @ factor  # with what is left of j
            row = products / np.sqrt(a[j])
            factor[step] = row
            b = b - row * b[j] / np.sqrt(a[j])
            a = a - row**2
    return chosen


# ---------------------------------------------------------------------------------- ask


def predict_perturbed(
    predict: Callable[[Any], Any],
    perturb: Callable[..., Any],
    Z: np.ndarray,
    *,
    mode: str = "classification",
    batch_size: int = 256,
    progress: bool = False,
) -> Iterator[np.ndarray]:
    """Ask the model about masks Z `(n, d)`; yield answers `(m, classes)` by batches.

    `perturb(masks, out)` builds a batch, where it can in the memory of the one before:
    a `predict` that keeps its batch must copy it. Its answers are copied here.

    Raises ValueError when `predict` does not return probabilities, or with
    `mode="regression"` one number for each input.

    Derived in notebooks/04_lime.ipynb, section *Your LIME explains*.

    >>> def predict(texts):
    ...     p = np.array([len(text) / 10 for text in texts])
    ...     return np.column_stack([1 - p, p])
    >>> perturb = lambda Z, out=None: ["ab" * int(mask.sum()) for mask in Z]
    >>> [Y.tolist() for Y in predict_perturbed(predict, perturb, np.eye(2))]
    [[[0.8, 0.2], [0.8, 0.2]]]
    """
    require(mode in MODES, f"expected mode in {MODES}, got {mode!r}")
    require(batch_size >= 1, f"expected a batch_size of at least 1, got {batch_size}")
    out = None
    classes = None
    with progress_bar(len(Z), progress) as bar:
        for start in range(0, len(Z), batch_size):
            batch = perturb(Z[start : start + batch_size], out)
            out = batch if out is None else out  # the first batch is the largest
            n = len(batch)
            Y = _answers(predict(batch), n, start, mode)
            classes = Y.shape[1] if classes is None else classes
            require(
                Y.shape[1] == classes,
                f"predict returned {classes} classes at first, then {Y.shape[1]} for "
                f"rows {start} to {start + n - 1}: their number must not change",
            )
            bar.update(n)
            yield Y


def _answers(returned, n, start, mode):
    """What predict returned for n inputs, as a new array `(n, classes)`."""
    require(returned is not None, "predict returned nothing: end it with return")
    try:
        Y = np.array(returned, np.float64)  # a copy: predict may reuse its memory
    except (TypeError, ValueError):
        sparse = hasattr(returned, "toarray")
        remedy = "call its toarray()" if sparse else "one row for each input"
        raise ValueError(
            f"predict must return an array of numbers ({n}, classes), "
            f"got {type(returned).__name__}: {remedy}"
        ) from None
    if mode == "regression":
        require(
            Y.shape in ((n,), (n, 1)),
            f"predict must return one number for each input, ({n},) or ({n}, 1), with "
            f"mode='regression', got {Y.shape}; of several, return one: y[:, k]",
        )
        Y = Y.reshape(n, 1)
        _check_finite(Y, start)
        return Y
    if Y.shape in ((n,), (n, 1)):
        raise ValueError(
            f"predict must return probabilities ({n}, classes), got {Y.shape}: "
            + _advice_for_one_column(Y)
        )
    require(
        Y.ndim == 2 and len(Y) == n,
        f"predict must return probabilities ({n}, classes), got {Y.shape}",
    )
    _check_finite(Y, start)
    _check_probabilities(Y, start)
    return Y


def _advice_for_one_column(Y):
    two_columns = "return np.column_stack([1 - p, p])"
    regression = "for a regressor, pass mode='regression'"
    if Y.ndim == 2 and (Y == 1).all():
        return f"softmax over one column is always 1; take the sigmoid p, {two_columns}"
    if (Y == np.round(Y)).all():
        return f"for class labels, pass predict_proba instead; {regression}"
    if ((Y >= 0) & (Y <= 1)).all():
        return (
            f"for the probability p of one of two classes, {two_columns}; {regression}"
        )
    return f"{regression}; for a score, take its sigmoid p, {two_columns}"


def _check_finite(Y, start):
    finite = np.isfinite(Y).all(axis=1)
    if finite.all():
        return
    row = finite.argmin()
    raise ValueError(f"predict returned NaN or infinity in row {start + row}: {Y[row]}")


def _check_probabilities(Y, start):
    inside = ((Y >= -1e-6) & (Y <= 1 + 1e-6)).all(axis=1)
    fine = inside & (np.abs(Y.sum(axis=1) - 1) <= 1e-2)
    if fine.all():
        return
    row = fine.argmin()
    advice = "apply softmax to scores"
    if inside[row]:
        advice += (
            "; of a multi-label model, explain one label at a time: "
            "np.column_stack([1 - p[:, k], p[:, k]])"
        )
    raise ValueError(
        "predict must return probabilities in [0, 1] that sum to 1, "
        f"not row {start + row}: {Y[row]}; {advice}"
    )


# ------------------------------------------------------------------------------ explain


def _explain(
    answers,
    Z,
    D,
    *,
    labels,
    class_names,
    kernel,
    width,
    alpha,
    features,
    select,
    design,
    **source,
):
    """What images, texts and tables have in common: weigh, ask, fit.

    `answers` are those of `predict_perturbed`, which asks when it is iterated: what is
    wrong is refused before, or, a wrong label, after the first batch.
    """
    _check_fit_options(alpha, features, select)
    _check_names(labels, class_names)
    if len(Z) <= Z.shape[1]:
        warnings.warn(
            f"{len(Z)} samples for {Z.shape[1]} features are few: alpha decides as "
            "much as the model; raise n_samples",
            stacklevel=3,
        )
    weights = _weigh(D, kernel, width)
    first = next(answers)  # the first batch, which is enough to check the labels
    class_names = list(class_names)
    labels = _class_numbers(labels, first[0], class_names)
    Y = np.concatenate([first, *answers])
    fit = fit_surrogate(
        Z,
        Y,
        weights,
        alpha=alpha,
        features=features,
        select=select,
        paired=design != "iid",
    )
    return Explanation(
        **vars(fit),
        labels=labels,
        class_names=class_names,
        prediction=Y[0],
        masks=Z,
        predictions=Y,
        weights=weights,
        **source,
    )


def _check_names(labels, class_names):
    require(
        np.ndim(labels) == 0 or len(labels) > 0,
        "labels is empty: name at least one class, or leave it out",
    )
    require(
        not isinstance(class_names, str),
        f"class_names expects a list of names, got the string {class_names!r}",
    )


def _class_numbers(labels, answer, class_names):
    """The classes to explain, as numbers; by default the one that the model says."""
    classes = len(answer)
    require(
        len(class_names) in (0, classes),
        f"{len(class_names)} class_names for a predict of {classes} classes",
    )
    if labels is None:
        return [int(answer.argmax())]
    if np.ndim(labels) == 0:
        labels = [labels]
    return [position("label", label, classes, class_names) for label in labels]


def explain_image(
    predict: Callable[[np.ndarray], Any],
    image: np.ndarray,
    *,
    segments: np.ndarray | None = None,
    fill: Any = "mean",
    labels: Any = None,
    class_names: Sequence = (),
    mode: str = "classification",
    n_samples: int = 1000,
    design: str = "iid",
    kernel: Callable[[np.ndarray], np.ndarray] | None = None,
    width: float = 0.25,
    alpha: float = 1.0,
    features: int | None = None,
    select: str = "auto",
    batch_size: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Explanation:
    """Which parts of an image, `(H, W)` or `(H, W, 3)`, speak for its class?

    `predict` gets batches `(n, H, W)` or `(n, H, W, 3)` in the dtype of the image and
    returns `(n, classes)` probabilities. The same call gives the same result, bit by
    bit. Parameters:

    - `segments`: `(H, W)` integers, the number of each pixel's part; default
      `superpixels(image)`.
    - `fill`: what a part shows when it is off: `"mean"`, its own mean colour; or a
      colour; or another image.
    - `labels`: the classes to explain, by number or name; default the predicted one.
    - `class_names`: a name for each class.
    - `mode`: `"regression"` for a `predict` that returns one number for each input,
      `(n,)` or `(n, 1)`.
    - `n_samples`, `design`: how many copies, and how they are drawn (`sample_masks`).
    - `kernel`: your own function from distances `(n,)` (`mask_distance`) to weights
      `(n,)`; by default `exponential_kernel` with `width`.
    - `alpha`, `features`, `select`: see `fit_surrogate`.
    - `batch_size`: of the largest batch; default what fits 16 MB, at most 256.

    Raises ValueError for an image with the wrong shape or dtype or with NaN, for
    segments or a fill that do not fit it, for an unknown label, and when `predict` does
    not return probabilities.

    Derived in notebooks/04_lime.ipynb, section *Your LIME explains*.

    >>> def predict(images):  # looks at the left half alone
    ...     p = images[:, :, :4].mean(axis=(1, 2))
    ...     return np.column_stack([1 - p, p])
    >>> image = np.ones((8, 8))
    >>> quarters = grid_segments(image, 2)  # 0 and 2 are on the left
    >>> told = explain_image(
    ...     predict, image, segments=quarters, fill=0, alpha=0, progress=False
    ... )
    >>> told.coef[:, 1].round(3) + 0.0
    array([0.5, 0. , 0.5, 0. ])
    """
    image = _image("explain_image", image).copy()
    segments = np.asarray(superpixels(image) if segments is None else segments)
    require(
        segments.shape == image.shape[:2] and segments.dtype.kind in "iu",
        f"explain_image expects integer segments {image.shape[:2]}, "
        f"got {segments.dtype} {segments.shape}",
    )
    # From here on the parts are numbered 0..d-1; names are the numbers they had.
    names, segments = np.unique(segments, return_inverse=True)
    perturb = partial(blend, image, _hidden(image, segments, fill), segments)
    if batch_size is None:
        batch_size = int(np.clip(2**24 // image.nbytes, 1, 256))
    rng = np.random.default_rng(seed)
    Z = sample_masks(n_samples, len(names), rng=rng, design=design)
    answers = predict_perturbed(
        predict, perturb, Z, mode=mode, batch_size=batch_size, progress=progress
    )
    return _explain(
        answers,
        Z,
        mask_distance(Z),
        labels=labels,
        class_names=class_names,
        kernel=kernel,
        width=width,
        alpha=alpha,
        features=features,
        select=select,
        design=design,
        names=names.tolist(),
        perturb=perturb,
        image=image,
        segments=segments,
    )


def blend(
    image: np.ndarray,
    hidden: np.ndarray,
    segments: np.ndarray,
    Z: np.ndarray,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Copies of `image` with the parts that a mask has off taken from `hidden`.

    Shapes: `(H, W)` or `(H, W, 3)` images, segments `(H, W)` in 0..d-1, Z `(n, d)`;
    returns `(n, *image.shape)`, written into `out` when given.

    The same as `np.where(Z[:, segments], image, hidden)`, several times faster:
    `hidden ^ (flip & on)`, where `flip = image ^ hidden` and `on` has all bits set or
    none, works on the bits of any dtype.

    Derived in notebooks/deeper/04_lime.ipynb, section *Switch parts off*.

    >>> image = np.full((2, 4), 7)
    >>> halves = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
    >>> blend(image, np.zeros_like(image), halves, np.array([[True, False]]))
    array([[[7, 7, 0, 0],
            [7, 7, 0, 0]]])
    """
    if out is None:
        out = np.empty((len(Z), *image.shape), image.dtype)
    out = out[: len(Z)]
    bits = np.dtype(f"u{image.itemsize}")
    hidden = hidden.view(bits)
    flip = image.view(bits) ^ hidden
    on = np.asarray(Z).astype(bits) * np.iinfo(bits).max
    part = segments  # of each number in the image
    if image.ndim == 3:
        part = np.repeat(segments[..., None], image.shape[2], axis=2)
    for copy, mask in zip(out.view(bits), on, strict=True):
        np.take(mask, part, out=copy, mode="clip")  # "raise" would buffer the output
        copy &= flip
        copy ^= hidden
    return out


def _image(name, image):
    image = np.asarray(image)
    require(
        image.ndim > 1
        and image.shape[2:] in ((), (3,))
        and image.size > 0
        and image.dtype.kind in "uif"
        and np.isfinite(image).all(),
        f"{name} expects (H, W) or (H, W, 3) finite numbers, "
        f"got {image.dtype} {image.shape}; for (1, H, W): image[0], explained with "
        "lambda batch: predict(batch[:, None])",
    )
    return image


def _hidden(image, segments, fill):
    """The image with every part off."""
    if isinstance(fill, str) and fill == "mean":
        part = segments.ravel()
        size = np.bincount(part)
        channels = image.reshape(segments.size, -1).T
        mean = np.stack([np.bincount(part, c) / size for c in channels], axis=-1)
        return mean[segments].reshape(image.shape).astype(image.dtype)
    colour = np.asarray(fill)
    # A colour that the image's dtype cannot hold is refused below; numpy need not warn.
    with np.errstate(all="ignore"):
        fits = (
            colour.dtype.kind in "uif"
            and colour.shape in ((), image.shape[2:], image.shape)
            and np.allclose(colour.astype(image.dtype), colour, rtol=1e-3, atol=0)
        )
    require(
        fits,
        "explain_image expects fill to be 'mean', a colour or an image like "
        f"{image.dtype} {image.shape}, got {fill!r}",
    )
    return np.full_like(image, colour)


def superpixels(image: np.ndarray, n_segments: int = 60) -> np.ndarray:
    """Cut an image into about `n_segments` parts: `(H, W)` integers from 0.

    Parts follow the colours (slic: Achanta et al., 2012). Images below 64 pixels, such
    as digits, and images where slic finds nothing, such as noise, are cut into 7 x 7
    rectangles instead.

    Raises ValueError for another shape or NaN, ImportError without scikit-image: take
    `grid_segments(image)` then.

    Derived in notebooks/04_lime.ipynb, section *Your LIME explains*.
    """
    image = _image("superpixels", image)
    if min(image.shape[:2]) < 64:
        return grid_segments(image)
    from skimage.segmentation import slic

    grey = {"channel_axis": None, "compactness": 0.1} if image.ndim == 2 else {}
    segments = slic(image, n_segments=n_segments, start_label=0, **grey)
    return segments if segments.max() > 8 else grid_segments(image)


def grid_segments(image: np.ndarray, cells: int = 7) -> np.ndarray:
    """Cut an image into `cells` x `cells` rectangles: `(H, W)` integers from 0.

    Their sides differ by one pixel at most. Raises ValueError unless the image is
    `(H, W)` or `(H, W, 3)` and finite.

    Derived in notebooks/04_lime.ipynb, section *Perturb, ask, weigh*.

    >>> grid_segments(np.zeros((2, 6)), 3)
    array([[0, 0, 1, 1, 2, 2],
           [3, 3, 4, 4, 5, 5]])
    """
    height, width = _image("grid_segments", image).shape[:2]
    row = np.arange(height) * min(cells, height) // height
    column = np.arange(width) * min(cells, width) // width
    return row[:, None] * (column[-1] + 1) + column


def explain_text(
    predict: Callable[[list[str]], Any],
    text: str,
    *,
    tokenizer: Callable[[str], Iterable[str]] | None = None,
    bag_of_words: bool = True,
    mask_token: str | None = None,
    labels: Any = None,
    class_names: Sequence = (),
    mode: str = "classification",
    n_samples: int = 5000,
    design: str = "iid",
    kernel: Callable[[np.ndarray], np.ndarray] | None = None,
    width: float = 0.25,
    alpha: float = 1.0,
    features: int | None = None,
    select: str = "auto",
    batch_size: int = 256,
    seed: int = 0,
    progress: bool = True,
) -> Explanation:
    r"""Which words of a text speak for its class?

    `predict` gets lists of at most `batch_size` strings. Parameters:

    - `tokenizer(text)`: the words in their order, in lower case or as they stand;
      default `words`, of every alphabet. For a regular expression, pass
      `re.compile(r"\w+").findall`; for a script without spaces, `list`. A tokenizer
      may leave words out, but of a word that it cuts it must return all pieces.
    - `bag_of_words`: a word goes everywhere at once; with False each place is a
      feature of its own, for models that read in order.
    - `mask_token`: what replaces a word that is off; by default it is deleted.

    The others are those of `explain_image`.

    Raises ValueError for a text without words, for a tokenizer whose words are not
    whole words of the text, for an unknown label, and when `predict` does not return
    probabilities.

    Derived in notebooks/04_lime.ipynb, section *Your LIME explains*.

    >>> def predict(texts):
    ...     p = np.array([0.9 if "good" in text else 0.2 for text in texts])
    ...     return np.column_stack([1 - p, p])
    >>> told = explain_text(predict, "a good film", progress=False)
    >>> told.labels, [(e.name, round(e.weight, 1)) for e in told.top(k=1)]
    ([1], [('good', 0.7)])
    """
    require(
        isinstance(text, str),
        f"explain_text expects one string, got {type(text).__name__}",
    )
    pieces, names = _cut(text, _tokens(text, tokenizer), bag_of_words)
    require(names, f"explain_text: the text {text[:40]!r} has no words to leave out")
    perturb = partial(remove_words, pieces, mask_token or "")
    rng = np.random.default_rng(seed)
    Z = sample_masks(n_samples, len(names), rng=rng, kind="text", design=design)
    answers = predict_perturbed(
        predict, perturb, Z, mode=mode, batch_size=batch_size, progress=progress
    )
    return _explain(
        answers,
        Z,
        mask_distance(Z),
        labels=labels,
        class_names=class_names,
        kernel=kernel,
        width=width,
        alpha=alpha,
        features=features,
        select=select,
        design=design,
        names=names,
        perturb=perturb,
        pieces=pieces,
    )


def remove_words(
    pieces: Sequence[tuple[str, str, int]],
    replacement: str,
    Z: np.ndarray,
    out: object = None,
) -> list[str]:
    """Texts without the words that a mask has off: `(n, d)` masks to n strings.

    `pieces` are (gap, word, feature of the word), as an `Explanation` has them; the
    last has feature -1. `out` is ignored: strings cannot be written into.

    Derived in notebooks/deeper/04_lime.ipynb, section *Words*.

    >>> pieces = [("", "not", 0), (" ", "good", 1), ("!", "", -1)]
    >>> remove_words(pieces, "UNK", [[True, True], [False, True]])
    ['not good!', 'UNK good!']
    """
    gap, word, feature = np.array(pieces, object).T
    whole = gap + word
    without = gap + np.where(feature >= 0, replacement, "")
    on = np.asarray(Z, bool)
    feature = feature.astype(int)
    # The last piece has no mask: mask[-1] stands for it, and both choices are its gap.
    return ["".join(np.where(mask[feature], whole, without).tolist()) for mask in on]


def _tokens(text, tokenizer):
    """The words of the text, by the caller's tokenizer or ours; no empty ones."""
    if tokenizer is None:
        tokens = words(text)
        if any(_WITHOUT_SPACES.search(token) for token in tokens):
            warnings.warn(
                "this script is written without spaces, so that a whole clause is one "
                "feature: pass a tokenizer, for example tokenizer=list",
                stacklevel=3,
            )
        return tokens
    require(
        callable(tokenizer),
        f"explain_text expects a function as tokenizer, got {tokenizer!r}; "
        "for a regular expression, pass re.compile(...).findall",
    )
    tokens = list(tokenizer(text))
    for token in tokens:
        require(
            isinstance(token, str),
            f"explain_text: the tokenizer must return strings, got {token!r}",
        )
    return [token for token in tokens if token]


def _cut(text, tokens, bag_of_words):
    """The text in pieces (gap, word, feature), at last (gap, "", -1); and the names."""
    pieces = []
    number: dict[str, int] = {}
    end = 0
    for i, (start, stop) in enumerate(_find_tokens(text, tokens)):
        name = tokens[i] if bag_of_words else f"{tokens[i]} [{i + 1}]"
        feature = number.setdefault(name, len(number))
        pieces.append((text[end:start], text[start:stop], feature))
        end = stop
    pieces.append((text[end:], "", -1))
    return pieces, list(number)


def _find_tokens(text, tokens):
    """Where each token begins and ends in the text: `(start, stop)`."""
    spans = _whole_words(text, tokens)
    if len(spans) < len(tokens) and all(token == token.lower() for token in tokens):
        # The tokenizer may have lower-cased the text. "İ" becomes two characters then:
        # `place` leads from the places in the lower-cased text to those in the text.
        place = [i for i, c in enumerate(text) for _ in c.lower()] + [len(text)]
        spans = _whole_words(text.lower(), tokens)
        spans = [(place[start], place[stop]) for start, stop in spans]
    if len(spans) < len(tokens):
        _refuse_token(tokens[len(spans)], text, spans[-1][1] if spans else 0)
    return spans


def _whole_words(text, tokens):
    """The spans of the tokens, in order, up to the first that is no whole word."""
    spans: list[tuple[int, int]] = []
    while len(spans) < len(tokens):
        end = spans[-1][1] if spans else 0
        found = _next_word(text, tokens, len(spans), end)
        if not found:
            break
        spans += found
    return spans


def _next_word(text, tokens, first, end):
    """The spans of the next word that begins with the token of number `first`."""
    start = text.find(tokens[first], end)
    while start >= 0:
        spans = _whole_word(text, tokens, first, start)
        if spans:
            return spans
        start = text.find(tokens[first], start + 1)
    return []


def _whole_word(text, tokens, first, start):
    """The spans of the tokens, from number `first`, that make up a word at `start`.

    A word may have several tokens, such as "do" and "n't"; they must fill it to its
    end. Returns no spans if they do not.
    """
    spans: list[tuple[int, int]] = []
    if _inside_word(text, start):
        return spans
    for i in range(first, len(tokens)):
        if not text.startswith(tokens[i], start):
            return []
        end = start + len(tokens[i])
        spans.append((start, end))
        if not _inside_word(text, end):
            return spans
        start = end
    return []


def _inside_word(text, place):
    """Is there a letter or digit on both sides of this place?"""
    return place > 0 and re.fullmatch(r"\w\w", text[place - 1 : place + 1])


def _refuse_token(token, text, end):
    rest = text[end:]
    behind = f"after {text[max(0, end - 20) : end]!r}"
    require(
        token in rest or token in rest.lower(),
        f"explain_text: the tokenizer's word {token!r} is not in the text {behind}",
    )
    raise ValueError(
        f"explain_text: the tokenizer's word {token!r} is only a part of a word "
        f"{behind}. A tokenizer may leave words out; its tokens must cover the text "
        "between two word boundaries: whole words, no stems, or all pieces of a word"
    )


def explain_tabular(
    predict: Callable[[np.ndarray], Any],
    x: np.ndarray,
    background: np.ndarray,
    *,
    names: Sequence | None = None,
    categorical: Sequence = (),
    labels: Any = None,
    class_names: Sequence = (),
    mode: str = "classification",
    n_samples: int = 5000,
    design: str = "iid",
    kernel: Callable[[np.ndarray], np.ndarray] | None = None,
    width: float | None = None,
    alpha: float = 1.0,
    features: int | None = None,
    select: str = "auto",
    batch_size: int = 5000,
    seed: int = 0,
    progress: bool = True,
) -> Explanation:
    """Which columns of one row speak for its class?

    Shapes: x `(d,)`, background `(n, d)`, arrays or from a DataFrame. `predict` gets
    rows `(m, d)`, at most `batch_size` of them: float64, or objects where the
    background has text. Every column is continuous, except those that `categorical`
    lists by name or position:

    - A continuous column becomes `x + scale * noise` with Gaussian noise, where `scale`
      is the background's standard deviation. Its coefficient is per standard
      deviation. A column that never varies stays as it is.
    - A categorical column takes the values of random rows of the background, so each
      value is as frequent as there. Its feature is 1 where the value is that of x,
      else 0.

    Distances are Euclidean in these features, and `width` defaults to `0.75 sqrt(d)`.
    With `design="paired"` each noise is followed by its negative; `"orthogonal"` also
    takes the noise in orthogonal directions. Categories are drawn independently in
    every design. `names` default to those of the DataFrame, or to 0..d-1. The other
    parameters are those of `explain_image`.

    Raises ValueError for shapes that do not fit, NaN, text in a column that is not
    categorical, a category that the background does not have, an unknown column or
    label, and when `predict` does not return probabilities.

    Derived in notebooks/deeper/04_lime.ipynb, section *Tables*.

    >>> def predict(rows):  # the second column alone decides
    ...     return np.column_stack([rows[:, 1], 1 - rows[:, 1]])
    >>> background = np.array([[1.0, 0], [2, 1], [3, 0], [4, 1]])
    >>> told = explain_tabular(
    ...     predict,
    ...     background[1],
    ...     background,
    ...     names=["size", "colour"],
    ...     categorical=["colour"],
    ...     progress=False,
    ... )
    >>> [(e.name, round(e.weight, 2)) for e in told.top(k=1)]
    [('colour', 1.0)]
    """
    default_names = getattr(background, "columns", range(np.size(x)))
    names = list(default_names if names is None else names)
    background = np.asarray(background)
    numeric = _is_numeric(background)
    dtype = np.float64 if numeric else object
    x = np.asarray(x, None if numeric else object)
    require(
        background.ndim == 2
        and x.shape == background.shape[1:] == (len(names),)
        and background.size > 0
        and n_samples >= 2
        and design in DESIGNS,
        "explain_tabular expects x (d,) and background (n, d), neither empty, d names, "
        f"n_samples >= 2 and design in {DESIGNS}, got {x.shape}, {background.shape}, "
        f"{len(names)} names, {n_samples}, {design!r}",
    )
    columns = _categorical_columns(categorical, names, x, background)
    table = _numbers(background, columns)
    mean = table.mean(axis=0)
    scale = table.std(axis=0)
    rng = np.random.default_rng(seed)
    noise = _noise(n_samples, scale > 0, rng, design)
    scale[scale == 0] = 1
    origin = (_numbers(x, columns) - mean) / scale
    require(
        np.isfinite([origin, scale]).all(),
        "explain_tabular expects finite numbers in x and background",
    )

    Z = origin + noise
    others = {j: _most_frequent_other(background[:, j], x[j]) for j in columns}
    perturb = partial(_table_rows, x, mean, scale, others, dtype)
    rows = perturb(Z)
    for j in columns:
        rows[:, j] = rng.choice(background[:, j], n_samples)
        rows[0, j] = x[j]
        Z[:, j] = rows[:, j] == x[j]
    answers = predict_perturbed(
        predict, _as_they_are, rows, mode=mode, batch_size=batch_size, progress=progress
    )
    return _explain(
        answers,
        Z,
        np.linalg.norm(Z - Z[0], axis=1),
        labels=labels,
        class_names=class_names,
        kernel=kernel,
        width=0.75 * np.sqrt(len(names)) if width is None else width,
        alpha=alpha,
        features=features,
        select=select,
        design=design,
        names=names,
        perturb=perturb,
    )


def _is_numeric(table):
    """Are all entries numbers? A DataFrame's columns may differ in dtype."""
    if table.dtype == object:
        return all(isinstance(value, Real | np.bool_) for value in table.flat)
    return table.dtype.kind in "biuf"


def _categorical_columns(categorical, names, x, background):
    """The positions of the columns that are given by name or position."""
    require(
        not isinstance(categorical, str),
        f"categorical expects a list of columns, got the string {categorical!r}",
    )
    columns = [position("column", c, len(names), names) for c in categorical]
    for j in columns:
        require(
            np.any(background[:, j] == x[j]),
            f"explain_tabular: the background has no row with {x[j]!r} in the "
            f"categorical column {names[j]!r}; add x to it",
        )
    return columns


def _numbers(values, columns):
    """The values as float64, with 0 in the categorical columns."""
    try:
        numbers = np.array(values, np.float64 if _is_numeric(values) else object)
        numbers[..., columns] = 0
        return numbers.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "explain_tabular expects numbers in all columns that categorical does not "
            f"list: {error}"
        ) from None


def _noise(n, varies, rng, design):
    """Standard normal numbers `(n, d)`, row 0 all 0; 0 in columns that do not vary."""
    noise = rng.standard_normal((n, len(varies))) * varies
    noise[0] = 0
    if design == "orthogonal" and varies.any():
        _make_orthogonal(noise[1::2], varies.sum())
    if design != "iid":
        noise[2::2] = -noise[1:-1:2]
    return noise


def _make_orthogonal(noise, size):
    """Make each `size` rows orthogonal, in place. Each is Gaussian as before.

    Gram-Schmidt looks only at the directions of Gaussian rows, and their lengths do not
    depend on these: so each row gets its length back (Yu et al., 2016).
    """
    for start in range(0, len(noise), size):
        block = noise[start : start + size]
        length = np.linalg.norm(block, axis=1)
        Q, R = np.linalg.qr(block.T)
        block[...] = (Q * np.sign(R.diagonal()) * length).T


def _most_frequent_other(values, own):
    counts = Counter(value for value in values.tolist() if value != own)
    return counts.most_common(1)[0][0] if counts else own


def _table_rows(x, mean, scale, others, dtype, Z, out=None):
    """The rows of features Z; a category that is off shows the most frequent other."""
    rows = (mean + Z * scale).astype(dtype)
    for j, other in others.items():
        rows[:, j] = np.where(Z[:, j] > 0.5, x[j], other)
    return rows


def _as_they_are(rows, out=None):
    """Rows that are drawn already need no masks."""
    return rows


def submodular_pick(
    explanations: Sequence[Explanation], budget: int, *, k: int = 10
) -> list[int]:
    """Which few explanations to look at? Submodular pick, SP-LIME: their positions.

    With W the weights of each explanation's `k` heaviest features for its first label,
    and the importance of a feature `I_j = sqrt(sum_i |W_ij|)`, take one by one the
    explanation that adds most to `c(V) = sum of I_j over the features that V shows`.
    Greedy comes within 1 - 1/e of the best choice. Features are the same when their
    names are: images need the same segments.

    Raises ValueError for no explanations, a budget below 1, or images cut differently.

    Derived in notebooks/deeper/04_lime.ipynb, section *Which examples to look at*
    (Ribeiro et al., 2016).

    >>> def predict(texts):
    ...     p = np.array([len(set(text.split())) / 10 for text in texts])
    ...     return np.column_stack([1 - p, p])
    >>> texts = ["a", "a b", "a c d"]
    >>> told = [explain_text(predict, t, labels=1, progress=False) for t in texts]
    >>> submodular_pick(told, budget=2)  # then "b" is what is missing
    [2, 1]
    """
    cuts: list[Any] = [told.segments for told in explanations]
    same_segments = all(np.array_equal(cut, cuts[0]) for cut in cuts)
    require(
        same_segments and len(explanations) > 0 and budget >= 1,
        "submodular_pick expects explanations, those of images with the same segments, "
        f"and a budget of at least 1, got {budget}",
    )
    tops = [{e.name: abs(e.weight) for e in told.top(k=k)} for told in explanations]
    names = list(dict.fromkeys(name for top in tops for name in top))
    W = np.array([[top.get(name, 0) for name in names] for top in tops])
    importance = np.sqrt(W.sum(axis=0))
    shown = np.zeros(len(names), bool)
    picked: list[int] = []
    for _ in range(min(budget, len(tops))):
        gain = ((W > 0) & ~shown) @ importance
        gain[picked] = -1
        best = int(gain.argmax())
        picked.append(best)
        shown |= W[best] > 0
    return picked
