"""Every picture of the course: each function takes data and an optional Axes, and
returns the Axes.

A title states the finding, so the notebook that has the finding passes it. Call
`style()` once per notebook for the common look. Colours are told apart by colour-blind
readers; signed values diverge from white at zero; nothing here calls `plt.show()` or
changes its input.
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

from ._support import AGAINST, FOR, require
from .layers import softmax

# Okabe and Ito (2008), without yellow, which fades on white.
COLOURS = (FOR, AGAINST, "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000")
MARKERS = "os^DvP*"
SIGNED = "RdBu_r"  # red positive, white zero, blue negative
EVIDENCE = LinearSegmentedColormap.from_list("evidence", [AGAINST, "#f7f7f7", FOR])
RIGHT, WRONG, QUIET = "#333333", COLOURS[1], "#666666"


def style():
    """One look for all figures; call it once at the top of a notebook."""
    plt.rcdefaults()
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


def signed_norm(values):
    """Colour scale for signed values: symmetric, so that zero is white. `None` of them:
    +-1.
    """
    largest = np.max(np.abs(values), initial=0, where=np.isfinite(values))
    return Normalize(-largest or -1, largest or 1)


def digits(images, labels=None, *, columns=10, title="", ax=None):
    """Images in a grid, ink on paper; above each its label, coloured as wrong if it
    holds a "→".

    images (N, H, W) or (N, 1, H, W); labels (N,).
    """
    return _grid(images, labels, columns, title, ax, cmap="Greys")


def worst_mistakes(images, labels, scores, k=20, *, columns=10, title="", ax=None):
    """The k wrong predictions with the highest loss -log p(label), worst first.

    Above each: `label -> prediction` and the probability the model gave to its
    prediction. images (N, H, W) or (N, 1, H, W), labels (N,), scores (N, C), which go
    through softmax. Raises ValueError when there is no mistake.
    """
    labels, p = np.asarray(labels), softmax(np.asarray(scores, float))
    guess = p.argmax(1)
    wrong = np.flatnonzero(guess != labels)
    require(
        len(wrong), f"worst_mistakes finds no mistakes among {len(labels)} predictions"
    )
    worst = wrong[np.argsort(p[wrong, labels[wrong]], kind="stable")][:k]
    captions = [f"{labels[i]} → {guess[i]}\n{p[i, guess[i]]:.0%}" for i in worst]
    return digits(images[worst], captions, columns=columns, title=title, ax=ax)


def weights(W, shape=(28, 28), *, columns=8, title="", ax=None):
    """What each unit looks for: its incoming weights as an image, red positive, blue
    negative.

    W (n_in, n_units) with n_in = H * W of `shape`, or filters (N, H, W) or (N, 1, H,
    W). All images share one scale, symmetric about zero.
    """
    tiles = W.T.reshape(W.shape[1], *shape) if W.ndim == 2 else W
    ax = _grid(tiles, None, columns, title, ax, cmap=SIGNED, norm=signed_norm(W))
    ax.figure.colorbar(
        ax.images[-1], ax=ax, fraction=0.03, pad=0.01, shrink=0.8, label="weight"
    )
    return _label(ax, title)


def learning_curves(history, key="loss", *, log=False, title="", ax=None):
    """`history[key]` over the epochs, and `validation_<key>` dashed in the same colour.

    history: a mapping of lists, or {name: mapping}.
    """
    ax = _axes(ax)
    histories = {"": history} if key in history else history
    for (name, run), colour in zip(histories.items(), itertools.cycle(COLOURS)):
        lines = {"training": (run[key], "-")}
        if f"validation_{key}" in run:
            lines["validation"] = run[f"validation_{key}"], "--"
        for kind, (values, dashes) in lines.items():
            label = f"{name}, {kind}" if name and len(lines) > 1 else name or kind
            ax.plot(
                range(1, len(values) + 1), values, dashes, color=colour, label=label
            )
    ax.set_yscale("log" if log else "linear")
    if "accuracy" in key:
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(1))
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    ax.legend()
    return _label(ax, title, "epoch", key.replace("_", " "))


def curves(x, series, *, log="", xlabel="", ylabel="", title="", ax=None):
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
    predict, x, y, *, classes=("class 0", "class 1"), title="", ax=None
):
    """What the model says everywhere in the plane: probabilities as shade, decisions as
    a line.

    predict((M, 2)) -> probabilities of class 1, (M,) or (M, 1), or decisions. x (N, 2),
    y (N,) of 0 and 1: the examples, each class with its own colour and marker. Raises
    ValueError when predict gives anything but numbers in [0, 1].
    """
    x, y = np.asarray(x), np.asarray(y)
    low, high = x.min(0), x.max(0)
    margin = 0.25 * np.where(high > low, high - low, 1)
    across, up, points = _plane(low - margin, high + margin)
    dtype = x.dtype if x.dtype.kind == "f" else np.float32
    p = np.asarray(predict(points.astype(dtype)), float).reshape(
        len(up), len(across), 1
    )
    require(
        0 <= p.min() and p.max() <= 1,
        "decision_boundary expects probabilities from predict, "
        f"got {p.min():.3g} to {p.max():.3g}: put a sigmoid around the scores",
    )
    ax = _axes(ax, (5, 4))
    ink = 1 - np.array([to_rgb(colour) for colour in COLOURS[:2]])
    ax.imshow(
        1 - 0.45 * np.concatenate([1 - p, p], -1) @ ink,  # 45 % colour, 55 % paper
        origin="lower",
        extent=(*across[[0, -1]], *up[[0, -1]]),
        aspect="auto",
        interpolation="bilinear",
    )
    if p.min() < 0.5 < p.max():
        ax.contour(across, up, p[..., 0], [0.5], colors=RIGHT, linewidths=1.2)
    for c, name in enumerate(classes):
        ax.scatter(
            *x[y == c].T,
            color=COLOURS[c],
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


def confusion(matrix, classes=None, *, title="", ax=None):
    """Counts of (true class, predicted class); only the mistakes are coloured.

    matrix (C, C): rows are the true classes, columns the predicted ones.
    """
    n = len(matrix)
    classes = [str(name) for name in (range(n) if classes is None else classes)]
    longest = max(map(len, classes))
    ax = _axes(ax, [2 + 0.36 * n + 0.07 * longest] * 2)
    mistakes = np.where(np.eye(n, dtype=bool), 0, matrix)
    ax.imshow(
        mistakes, cmap="Oranges", vmin=0, vmax=1.4 * mistakes.max() or 1
    )  # ink readable
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            ax.text(
                j,
                i,
                round(count, 2),
                ha="center",
                va="center",
                fontsize=9,
                color=QUIET if i == j else "black",
                weight=None if i == j else "bold",
            )
    ax.set_xticks(range(n), classes, rotation=90 if longest > 3 else 0)
    ax.set_yticks(range(n), classes)
    ax.grid(False)
    return _label(ax, title, "predicted", "true")


def gradient_norms(norms, *, xlabel="layer", ylabel="gradient norm", title="", ax=None):
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


def optimizer_paths(function, paths, *, limits, optimum, title="", ax=None):
    """Where each optimizer walked on the contours of a function of two parameters.

    function((M, 2)) -> (M,); paths {name: (T, 2)}, from the open marker to the full
    one; limits (left, right, bottom, top); optimum (2,).
    """
    ax = _axes(ax)
    across, up, points = _plane(limits[::2], limits[1::2])
    height = function(points).reshape(len(up), len(across))
    # Equal areas between neighbouring lines: the floor of the ravine is drawn as well
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


def timeline(events, *, title="", ax=None):
    """History on one line: events (year, label, kind), or ((from, to), label, kind) for
    a period.

    Each label hangs on its stem like a flag, above all later ones. Periods are shaded
    and named below the line. Each kind has its colour.
    """
    ax = _axes(ax, (10, 1.3 + 0.17 * len(events)))
    colours = dict(
        zip(dict.fromkeys(kind for *_, kind in events), COLOURS, strict=False)
    )
    for row, (year, label, kind) in enumerate(
        sorted(events, key=lambda event: -np.max(event[0]))
    ):
        if np.ndim(year):
            ax.axvspan(*year, color=colours[kind], alpha=0.12, lw=0, label=kind)
            ax.text(np.mean(year), -0.5, label, ha="center", va="top", fontsize=8)
        else:
            ax.plot(
                [year, year],
                [0, row + 1],
                "o-",
                markevery=2,
                color=colours[kind],
                label=kind,
            )
            ax.text(year, row + 1, f" {year} {label}", va="top", fontsize=8)
    ax.axhline(0, color=QUIET, lw=1)
    ax.set(ylim=(-2, len(events) + 0.5), yticks=[])
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    entries = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(
        [entries[kind] for kind in colours],
        colours,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.1),
        ncols=len(colours),
    )
    return _label(ax, title)


def network(sizes, *, labels, weights=None, most=8, title="", ax=None):
    """A network as it is drawn on a blackboard: units in columns, one edge per weight.

    sizes: units per layer, input first; labels: a name per layer; weights: a list of W
    (n_in, n_out): red positive, blue negative, width by size. Layers of more than
    `most` units are shortened.
    """
    ax = _axes(ax, (1.2 + 1.6 * len(sizes), 3.6))
    columns = [
        {
            i: (min(n, most) - 1) / 2
            - min(i, most - 1)  # height of each unit that is drawn
            for i in (range(n) if n <= most else [*range(most - 2), n - 1])
        }
        for n in sizes
    ]
    for layer, (sending, receiving) in enumerate(itertools.pairwise(columns)):
        W = None if weights is None else weights[layer] / abs(weights[layer]).max()
        for i, j in itertools.product(sending, receiving):
            look = (
                {"color": "#b0b0b0", "lw": 0.8}
                if W is None
                else {
                    "color": COLOURS[int(W[i, j] > 0)],
                    "lw": 0.3 + 2.7 * abs(W[i, j]),
                }
            )
            ax.plot([layer, layer + 1], [sending[i], receiving[j]], zorder=1, **look)
    for layer, (size, column, label) in enumerate(
        zip(sizes, columns, labels, strict=True)
    ):
        colour = (
            COLOURS[2] if layer == len(sizes) - 1 else COLOURS[0] if layer else QUIET
        )
        ax.scatter(
            [layer] * len(column),
            column.values(),
            s=180,
            zorder=2,
            color="white",
            edgecolor=colour,
            linewidth=2,
        )
        if size > most:
            ax.text(
                layer,
                min(column.values()) + 1,
                "⋮",
                ha="center",
                va="center",
                fontsize=14,
            )
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


def bars(values, labels, errors=None, *, xlabel="", number="{:.3g}", title="", ax=None):
    """Numbers to compare, one horizontal bar each, with the number and its spread
    written out.

    values (N,), labels (N,), errors (N,).
    """
    ax = _axes(ax, (7, 0.8 + 0.4 * len(values)))
    drawn = ax.barh(
        range(len(values)),
        values,
        xerr=errors,
        height=0.6,
        color=COLOURS[0],
        ecolor="black",
        capsize=3,
    )
    spreads = (
        [""] * len(values)
        if errors is None
        else [f" ± {number.format(e)}" for e in errors]
    )
    texts = [
        number.format(value) + spread
        for value, spread in zip(values, spreads, strict=True)
    ]
    ax.bar_label(drawn, texts, padding=6, fontsize=9)
    ax.set_yticks(range(len(values)), labels)
    ax.invert_yaxis()
    ax.margins(x=0.25)
    ax.grid(axis="y", visible=False)
    return _label(ax, title, xlabel)


def image_evidence(
    image, segments, weights, *, ax=None, title="", scale=None, colorbar=True
):
    """Signed evidence over an image: blue parts speak for the class, orange ones
    against it.

    The stronger, the less of the image shines through; 0 is clear. Shapes: image `(H,
    W)` or `(H, W, 3)`, segments `(H, W)` in 0..d-1, weights `(d,)`. `scale` is the
    weight of the full colour, by default the largest: give the same to pictures that
    are to be compared.
    """
    ax = _axes(ax)
    scale = scale or max(np.abs(weights).max(), 1e-12)
    share = np.clip(weights / scale, -1, 1)[segments]
    # Grey and pale, so that the only colours are those of the evidence.
    grey = (
        np.asarray(image, float) @ [0.299, 0.587, 0.114] if image.ndim == 3 else image
    )
    low, high = np.min(grey), np.max(grey)
    ax.imshow(
        grey, cmap="gray", vmin=low - 0.8 * (high - low), vmax=high + 0.1 * (high - low)
    )
    colour = EVIDENCE((np.sign(share) + 1) / 2)
    colour[..., 3] = 0.85 * np.abs(share)
    ax.imshow(colour)
    ax.add_collection(
        LineCollection(_outlines(segments), colors="0.45", linewidths=0.5)
    )
    ax.set(xticks=[], yticks=[])
    if colorbar:
        ax.figure.colorbar(
            plt.cm.ScalarMappable(Normalize(-scale, scale), EVIDENCE),
            ax=ax,
            fraction=0.046,
            label="against  ←  weight  →  for",
        )
    return _label(ax, title)


def _outlines(segments):
    """Line segments along the edges of the pixels where one part meets another."""
    below, right = (np.argwhere(np.diff(segments, axis=axis)) for axis in (0, 1))
    return [[(x - 0.5, y + 0.5), (x + 0.5, y + 0.5)] for y, x in below] + [
        [(x + 0.5, y - 0.5), (x + 0.5, y + 0.5)] for y, x in right
    ]


def evidence_bars(evidence, *, ax=None, title=""):
    """Words or columns with their weights and 95 % intervals, heaviest on top.

    `evidence` is what `explanation.top()` returns.
    """
    ax = _axes(ax)
    y = np.arange(len(evidence))
    weight, low, high = np.array([(e.weight, e.low, e.high) for e in evidence]).T
    ax.barh(
        y,
        weight,
        color=np.where(weight > 0, FOR, AGAINST),
        alpha=0.85,
        xerr=[weight - low, high - weight],
        error_kw={"ecolor": "0.25", "elinewidth": 1, "capsize": 2},
    )
    ax.axvline(0, color="0.25", linewidth=0.8)
    ax.set_yticks(y, [str(e.name) for e in evidence])
    ax.invert_yaxis()
    return _label(ax, title, "against  ←  weight  →  for")


def deletion_insertion(curves, *, ax=None, title=""):
    """The curves of `faithfulness.deletion_insertion`, with the band of random
    orders.
    """
    ax = _axes(ax)
    share = np.linspace(0, 1, len(curves.deletion))
    ax.fill_between(
        share,
        *np.percentile(curves.random, [5, 95], axis=0),
        color="0.85",
        label="random orders, 5 to 95 %",
    )
    ax.plot(
        share,
        curves.random.mean(axis=0),
        color="0.5",
        label=f"their mean, area {curves.random_area:.2f}",
    )
    ax.plot(
        share,
        curves.deletion,
        color=AGAINST,
        label=f"best evidence off first (deletion), area {curves.deletion_area:.2f}",
    )
    ax.plot(
        share,
        curves.insertion[::-1],
        color=FOR,
        label=f"best evidence off last (insertion), area {curves.insertion_area:.2f}",
    )
    ax.set(ylim=(-0.03, 1.03))
    ax.legend()
    return _label(
        ax, title, "share of the parts switched off", "probability of the class"
    )


def as_html(ax):
    """The figure of an Axes as an `<img>` tag, the figure closed."""
    file = io.BytesIO()
    ax.figure.savefig(
        file, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None}
    )
    plt.close(ax.figure)
    return f'<img src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'


# ------------------------------------------------------------------------- common parts


def _axes(ax, size=None):
    """The given Axes, or those of a new figure."""
    return plt.subplots(figsize=size)[1] if ax is None else ax


def _plane(low, high, n=200):
    """Steps across (n,) and up (n,), and all n * n points of the rectangle, (n * n,
    2).
    """
    across, up = np.linspace(low, high, n).T
    return across, up, np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)


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


def _grid(images, captions, columns, title, ax, **how):
    """All images as one picture (one artist is quick), captions above them."""
    n, (h, w) = len(images), np.shape(images)[-2:]
    tiles = np.reshape(images, (n, h, w))  # (N, 1, H, W) too
    columns, gap = min(columns, n), max(1, h // 14)
    rows = -(-n // columns)
    captions = [] if captions is None else [str(caption) for caption in captions]
    lines = max((1 + caption.count("\n") for caption in captions), default=0)
    head = round((0.08 + 0.3 * lines) * h) if lines else gap  # room for the captions
    canvas = np.pad(
        tiles.astype(float),
        ((0, rows * columns - n), (head, 0), (0, gap)),
        constant_values=np.nan,
    )
    canvas = canvas.reshape(rows, columns, h + head, w + gap).swapaxes(1, 2)
    canvas = canvas.reshape(rows * (h + head), columns * (w + gap))[
        0 if lines else gap :, :-gap
    ]
    size = max(4.0, min(7.5, 0.8 * columns))
    titles = -(-len(title) // int(11 * size))  # lines of it, about
    ax = _axes(
        ax, (size, 0.15 + 0.2 * titles + size * canvas.shape[0] / canvas.shape[1])
    )
    ax.imshow(canvas, interpolation="nearest", **how)
    for k, caption in zip(range(n if captions else 0), captions, strict=True):
        ax.text(
            k % columns * (w + gap) + w / 2,
            k // columns * (h + head) + head,
            caption,
            ha="center",
            va="bottom",
            fontsize=8,
            linespacing=1.1,
            color=WRONG if "→" in caption else RIGHT,
        )
    ax.axis("off")
    return _label(ax, title)
