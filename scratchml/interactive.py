"""Instruments to play with: pictures that change while you move a slider.

Each is one function that a notebook calls. In JupyterLab it shows widgets; where no
widget lives (tests, the site, slides, Python without ipywidgets) it shows one picture.
Nothing here computes what another file computes: an instrument asks, and draws.
"""

import html
import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import plots
from ._support import Array, require
from .layers import softmax
from .lime import blend
from .recurrent import CharacterModel, TextClassifier, generate
from .text import clean_text8, decode_characters, encode_characters, tokenize

# ---------------------------------------------------------------------------- controls


class Slider(NamedTuple):
    """A number from `low` to `high`; a whole one where `step` is."""

    label: str
    start: float
    low: float
    high: float
    step: float = 1

    def widget(self) -> Any:
        import ipywidgets

        whole = isinstance(self.step, int) and isinstance(self.start, int)
        kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        return kind(
            value=self.start, min=self.low, max=self.high, step=self.step, **_look(self)
        )


class Choice(NamedTuple):
    """One of a few words, as buttons beside each other."""

    label: str
    start: str
    options: Sequence[str]

    def widget(self) -> Any:
        import ipywidgets

        return ipywidgets.ToggleButtons(
            options=[*self.options], value=self.start, **_look(self)
        )


class Switch(NamedTuple):
    """On or off."""

    label: str
    start: bool = False

    def widget(self) -> Any:
        import ipywidgets

        return ipywidgets.Checkbox(value=self.start, indent=False, **_look(self))


class Several(NamedTuple):
    """Many switches in a grid, one for each of `options`: a tuple of booleans."""

    label: str
    start: tuple[bool, ...]
    options: Sequence[str]

    def widget(self) -> Any:
        import ipywidgets

        buttons = [
            ipywidgets.ToggleButton(
                value=value, description=option, layout={"width": "3.2em"}
            )
            for option, value in zip(self.options, self.start, strict=True)
        ]
        return ipywidgets.Box(buttons, layout={"flex_flow": "row wrap"})


class Text(NamedTuple):
    """Words that you type; in a box of several lines where `long` is set."""

    label: str
    start: str
    long: bool = False

    def widget(self) -> Any:
        import ipywidgets

        kind = ipywidgets.Textarea if self.long else ipywidgets.Text
        wide = {"width": "95%", "height": "7em" if self.long else "auto"}
        return kind(value=self.start, **_look(self) | {"layout": wide})


Control = Slider | Choice | Switch | Several | Text


def _look(control: Control) -> dict[str, Any]:
    wide = {"description_width": "initial"}
    return {"description": control.label, "style": wide, "layout": {"width": "28em"}}


LETTERS = 500  # more take longer to draw than a move may take

# ------------------------------------------------------------------------------ showing


def show(draw: Callable[..., Figure], **controls: Control) -> None:
    """Show `draw(**values)`, and show it again whenever somebody moves a control.

    `draw` gets the value of each control under its name and returns a new figure. It
    is called for each move, so it should take less than 0.3 seconds. Where no widget
    lives, the picture for the first values stands alone.

    Raises ValueError for a slider that starts outside its ends, and nothing after the
    first picture: what `draw` cannot do is said below it.
    """
    for control in controls.values():
        if isinstance(control, Slider):
            require(
                control.low <= control.start <= control.high,
                f"the slider {control.label!r} starts at {control.start}, "
                f"expected {control.low} to {control.high}",
            )
    first = {name: control.start for name, control in controls.items()}
    if _is_still():
        draw(**first)
        plt.show()
        return
    import ipywidgets
    from IPython.display import display

    widgets = {name: control.widget() for name, control in controls.items()}
    picture = ipywidgets.Image(value=_png(draw(**first)), format="png")
    trouble = ipywidgets.HTML()

    def redraw(_: Any = None) -> None:
        try:
            picture.value = _png(
                draw(**{name: _value(widget) for name, widget in widgets.items()})
            )
            trouble.value = ""
        except Exception as error:
            plt.close("all")
            trouble.value = f"<b>{type(error).__name__}</b>: {html.escape(str(error))}"

    for widget in widgets.values():
        for leaf in _leaves(widget):
            leaf.observe(redraw, names="value")
    display(ipywidgets.VBox([*widgets.values(), picture, trouble]))


