"""*Be LIME*: what the picture shows when parts go on and off."""

import time

import matplotlib.pyplot as plt
import numpy as np
import pytest

from scratchml import interactive, plots

ipywidgets = pytest.importorskip("ipywidgets")

SEGMENTS = np.kron(np.arange(4).reshape(2, 2), np.ones((20, 20), int))
IMAGE = np.full((40, 40, 3), 200, np.uint8)
HIDDEN = np.zeros_like(IMAGE)
WEIGHTS = np.array([0.5, -0.1, 0.3, 0.0])
ASKED = []


def ask(Z):
    """Part 0 alone decides."""
    ASKED.append(np.array(Z))
    p = 0.1 + 0.8 * Z[:, 0]
    return np.column_stack([1 - p, p])


def start(**options):
    """Call the instrument, and return its `draw` and its controls."""
    caught = {}

    def catch(draw, **controls):
        caught.update(controls, draw=draw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interactive, "show", catch)
        interactive.be_lime(ask, IMAGE, HIDDEN, SEGMENTS, WEIGHTS, 1, k=2, **options)
    return caught


@pytest.fixture(autouse=True)
def no_figures_left():
    ASKED.clear()
    yield
    plt.close("all")


def titles(figure):
    return [ax.get_title() + ax.get_title(loc="left") for ax in figure.axes]


def test_every_part_has_a_switch_and_starts_on():
    controls = start()
    assert controls["parts"].start == (True,) * 4
    assert list(controls["parts"].options) == ["0", "1", "2", "3"]
    assert controls["compare"].start is False


def test_the_model_is_asked_about_the_parts_that_are_on():
    figure = start(names=["no", "yes"])["draw"](
        parts=(True, False, False, False), compare=False
    )
    assert ASKED[0].tolist() == [[True, False, False, False]]
    assert titles(figure)[0] == "1 of 4 parts on: p(yes) = 0.90"
    shown = figure.axes[0].images[0].get_array()
    assert shown[:20, :20].min() > 0 and not shown[:20, 20:].any()
    bars = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert bars == ["yes", "no"]


def test_comparing_tells_what_is_shared():
    figure = start()["draw"](parts=(False, True, True, False), compare=True)
    assert ASKED[0][1].tolist() == [True, False, True, False]  # LIME's two strongest
    assert "0.90" in titles(figure)[1] and "share 1" in titles(figure)[1]


def test_where_no_widget_lives_there_is_a_picture(monkeypatch):
    monkeypatch.setenv("SCRATCHML_STILL", "1")
    monkeypatch.setattr(plt, "show", lambda: None)
    interactive.be_lime(ask, IMAGE, HIDDEN, SEGMENTS, WEIGHTS, 1)
    assert len(plt.get_fignums()) == 1


def test_a_drawing_of_a_photograph_is_quick():
    segments = np.arange(227)[:, None] // 57 * 4 + np.arange(227) // 57
    image = np.zeros((227, 227, 3), np.uint8)
    caught = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interactive, "show", lambda draw, **_: caught.update(draw=draw))
        interactive.be_lime(ask, image, image, segments, np.ones(16), 1)
    for compare in (False, True):
        start = time.process_time()
        interactive._png(caught["draw"](parts=(True,) * 16, compare=compare))
        assert time.process_time() - start < 1


def test_numbers_stand_inside_their_parts():
    ring = np.zeros((21, 21), int)
    ring[5:16, 5:16] = 1  # the mean place of part 0 lies in part 1
    ax = plots.numbered_parts(np.zeros((21, 21)), ring)
    for text in ax.texts:
        x, y = text.get_position()
        assert ring[y, x] == int(text.get_text())


def test_a_switch_changes_the_picture(monkeypatch):
    shown = []
    monkeypatch.setattr(interactive, "_is_still", lambda: False)
    monkeypatch.setattr("IPython.display.display", shown.append)
    interactive.be_lime(ask, IMAGE, HIDDEN, SEGMENTS, WEIGHTS, 1)
    parts, compare, picture, trouble = shown[0].children
    before = bytes(picture.value)
    parts.children[0].value = False
    off = bytes(picture.value)
    compare.value = True
    assert len({before, off, bytes(picture.value)}) == 3 and trouble.value == ""
    assert ASKED[-1][0].tolist() == [False, True, True, True]
