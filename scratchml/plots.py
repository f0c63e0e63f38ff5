"""Every picture of the course: each function takes data and an optional Axes, and returns the Axes.

A title states the finding, so the notebook that has the finding passes it. Call `style()` once per
notebook for the common look. Colours are told apart by colour-blind readers; signed values diverge
from white at zero; nothing here calls `plt.show()` or changes its input.
"""

import base64
import io
import itertools
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import ticker
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb

# Okabe and Ito (2008), without yellow, which fades on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000")
MARKERS = "os^DvP*"
SIGNED = "RdBu_r"  # red positive, white zero, blue negative
INK = "Greys"
FOR, AGAINST = COLOURS[:2]
EVIDENCE = LinearSegmentedColormap.from_list("evidence", [AGAINST, "#f7f7f7", FOR])
RIGHT, WRONG, QUIET = "#333333", COLOURS[1], "#666666"


def style():
    """One look for all figures; call it once at the top of a notebook."""
    plt.rcdefaults()
    plt.rcParams.update({
        "figure.figsize": (7, 3.8), "figure.dpi": 90, "figure.facecolor": "white",
        "figure.constrained_layout.use": True, "savefig.facecolor": "white",
        "font.family": "DejaVu Sans", "font.size": 10,  # the font that comes with matplotlib
        "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
        "axes.prop_cycle": plt.cycler(color=COLOURS), "axes.spines.top": False,
        "axes.spines.right": False, "axes.edgecolor": QUIET, "axes.grid": True,
        "axes.axisbelow": True, "grid.color": "#e5e5e5", "grid.linewidth": 0.6,
        "xtick.color": RIGHT, "ytick.color": RIGHT, "lines.linewidth": 1.8,
        "legend.frameon": False, "legend.fontsize": 9, "image.cmap": "viridis",
    })


def signed_norm(values):
    """Colour scale for signed values: symmetric, so that zero is white. `None` of them: +-1."""
    largest = np.max(np.abs(values), initial=0, where=np.isfinite(values))
    return Normalize(-largest or -1, largest or 1)


def digits(images, labels=None, predictions=None, *, columns=10, title="", ax=None):
    """Images in a grid, ink on paper; above each its label, and `label -> prediction` when wrong.

    images (N, H, W), (N, 1, H, W) or rows of squares (N, D); labels, predictions (N,).
    """
    tiles = _tiles(images, "digits")
    labels = _captions(labels, len(tiles), "labels")
    predictions = _captions(predictions, len(tiles), "predictions") or labels
    labels = labels or predictions
    captions = labels and [true if true == guess else f"{true} → {guess}"
                           for true, guess in zip(labels, predictions, strict=True)]
    return _grid(tiles, columns, captions, title, ax, cmap=INK)