def _is_still() -> bool:
    """Is there nobody to move anything, or nothing to move it with?"""
    if os.environ.get("SCRATCHML_STILL", "0") not in ("", "0"):
        return True
    try:
        import ipywidgets  # noqa: F401
        from IPython import get_ipython
    except ImportError:
        return True
    shell = get_ipython()
    return shell is None or not hasattr(shell, "kernel")


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi)
    plt.close(figure)
    return file.getvalue()


def _leaves(widget: Any) -> tuple[Any, ...]:
    return getattr(widget, "children", (widget,))


def _value(widget: Any) -> Any:
    if hasattr(widget, "children"):
        return tuple(child.value for child in widget.children)
    return widget.value


# ------------------------------------------------------------------- 01_nn: networks


def graph(x: float = 2, w: float = 3, b: float = 1, t: float = 5) -> None:
    """Move x, w and b of `L = (x w + b - t)^2`: values and gradients move along.

    Raises ValueError for one of the three outside -5..5, and for a t that is no number.

    See notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    require(math.isfinite(t), f"graph expects a number t, got {t}")

    def draw(x: float, w: float, b: float) -> Figure:
        title = "Values flow to the right, gradients come back"
        return _figure(plots.computational_graph(x, w, b, t, title=title))

    numbers = {"x": x, "w": w, "b": b}
    show(draw, **{name: Slider(name, n, -5, 5) for name, n in numbers.items()})


def shift(
    probabilities: Callable[[Array], Array], images: Array, labels: Array
) -> None:
    """Move a digit, and watch its ten probabilities.

    probabilities((n, 28, 28)) -> (n, 10); images (N, 28, 28), labels (N,). Raises
    ValueError for others.

    See notebooks/01_nn.ipynb, section *Look inside*.
    """
    _check_examples("shift", images, labels, "(N, 28, 28)")
    require(
        np.shape(images)[1:] == (28, 28),
        f"shift expects images (N, 28, 28), got {np.shape(images)}",
    )
    probabilities = _asking("shift", probabilities)

    def draw(number: int, right: int, down: int) -> Figure:
        moved = _moved(images[number], right, down)
        p = probabilities(moved[None])[0]
        figure, (left, bars) = plt.subplots(
            1, 2, figsize=(7, 2.6), width_ratios=[1, 2.2]
        )
        truth = int(labels[number])
        where = f"{right} right, {down} down"
        plots.digits(moved[None], title=f"{truth}: {where}", ax=left)
        answer = f"It says {p.argmax()}: {p.max():.0%}"
        plots.class_bars(p, truth, title=answer, ax=bars)
        return figure

    moved = np.stack([_moved(image, 3, 0) for image in images])
    flips = probabilities(moved).argmax(axis=1) != labels
    show(
        draw,
        number=Slider("which digit", int(flips.argmax()), 0, len(images) - 1),
        right=Slider("to the right", 3, -6, 6),
        down=Slider("down", 0, -6, 6),
    )


def _moved(image: Array, right: int, down: int) -> Array:
    """The image moved by whole pixels; paper comes in from the other side."""
    moved = np.zeros_like(image)
    h, w = image.shape
    part = image[max(0, -down) : h - max(0, down), max(0, -right) : w - max(0, right)]
    y = max(0, down)
    x = max(0, right)
    moved[y : y + part.shape[0], x : x + part.shape[1]] = part
    return moved


def _check_examples(name: str, images: Array, labels: Array, shape: str) -> None:
    n = len(np.atleast_1d(images))
    require(
        n > 0 and np.shape(labels) == (n,),
        f"{name} expects at least one of the images {shape} and a label for each, "
        f"got {np.shape(images)} and {np.shape(labels)}",
    )


def _asking(name: str, ask: Callable[[Array], Any]) -> Callable[[Array], Array]:
    """`ask`, with a ValueError for answers that are no probabilities."""

    def asked(examples: Array) -> Array:
        p = np.asarray(ask(examples))
        require(
            p.ndim == 2 and len(p) == len(examples),
            f"{name} expects probabilities ({len(examples)}, classes), got {p.shape}",
        )
        require(
            p.min() >= 0 and p.max() <= 1.001,  # a sum may round up
            f"{name} expects probabilities in 0..1, got {p.min()}..{p.max()}",
        )
        return p

    return asked


def fool(
    attack: Callable[[Array, Array, float], Array],
    probabilities: Callable[[Array], Array],
    images: Array,
    labels: Array,
) -> None:
    """Move the digits a little, all in the worst direction: how many are still read?

    attack(images, labels, epsilon) -> images; probabilities(images) -> (N, 10); images
    (N, ...), labels (N,). Raises ValueError for others.

    See notebooks/01_nn.ipynb, section *Why dx? Fool your own network*.
    """
    _check_examples("fool", images, labels, "(N, ...)")
    probabilities = _asking("fool", probabilities)

    def draw(epsilon: float, number: int) -> Figure:
        worse = attack(images, labels, epsilon)
        p = probabilities(worse)
        share = (p.argmax(axis=1) == labels).mean()
        figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), width_ratios=[1, 1, 2.2])
        truth = int(labels[number])
        plots.digits(images[[number]], title=f"digit {truth}", ax=axes[0])
        plots.digits(worse[[number]], title=f"ε = {epsilon:g}", ax=axes[1])
        said = p[number].argmax()
        title = f"It says {said}. Of all, {share:.0%} are still read."
        plots.class_bars(p[number], truth, title=title, ax=axes[2])
        return figure

    flips = probabilities(attack(images, labels, 0.1)).argmax(axis=1) != labels
    flips &= probabilities(images).argmax(axis=1) == labels
    show(
        draw,
        epsilon=Slider("ε", 0.1, 0.0, 0.3, 0.01),
        number=Slider("which digit", int(flips.argmax()), 0, len(images) - 1),
    )


def bug_hunt(
    histories: Mapping[str, Mapping],
    reads: Mapping[str, float] | None = None,
    right: str = "correct",
) -> None:
    """Learning curves without their names, one panel each: vote for the `right` one.

    histories: {name: history}, as for `plots.learning_curves`; reads: {name: share of
    the test examples that this network reads}, written above its panel.

    Raises ValueError for no history or more than ten, for one without a loss, and where
    the `right` one or a share is missing.

    See notebooks/01_nn.ipynb, section *It trains, but is it right?*.
    """
    require(
        right in histories and len(histories) <= 10,
        f"bug_hunt expects up to ten histories and {right!r} among them, "
        f"got {list(histories)}",
    )
    for name, history in histories.items():
        require(history.get("loss"), f"bug_hunt: the history of {name!r} has no loss")
        require(
            not reads or name in reads, f"bug_hunt: reads has no share for {name!r}"
        )
    names = sorted(histories, key=lambda name: histories[name]["loss"][0])
    letters = dict(zip("ABCDEFGHIJ", names, strict=False))

    def draw(vote: str) -> Figure:
        size = (1 + 1.9 * len(names), 2.6)
        figure, grid = plt.subplots(
            1, len(names), figsize=size, sharey=True, squeeze=False
        )
        axes = grid[0]
        for (letter, name), ax in zip(letters.items(), axes, strict=True):
            for other in names:
                _loss_curve(ax, histories[other], color="#cccccc", lw=0.8)
            chosen = letter == vote
            colour = "black" if chosen else plots.COLOURS[0]
            _loss_curve(ax, histories[name], color=colour, lw=3 if chosen else 2)
            read = f": reads {reads[name]:.1%}" if reads else ""
            ax.set(title=f"{letter}{read}", xlabel="epoch")
            ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        axes[0].set_ylabel("loss")
        title = "All curves fall. One of the networks is right. Which?"
        if vote in letters:
            verdict = "right" if letters[vote] == right else "wrong"
            title = f"{vote}: {letters[vote]}. This one is {verdict}."
        figure.suptitle(title, weight="bold")
        return figure

    show(draw, vote=Choice("I trust", "none yet", ["none yet", *letters]))


def _loss_curve(ax: Axes, history: Mapping, **look: Any) -> None:
    loss = history["loss"]
    ax.plot(range(1, len(loss) + 1), loss, **look)


def _figure(ax: Axes) -> Figure:
    figure = ax.figure
    assert isinstance(figure, Figure)
    return figure


# ------------------------------------------------------------------ 02_rnn: sequences


def what_did_it_remember(models: Mapping[str, Any], text: str) -> None:
    """A slider over a text: how much did each earlier letter count for the next one?

    `models` maps names to networks of three layers: an Embedding, a recurrent layer and
    a Linear layer. `text` has the letters a to z and spaces. Each letter read so far
    has the colour of the length of its `dx`, the gradient of the surprise at the letter
    that comes, as a share of all lengths.

    Raises ValueError for other characters, fewer than two or more than 500; for no
    network or one of other layers; and where all lengths are 0, or NaN.

    See notebooks/02_rnn.ipynb, section *A character model*.
    """
    require(models, "what_did_it_remember expects at least one network")
    for name, model in models.items():
        require(
            len(getattr(model, "layers", ())) == 3,
            "what_did_it_remember expects networks of an Embedding, a recurrent layer "
            f"and a Linear, got {name!r}: {model}",
        )
    require(
        2 <= len(text) <= LETTERS,
        f"what_did_it_remember expects 2 to {LETTERS} letters, got {len(text)}",
    )
    ids = encode_characters(text).astype(int)

    def draw(read: int) -> Figure:
        columns = min(len(text), 80)
        rows = -(-len(text) // columns)
        size = (9, len(models) * (0.5 + 0.35 * rows))
        figure, axes = plt.subplots(len(models), 1, figsize=size, squeeze=False)
        for ax, (name, model) in zip(axes[:, 0], models.items(), strict=True):
            p, lengths = _letters_count(model, ids[: read + 1])
            require(
                lengths.sum() > 0,
                f"what_did_it_remember: {name!r} has dx of length {lengths.sum()}",
            )
            shares = np.full(len(text), np.nan)
            shares[:read] = lengths / lengths.sum()
            last = np.searchsorted(np.cumsum(shares[:read][::-1]), 0.9) + 1
            comes = text[read].replace(" ", "space")
            title = (
                f"{name}: nine tenths of all lengths lie on the last {last} letters. "
                f"Next comes '{comes}', p = {p:.2f}"
            )
            colours: Any = {"cmap": "Purples", "vmin": 0, "vmax": 0.3}
            shown = text[:read] + " " * (len(text) - read)
            plots.letters(shown, shares, columns=columns, title=title, ax=ax, **colours)
        return figure

    start = min(len(text) - 1, 60)
    show(draw, read=Slider("letters read", start, 1, len(text) - 1))


def _letters_count(model: Any, ids: np.ndarray) -> tuple[float, np.ndarray]:
    """p of the last letter, and how long dx is at each letter before it."""
    embedding, cell, linear = model.eval().layers
    h = cell.forward(embedding.forward(ids[None, :-1]))
    p = softmax(linear.forward(h)[0, -1])
    dscores = np.zeros((1, len(ids) - 1, len(p)), h.dtype)
    dscores[0, -1] = p
    dscores[0, -1, ids[-1]] -= 1  # cross-entropy backward, at the last place alone
    dx = cell.backward(linear.backward(dscores))
    return float(p[ids[-1]]), np.linalg.norm(dx[0], axis=1)


def _figure_of(ax: Any) -> Figure:
    return ax.figure


def learn_to_write(
    moments: Mapping[str, Any], write: Callable[..., str], prompt: str
) -> None:
    """One prompt, continued by the same network at several moments of its training.

    `moments` maps words such as "after 50 steps" to copies of the network;
    `write(network, prompt, temperature)` returns a text that begins with the prompt.

    Raises ValueError without a moment.

    See notebooks/02_rnn.ipynb, section *A character model*.
    """
    require(moments, "learn_to_write expects at least one moment of the training")
    names = list(moments)

    def draw(moment: int, temperature: float) -> Figure:
        shown = names if _is_still() else [names[moment - 1]]
        texts = {name: write(moments[name], prompt, temperature) for name in shown}
        title = "One prompt: noise before training, words after it"
        return _figure_of(plots.texts(texts, title=title))

    show(
        draw,
        moment=Slider("moment of training", len(names), 1, len(names)),
        temperature=Slider("temperature", 0.5, 0.1, 1.5, 0.1),
    )


def next_letters(model: CharacterModel, prompt: str) -> None:
    """A prompt and a temperature of your own: what is written, and what may come next.

    Bars give the probability of each of the 27 characters after the prompt.

    Raises ValueError for a prompt without letters or digits, or of more than 500.

    See notebooks/deeper/02_rnn.ipynb, section *Sampling*.
    """

    def draw(prompt: str, temperature: float) -> Figure:
        typed = clean_text8(prompt) + (" " if prompt.endswith(" ") else "")
        require(
            typed.strip(),
            "next_letters expects a prompt of at least one character, a to z or a "
            f"digit, got {prompt!r}",
        )
        require(
            len(typed) <= LETTERS,
            f"next_letters expects at most {LETTERS} letters, got {len(typed)}",
        )
        ids = encode_characters(typed)
        rng = np.random.default_rng(0)
        written = decode_characters(generate(model, ids, 150, temperature, rng=rng))
        scores = model.eval().forward(ids[None].astype(int))[0, -1]
        p = softmax(scores.astype(float) / temperature)
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(8.6, 4), height_ratios=[1, 2]
        )
        plots.texts({f"temperature {temperature:g}": typed + written}, ax=above)
        below.bar(list("␣abcdefghijklmnopqrstuvwxyz"), p, color=plots.COLOURS[0])
        below.set(xlabel="next character", ylabel="probability", ylim=(0, 1))
        likeliest = decode_characters([int(p.argmax())]).replace(" ", "a space")
        below.set_title(f"After the prompt, {likeliest} is likeliest: {p.max():.0%}")
        return figure

    show(
        draw,
        prompt=Text("prompt", prompt),
        temperature=Slider("temperature", 0.6, 0.1, 1.5, 0.1),
    )


def live_post(network: Any, post: str, host_line: str) -> None:
    """A post that you type: how sure is the network after each word?

    `network` is one of `datasets.news_networks()`, for whole posts. The switch puts
    `host_line` at the end of the header.

    See notebooks/02_rnn.ipynb, section *Explain*.
    """

    def draw(post: str, line: bool) -> Figure:
        header, empty, body = post.partition("\n\n")
        text = f"{header}\n{host_line}{empty}{body}" if line else post
        words = tokenize(text)[:150] or ["(nothing)"]
        known = [word in network.vocabulary.ids for word in words]
        p = _after_each_word(
            network.model, network.vocabulary.encode(text)[:150] or [1]
        )
        title = f"{'With' if line else 'Without'} the host line: p = {p[-1]:.2f}"
        shown = [word[:24] for word in words]  # longer ones take long to draw
        ax = plots.word_by_word(shown, p, known, network.groups, title=title)
        return _figure_of(ax)

    show(draw, post=Text("post", post, long=True), line=Switch("host line", False))


def _after_each_word(model: TextClassifier, ids: list[int]) -> np.ndarray:
    """The second class's probability after 1, 2, ... words: (T,)."""
    states = model.eval().cell.forward(model.embedding.forward(np.array([ids])))[0]
    means = np.cumsum(states, axis=0) / np.arange(1, len(states) + 1)[:, None]
    return softmax(model.linear.forward(means.astype(states.dtype)))[:, 1]


