"""What every instrument shares: controls, pictures, and what happens when one moves."""

import matplotlib.pyplot as plt
import pytest

from scratchml import interactive

ipywidgets = pytest.importorskip("ipywidgets")

CONTROLS = {
    "x": interactive.Slider("x", 2, 0, 5),
    "w": interactive.Slider("w", 0.5, 0, 1, 0.1),
    "kind": interactive.Choice("kind", "RNN", ["RNN", "LSTM"]),
    "on": interactive.Switch("on"),
    "parts": interactive.Several("parts", (True, False), ["1", "2"]),
    "said": interactive.Text("say", "hello"),
    "post": interactive.Text("post", "hi", long=True),
}


class Draw:
    """Draws the same picture whatever it is told, and remembers what it was told."""

    def __init__(self):
        self.told = []

    def __call__(self, **values):
        self.told.append(values)
        if values.get("x") == 5:
            raise ValueError("x < 5 is needed")
        return plt.figure(figsize=(1, 1))


@pytest.fixture
def live(monkeypatch):
    """A place where widgets live; what is displayed is returned."""
    shown = []
    monkeypatch.setattr(interactive, "_is_still", lambda: False)
    monkeypatch.setattr("IPython.display.display", shown.append)
    return shown


def test_every_move_draws_anew(live):
    draw = Draw()
    interactive.show(draw, **CONTROLS)
    *widgets, picture, trouble = live[0].children
    assert draw.told == [{name: c.start for name, c in CONTROLS.items()}]
    assert bytes(picture.value).startswith(b"\x89PNG")
    moves = {0: 3, 1: 0.75, 2: "LSTM", 3: True, 5: "bye", 6: "post"}
    for place, value in moves.items():
        widgets[place].value = value
    widgets[4].children[1].value = True
    assert draw.told[-1] == dict(
        x=3, w=0.75, kind="LSTM", on=True, parts=(True, True), said="bye", post="post"
    )
    assert len(draw.told) == 8 and trouble.value == ""
    assert not plt.get_fignums()


def test_what_cannot_be_drawn_is_said_and_mended_by_the_next_move(live):
    interactive.show(Draw(), x=CONTROLS["x"])
    slider, picture, trouble = live[0].children
    before = bytes(picture.value)
    slider.value = 5
    assert "x &lt; 5 is needed" in trouble.value and bytes(picture.value) == before
    slider.value = 4
    assert trouble.value == ""


@pytest.mark.parametrize(("start", "step"), [(2, 1), (2.0, 1), (2, 0.5)])
def test_only_whole_steps_from_a_whole_number_give_whole_numbers(start, step):
    widget = interactive.Slider("x", start, 0, 5, step).widget()
    whole = (start, step) == (2, 1) and isinstance(start, int)
    assert isinstance(widget.value, int if whole else float)


def test_without_widgets_one_picture_stands_there(monkeypatch):
    drawn = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append(plt.gcf()))
    draw = Draw()
    assert interactive.show(draw, **CONTROLS) is None
    assert len(drawn) == 1 and len(draw.told) == 1
    plt.close("all")


def test_tests_and_plain_python_are_still(monkeypatch):
    assert interactive._is_still()
    monkeypatch.setenv("SCRATCHML_STILL", "0")
    assert interactive._is_still()  # no notebook around this test