def worst_mistakes(images, labels, scores, k=20, *, columns=10, title="", ax=None):
    """The k wrong predictions with the highest loss -log p(label), worst first.

    Above each: `label -> prediction` and the probability the model gave to its prediction.
    images (N, H, W) or (N, 1, H, W), labels (N,), scores (N, C): probabilities, or any scores,
    which then go through softmax. Raises ValueError when there is no mistake.
    """
    tiles, labels, p = _tiles(images, "worst_mistakes"), np.asarray(labels), np.array(scores, float)
    _require(p.ndim == 2 and labels.shape == tiles.shape[:1] == p.shape[:1],
             f"worst_mistakes expects N images, labels (N,), scores (N, C); got {tiles.shape}, "
             f"{labels.shape}, {p.shape}")
    if p.min() < 0 or not np.allclose(p.sum(1), 1, atol=1e-3):
        p = np.exp(p - p.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
    guess = p.argmax(1)
    wrong = np.flatnonzero(guess != labels)
    _require(len(wrong), f"no mistakes to show among {len(labels)} predictions")
    worst = wrong[np.argsort(p[wrong, labels[wrong]], kind="stable")][:k]
    captions = [f"{labels[i]} → {guess[i]}\n{p[i, guess[i]]:.0%}" for i in worst]
    return _grid(tiles[worst], columns, captions, title, ax, cmap=INK)


def weights(W, shape=(28, 28), *, columns=8, title="", ax=None):
    """What each unit looks for: its incoming weights as an image, red positive, blue negative.

    W (n_in, n_units) with n_in = H * W of `shape`, or filters (N, H, W) or (N, 1, H, W).
    All images share one scale, symmetric about zero.
    """
    W = np.asarray(W)
    if W.ndim == 2:
        _require(W.shape[0] == np.prod(shape), f"weights expects W ({np.prod(shape)}, n_units) for "
                 f"images of {tuple(shape)}, got {W.shape}")
        W = W.T.reshape(-1, *shape)
    tiles = _tiles(W, "weights")
    ax = _grid(tiles, columns, None, title, ax, cmap=SIGNED, norm=signed_norm(tiles))
    ax.figure.colorbar(ax.images[-1], ax=ax, fraction=0.03, pad=0.01, shrink=0.8, label="weight")
    return _label(ax, title)


def learning_curves(history, key="loss", *, log=False, xlabel="epoch", title="", ax=None):
    """`history[key]` over the epochs, and `validation_<key>` dashed in the same colour.

    history: a mapping of lists, or {name: mapping}, or {name: [mapping of each run]}: then the
    mean as a line and lowest to highest as a band (up to the shortest run).
    """
    histories = {"": history} if key in history or f"validation_{key}" in history else history
    ax = _axes(ax)
    for name, runs, colour, _ in _series(histories):
        runs = runs if isinstance(runs, list | tuple) else [runs]
        parts = [part for part in (key, f"validation_{key}")
                 if all(isinstance(run, dict) and part in run for run in runs)]
        _require(runs and parts, f"learning_curves expects a history with {key!r}, or a name for "
                 f"each history; got a mapping of {list(history)}")
        for part in parts:
            epochs = np.arange(1, 1 + min(len(run[part]) for run in runs))
            values = np.array([run[part][:len(epochs)] for run in runs], float)
            kind, line = ("training", "-") if part == key else ("validation", "--")
            label = f"{name}, {kind}" if name and len(parts) > 1 else name or kind
            ax.plot(epochs, values.mean(0), line, color=colour, label=label,
                    marker="." if len(epochs) == 1 else None)
            if len(runs) > 1:
                ax.fill_between(epochs, values.min(0), values.max(0), color=colour, lw=0,
                                alpha=0.12)
    if "accuracy" in key:
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(1))
    if log:
        ax.set_yscale("log")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    ax.legend()
    return _label(ax, title, xlabel, key.replace("_", " "))


def curves(x, series, *, log="", xlabel="", ylabel="", title="", ax=None):
    """Lines over the same x: an activation and its slope, loss against learning rate.

    x (M,), series {name: (M,)}; log: "x", "y" or "xy" for logarithmic axes.
    """
    ax = _axes(ax)
    for name, values, colour, _ in _series(series):
        _require(np.shape(values) == np.shape(x), f"curves expects {np.shape(x)} values for "
                 f"{name!r}, got {np.shape(values)}")
        ax.plot(x, values, color=colour, label=name)
    ax.set(**{f"{axis}scale": "log" for axis in log})
    ax.legend()
    return _label(ax, title, xlabel, ylabel)


