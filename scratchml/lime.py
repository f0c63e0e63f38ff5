"""Why does a model answer as it does here? LIME (Ribeiro, Singh, Guestrin, 2016), and
no more.

Switch parts of one input off at random, ask the model each time, and fit a small linear
model to the answers, the nearer ones counting more. Its coefficients are the
explanation. The model is only `predict(batch) -> (n, classes)` probabilities: nothing
here knows what is inside.
"""

import warnings
from functools import partial

import numpy as np

from ._support import progress_bar, require
from .explanation import Explanation, Surrogate, class_index
from .text import words

DESIGNS = ("iid", "paired", "orthogonal")


def sample_masks(n, d, *, rng, kind="image", design="iid"):
    """Which of `d` parts stay on in each of `n` perturbed copies: `(n, d)` bool, row 0
    all on.

    `kind="image"`: each part is on with probability 1/2. `kind="text"`: the number of
    parts switched off is uniform in 1..d, and so is the choice of parts given their
    number.

    One row alone looks the same in every design; they differ in how the rows hang
    together. `"iid"` draws them one by one (LIME). `"paired"` follows each by its
    opposite: what goes wrong in one goes wrong the other way round in the next.
    `"orthogonal"` also takes the pairs from the rows of a Hadamard matrix, where any
    two parts agree in half of the rows.

    Raises ValueError for fewer than 2 masks, no part, an unknown kind or an unknown
    design.

    Derived in notebooks/04_lime.ipynb, section *Perturb, weigh, fit*; the designs in
    section *Does it work?*.
    """
    require(
        n >= 2 and d >= 1 and kind in ("image", "text") and design in DESIGNS,
        "sample_masks expects n >= 2 masks of d >= 1 parts, kind 'image' or 'text', design "
        f"in {DESIGNS}, got n={n}, d={d}, {kind!r}, {design!r}",
    )
    rows = n - 1 if design == "iid" else n // 2
    u = rng.random((rows, d))  # parts go off in the order of these numbers
    off = rng.integers(1, d + 1, rows)
    if design == "orthogonal":
        u = (_hadamard_bits(rows, d, rng) + u) / 2
    if design != "iid":  # the opposite of the first k off: the last d + 1 - k off
        u = np.stack([u, 1 - u], axis=1).reshape(-1, d)[: n - 1]
        off = np.stack([off, d + 1 - off], axis=1).ravel()[: n - 1]
    last = (
        np.take_along_axis(np.sort(u), off[:, None] - 1, axis=1)
        if kind == "text"
        else 0.5
    )
    return np.vstack([np.ones((1, d), bool), u > last])