# --------------------------------------------------------------------- 03_cnn: images


def sliding_window(image: np.ndarray, kernels: Mapping[str, np.ndarray]) -> None:
    """Slide a kernel over an image, product by product.

    Shapes: image `(H, W)`, each kernel `(k, k)`, all of one size. Raises ValueError for
    others.

    See notebooks/03_cnn.ipynb, section *What a convolution is*.
    """
    require(kernels, "sliding_window expects at least one kernel")
    names = list(kernels)
    k = len(kernels[names[0]])
    for name, array in kernels.items():
        require(
            image.ndim == 2 and min(image.shape) >= k and np.shape(array) == (k, k),
            f"sliding_window expects an image (H, W) and kernels ({k}, {k}) that fit "
            f"into it, got {image.shape} and {name!r}: {np.shape(array)}",
        )
    last_row = image.shape[0] - k
    last_column = image.shape[1] - k

    def draw(kernel: str, row: int, column: int) -> Figure:
        return plots.sliding_window(image, kernels[kernel], int(row), int(column))

    show(
        draw,
        kernel=Choice("kernel", names[min(2, len(names) - 1)], names),
        row=Slider("row", last_row // 2, 0, last_row),
        column=Slider("column", last_column // 2, 0, last_column),
    )


def learned_kernel(
    image: np.ndarray, wanted: np.ndarray, kernels: Sequence[np.ndarray]
) -> None:
    """Look at a kernel while it learns: a slider over the steps of its training.

    Shapes: image `(H, W)`, wanted `(oh, ow)`, the feature map it was shown; `kernels`,
    one `(k, k)` for each step. Raises ValueError for others.

    See notebooks/03_cnn.ipynb, section *im2col*.
    """
    require(len(kernels) > 0, "learned_kernel expects at least one kernel")
    side = len(kernels[0]) - 1
    map_shape = tuple(n - side for n in np.shape(image))
    require(
        np.shape(wanted) == map_shape,
        f"learned_kernel expects a feature map {map_shape} of this image and kernel, "
        f"got {np.shape(wanted)}",
    )
    last = len(kernels) - 1

    def draw(step: int) -> Figure:
        return plots.learned_kernel(image, wanted, kernels, int(step))

    show(draw, step=Slider("step", last, 0, last))


# --------------------------------------------------------------- 04_lime: explanations


def be_lime(
    ask: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    hidden: np.ndarray,
    segments: np.ndarray,
    weights: np.ndarray,
    label: int,
    *,
    names: Sequence[str] = (),
    k: int = 4,
) -> None:
    """Switch parts of a photograph off yourself, and compare your guess with LIME's.

    `ask(Z)` turns masks `(n, d)` into probabilities `(n, classes)`; `weights` `(d,)`
    are LIME's for the class `label`. Shapes: image and hidden (the image with every
    part off) `(H, W)` or `(H, W, 3)`, segments `(H, W)` in 0..d-1. On the left is what
    the model sees; on the right its five best guesses, called by `names`, or, with the
    last switch, LIME's evidence.

    Raises ValueError for other shapes, weights that are no numbers, a k outside 1..d,
    an unknown label, and where `ask` does not return probabilities.

    See notebooks/04_lime.ipynb, section *Your LIME explains*.
    """
    d = int(segments.max()) + 1
    require(
        np.shape(weights) == (d,) and np.isfinite(weights).all(),
        f"be_lime expects a number for each of the {d} parts, got weights "
        f"{np.shape(weights)}, or NaN among them",
    )
    require(
        image.shape == hidden.shape and image.shape[:2] == segments.shape,
        "be_lime expects image, hidden and segments of one height and width, got "
        f"{image.shape}, {hidden.shape}, {segments.shape}",
    )
    require(1 <= k <= d, f"be_lime expects a k of 1 to {d} parts, got {k}")
    ask = _asking("be_lime", ask)
    require(
        0 <= label and (not names or label < len(names)),
        f"be_lime expects a label from 0 on, one of the {len(names)} names if there "
        f"are any, got {label}",
    )
    names = names or [f"class {c}" for c in range(label + 1)]
    strongest = np.isin(np.arange(d), np.argsort(-weights)[:k])

    def draw(parts: tuple[bool, ...], compare: bool) -> Figure:
        on = np.array(parts)
        p = ask(np.stack([on, strongest]) if compare else on[None])
        require(
            label < p.shape[1],
            f"be_lime: the model knows {p.shape[1]} classes, not one of label {label}",
        )
        fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[3, 4])
        copy = blend(image, hidden, segments, on[None])[0]
        plots.numbered_parts(copy, segments, ax=axes[0])
        says = f"p({names[label]}) = {p[0, label]:.2f}"
        axes[0].set_title(f"{on.sum()} of {d} parts on: {says}")
        if compare:
            plots.image_evidence(image, segments, weights, ax=axes[1])
            both = f"you share {np.sum(on & strongest)}"
            axes[1].set_title(f"LIME's {k} alone: {p[1, label]:.2f}; {both}")
            return fig
        best = np.argsort(-p[0])[:5]
        called = [names[c].split(",")[0] if c < len(names) else str(c) for c in best]
        plots.bars(p[0, best], called, number="{:.2f}", ax=axes[1])
        axes[1].set(xlim=(0, 1.2), xlabel="probability")
        axes[1].set_title("What the model says to that")
        return fig

    show(
        draw,
        parts=Several("parts", (True,) * d, [str(j) for j in range(d)]),
        compare=Switch("compare with LIME"),
    )