def decision_boundary(predict, x, y, *, classes=None, legend=True, title="", ax=None):
    """What the model says everywhere in the plane: probabilities as shade, decisions as a line.

    predict((M, 2)) -> probabilities of class 1, (M,) or (M, 1), or of every class, (M, C).
    x (N, 2), y (N,) integers: the examples, each class with its own colour and marker.
    """
    x, y = np.asarray(x), np.asarray(y)
    _require(x.ndim == 2 and x.shape[1] == 2 and y.shape == x.shape[:1],
             f"decision_boundary expects x (N, 2) and y (N,), got {x.shape} and {y.shape}")
    y, low, high = y.astype(int), x.min(0), x.max(0)
    margin = 0.25 * np.where(high > low, high - low, 1)
    (left, bottom), (right, top) = low - margin, high + margin
    across, up, points = _plane(left, right, bottom, top)
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.float32
    p = np.asarray(predict(points.astype(dtype)), float).reshape(len(points), -1)
    p = np.hstack([1 - p, p]) if p.shape[1] == 1 else p
    _require(p.min() > -1e-3 and np.allclose(p.sum(1), 1, atol=1e-3), "decision_boundary expects "
             f"probabilities from predict, got values from {p.min():.3g} to {p.max():.3g}: put a "
             "sigmoid or softmax around the scores")
    palette = np.array([to_rgb(COLOURS[c % len(COLOURS)]) for c in range(p.shape[1])])
    ax = _axes(ax, (5, 4))
    shade = 1 - 0.45 * p @ (1 - palette)  # 45 % colour, 55 % paper
    ax.imshow(np.clip(shade, 0, 1).reshape(len(up), len(across), 3), origin="lower",
              extent=(left, right, bottom, top), aspect="auto", interpolation="bilinear")
    for c in range(1 if p.shape[1] == 2 else 0, p.shape[1]):  # where class c wins by nothing
        lead = p[:, c] - np.delete(p, c, 1).max(1)
        if lead.min() < 0 < lead.max():
            ax.contour(across, up, lead.reshape(len(up), -1), [0], colors=RIGHT, linewidths=1.2)
    for c in np.unique(y):
        ax.scatter(*x[y == c].T, color=COLOURS[c % len(COLOURS)], marker=MARKERS[c % len(MARKERS)],
                   s=40 if len(x) > 20 else 90, edgecolor="white", linewidth=0.8, zorder=3,
                   label=f"class {c}" if classes is None else classes[c])
    ax.grid(False)
    if legend:
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return _label(ax, title, "$x_1$", "$x_2$")


def confusion(matrix, classes=None, *, title="", ax=None):
    """Counts of (true class, predicted class); only the mistakes are coloured.

    matrix (C, C): rows are the true classes, columns the predicted ones.
    """
    matrix = np.asarray(matrix)
    _require(matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1],
             f"confusion expects a square matrix (C, C), got {matrix.shape}")
    n = len(matrix)
    classes = _captions(range(n) if classes is None else classes, n, "classes")
    longest = max(map(len, classes))
    side = 2 + 0.36 * n + 0.07 * longest
    ax = _axes(ax, (side, side))
    mistakes = np.where(np.eye(n, dtype=bool), 0, matrix)
    ax.imshow(mistakes, cmap="Oranges", vmin=0, vmax=1.4 * mistakes.max() or 1)  # ink readable
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            number = str(count) if matrix.dtype.kind in "iu" else f"{count:.2g}"
            ax.text(j, i, number, ha="center", va="center", fontsize=9,
                    color=QUIET if i == j else "black", weight=None if i == j else "bold")
    ax.set_xticks(range(n), classes, rotation=90 if longest > 3 else 0)
    ax.set_yticks(range(n), classes)
    ax.grid(False)
    return _label(ax, title, "predicted", "true")


def gradient_norms(norms, *, xlabel="layer", ylabel="gradient norm", title="", ax=None):
    """One number per layer on a log scale, first layer left; a cross marks a zero.

    norms: {name: (layers,)}.
    """
    ax = _axes(ax)
    for name, values, colour, marker in _series(norms):
        values = np.asarray(values, float)
        _require(values.ndim == 1 and values.min(initial=0) >= 0,
                 f"gradient_norms expects one norm >= 0 per layer for {name!r}, got {values}")
        layers, zero = np.arange(1, len(values) + 1), values == 0
        ax.plot(layers, np.where(zero, np.nan, values), marker=marker, color=colour, label=name)
        ax.plot(layers[zero], np.full(zero.sum(), 0.02), "x", color=colour,
                transform=ax.get_xaxis_transform())
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    ax.legend()
    return _label(ax, title, xlabel, ylabel)


