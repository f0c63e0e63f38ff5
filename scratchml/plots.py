"""Every picture of the course: each function takes data and perhaps Axes, returns Axes.

A title states the finding, so the notebook that has the finding passes it. Call
`style()` once per notebook for the common look. Colour-blind readers can tell the
colours apart. A sign has one meaning everywhere: blue is positive, or evidence for;
vermilion is negative, or evidence against; zero is white. Nothing here calls
`plt.show()` or changes its input.
"""

import base64
import io
import itertools
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure

from ._support import AGAINST, FOR, require
from .layers import softmax

if TYPE_CHECKING:
    from .explanation import Evidence, Explanation

# Okabe and Ito (2008), without yellow, which fades on white.
COLOURS = (FOR, AGAINST, "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000")
MARKERS = "os^DvP*"
SIGNED = LinearSegmentedColormap.from_list("signed", [AGAINST, "white", FOR])
RIGHT = "#333333"
WRONG = COLOURS[1]
QUIET = "#666666"
AGAINST_FOR = "against  ←  weight  →  for"


def style() -> None:
    """One look for all figures; call it once at the top of a notebook.

    Other settings stay as they are. For a part of a program only, call it inside
    `with plt.rc_context():`.
    """
    plt.rcParams.update(
        {
            "figure.figsize": (7, 3.8),
            "figure.dpi": 90,
            "figure.constrained_layout.use": True,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.prop_cycle": plt.cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": QUIET,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e5e5e5",
            "grid.linewidth": 0.6,
            "xtick.color": RIGHT,
            "ytick.color": RIGHT,
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "legend.fontsize": 9,
        }
    )
    _sharpen_notebooks()


def _sharpen_notebooks() -> None:
    """In a notebook: twice the pixels, and words for those who cannot see a figure."""
    try:
        import matplotlib_inline.backend_inline  # noqa: F401  (sets its own format)
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if hasattr(shell, "kernel"):
        shell.display_formatter.formatters["image/png"].for_type(Figure, _sharp_png)


