"""Instruments to play with: pictures that change while you move a slider.

Each is one function that a notebook calls. In JupyterLab it shows widgets; where no
widget lives (tests, the site, slides, Python without ipywidgets) it shows one picture.
Nothing here computes what another file computes: an instrument asks, and draws.
"""

import html
import io
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

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


# --------------------------------------------------------------------- 03_cnn: images


# --------------------------------------------------------------- 04_lime: explanations