def optimizer_paths(function, paths, *, limits=None, optimum=None, title="", ax=None):
    """Where each optimizer walked on the contours of a function of two parameters.

    function((M, 2)) -> (M,); paths {name: (T, 2)}, from the open marker to the full one;
    limits (left, right, bottom, top), by default around all finite points; optimum (2,).
    """
    paths = {name: np.asarray(path, float) for name, path in paths.items()}
    for name, path in paths.items():
        _require(path.ndim == 2 and path.shape[1] == 2,
                 f"optimizer_paths expects (T, 2) for {name!r}, got {path.shape}")
    if limits is None:
        points = np.concatenate([*paths.values(), *([] if optimum is None else [[optimum]])])
        points = points[np.isfinite(points).all(1)]
        margin = 0.12 * np.maximum(np.ptp(points, 0), 1e-9)
        limits = np.stack([points.min(0) - margin, points.max(0) + margin], 1).ravel()
    ax = _axes(ax)
    across, up, points = _plane(*limits)
    height = np.asarray(function(points), float).reshape(len(up), len(across))
    # Equal areas between neighbouring lines: the floor of the ravine is drawn as well as its walls.
    levels = np.unique(np.quantile(height, np.linspace(0.005, 1, 14)))
    ax.contour(across, up, height, levels, colors="#bbbbbb", linewidths=0.8)
    for name, path, colour, _ in _series(paths):
        ax.plot(*path.T, ".-", color=colour, lw=1.4, ms=4, label=name)
        ax.plot(*path[0], "o", color=colour, mfc="white", ms=8)
        ax.plot(*path[-1], "o", color=colour, ms=8, mec="white")
    if optimum is not None:
        ax.plot(*optimum, "*", color="black", ms=13, mec="white", label="optimum")
    ax.set(xlim=limits[:2], ylim=limits[2:])
    ax.grid(False)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return _label(ax, title, "$w_1$", "$w_2$")


def timeline(events, *, title="", ax=None):
    """History on one line: events (year, label, kind), or ((from, to), label, kind) for a period.

    Labels hang on their stems like flags, each above the later ones it would cover. Periods are
    shaded and named below the line. Each kind has its colour. The figure grows with the flags; an
    Axes of yours must be tall enough.
    """
    _require(len(events) and all(len(event) == 3 for event in events),
             "timeline expects events (year, label, kind)")
    given, ax = ax, _axes(ax, (10, 4))
    years = [year for event in events for year in np.ravel(event[0])]
    span = max(np.ptp(years), 1)
    ax.set(xlim=(min(years) - 0.03 * span, max(years) + 0.14 * span))
    colours = {kind: colour for kind, _, colour, _ in _series({event[2]: 0 for event in events})}
    flags = []  # (from, to, upper edge) of the labels so far, later years first
    for year, label, kind in sorted(events, key=lambda event: -np.max(event[0])):
        if np.ndim(year):
            ax.axvspan(*year, color=colours[kind], alpha=0.12, lw=0, label=kind)
            ax.text(np.mean(year), -0.6, label, ha="center", va="top", fontsize=8)
            continue
        words = textwrap.fill(f"{year} {label}", 18)
        text = ax.text(year, 0, f" {words}".replace("\n", "\n "), va="bottom", fontsize=8)
        right = text.get_window_extent().transformed(ax.transData.inverted()).x1
        foot = max((top for left, _, top in flags if left <= right), default=1.0)
        text.set_y(foot)
        flags.append((year, right, foot + words.count("\n") + 1.7))
        ax.plot([year, year], [0, flags[-1][2] - 0.5], color=colours[kind], lw=1.2)
        ax.plot(year, 0, "o", color=colours[kind], label=kind)
    top = max((top for *_, top in flags), default=1)
    if given is None:
        ax.figure.set_figheight(1.1 + 0.14 * (top + 2.5))  # a line of text is one unit high
    ax.axhline(0, color=QUIET, lw=1)
    ax.set(ylim=(-2.5, top))
    ax.yaxis.set_visible(False)
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    entries = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend([entries[kind] for kind in colours], colours, loc="upper center",
              bbox_to_anchor=(0.5, -0.1), ncols=len(colours))
    return _label(ax, title)