def _sharp_png(figure: Figure) -> tuple[bytes, dict[str, Any]]:
    """The figure's pixels, with the size to show it at and what it says.

    256 colours are enough for the eye, and a third of the bytes.
    """
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=2 * figure.dpi, bbox_inches="tight")
    picture = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, "png", optimize=True)
    size = {"width": picture.width // 2, "height": picture.height // 2}
    return file.getvalue(), size | {"alt": alt_text(figure)}


def alt_text(figure: Figure) -> str:
    """What a figure says in words: its titles, and what its axes measure."""
    said = [figure.get_suptitle()]
    for axes in figure.axes:
        measured = " against ".join(
            filter(None, [axes.get_ylabel(), axes.get_xlabel()])
        )
        title = axes.get_title(loc="left") or axes.get_title()
        said.append(": ".join(filter(None, [title, measured])))
    return ". ".join(dict.fromkeys(" ".join(words.split()) for words in said if words))


def signed_norm(values: np.ndarray) -> Normalize:
    """Colour scale for signed values: symmetric, so that zero is white.

    Infinity and NaN do not count; for zeros alone the scale is -1 to 1.

    >>> norm = signed_norm(np.array([-2.0, 0.5]))
    >>> norm.vmin, norm.vmax
    (-2.0, 2.0)
    """
    largest = float(np.max(np.abs(values), initial=0, where=np.isfinite(values)))
    return Normalize(-(largest or 1), largest or 1)


def digits(
    images: np.ndarray,
    labels: Iterable | None = None,
    *,
    columns: int = 10,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Images in a grid, ink on paper, each with its label above.

    A label that contains "→" is coloured as wrong. images (N, H, W) or (N, 1, H, W);
    labels (N,).
    """
    return _grid(_tiles(images), labels, columns, title, ax, cmap="Greys")


def worst_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    k: int = 20,
    *,
    columns: int = 10,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The k wrong predictions with the highest loss -log p(label), worst first.

    Above each: `label -> prediction` and the probability the model gave to its
    prediction. images (N, H, W) or (N, 1, H, W), labels (N,), scores (N, C), which go
    through softmax. Raises ValueError when there is no mistake.
    """
    labels = np.asarray(labels)
    p = softmax(np.asarray(scores, float))
    guess = p.argmax(axis=1)
    wrong = np.flatnonzero(guess != labels)
    require(
        len(wrong), f"worst_mistakes finds no mistakes among {len(labels)} predictions"
    )
    worst = wrong[np.argsort(p[wrong, labels[wrong]], kind="stable")][:k]
    captions = [f"{labels[i]} → {guess[i]}\n{p[i, guess[i]]:.0%}" for i in worst]
    return digits(images[worst], captions, columns=columns, title=title, ax=ax)


def weights(
    W: np.ndarray,
    shape: tuple[int, int] = (28, 28),
    *,
    columns: int = 8,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """What each unit looks for: its incoming weights as an image.

    Blue weights are positive, vermilion ones negative. W (n_in, n_units) with
    n_in = H * W of `shape`, or filters (N, H, W) or (N, 1, H, W). All images share one
    scale, symmetric about zero.
    """
    images = W.T.reshape(W.shape[1], *shape) if W.ndim == 2 else W
    how = {"cmap": SIGNED, "norm": signed_norm(W)}
    ax = _grid(_tiles(images), None, columns, title, ax, **how)
    ax.figure.colorbar(
        ax.images[-1], ax=ax, fraction=0.03, pad=0.01, shrink=0.8, label="weight"
    )
    return _label(ax, title)


def learning_curves(
    history: Mapping,
    key: str = "loss",
    *,
    log: bool = False,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """`history[key]` over the epochs; `validation_<key>` dashed in the same colour.

    history: a mapping of lists, or {name: mapping}.
    """
    ax = _axes(ax)
    histories = {"": history} if key in history else history
    for (name, run), colour in zip(histories.items(), itertools.cycle(COLOURS)):
        lines = {"training": (run[key], "-")}
        if f"validation_{key}" in run:
            lines["validation"] = (run[f"validation_{key}"], "--")
        for kind, (values, dashes) in lines.items():
            label = f"{name}, {kind}" if name and len(lines) > 1 else name or kind
            epochs = range(1, len(values) + 1)
            ax.plot(epochs, values, dashes, color=colour, label=label)
    ax.set_yscale("log" if log else "linear")
    if "accuracy" in key:
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(1))
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    ax.legend()
    return _label(ax, title, "epoch", key.replace("_", " "))


def curves(
    x: np.ndarray,
    series: Mapping[str, np.ndarray],
    *,
    log: str = "",
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Lines over the same x: an activation and its slope, loss against learning rate.

    x (M,), series {name: (M,)}; log: "x", "y" or "xy" for logarithmic axes.
    """
    ax = _axes(ax)
    for name, values in series.items():
        ax.plot(x, values, label=name)
    ax.set(**{f"{axis}scale": "log" for axis in log})
    ax.legend()
    return _label(ax, title, xlabel, ylabel)


def decision_boundary(
    predict: Callable[[np.ndarray], Any],
    x: np.ndarray,
    y: np.ndarray,
    *,
    classes: Sequence[str] = ("class 0", "class 1"),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """What the model says in the plane: probability as shade, decision as a line.

    predict((M, 2)) -> probabilities of class 1, (M,) or (M, 1), or decisions. x (N, 2),
    y (N,) of 0 and 1: the examples, class 1 as blue squares, class 0 as vermilion
    circles. Raises ValueError when predict gives anything but numbers in [0, 1].
    """
    x = np.asarray(x)
    y = np.asarray(y)
    low = x.min(axis=0)
    high = x.max(axis=0)
    margin = 0.25 * np.where(high > low, high - low, 1)
    across, up, points = _plane(low - margin, high + margin)
    dtype = x.dtype if x.dtype.kind == "f" else np.float32
    p = np.asarray(predict(points.astype(dtype)), float)
    p = p.reshape(len(up), len(across), 1)
    require(
        0 <= p.min() and p.max() <= 1,
        "decision_boundary expects probabilities from predict, "
        f"got {p.min():.3g} to {p.max():.3g}: put a sigmoid around the scores",
    )
    ax = _axes(ax, (5, 4))
    colours = AGAINST, FOR  # of class 0 and of class 1
    ink = 1 - np.array([to_rgb(colour) for colour in colours])
    ax.imshow(
        1 - 0.45 * np.concatenate([1 - p, p], axis=-1) @ ink,  # 55 % are paper
        origin="lower",
        extent=(across[0], across[-1], up[0], up[-1]),
        aspect="auto",
        interpolation="bilinear",
    )
    if p.min() < 0.5 < p.max():
        ax.contour(across, up, p[..., 0], [0.5], colors=RIGHT, linewidths=1.2)
    for c, name in enumerate(classes):
        x1, x2 = x[y == c].T
        ax.scatter(
            x1,
            x2,
            color=colours[c],
            marker=MARKERS[c],
            zorder=3,
            label=name,
            s=40 if len(x) > 20 else 90,
            edgecolor="white",
            linewidth=0.8,
        )
    ax.grid(False)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return _label(ax, title, "$x_1$", "$x_2$")


def confusion(
    matrix: np.ndarray,
    classes: Iterable | None = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Counts of (true class, predicted class); only the mistakes are coloured.

    matrix (C, C): rows are the true classes, columns the predicted ones.
    """
    n = len(matrix)
    names = [str(name) for name in (range(n) if classes is None else classes)]
    longest = max(map(len, names))
    side = 2 + 0.36 * n + 0.07 * longest
    ax = _axes(ax, (side, side))
    mistakes = np.where(np.eye(n, dtype=bool), 0, matrix)
    darkest = 1.4 * mistakes.max() or 1  # ink stays readable
    ax.imshow(mistakes, cmap="Oranges", vmin=0, vmax=darkest)
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            ax.text(
                j,
                i,
                str(round(count, 2)),
                ha="center",
                va="center",
                fontsize=9,
                color=QUIET if i == j else "black",
                weight="normal" if i == j else "bold",
            )
    ax.set_xticks(range(n), names, rotation=90 if longest > 3 else 0)
    ax.set_yticks(range(n), names)
    ax.grid(False)
    return _label(ax, title, "predicted", "true")


def gradient_norms(
    norms: Mapping[str, Sequence[float]],
    *,
    xlabel: str = "layer",
    ylabel: str = "gradient norm",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """One number per layer on a log scale, first layer left; a zero leaves a gap.

    norms: {name: (layers,)}.
    """
    ax = _axes(ax)
    for (name, values), marker in zip(norms.items(), itertools.cycle(MARKERS)):
        ax.plot(range(1, len(values) + 1), values, marker=marker, label=name)
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    ax.legend()
    return _label(ax, title, xlabel, ylabel)


def optimizer_paths(
    function: Callable[[np.ndarray], np.ndarray],
    paths: Mapping[str, np.ndarray],
    *,
    limits: Sequence[float],
    optimum: Sequence[float],
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Where each optimizer walked on the contours of a function of two parameters.

    function((M, 2)) -> (M,); paths {name: (T, 2)}, from the open marker to the full
    one; limits (left, right, bottom, top); optimum (2,).
    """
    ax = _axes(ax)
    across, up, points = _plane(limits[::2], limits[1::2])
    height = function(points).reshape(len(up), len(across))
    # Equal areas between neighbouring lines: they show the floor of the ravine as well
    # as its walls.
    levels = np.unique(np.quantile(height, np.linspace(0.005, 1, 14)))
    ax.contour(across, up, height, levels, colors="#bbbbbb", linewidths=0.8)
    for (name, path), colour in zip(paths.items(), itertools.cycle(COLOURS)):
        ax.plot(*np.transpose(path), ".-", color=colour, lw=1.4, ms=4, label=name)
        ax.plot(*path[0], "o", color=colour, mfc="white", ms=8)
        ax.plot(*path[-1], "o", color=colour, ms=8, mec="white")
    ax.plot(*optimum, "*", color="black", ms=13, mec="white", label="optimum")
    ax.set(xlim=limits[:2], ylim=limits[2:])
    ax.grid(False)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return _label(ax, title, "$w_1$", "$w_2$")


def descent(
    function: Callable[[np.ndarray], np.ndarray],
    path: np.ndarray,
    *,
    limits: tuple[float, float],
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Where gradient descent walks on a curve: a ball for each step, an arrow between.

    function((M,)) -> (M,); path (T,), from the open marker on; limits (left, right).
    """
    ax = _axes(ax)
    across = np.linspace(*limits, 200)
    ax.plot(across, function(across), color="#bbbbbb")
    heights = function(path)
    for start, end in itertools.pairwise(zip(path, heights, strict=True)):
        look = {"arrowstyle": "-|>", "color": COLOURS[0], "shrinkA": 3, "shrinkB": 3}
        ax.annotate("", end, start, arrowprops=look)
    ax.plot(path, heights, "o", color=COLOURS[0], ms=5)
    ax.plot(path[0], heights[0], "o", color=COLOURS[0], mfc="white", ms=8)
    ax.set(xlim=limits)
    return _label(ax, title, "parameter θ", "loss")


def computational_graph(
    x: float,
    w: float,
    b: float,
    t: float,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The graph of `y = x w + b`, `L = (y - t)^2`: numbers and their gradients.

    Above each wire stands its value, below it the gradient of L with respect to it:
    blue if positive, vermilion if negative.
    """
    product = x * w
    y = product + b
    dy = 2 * (y - t)
    wires = [  # name, value, gradient, from, to
        ("x", x, dy * w, (0, 2), (2, 1.5)),
        ("w", w, dy * x, (0, 1), (2, 1.5)),
        ("x w", product, dy, (2, 1.5), (4, 1)),
        ("b", b, dy, (0, 0), (4, 1)),
        ("y", y, dy, (4, 1), (6, 1)),
        ("L", (y - t) ** 2, 1, (6, 1), (8, 1)),
    ]
    ax = _axes(ax, (9, 3.4))
    blank = {"fc": "white", "ec": "none", "pad": 1}
    for name, value, gradient, start, end in wires:
        ax.plot(*zip(start, end, strict=True), color=QUIET, lw=1, zorder=1)
        share, ha = (-0.05, "right") if start[0] == 0 else (0.5, "center")
        across, up = np.array(start) + share * np.subtract(end, start)
        if start[0] == 0:
            up = start[1]
        ax.text(
            across, up + 0.06, f"{name} = {value:g}", ha=ha, va="bottom", bbox=blank
        )
        colour = FOR if gradient > 0 else AGAINST if gradient < 0 else QUIET
        said = f"d({name})" if " " in name else f"d{name}"
        said = f"{said} = {gradient:g}"
        ax.text(across, up - 0.06, said, ha=ha, va="top", color=colour, bbox=blank)
    circle = {"boxstyle": "circle", "fc": "white", "ec": RIGHT}
    for (across, up), name in {(2, 1.5): "×", (4, 1): "+", (6, 1): "loss"}.items():
        ax.text(across, up, name, ha="center", va="center", bbox=circle, fontsize=11)
    ax.text(6, 0.35, f"t = {t:g}", ha="center", va="top", color=QUIET)
    ax.text(8, 0.2, "above: the value\nbelow: its gradient", ha="right", color=QUIET)
    ax.set(xlim=(-1, 8.2), ylim=(-0.4, 2.4))
    ax.axis("off")
    return _label(ax, title)


def class_bars(
    p: np.ndarray,
    truth: int | None = None,
    *,
    classes: Sequence | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Probabilities (C,) as bars from 0 to 1; the true class has its name in bold."""
    ax = _axes(ax, (5, 2.4))
    names = [str(c) for c in (range(len(p)) if classes is None else classes)]
    shade = np.where(np.arange(len(p)) == np.argmax(p), FOR, "#c9d8e3")
    ax.bar(names, p, color=shade)
    if truth is not None:
        ax.get_xticklabels()[truth].set_fontweight("bold")
    ax.set(ylim=(0, 1))
    ax.grid(axis="x", visible=False)
    return _label(ax, title, "class", "probability")


def timeline(events: Iterable, *, title: str = "", ax: Axes | None = None) -> Axes:
    """History on one line: events (year, label, kind), or with (from, to) for a year.

    Each label hangs on its stem like a flag, above all later ones. Periods are shaded
    and named below the line. Each kind has its colour.
    """
    events = list(events)
    ax = _axes(ax, (10, 1.3 + 0.17 * len(events)))
    kinds = dict.fromkeys(kind for _, _, kind in events)
    colours = dict(zip(kinds, COLOURS, strict=False))
    latest_first = sorted(events, key=lambda event: -np.max(event[0]))
    for row, (year, label, kind) in enumerate(latest_first, start=1):
        colour = colours[kind]
        if np.ndim(year):
            ax.axvspan(*year, color=colour, alpha=0.12, lw=0, label=kind)
            ax.text(np.mean(year), -0.5, label, ha="center", va="top", fontsize=8)
        else:
            stem = ([year, year], [0, row])
            ax.plot(*stem, "o-", markevery=2, color=colour, label=kind)
            ax.text(year, row, f" {year} {label}", va="top", fontsize=8)
    ax.axhline(0, color=QUIET, lw=1)
    ax.set(ylim=(-2, len(events) + 0.5), yticks=[])
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    handles, labels = ax.get_legend_handles_labels()
    one_each = dict(zip(labels, handles, strict=True))
    ax.legend(
        [one_each[kind] for kind in colours],
        list(colours),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.1),
        ncols=len(colours),
    )
    return _label(ax, title)


def network(
    sizes: Sequence[int],
    *,
    labels: Sequence[str],
    weights: Sequence[np.ndarray] | None = None,
    most: int = 8,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A network as it is drawn on a blackboard: units in columns, an edge per weight.

    sizes: units per layer, input first; labels: a name per layer; weights: a list of W
    (n_in, n_out): blue positive, vermilion negative, width by size. Layers of more than
    `most` units are shortened.
    """
    ax = _axes(ax, (1.2 + 1.6 * len(sizes), 3.6))
    columns = [_unit_heights(n, most) for n in sizes]
    for layer, (sending, receiving) in enumerate(itertools.pairwise(columns)):
        W = None if weights is None else weights[layer]
        _edges(ax, layer, sending, receiving, W)
    last = len(sizes) - 1
    layers = zip(columns, sizes, labels, strict=True)
    for layer, (heights, size, label) in enumerate(layers):
        colour = QUIET if layer == 0 else COLOURS[2] if layer == last else RIGHT
        _units(ax, layer, heights, size, colour)
        ax.text(
            layer,
            -0.02,
            f"{label}\n{size}",
            ha="center",
            va="top",
            transform=ax.get_xaxis_transform(),
        )
    ax.set(xlim=(-0.4, len(sizes) - 0.6))
    ax.margins(y=0.08)
    ax.axis("off")
    return _label(ax, title)


def _unit_heights(n, most):
    """{unit: its height}; of many units the first ones and the last, with a gap."""
    middle = (min(n, most) - 1) / 2
    if n <= most:
        return {i: middle - i for i in range(n)}
    first = {i: middle - i for i in range(most - 2)}
    return {**first, n - 1: -middle}


def _edges(ax, layer, sending, receiving, W):
    """Lines between the units of two layers; their colour is the sign of W."""
    for i, j in itertools.product(sending, receiving):
        if W is None:
            look = {"color": "#b0b0b0", "lw": 0.8}
        else:
            share = abs(W[i, j]) / np.abs(W).max()
            look = {"color": FOR if W[i, j] > 0 else AGAINST, "lw": 0.3 + 2.7 * share}
        ax.plot([layer, layer + 1], [sending[i], receiving[j]], zorder=1, **look)


def _units(ax, layer, heights, size, colour):
    """The circles of one layer, and dots where some are left out."""
    ax.scatter(
        [layer] * len(heights),
        list(heights.values()),
        s=180,
        zorder=2,
        color="white",
        edgecolor=colour,
        linewidth=2,
    )
    if size > len(heights):
        gap = min(heights.values()) + 1
        ax.text(layer, gap, "⋮", ha="center", va="center", fontsize=14)


def bars(
    values: Sequence[float] | np.ndarray,
    labels: Sequence[str],
    errors: Sequence[float] | np.ndarray | None = None,
    *,
    xlabel: str = "",
    number: str = "{:.3g}",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Numbers to compare: a horizontal bar each, number and spread written out.

    values (N,), labels (N,), errors (N,).
    """
    rows = range(len(values))
    ax = _axes(ax, (7, 0.8 + 0.4 * len(values)))
    drawn = ax.barh(
        rows,
        values,
        xerr=errors,
        height=0.6,
        color=COLOURS[0],
        ecolor="black",
        capsize=3,
    )
    texts = [number.format(value) for value in values]
    if errors is not None:
        spreads = [f" ± {number.format(error)}" for error in errors]
        texts = [a + b for a, b in zip(texts, spreads, strict=True)]
    ax.bar_label(drawn, texts, padding=6, fontsize=9)
    ax.set_yticks(rows, labels)
    ax.invert_yaxis()
    ax.margins(x=0.25)
    ax.grid(axis="y", visible=False)
    return _label(ax, title, xlabel)


# ------------------------------------------------------------------------- explanations


def image_evidence(
    image: np.ndarray,
    segments: np.ndarray,
    weights: np.ndarray,
    *,
    scale: float | None = None,
    colorbar: bool = True,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Signed evidence over an image: blue parts speak for the class, vermilion against.

    The stronger, the less of the image shines through; 0 is clear. Shapes: image `(H,
    W)` or `(H, W, 3)`, segments `(H, W)` in 0..d-1, weights `(d,)`. `scale` is the
    weight of the full colour, by default the largest: give the same to pictures that
    are to be compared.
    """
    ax = _axes(ax)
    if scale is None:
        scale = float(np.abs(weights).max())
    scale = scale or 1e-12
    share = np.clip(weights / scale, -1, 1)[segments]
    # Grey and pale, so that the only colours are those of the evidence.
    grey = np.asarray(image, float)
    if image.ndim == 3:
        grey = grey @ [0.299, 0.587, 0.114]
    ax.imshow(0.42 + 0.53 * _stretched(grey), cmap="gray", vmin=0, vmax=1)
    colour = SIGNED((np.sign(share) + 1) / 2)
    colour[..., 3] = 0.85 * np.abs(share)
    ax.imshow(colour)
    _draw_outlines(ax, segments)
    if colorbar:
        ax.figure.colorbar(
            ScalarMappable(Normalize(-scale, scale), SIGNED),
            ax=ax,
            fraction=0.046,
            label=AGAINST_FOR,
        )
    return _label(ax, title)


def top_parts(
    image: np.ndarray,
    segments: np.ndarray,
    weights: np.ndarray,
    *,
    k: int = 5,
    cmap: str = "gray",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The `k` strongest parts for the class, the rest grey: the view of LIME's paper.

    Parts with a weight of 0 or less are never shown. Shapes as in `image_evidence`;
    `cmap` colours an image (H, W): `"Greys"` is ink on paper.
    """
    ax = _axes(ax)
    strongest = np.argsort(-weights, kind="stable")[:k]
    strongest = strongest[weights[strongest] > 0]
    shown = np.isin(segments, strongest)
    if image.ndim == 2:
        image = plt.get_cmap(cmap)(_stretched(image))[..., :3]
    ax.imshow(np.where(shown[..., None], _rgb(image), 0.72))
    _draw_outlines(ax, shown.astype(int))
    return _label(ax, title)


def perturbed_copies(
    explanation: "Explanation",
    label: Any = None,
    *,
    k: int = 8,
    columns: int = 4,
    cmap: str = "gray",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The first `k` copies that the model was asked about, each with its answer.

    The first is the original. `label` is a class by number or name, by default the
    first that was explained. `cmap` colours grey images: `"Greys"` is ink on paper.
    Raises ValueError for the explanation of a text or a table.
    """
    require(
        explanation.image is not None,
        "perturbed_copies draws images; for texts and tables look at "
        "explanation.perturb(explanation.masks[:8])",
    )
    c = explanation.label(label)
    letter = "y" if explanation.mode == "regression" else "p"
    answers = explanation.predictions[:k, c]
    captions = [f"{letter} = {answer:.2f}" for answer in answers]
    copies = explanation.perturb(explanation.masks[:k])
    how = {} if copies.ndim == 4 else {"cmap": cmap}
    copies = _rgb(copies) if copies.ndim == 4 else copies
    return _grid(copies, captions, columns, title, ax, inches=1.8, **how)


def numbered_parts(
    image: np.ndarray, segments: np.ndarray, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """An image with the outline of every part, and its number in the middle.

    Shapes: image `(H, W)` or `(H, W, 3)`, segments `(H, W)` in 0..d-1.
    """
    ax = _axes(ax)
    ax.imshow(_rgb(image) if image.ndim == 3 else image, cmap="gray")
    _draw_outlines(ax, segments)
    for part in np.unique(segments):
        inside = np.argwhere(segments == part)
        # A pixel of the part: the mean of a crescent lies outside.
        y, x = inside[np.square(inside - inside.mean(axis=0)).sum(axis=1).argmin()]
        look: dict[str, Any] = {"color": "white", "size": 9, "weight": "bold"}
        paper = {"facecolor": "black", "alpha": 0.45, "pad": 1.5, "lw": 0}
        ax.text(x, y, str(part), ha="center", va="center", bbox=paper, **look)
    return _label(ax, title)


def evidence_bars(
    evidence: Sequence["Evidence"], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Words or columns with their weights and 95 % intervals, heaviest on top.

    `evidence` is what `explanation.top()` returns.
    """
    ax = _axes(ax)
    rows = range(len(evidence))
    weight, low, high = np.array([(e.weight, e.low, e.high) for e in evidence]).T
    ax.barh(
        rows,
        weight,
        color=np.where(weight > 0, FOR, AGAINST),
        alpha=0.85,
        xerr=[weight - low, high - weight],
        error_kw={"ecolor": "0.25", "elinewidth": 1, "capsize": 2},
    )
    ax.axvline(0, color="0.25", linewidth=0.8)
    # Half characters cannot be drawn, and dollar signs are no formulas.
    names = [str(e.name).encode(errors="replace").decode() for e in evidence]
    ax.set_yticks(rows, names, parse_math=False)
    ax.invert_yaxis()
    return _label(ax, title, AGAINST_FOR)


def deletion_insertion(curves: Any, *, title: str = "", ax: Axes | None = None) -> Axes:
    """The curves of `faithfulness.deletion_insertion`, with the random orders' band."""
    ax = _axes(ax)
    share = np.linspace(0, 1, len(curves.deletion))
    low, high = np.percentile(curves.random, [5, 95], axis=0)
    ax.fill_between(share, low, high, color="0.85", label="random orders, 5 to 95 %")
    lines = {
        f"their mean, area {curves.random_area:.2f}": (
            curves.random.mean(axis=0),
            "0.5",
        ),
        f"best evidence off first (deletion), area {curves.deletion_area:.2f}": (
            curves.deletion,
            COLOURS[3],
        ),
        f"best evidence off last (insertion), area {curves.insertion_area:.2f}": (
            curves.insertion[::-1],
            COLOURS[2],
        ),
    }
    for label, (curve, colour) in lines.items():
        ax.plot(share, curve, color=colour, label=label)
    ax.set(ylim=(-0.03, 1.03))
    ax.legend()
    xlabel = "share of the parts switched off"
    return _label(ax, title, xlabel, "probability of the class")


def as_html(ax: Axes) -> str:
    """The figure of an Axes as an `<img>` tag, the figure closed."""
    figure: Any = ax.figure
    file = io.BytesIO()
    figure.savefig(
        file, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None}
    )
    plt.close(figure)
    code = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/png;base64,{code}">'


# ------------------------------------------------------------------------- common parts


def _axes(ax, size=None):
    """The given Axes, or those of a new figure."""
    return plt.subplots(figsize=size)[1] if ax is None else ax


def _plane(low, high, n=200):
    """Steps across (n,) and up (n,), and all points of the rectangle, (n * n, 2)."""
    across, up = np.linspace(low, high, n).T
    return across, up, np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)


def _rgb(images):
    """Colours from 0 to 1, of images with numbers up to 1 or up to 255."""
    images = np.asarray(images, float)
    return np.clip(images / (1 if images.max() <= 1 else 255), 0, 1)


def _stretched(image):
    """Numbers from 0, the darkest, to 1, the lightest."""
    low = image.min()
    spread = float(image.max()) - low
    return (image - low) / (spread or 1)


def _draw_outlines(ax, segments):
    """Lines along the edges of the pixels where one part meets another; no ticks."""
    below = np.argwhere(np.diff(segments, axis=0))
    right = np.argwhere(np.diff(segments, axis=1))
    lines = [[(x - 0.5, y + 0.5), (x + 0.5, y + 0.5)] for y, x in below]
    lines += [[(x + 0.5, y - 0.5), (x + 0.5, y + 0.5)] for y, x in right]
    ax.add_collection(LineCollection(lines, colors="0.45", linewidths=0.5))
    ax.set(xticks=[], yticks=[])


def _label(ax, title="", xlabel="", ylabel=""):
    """Names of both axes, and the title wrapped to the width the Axes really get."""
    ax.set(xlabel=xlabel, ylabel=ylabel)
    for _ in range(2 if title else 0):
        ax.figure.canvas.figure.draw_without_rendering()
        width = ax.get_window_extent().width / ax.figure.dpi * 72
        letters = max(20, int(width / (0.58 * ax.title.get_fontsize())))
        wrapped = "\n".join(textwrap.fill(line, letters) for line in title.split("\n"))
        ax.set_title(wrapped)
        if wrapped == title:
            break  # else look again: more lines leave a picture less room
    return ax


def _tiles(images):
    """(N, H, W) of images (N, H, W) or (N, 1, H, W)."""
    return np.reshape(images, (len(images), *np.shape(images)[-2:]))


def _grid(images, captions, columns, title, ax, inches=0.8, **how):
    """Images (N, H, W) or (N, H, W, 3) as one picture, captions above them.

    Each image is about `inches` wide. One artist is quick to draw, a hundred are not.
    """
    n, h, w = images.shape[:3]
    columns = min(columns, n)
    gap = max(1, h // 14)
    captions = [] if captions is None else [str(caption) for caption in captions]
    lines = max((1 + caption.count("\n") for caption in captions), default=0)
    room = (0.064 + 0.24 * lines) / inches  # for the captions, as a share of h
    head = round(room * h) if lines else gap
    canvas = _side_by_side(images, columns, head, gap)
    canvas = canvas[0 if lines else gap :, :-gap]
    width = max(4.0, min(7.5, inches * columns))
    title_lines = -(-len(title) // int(11 * width))  # about
    height = 0.15 + 0.2 * title_lines + width * canvas.shape[0] / canvas.shape[1]
    ax = _axes(ax, (width, height))
    ax.imshow(canvas, interpolation="nearest", **how)
    for k, caption in zip(range(n if captions else 0), captions, strict=True):
        row, column = divmod(k, columns)
        ax.text(
            column * (w + gap) + w / 2,
            row * (h + head) + head,
            caption,
            ha="center",
            va="bottom",
            fontsize=8,
            linespacing=1.1,
            color=WRONG if "→" in caption else RIGHT,
        )
    ax.axis("off")
    return _label(ax, title)


def _side_by_side(images, columns, head, gap):
    """One array of all images, row by row, with empty space above and to the right."""
    n, h, w, *colours = images.shape
    rows = -(-n // columns)
    empty = 1.0 if colours else np.nan  # paper, or nothing
    canvas = np.full((rows * columns, h + head, w + gap, *colours), empty)
    canvas[:n, head:, :w] = images
    canvas = canvas.reshape(rows, columns, h + head, w + gap, *colours)
    return canvas.swapaxes(1, 2).reshape(rows * (h + head), -1, *colours)


# ------------------------------------------------------ sequences: pictures of 02_rnn

BACK = "#7B3294"  # what travels backwards: neither for nor against


def unrolled(
    *, backward: bool = False, title: str = "", ax: Axes | None = None
) -> Axes:
    """A recurrent layer, drawn once for each of four steps; `backward`: the way back.

    Forwards in grey, backwards in purple.
    """
    ax = _axes(ax, (8.6, 3.2))
    side = 0.08 if backward else 0.0
    for t in (1, 2, 3, 4):
        x = 2 * t
        _node(ax, x, 0, f"$x_{t}$", QUIET)
        _node(ax, x, 1, f"$h_{t}$", COLOURS[0])
        _node(ax, x, 2, f"$y_{t}$", COLOURS[2])
        _arrow(ax, (x + side, 0.27), (x + side, 0.73), "$W_{xh}$", (17, 0))
        _arrow(ax, (x + side, 1.27), (x + side, 1.73))
        _arrow(ax, (x - 1.65, 1 + side), (x - 0.35, 1 + side), "$W_{hh}$", (0, 9))
        if backward:
            _back(ax, (x - side, 1.73), (x - side, 1.27), f"$dy_{t}$", (-14, 0))
            _back(ax, (x - side, 0.73), (x - side, 0.27), f"$dx_{t}$", (-14, 0))
            sent = f"$da_{t} W_{{hh}}^{{\\top}}$"
            _back(ax, (x - 0.35, 1 - side), (x - 1.65, 1 - side), sent, (0, -11))
    ax.text(0.1, 1, "$h_0$", ha="center", va="center", fontsize=13)
    ax.set(xlim=(-0.2, 8.6), ylim=(-0.4, 2.4))
    ax.axis("off")
    return _label(ax, title)


def two_steps(
    values: Mapping[str, float],
    gradients: Mapping[str, float],
    *,
    w_x: float | None = None,
    w_h: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A recurrent layer of one unit and two steps: values above, gradients below.

    Both map the names `x1 x2 a1 a2 h0 h1 h2` to numbers; gradients also `y1 y2`, what
    comes from above. What a mapping does not name stays empty. The two weights stand
    on their arrows.
    """
    weight = {"h": "" if w_h is None else f" = {w_h:g}"}
    weight["x"] = "" if w_x is None else f" = {w_x:g}"
    ax = _axes(ax, (8.6, 3.2))
    places = {"h0": (0.0, 1.0)}
    for t in (1, 2):
        places[f"x{t}"] = (3 * t - 1.5, -0.35)
        places[f"a{t}"] = (3 * t - 1.5, 1.0)
        places[f"h{t}"] = (3.0 * t, 1.0)
    for name, (x, y) in places.items():
        colour = COLOURS[0] if name[0] == "h" else QUIET
        _node(ax, x, y, f"${name[0]}_{name[1]}$", colour)
        _number(ax, (x, y), values.get(name), "", 22, RIGHT)
        _number(ax, (x, y), gradients.get(name), f"d{name[0]} ", -22, BACK)
    for t in (1, 2):
        x = 3 * t - 1.5
        _arrow(ax, (x - 1.1, 1), (x - 0.35, 1), f"$w_h${weight['h']}", (0, 8))
        _arrow(ax, (x, 0.12), (x, 0.55), f"$w_x${weight['x']}", (24, 0))
        _arrow(ax, (x + 0.35, 1), (x + 1.15, 1), "tanh", (0, 8))
        _back(
            ax,
            (x + 1.5, 1.85),
            (x + 1.5, 1.55),
            f"dy {gradients[f'y{t}']:.2f}",
            (0, 16),
        )
    ax.set(xlim=(-0.6, 6.7), ylim=(-0.8, 2.1))
    ax.axis("off")
    return _label(ax, title)


def lstm_cell(
    *, backward: bool = False, title: str = "", ax: Axes | None = None
) -> Axes:
    """One step of an LSTM, gate by gate; `backward`: the cell's way back as well."""
    ax = _axes(ax, (8.6, 4.2))
    gates = {"f": 1.5, "i": 2.7, "g": 3.9, "o": 5.6}
    kinds = {"f": "forget", "i": "input", "g": "new content", "o": "output"}
    _arrow(ax, (0.2, 3), (1.28, 3))
    _arrow(ax, (1.72, 3), (3.08, 3))
    _arrow(ax, (3.52, 3), (7.2, 3))
    _arrow(ax, (5.0, 3), (5.0, 2.55))
    _arrow(ax, (5.0, 2.2), (5.38, 1.85))
    _arrow(ax, (5.82, 1.8), (7.2, 1.8))
    ax.plot([0.2, 5.6], [0, 0], color=QUIET, lw=1.2)
    for name, x in gates.items():
        _arrow(ax, (x, 0), (x, 0.48))
        shape = "tanh" if name == "g" else "sigmoid"
        ax.text(x, 0.75, f"${name}$", **_box(COLOURS[0] if name != "g" else QUIET))
        ax.text(x + 0.27, 0.75, f"{kinds[name]}\n{shape}", va="center", fontsize=8)
    _arrow(ax, (1.5, 1.05), (1.5, 2.78))
    _arrow(ax, (2.7, 1.05), (3.18, 1.62))
    _arrow(ax, (3.9, 1.05), (3.42, 1.62))
    _arrow(ax, (3.3, 2.02), (3.3, 2.78))
    _arrow(ax, (5.6, 1.05), (5.6, 1.58))
    for x, y, sign in ((1.5, 3, "×"), (3.3, 3, "+"), (3.3, 1.8, "×"), (5.6, 1.8, "×")):
        ax.text(x, y, sign, **_box(COLOURS[2], "circle"))
    ax.text(5.0, 2.37, "tanh", ha="center", va="center", fontsize=9)
    for x, y, name in (
        (0, 3, "$c_{t-1}$"),
        (7.45, 3, "$c_t$"),
        (7.45, 1.8, "$h_t$"),
        (-0.15, 0, "$h_{t-1}, x_t$"),
    ):
        ax.text(x, y, name, ha="center", va="center", fontsize=13)
    if backward:
        _back(ax, (7.2, 3.3), (0.2, 3.3), "along the cell: times f", (0, 8))
    ax.set(xlim=(-0.7, 7.8), ylim=(-0.3, 3.8))
    ax.axis("off")
    return _label(ax, title)


def letters(
    text: str,
    values: np.ndarray,
    *,
    columns: int = 60,
    title: str = "",
    ax: Axes | None = None,
    **colours: Any,
) -> Axes:
    """A text in rows, each letter on the colour of its value.

    values (len(text),); NaN leaves a letter white. `colours` are those of `imshow`:
    cmap, vmin, vmax.
    """
    rows = -(-len(text) // columns)
    ax = _axes(ax, (9, 0.5 + 0.32 * rows))
    grid = np.full(rows * columns, np.nan)
    grid[: len(text)] = values
    image = ax.imshow(grid.reshape(rows, columns), aspect="auto", **colours)
    light = np.dot(image.to_rgba(grid)[:, :3], (0.3, 0.6, 0.1))
    for place, letter in enumerate(text):
        row, column = divmod(place, columns)
        ink = "white" if light[place] < 0.45 and np.isfinite(grid[place]) else "black"
        how: Any = {"ha": "center", "va": "center", "family": "monospace"}
        ax.text(column, row, letter, color=ink, **how)
    ax.axis("off")
    return _label(ax, title)


def texts(
    written: Mapping[str, str], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Texts below each other, each below its name. written: {name: text}."""
    wrapped = {name: textwrap.fill(text, 88) for name, text in written.items()}
    lines = sum(text.count("\n") + 2.2 for text in wrapped.values())
    ax = _axes(ax, (8.6, 0.3 + 0.19 * lines))
    y = 0.0
    for name, text in wrapped.items():
        ax.text(0, y, name, va="top", fontsize=9, color=QUIET)
        ax.text(0, y + 1, text, va="top", fontsize=9, family="monospace")
        y += text.count("\n") + 2.2
    ax.set(xlim=(0, 1), ylim=(lines, -0.1))
    ax.axis("off")
    return _label(ax, title)


def word_by_word(
    words: Sequence[str],
    p: np.ndarray,
    known: Sequence[bool],
    groups: Sequence[str],
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The second group's probability after each word of a text, as bars from 0.5.

    words (T,), p (T,), known (T,): words that the network does not know are grey.
    """
    ax = _axes(ax, (max(6, 1 + 0.17 * len(words)), 3.4))
    colours = [FOR if value >= 0.5 else AGAINST for value in p]
    ax.bar(range(len(p)), np.asarray(p) - 0.5, bottom=0.5, color=colours)
    ax.axhline(0.5, color=RIGHT, lw=0.8)
    ax.set_xticks(range(len(words)), words, rotation=90, fontsize=8)
    for tick, knows in zip(ax.get_xticklabels(), known, strict=True):
        tick.set_color(RIGHT if knows else "#aaaaaa")
    ax.set(ylim=(0, 1), xlim=(-0.8, len(words) - 0.2))
    ax.set_yticks([0, 0.5, 1], [f"0\n{groups[0]}", "0.5", f"{groups[1]}\n1"])
    return _label(ax, title, "word after word (grey: unknown to it)", "probability")


def _box(colour, shape="round"):
    face = {"boxstyle": f"{shape},pad=0.3", "fc": "white", "ec": colour, "lw": 1.6}
    return {"ha": "center", "va": "center", "fontsize": 12, "bbox": face}


def _node(ax, x, y, name, colour):
    ax.text(x, y, name, **_box(colour, "circle"))


def _number(ax, place, value, name, up, colour):
    if value is not None:
        how = {"textcoords": "offset points", "ha": "center", "va": "center"}
        text = f"{name}{value:.2f}"
        ax.annotate(text, place, (0, up), color=colour, fontsize=9, **how)


def _arrow(ax, start, end, text="", aside=(0, 0), colour="0.35"):
    how = {"arrowstyle": "->", "color": colour}
    ax.annotate("", end, start, arrowprops=how)
    middle = np.mean([start, end], axis=0)
    centred = {"ha": "center", "va": "center", "textcoords": "offset points"}
    ax.annotate(text, middle, aside, color=colour, fontsize=9, **centred)


def _back(ax, start, end, text="", aside=(0, 12)):
    _arrow(ax, start, end, text, aside, BACK)


# ----------------------------------------------------------- images: pictures of 03_cnn


def number_grid(
    values: np.ndarray,
    *,
    marked: Iterable[tuple[int, int]] = (),
    signed: bool = False,
    number: str = "{:.0f}",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Pixels with their numbers in them, those in `marked` (row, column) framed.

    values (H, W); with `signed`, blue where positive and vermilion where negative.
    """
    ax = _axes(ax)
    colours: dict[str, Any] = {"cmap": "Greys", "vmin": 0, "vmax": 1}
    if signed:
        colours = {"cmap": SIGNED, "norm": signed_norm(2 * values)}
    ax.imshow(values if signed else np.zeros(values.shape), **colours)
    for (row, column), value in np.ndenumerate(values):
        ax.text(column, row, number.format(value), ha="center", va="center", fontsize=9)
    for row, column in marked:
        ax.add_patch(_frame(row, column, 1, 1))
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    return _label(ax, title)


def sliding_window(
    image: np.ndarray, kernel: np.ndarray, row: int, column: int
) -> Figure:
    """One position of a convolution, product by product; returns the Figure.

    Shapes: image `(H, W)`, kernel `(k, k)`. Left the image with the window; in the
    middle each pixel times its weight; right the feature map up to this position.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    maps = (windows * kernel).sum(axis=(2, 3))  # (oh, ow)
    patch = windows[row, column]
    k = len(kernel)
    fig, axes = plt.subplots(1, 4, figsize=(11, 3), width_ratios=[4, 3, 3, 4])
    axes[0].imshow(image, cmap="Greys")
    axes[0].add_patch(_frame(row, column, k, k))
    axes[0].set_title("x and the window")
    how: dict[str, Any] = {"number": "{:.2g}", "signed": True}
    number_grid(kernel, title="the kernel W", ax=axes[1], **how)
    number_grid(patch * kernel, title="x times W", ax=axes[2], **how)
    axes[2].set_xlabel(f"their sum: {maps[row, column]:.2f}")
    done = np.arange(maps.size).reshape(maps.shape) <= row * maps.shape[1] + column
    seen = np.ma.masked_where(~done, maps)
    axes[3].set_facecolor("0.85")
    axes[3].imshow(seen, cmap=SIGNED, norm=signed_norm(maps))
    axes[3].add_patch(_frame(row, column, 1, 1))
    axes[3].set_title("y so far")
    for ax in axes[[0, 3]]:
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    return fig


def learned_kernel(
    image: np.ndarray, wanted: np.ndarray, kernels: Sequence[np.ndarray], step: int
) -> Figure:
    """A kernel that learns from one pair of pictures, at one step; returns the Figure.

    Shapes: image `(H, W)`, wanted `(oh, ow)`, each of `kernels` `(k, k)`, one a step.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, kernels[0].shape)
    answer = (windows * kernels[step]).sum(axis=(2, 3))
    fig, axes = plt.subplots(1, 4, figsize=(11, 2.6), width_ratios=[4, 4, 4, 3])
    axes[0].imshow(image, cmap="gray")
    axes[0].set_title("the photograph")
    for ax, values, title in [
        (axes[1], wanted, "the map that is wanted"),
        (axes[2], answer, f"its map after {step} steps"),
    ]:
        ax.imshow(values, cmap=SIGNED, norm=signed_norm(wanted))
        ax.set_title(title)
    for ax in axes[:3]:
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    number_grid(
        kernels[step], signed=True, number="{:.1f}", title="its kernel", ax=axes[3]
    )
    error = np.mean((answer - wanted) ** 2)
    axes[2].set_xlabel(f"mean squared error {error:.4f}")
    return fig


def _frame(row, column, height, width):
    """A green frame around pixels: neither of the two colours of signs."""
    corner = (column - 0.5, row - 0.5)
    return plt.Rectangle(corner, width, height, fill=False, ec=COLOURS[2], lw=2)