def _hadamard_bits(rows, d, rng):
    """Random 0/1 rows, block by block; in a block any two columns agree in half of the
    rows.
    """
    size = 1 << d.bit_length()  # the power of 2 above d, as column 0 is constant
    i = np.stack([rng.permutation(size) for _ in range(-(-rows // size))])[:, :, None]
    j = np.stack([1 + rng.permutation(size - 1)[:d] for _ in i])[:, None, :]
    flip = rng.integers(0, 2, (len(i), 1, d))
    return ((np.bitwise_count(i & j) + flip) % 2).reshape(-1, d)[:rows]


def mask_distance(Z):
    """Cosine distance of each mask to the all-ones mask: `D = 1 - sqrt(k / d)` with k
    of d on.

    Shapes: `(n, d)` in, `(n,)` out, each in [0, 1]. Raises ValueError for another shape
    or d = 0.

    Derived in notebooks/04_lime.ipynb, section *Perturb, weigh, fit*.
    """
    Z = np.asarray(Z, np.float64)
    require(
        Z.ndim == 2 and Z.shape[1] > 0, f"mask_distance expects (n, d), got {Z.shape}"
    )
    return 1 - np.sqrt(Z.mean(axis=1))


def exponential_kernel(D, width=0.25):
    """How much a sample at distance `D` counts: `sqrt(exp(-D^2 / width^2))`, as LIME
    has it.

    Shapes: `(n,)` in, `(n,)` out, each in [0, 1]. Raises ValueError for a width of 0 or
    less.

    Derived in notebooks/04_lime.ipynb, section *Perturb, weigh, fit*.
    """
    require(width > 0, f"exponential_kernel expects a width above 0, got {width}")
    return np.exp(-((np.asarray(D, np.float64) / width) ** 2) / 2)


def fit_surrogate(
    Z, Y, weights, *, alpha=1.0, features=None, select="auto", paired=False
):
    """Fit `Y ~ intercept + Z @ coef` by weighted ridge regression, all classes at once.

    With Z and Y centred by their weighted means and their rows scaled by `sqrt(w)`:
    `(Z'Z + alpha I) coef = Z'Y`, by one Cholesky factor; the intercept is not
    penalised. Shapes: Z `(n, d)`, row 0 the original; Y `(n, classes)`; weights `(n,)`.

    `features` keeps that many per class, chosen as LIME does:
    `select="forward_selection"` adds the one that raises R^2 most, again and again;
    `"highest_weights"` takes the largest `|coef * Z[0]|` of a ridge with alpha 0.01;
    `"auto"` is the former up to 6 features, the latter above; `"none"` keeps all. The
    others get coefficient 0.

    Standard errors are the sandwich's, with residuals over `sqrt(1 - leverage)` (HC2),
    so the noise need not be constant. They say how far another draw of masks would
    lead, at this alpha and this choice of features. `paired` masks hang together two by
    two: the scores of a pair are added before they are squared.

    Raises ValueError for shapes that do not fit, NaN, negative or only zero weights,
    and for features that the samples do not determine when alpha is 0.

    Derived in notebooks/04_lime.ipynb, section *Perturb, weigh, fit*; the errors
    (White, 1980) in section *How good is an explanation?*.
    """
    Z, Y, w = (np.asarray(a, np.float64) for a in (Z, Y, weights))
    finite = all(np.isfinite(a).all() for a in (Z, Y, w))
    require(
        (Z.ndim, Y.ndim, w.ndim) == (2, 2, 1)
        and len(Z) == len(Y) == len(w) > 0
        and finite
        and alpha >= 0
        and w.min() >= 0
        and w.sum() > 0,
        "fit_surrogate expects finite Z (n, d), Y (n, classes), weights (n,) all >= 0, not all "
        f"0, and alpha >= 0, got {Z.shape}, {Y.shape}, {w.shape} and alpha {alpha}",
    )
    share = w / w.sum()
    centre, level = share @ Z, share @ Y
    X, R = np.sqrt(w)[:, None] * (Z - centre), np.sqrt(w)[:, None] * (Y - level)
    varies = np.ptp(Y, axis=0) > 1e-12 * np.abs(Y).max(axis=0)
    R *= varies  # rounding is no answer
    total = np.where(varies, (R**2).sum(axis=0), np.nan)

    coef, variance = np.zeros((2, Z.shape[1], Y.shape[1]))
    r2, r2_loo = np.empty((2, Y.shape[1]))
    for chosen, k in _choices(X, R, Z[0], features, select):
        part = X[:, chosen]
        P = _normal_solve(part, alpha)
        beta = P.T @ R[:, k]
        e = R[:, k] - part @ beta
        spare = 1 - share - np.einsum("ij,ij->i", part, P)  # 1 - leverage
        spare = np.where(spare > 1e-9, spare, np.nan)[:, None]
        coef[chosen, k] = beta
        variance[chosen, k] = (P**2).T @ (e**2 / spare)
        if paired:  # rows 1 and 2, 3 and 4, ... are added before they are squared
            u = e / np.sqrt(spare)
            variance[chosen, k] += 2 * (P[1:-1:2] * P[2::2]).T @ (u[1:-1:2] * u[2::2])
        r2[k] = 1 - (e**2).sum(axis=0) / total[k]
        r2_loo[k] = 1 - ((e / spare) ** 2).sum(axis=0) / total[k]
    intercept = level - centre @ coef
    return Surrogate(
        coef=coef,
        stderr=np.sqrt(variance.clip(0)),
        intercept=intercept,
        r2=r2,
        r2_loo=r2_loo,
        local_prediction=intercept + Z[0] @ coef,
        effective_samples=float(1 / (share**2).sum()),
    )


def _normal_solve(X, alpha):
    """`P = X (X'X + alpha I)^-1`, `(n, d)`, by Cholesky: then `P' R` are the
    coefficients.
    """
    A = X.T @ X + alpha * np.eye(X.shape[1])
    require(
        alpha >= 1e-6 or np.linalg.cond(A) < 1e12,
        f"fit_surrogate: {len(X)} samples do not determine {X.shape[1]} features "
        f"with alpha={alpha:g}; take more samples, fewer features, or alpha > 0",
    )
    half = np.linalg.inv(np.linalg.cholesky(A))
    return X @ (half.T @ half)


def _choices(X, R, original, features, select):
    """Which features to use, for which classes."""
    known = ("auto", "none", "forward_selection", "highest_weights")
    require(
        select in known and (features is None or features >= 1),
        "fit_surrogate expects "
        f"features >= 1 and select in {known}, got {features} and {select!r}",
    )
    if features is None or select == "none":
        return [(slice(None), slice(None))]
    if select == "forward_selection" or (select == "auto" and features <= 6):
        A, B = X.T @ X, X.T @ R
        chosen = [_forward_selection(A, b, min(features, len(A))) for b in B.T]
    else:
        size = np.abs(_normal_solve(X, 0.01).T @ R * original[:, None])
        chosen = np.argsort(-size, axis=0, kind="stable")[:features].T
    return [(some, slice(k, k + 1)) for k, some in enumerate(chosen)]


def _forward_selection(A, b, features):
    """Add the feature that raises R^2 most, again and again; `A = X'X`, `b = X'y`.

    Feature j explains `b_j^2 / A_jj` more once A and b are cleared of the features
    already in: one elimination step each, instead of a regression for every candidate.
    """
    least, chosen = (
        1e-10 * A.diagonal() + 1e-300,
        [],
    )  # what a combination of those in has left
    for _ in range(features):
        left = np.maximum(A.diagonal(), least)
        gain = b**2 / left
        gain[chosen] = -1
        j = int(gain.argmax())
        chosen.append(j)
        share = A[:, j] / left[j]
        A, b = A - np.outer(share, A[j]), b - share * b[j]
    return chosen


def predict_perturbed(predict, perturb, Z, *, batch_size=256, progress=False):
    """Ask the model about masks Z `(n, d)`, and yield its probabilities `(m, classes)`
    by batches.

    `perturb(masks, out)` builds a batch, where it can in the memory of the one before:
    a `predict` that keeps its batch must copy it.

    Raises ValueError when `predict` does not return probabilities.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    require(
        batch_size >= 1,
        f"predict_perturbed expects a batch_size of at least 1, got {batch_size}",
    )
    out = None
    with progress_bar(len(Z), progress) as bar:
        for start in range(0, len(Z), batch_size):
            batch = perturb(Z[start : start + batch_size], out)
            out = batch if out is None else out
            P = np.asarray(predict(batch), np.float64)
            require(
                P.ndim == 2 and len(P) == len(batch),
                "predict must return probabilities "
                f"({len(batch)}, classes), got {P.shape}; with one p for two classes: "
                "np.column_stack([1 - p, p])",
            )
            fine = (P >= -1e-6).all(axis=1) & (np.abs(P.sum(axis=1) - 1) <= 1e-2)
            require(
                fine.all(),
                "predict must return probabilities in [0, 1] that sum to 1, not "
                f"row {start + fine.argmin()}: {P[fine.argmin()]}; apply softmax to scores",
            )
            bar.update(len(batch))
            yield P


def blend(image, hidden, segments, Z, out=None):
    """Copies of `image` with the parts that a mask has off taken from `hidden`.

    Shapes: `(H, W)` or `(H, W, 3)` images, segments `(H, W)` in 0..d-1, Z `(n, d)`;
    out: `(n, *image.shape)`, written into `out` when given. Same as `np.where(Z[:,
    segments], image, hidden)`, several times faster: `hidden ^ (both & on)`, where
    `both = image ^ hidden` and `on` has all bits set or none, works on the bits of any
    dtype.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    out = np.empty((len(Z), *image.shape), image.dtype) if out is None else out
    bits = np.dtype(f"u{image.itemsize}")
    index = (
        segments
        if image.ndim == 2
        else np.repeat(segments[..., None], image.shape[2], axis=2)
    )
    both = image.view(bits) ^ hidden.view(bits)
    on = np.asarray(Z).astype(bits) * np.iinfo(bits).max
    for row, mask in zip(
        out.view(bits), on, strict=False
    ):  # the last batch leaves some of out
        np.take(mask, index, out=row, mode="clip")  # "raise" would buffer the output
        row &= both
        row ^= hidden.view(bits)
    return out[: len(Z)]


def remove_words(pieces, replacement, Z, out=None):
    """Texts without the words that a mask has off: `(n, d)` masks to n strings.

    `pieces` are (gap, word, feature of the word), as an `Explanation` has them.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    gap, word, owner = np.array(pieces, object).T
    bare = gap + np.where(owner >= 0, replacement, "")
    rows = np.where(np.asarray(Z, bool)[:, owner.astype(int)], gap + word, bare)
    return ["".join(row) for row in rows.tolist()]


def _explain(
    predict,
    perturb,
    names,
    Z,
    D,
    source,
    *,
    batch_size,
    paired=False,
    width=0.25,
    labels=None,
    alpha=1.0,
    features=None,
    select="auto",
    class_names=(),
    progress=True,
):
    """What images, texts and tables have in common: ask, weigh, fit."""
    if len(Z) <= Z.shape[1]:
        warnings.warn(
            f"{len(Z)} samples for {Z.shape[1]} features are few: alpha decides as much "
            "as the model; raise n_samples",
            stacklevel=3,
        )
    weights, class_names = exponential_kernel(D, width), list(class_names)
    answers = predict_perturbed(
        predict, perturb, Z, batch_size=batch_size, progress=progress
    )
    first = next(answers)  # a wrong label is refused before the rest is asked for
    classes = first.shape[1]
    require(
        len(class_names) in (0, classes),
        f"{len(class_names)} class_names for a predict of {classes} classes",
    )
    labels = first[0].argmax() if labels is None else labels
    labels = [
        class_index(c, classes, class_names)
        for c in (labels if np.ndim(labels) else [labels])
    ]
    Y = np.concatenate([first, *answers])
    fit = fit_surrogate(
        Z, Y, weights, alpha=alpha, features=features, select=select, paired=paired
    )
    return Explanation(
        **vars(fit),
        names=names,
        labels=labels,
        class_names=class_names,
        prediction=Y[0],
        masks=Z,
        predictions=Y,
        weights=weights,
        perturb=perturb,
        **source,
    )


def explain_image(
    predict,
    image,
    *,
    segments=None,
    fill="mean",
    n_samples=1000,
    design="iid",
    batch_size=None,
    seed=0,
    **options,
):
    """Which parts of an image, `(H, W)` or `(H, W, 3)`, speak for its class: an
    `Explanation`.

    `predict` gets batches `(n, H, W)` or `(n, H, W, 3)` in the dtype of the image, at
    most `batch_size` (default: what fits 16 MB, at most 256), and returns `(n,
    classes)` probabilities. `segments`, `(H, W)` integers from any start, default to
    `superpixels(image)`. A part that is off shows `fill`: `"mean"`, its own mean
    colour, or a colour, or another image. The same call gives the same result, bit by
    bit.

    Options, with their defaults: `labels=None` (numbers or names; None: the predicted
    class), `class_names=()`, `width=0.25` (`exponential_kernel`), `alpha=1.0`,
    `features=None` and `select="auto"` (`fit_surrogate`), `progress=True`. `design`:
    see `sample_masks`.

    Raises ValueError for an image of another shape or dtype or with NaN, for segments
    or a fill that do not fit it, for an unknown label, and when `predict` does not
    return probabilities.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    image = _image("explain_image", image).copy()
    segments = np.asarray(superpixels(image) if segments is None else segments)
    require(
        segments.shape == image.shape[:2] and segments.dtype.kind in "iu",
        "explain_image "
        f"expects integer segments {image.shape[:2]}, got {segments.dtype} {segments.shape}",
    )
    names, segments = np.unique(segments, return_inverse=True)
    Z = sample_masks(
        n_samples, len(names), rng=np.random.default_rng(seed), design=design
    )
    perturb = partial(blend, image, _hidden(image, segments, fill), segments)
    return _explain(
        predict,
        perturb,
        names.tolist(),
        Z,
        mask_distance(Z),
        {"image": image, "segments": segments},
        paired=design != "iid",
        batch_size=batch_size or int(np.clip(2**24 // image.nbytes, 1, 256)),
        **options,
    )


def _image(name, image):
    image = np.asarray(image)
    require(
        image.ndim > 1
        and image.shape[2:] in ((), (3,))
        and image.size > 0
        and image.dtype.kind in "uif"
        and np.isfinite(image).all(),
        f"{name} expects (H, W) or (H, W, 3) finite numbers, got {image.dtype} {image.shape}; "
        "for (1, H, W): image[0], explained with lambda batch: predict(batch[:, None])",
    )
    return image


def _hidden(image, segments, fill):
    """The image with every part off."""
    if isinstance(fill, str) and fill == "mean":
        size = np.bincount(segments.ravel())
        mean = [
            np.bincount(segments.ravel(), c) / size
            for c in image.reshape(segments.size, -1).T
        ]
        return (
            np.stack(mean, axis=-1)[segments].reshape(image.shape).astype(image.dtype)
        )
    colour = np.asarray(fill)
    with np.errstate(
        all="ignore"
    ):  # what the image's dtype cannot hold is refused, not told
        require(
            colour.dtype.kind in "uif"
            and colour.shape in ((), image.shape[2:], image.shape)
            and np.allclose(colour.astype(image.dtype), colour, rtol=1e-3, atol=0),
            "explain_image expects fill to be 'mean', a colour or an image like "
            f"{image.dtype} {image.shape}, got {fill!r}",
        )
    return np.full_like(image, colour)


def superpixels(image, n_segments=60):
    """Cut an image into parts, `(H, W)` integers from 0: a square grid below 64 pixels,
    else slic.

    Small images such as digits have too few pixels for the shapes that slic (Achanta et
    al., 2012) finds; where it finds none, as in noise, the grid steps in too. Raises
    ValueError for another shape or NaN, ImportError without scikit-image: take
    `grid_segments(image)` then.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    image = _image("superpixels", image)
    if min(image.shape[:2]) < 64:
        return grid_segments(image)
    from skimage.segmentation import slic

    kind = {"channel_axis": None, "compactness": 0.1} if image.ndim == 2 else {}
    segments = slic(image, n_segments=n_segments, start_label=0, **kind)
    return segments if segments.max() > 8 else grid_segments(image)


def grid_segments(image, cells=7):
    """Cut an image into `cells` x `cells` rectangles, as equal as it goes: `(H, W)`
    integers.

    Raises ValueError for another shape than `(H, W)` or `(H, W, 3)`, and NaN.

    Derived in notebooks/04_lime.ipynb, section *Perturb, weigh, fit*.
    """
    shape = _image("grid_segments", image).shape[:2]
    row, column = (np.arange(n) * min(cells, n) // n for n in shape)
    return row[:, None] * (column[-1] + 1) + column


def explain_text(
    predict,
    text,
    *,
    tokenizer=None,
    bag_of_words=True,
    mask_token=None,
    n_samples=5000,
    design="iid",
    batch_size=256,
    seed=0,
    **options,
):
    """Which words of a text speak for its class: an `Explanation`.

    `predict` gets lists of at most `batch_size` strings. `tokenizer(text)` returns the
    words in their order; the default, `words`, knows every alphabet. With
    `bag_of_words` a word goes everywhere at once; without, each place is a feature of
    its own, for models that read in order. A word that is off is deleted, or replaced
    by `mask_token`. Options as in `explain_image`.

    Raises ValueError for a text without words, a tokenizer whose words do not stand in
    the text (in lower case they may), an unknown label, and when `predict` returns no
    probabilities.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    require(
        isinstance(text, str),
        f"explain_text expects one string, got {type(text).__name__}",
    )
    pieces, names = _index(text, (tokenizer or words)(text), bag_of_words)
    require(names, f"explain_text: the text {text[:40]!r} has no words to leave out")
    perturb = partial(remove_words, pieces, mask_token or "")
    rng = np.random.default_rng(seed)
    Z = sample_masks(n_samples, len(names), rng=rng, kind="text", design=design)
    return _explain(
        predict,
        perturb,
        names,
        Z,
        mask_distance(Z),
        {"pieces": pieces},
        batch_size=batch_size,
        paired=design != "iid",
        **options,
    )


def _index(text, tokens, bag_of_words):
    """Cut the text into (gap, word, feature of the word), at last (gap, "", -1); and
    the names.
    """
    lower, end = text.lower(), 0
    if len(lower) != len(text) or any(token != token.lower() for token in tokens):
        lower = (
            text  # else the tokenizer may have lower-cased its words: look for them so
        )
    pieces, number = [], {}
    for place, token in enumerate(tokens, start=1):
        start = lower.find(token, end) if token else -1
        require(
            start >= 0,
            f"explain_text: the tokenizer's word {token!r} is not in the text "
            f"after {text[max(0, end - 20) : end]!r}",
        )
        name = token if bag_of_words else f"{token} [{place}]"
        gap, end = text[end:start], start + len(token)
        pieces.append((gap, text[start:end], number.setdefault(name, len(number))))
    return [*pieces, (text[end:], "", -1)], list(number)


def explain_tabular(
    predict,
    x,
    background,
    *,
    names=None,
    n_samples=5000,
    width=None,
    batch_size=1024,
    seed=0,
    **options,
):
    """Which columns of one row speak for its class: an `Explanation`.

    Samples are `x + scale * noise` with Gaussian noise and `scale` the background's
    standard deviation; a column that never varies stays as it is. Coefficients are per
    standard deviation. Distances are Euclidean in scaled columns; the kernel width
    defaults to `0.75 sqrt(d)`. Shapes: x `(d,)`, background `(n, d)`; `predict` gets
    `(n, d)` float64. Options as in `explain_image`.

    Raises ValueError for shapes that do not fit, NaN, an unknown label, and when
    `predict` does not return probabilities.

    Derived in notebooks/04_lime.ipynb, section *The idea in two dimensions*.
    """
    x, background = np.asarray(x, np.float64), np.asarray(background, np.float64)
    names = list(range(x.size) if names is None else names)
    require(
        background.ndim == 2
        and x.shape == background.shape[1:] == (len(names),)
        and background.size > 0
        and np.isfinite([x, background.std(axis=0)]).all()
        and n_samples >= 2,
        "explain_tabular expects finite numbers x (d,) and background "
        "(n, d), neither empty, d names and n_samples >= 2, got "
        f"{x.shape}, {background.shape}, {len(names)} names, {n_samples}",
    )
    mean, scale = background.mean(axis=0), background.std(axis=0)
    noise = np.random.default_rng(seed).standard_normal((n_samples, x.size)) * (
        scale > 0
    )
    noise[0] = 0
    scale[scale == 0] = 1
    Z, D = (x - mean) / scale + noise, np.linalg.norm(noise, axis=1)
    return _explain(
        predict,
        lambda Z, out=None: mean + Z * scale,
        names,
        Z,
        D,
        {},
        width=width or 0.75 * np.sqrt(x.size),
        batch_size=batch_size,
        **options,
    )


def submodular_pick(explanations, budget, *, k=10):
    """Which few explanations to look at: submodular submodular_pick, SP-LIME. Returns
    their positions.

    With W the weights of each explanation's `k` heaviest features for its first label,
    and the importance of a feature `I_j = sqrt(sum_i |W_ij|)`, take one by one the
    explanation that adds most to `c(V) = sum of I_j over the features that V shows`.
    Greedy comes within 1 - 1/e of the best choice. Features are the same when their
    names are: images need the same segments.

    Raises ValueError for no explanations, a budget below 1, or images cut differently.

    Derived in notebooks/04_lime.ipynb, section *Which examples to look at* (Ribeiro et
    al., 2016).
    """
    same = all(
        np.array_equal(e.segments, explanations[0].segments) for e in explanations
    )
    require(
        same and len(explanations) > 0 and budget >= 1,
        "submodular_pick expects explanations, those of "
        f"images with the same segments, and a budget of at least 1, got {budget}",
    )
    tops = [
        {e.name: abs(e.weight) for e in explanation.top(k=k)}
        for explanation in explanations
    ]
    names = list(dict.fromkeys(name for top in tops for name in top))
    W = np.array([[top.get(name, 0) for name in names] for top in tops])
    importance, shown, picked = np.sqrt(W.sum(axis=0)), np.zeros(len(names), bool), []
    for _ in range(min(budget, len(tops))):
        gain = ((W > 0) & ~shown) @ importance
        gain[picked] = -1
        picked.append(int(gain.argmax()))
        shown |= W[picked[-1]] > 0
    return picked