def network(sizes, *, labels=None, weights=None, most=8, title="", ax=None):
    """A network as it is drawn on a blackboard: units in columns, one edge per weight.

    sizes: units per layer, input first; labels: a name per layer; weights: a list of
    W (n_in, n_out): red positive, blue negative, width by size. Layers of more than `most`
    units are shortened.
    """
    _require(len(sizes) > 1 and min(sizes) > 0,
             f"network expects the sizes of two layers or more, got {sizes}")
    labels = _captions([""] * len(sizes) if labels is None else labels, len(sizes), "labels")
    ax = _axes(ax, (1.2 + 1.6 * len(sizes), 3.6))
    columns = [[(i, (min(n, most) - 1) / 2 - min(i, most - 1))  # (unit, height) of those drawn
                for i in (range(n) if n <= most else [*range(most - 2), n - 1])] for n in sizes]
    for layer, (sending, receiving) in enumerate(itertools.pairwise(columns)):
        W = np.zeros(sizes[layer:layer + 2]) if weights is None else np.asarray(weights[layer])
        _require(W.shape == tuple(sizes[layer:layer + 2]), "network expects weights "
                 f"{tuple(sizes[layer:layer + 2])} after layer {layer}, got {W.shape}")
        strength = W / signed_norm(W).vmax
        for (i, low), (j, high) in itertools.product(sending, receiving):
            colour = "#b0b0b0" if weights is None else COLOURS[int(W[i, j] > 0)]
            ax.plot([layer, layer + 1], [low, high], color=colour, zorder=1,
                    lw=0.8 if weights is None else 0.3 + 2.7 * abs(strength[i, j]))
    for layer, (size, column, label) in enumerate(zip(sizes, columns, labels, strict=True)):
        colour = COLOURS[2] if layer == len(sizes) - 1 else COLOURS[0] if layer else QUIET
        ax.scatter([layer] * len(column), [height for _, height in column], s=180, zorder=2,
                   color="white", edgecolor=colour, linewidth=2)
        if size > most:
            ax.text(layer, column[-1][1] + 1, "⋮", ha="center", va="center", fontsize=14)
        ax.text(layer, -0.02, f"{label}\n{size}".strip(), ha="center", va="top",
                transform=ax.get_xaxis_transform())
    ax.set(xlim=(-0.4, len(sizes) - 0.6))
    ax.margins(y=0.08)
    ax.axis("off")
    return _label(ax, title)


