"""Instruments to play with: pictures that change while you move a slider.

Each is one function that a notebook calls. In JupyterLab it shows widgets; where no
widget lives (tests, the site, slides, Python without ipywidgets) it shows one picture.
Nothing here computes what another file computes: an instrument asks, and draws.
"""

import html
import io
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from . import plots
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


# ------------------------------------------------------------------------------ showing


def show(draw: Callable[..., Figure], **controls: Control) -> None:
    """Show `draw(**values)`, and show it again whenever somebody moves a control.

    `draw` gets the value of each control under its name and returns a new figure. It
    is called for each move, so it should take less than 0.3 seconds. Where no widget
    lives, the picture for the first values stands alone.

    Raises nothing after the first picture: what `draw` cannot do is said below it.
    """
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


# ------------------------------------------------------------------ 02_rnn: sequences


def what_did_it_remember(models: Mapping[str, Any], text: str) -> None:
    """A slider over a text: how much did each earlier letter count for the next one?

    `models` maps names to networks of three layers: an Embedding, a recurrent layer and
    a Linear layer. `text` has the letters a to z and spaces. Each letter read so far
    has the colour of the length of its `dx`, the gradient of the surprise at the letter
    that comes, as a share of all lengths.

    Raises ValueError for other characters.
    """
    ids = encode_characters(text).astype(int)

    def draw(read: int) -> Figure:
        rows = -(-len(text) // 60)
        size = (9, len(models) * (0.75 + 0.3 * rows))
        figure, axes = plt.subplots(len(models), 1, figsize=size, squeeze=False)
        for ax, (name, model) in zip(axes[:, 0], models.items(), strict=True):
            p, lengths = _letters_count(model, ids[: read + 1])
            shares = np.full(len(text), np.nan)
            shares[:read] = lengths / lengths.sum()
            last = np.searchsorted(np.cumsum(shares[:read][::-1]), 0.9) + 1
            comes = text[read].replace(" ", "space")
            title = (
                f"{name}: nine tenths lie on the last {last} letters. "
                f"Next comes '{comes}', p = {p:.2f}"
            )
            colours: Any = {"cmap": "Purples", "vmin": 0, "vmax": 0.3}
            shown = text[:read] + " " * (len(text) - read)
            plots.letters(shown, shares, title=title, ax=ax, **colours)
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
    """
    names = list(moments)

    def draw(moment: int, temperature: float) -> Figure:
        shown = names if _is_still() else [names[moment - 1]]
        texts = {name: write(moments[name], prompt, temperature) for name in shown}
        return _figure_of(plots.texts(texts, title="The same prompt, continued"))

    show(
        draw,
        moment=Slider("moment of training", len(names), 1, len(names)),
        temperature=Slider("temperature", 0.5, 0.1, 1.5, 0.1),
    )


def next_letters(model: CharacterModel, prompt: str) -> None:
    """A prompt and a temperature of your own: what is written, and what may come next.

    Bars give the probability of each of the 27 characters after the prompt.
    """

    def draw(prompt: str, temperature: float) -> Figure:
        typed = clean_text8(prompt) + (" " if prompt.endswith(" ") else "")
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
        ax = plots.word_by_word(words, p, known, network.groups, title=title)
        return _figure_of(ax)

    show(draw, post=Text("post", post, long=True), line=Switch("host line", False))


def _after_each_word(model: TextClassifier, ids: list[int]) -> np.ndarray:
    """The second class's probability after 1, 2, ... words: (T,)."""
    states = model.eval().cell.forward(model.embedding.forward(np.array([ids])))[0]
    means = np.cumsum(states, axis=0) / np.arange(1, len(states) + 1)[:, None]
    return softmax(model.linear.forward(means.astype(states.dtype)))[:, 1]


# --------------------------------------------------------------------- 03_cnn: images


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

    Derived in notebooks/04_lime.ipynb, section *Your LIME explains*.
    """
    d = len(weights)
    names = names or [f"class {c}" for c in range(label + 1)]
    strongest = np.isin(np.arange(d), np.argsort(-weights)[:k])

    def draw(parts: tuple[bool, ...], compare: bool) -> Figure:
        on = np.array(parts)
        p = ask(np.stack([on, strongest]) if compare else on[None])
        fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[3, 4])
        plots.numbered_parts(
            blend(image, hidden, segments, on[None])[0],
            segments,
            title=f"{on.sum()} of {d} parts on: p({names[label]}) = {p[0, label]:.2f}",
            ax=axes[0],
        )
        if compare:
            both = f"you and LIME share {np.sum(on & strongest)}"
            title = f"LIME's {k} strongest alone: {p[1, label]:.2f}; {both}"
            plots.image_evidence(image, segments, weights, title=title, ax=axes[1])
            return fig
        best = np.argsort(-p[0])[:5]
        called = [names[c].split(",")[0] if c < len(names) else str(c) for c in best]
        title = "What the model says to that"
        plots.bars(p[0, best], called, number="{:.2f}", title=title, ax=axes[1])
        axes[1].set(xlim=(0, 1.2), xlabel="probability")
        return fig

    show(
        draw,
        parts=Several("parts", (True,) * d, [str(j) for j in range(d)]),
        compare=Switch("compare with LIME"),
    )