def bars(values, labels, errors=None, *, xlabel="", number="{:.3g}", title="", ax=None):
    """Numbers to compare, one horizontal bar each, with the number and its spread written out.

    values (N,), labels (N,), errors (N,) or (2, N) below and above.
    """
    values = np.asarray(values, float)
    _require(values.ndim == 1, f"bars expects values (N,), got {values.shape}")
    labels = _captions(labels, len(values), "labels")
    errors = None if errors is None else np.asarray(errors, float)
    _require(errors is None or errors.shape[-1:] == values.shape,
             f"bars expects an error for each of {len(values)} values, got {np.shape(errors)}")
    ax = _axes(ax, (7, 0.8 + 0.4 * len(values)))
    rows = np.arange(len(values))
    ax.barh(rows, values, xerr=errors, height=0.6, color=COLOURS[0], ecolor="black", capsize=3)
    above = np.zeros_like(values) if errors is None else np.atleast_2d(errors)[-1]
    for row, value, error in zip(rows, values, above, strict=True):
        spread = f" ± {number.format(error)}" if np.ndim(errors) == 1 else ""
        ax.annotate(number.format(value) + spread, (max(value + error, 0), row), (6, 0),
                    textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(rows, labels)
    ax.invert_yaxis()
    ax.margins(x=0.25)
    ax.grid(axis="y", visible=False)
    return _label(ax, title, xlabel)


def image_evidence(image, segments, weights, *, ax=None, title="", scale=None, colorbar=True):
    """Signed evidence over an image: blue parts speak for the class, orange ones against it.

    The stronger, the less of the image shines through; 0 is clear. Shapes: image `(H, W)` or
    `(H, W, 3)`, segments `(H, W)` in 0..d-1, weights `(d,)`. `scale` is the weight of the full
    colour, by default the largest: give the same to pictures that are to be compared.
    """
    ax = _axes(ax)
    scale = scale or max(np.abs(weights).max(), 1e-12)
    share = np.clip(weights / scale, -1, 1)[segments]
    # Grey and pale, so that the only colours are those of the evidence.
    grey = np.asarray(image, float) @ [0.299, 0.587, 0.114] if image.ndim == 3 else image
    low, high = np.min(grey), np.max(grey)
    ax.imshow(grey, cmap="gray", vmin=low - 0.8 * (high - low), vmax=high + 0.1 * (high - low))
    colour = EVIDENCE((np.sign(share) + 1) / 2)
    colour[..., 3] = 0.85 * np.abs(share)
    ax.imshow(colour)
    ax.add_collection(LineCollection(_outlines(segments), colors="0.45", linewidths=0.5))
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    if colorbar:
        norm = plt.Normalize(-scale, scale)
        ax.figure.colorbar(plt.cm.ScalarMappable(norm, EVIDENCE), ax=ax, fraction=0.046,
                           label="against  ←  weight  →  for")
    return _label(ax, title)


def _outlines(segments):
    """Line segments between the parts, in pixel coordinates; neighbours in a row are joined."""
    lines = []
    for cut, flip in ((segments, False), (segments.T, True)):
        differs = np.diff(cut, axis=0) != 0  # between rows y and y + 1
        edge = np.diff(np.pad(differs.astype(int), ((0, 0), (1, 1))), axis=1)
        for (y, x0), (_, x1) in zip(np.argwhere(edge == 1), np.argwhere(edge == -1), strict=True):
            line = [(x0 - 0.5, y + 0.5), (x1 - 0.5, y + 0.5)]
            lines.append([p[::-1] for p in line] if flip else line)
    return lines


def evidence_bars(evidence, *, ax=None, title=""):
    """Words or columns with their weights and 95 % intervals, heaviest on top.

    `evidence` is what `explanation.top()` returns.
    """
    ax = _axes(ax)
    y = np.arange(len(evidence))
    weight = np.array([e.weight for e in evidence])
    reach = np.array([[e.weight - e.low for e in evidence], [e.high - e.weight for e in evidence]])
    ax.barh(y, weight, color=np.where(weight > 0, FOR, AGAINST), alpha=0.85,
            xerr=reach, error_kw={"ecolor": "0.25", "elinewidth": 1, "capsize": 2})
    ax.axvline(0, color="0.25", linewidth=0.8)
    ax.set_yticks(y, [str(e.name) for e in evidence])
    ax.invert_yaxis()
    return _label(ax, title, "against  ←  weight  →  for")


def deletion_insertion(curves, *, ax=None, title=""):
    """The curves of `faithfulness.deletion_insertion`, with the band of random orders."""
    ax = _axes(ax)
    share = np.linspace(0, 1, len(curves.deletion))
    low, high = np.percentile(curves.random, [5, 95], axis=0)
    ax.fill_between(share, low, high, color="0.85", label="random orders, 5 to 95 %")
    ax.plot(share, curves.random.mean(axis=0), color="0.5",
            label=f"their mean, area {curves.random_area:.2f}")
    ax.plot(share, curves.deletion, color=AGAINST,
            label=f"best evidence off first (deletion), area {curves.deletion_area:.2f}")
    ax.plot(share, curves.insertion[::-1], color=FOR,
            label=f"best evidence off last (insertion), area {curves.insertion_area:.2f}")
    ax.set(ylim=(-0.03, 1.03))
    ax.legend()
    return _label(ax, title, "share of the parts switched off", "probability of the class")


def as_html(ax):
    """The figure of an Axes as an `<img>` tag, the figure closed."""
    file = io.BytesIO()
    ax.figure.savefig(file, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
    plt.close(ax.figure)
    return f'<img src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'


# ----------------------------------------------------------------------------------- common parts

def _require(condition, message):
    if not condition:
        raise ValueError(message)


def _axes(ax, size=None):
    """The given Axes, or those of a new figure."""
    return plt.subplots(figsize=size)[1] if ax is None else ax


def _plane(left, right, bottom, top, n=200):
    """Steps across (n,) and up (n,), and all n * n points of the rectangle, (n * n, 2)."""
    across, up = np.linspace(left, right, n), np.linspace(bottom, top, n)
    return across, up, np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)


def _series(mapping):
    """(name, value, colour, marker) of each entry: the same order, the same look."""
    return ((name, value, colour, marker) for (name, value), colour, marker
            in zip(mapping.items(), itertools.cycle(COLOURS), itertools.cycle(MARKERS)))


def _label(ax, title="", xlabel="", ylabel=""):
    """Names of both axes, and the title wrapped to the width the Axes really get."""
    ax.set(xlabel=xlabel, ylabel=ylabel)
    for _ in range(2 if title else 0):
        ax.figure.canvas.figure.draw_without_rendering()
        width = ax.get_window_extent().width / ax.figure.dpi * 72
        letters = max(20, int(width / (0.58 * ax.title.get_fontsize())))
        lines = [textwrap.fill(line, letters) for line in title.split("\n")]
        ax.set_title("\n".join(lines))
        if lines == [title]:
            break  # else look again: more lines leave a picture less room
    return ax


def _captions(values, n, name):
    """A list of n strings, or None."""
    if values is None:
        return None
    captions = [str(value) for value in values]
    _require(len(captions) == n, f"{len(captions)} {name} for {n}")
    return captions


def _tiles(images, name):
    """(N, H, W) from (N, H, W), (N, 1, H, W) or rows of squares (N, D)."""
    images = np.asarray(images)
    side = round(images.shape[1] ** 0.5) if images.ndim == 2 else 0
    if images.ndim == 2 and side**2 == images.shape[1]:
        images = images.reshape(-1, side, side)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    _require(images.ndim == 3 and images.size, f"{name} expects images (N, H, W), (N, 1, H, W) or "
             f"(N, side * side), got {images.shape}")
    return images


def _grid(tiles, columns, captions, title, ax, **how):
    """All tiles as one picture (one artist is quick), captions above them."""
    n, h, w = tiles.shape
    columns, gap = min(columns, n), max(1, h // 14)
    rows = -(-n // columns)
    lines = 1 + max(caption.count("\n") for caption in captions) if captions else 0
    head = round((0.08 + 0.3 * lines) * h) if captions else gap  # room for the captions
    canvas = np.full((rows * (h + head) - gap * (not captions), columns * (w + gap) - gap), np.nan)
    size = max(4.0, min(7.5, 0.8 * columns))
    titles = -(-len(title) // int(11 * size))  # lines of it, about
    ax = _axes(ax, (size, 0.15 + 0.2 * titles + size * canvas.shape[0] / canvas.shape[1]))
    for k, tile in enumerate(tiles):
        top = k // columns * (h + head) + head * bool(captions)
        left = k % columns * (w + gap)
        canvas[top:top + h, left:left + w] = tile
        if captions:
            ax.text(left + w / 2, top, captions[k], ha="center", va="bottom", fontsize=8,
                    linespacing=1.1, color=WRONG if "→" in captions[k] else RIGHT)
    ax.imshow(canvas, interpolation="nearest", **how)
    ax.axis("off")
    return _label(ax, title)
