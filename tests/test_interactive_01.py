"""The instruments of 01: each draws the right thing, and draws it again when moved."""

import time

import matplotlib.pyplot as plt
import numpy as np
import pytest

from scratchml import interactive, plots

pytest.importorskip("ipywidgets")


@pytest.fixture
def live(monkeypatch):
    """A place where widgets live; what is displayed is returned."""
    shown = []
    monkeypatch.setattr(interactive, "_is_still", lambda: False)
    monkeypatch.setattr("IPython.display.display", shown.append)
    yield shown
    plt.close("all")


@pytest.fixture
def drawn(monkeypatch):
    """The figures that an instrument draws where no widget lives."""
    figures = []
    monkeypatch.setattr(interactive, "_is_still", lambda: True)
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    yield figures
    plt.close("all")


def move(shown, place, value):
    """Move one control; returns the picture before and after, and the trouble."""
    *widgets, picture, trouble = shown[-1].children
    before = bytes(picture.value)
    start = time.process_time()
    widgets[place].value = value
    assert time.process_time() - start < 1, "a drawing takes too long"
    assert trouble.value == "", trouble.value
    return before, bytes(picture.value)


def words(figure):
    """All that is written in a figure, each text on one line."""
    found = [text for ax in figure.axes for text in ax.texts]
    found = [text.get_text() for text in found]
    for ax in figure.axes:
        found += [ax.get_title(), ax.get_title(loc="left")]
    return [" ".join(text.split()) for text in found]


# Digits of a made-up world: class 0 has its ink on the left, class 1 on the right.


def probabilities(images):
    images = np.reshape(images, (len(images), 28, 28))
    right = images[..., 14:].sum(axis=(1, 2))
    left = images[..., :14].sum(axis=(1, 2))
    p = (right + 1e-9) / (left + right + 2e-9)
    return np.stack([1 - p, p], axis=1)


@pytest.fixture
def digits():
    images = np.zeros((3, 28, 28))
    images[0, 5:20, 11:14] = 1  # three pixels to the right it is the other class
    images[1, 5:20, 2:5] = 1
    images[2, 5:20, 20:23] = 1
    return images, np.array([0, 0, 1])


def test_the_graph_says_values_and_gradients(drawn):
    interactive.graph(x=2, w=3, b=1, t=5)
    said = words(drawn[0])
    for text in ("x = 2", "w = 3", "y = 7", "L = 4", "dy = 4", "dw = 8", "dx = 12"):
        assert text in said, f"{text} is not in {said}"


def test_the_graph_has_the_signs_colours():
    ax = plots.computational_graph(2, -3, 1, 5)
    colours = {t.get_text().split(" =")[0]: t.get_color() for t in ax.texts}
    assert colours["dx"] == plots.FOR and colours["dw"] == plots.AGAINST
    plt.close("all")


def test_the_graph_moves(live):
    interactive.graph()
    for place in range(3):
        before, after = move(live, place, -4)
        assert before != after


def test_shift_moves_the_digit_and_the_bars(live, digits):
    interactive.shift(probabilities, *digits)
    assert live[0].children[0].value == 0  # the digit whose answer flips
    before, after = move(live, 1, 0)
    assert before != after
    before, after = move(live, 2, -5)
    assert before != after


def test_shift_shows_a_digit_that_flips(drawn, digits):
    interactive.shift(probabilities, *digits)
    said = words(drawn[0])
    assert "It says 1: 100%" in said and "0: 3 right, 0 down" in said


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-2, 0), (0, 4), (0, -5), (2, -1)])
def test_a_moved_image_is_rolled_with_paper_for_what_comes_in(rng, right, down):
    image = rng.uniform(size=(28, 28))
    image[[0, 1, 2, 3, 4, -1, -2, -3, -4, -5]] = 0
    image[:, [0, 1, 2, 3, 4, -1, -2, -3, -4, -5]] = 0
    wanted = np.roll(image, (down, right), axis=(0, 1))
    assert np.array_equal(interactive._moved(image, right, down), wanted)
    corner = interactive._moved(np.ones((28, 28)), right, down)
    assert corner.sum() == (28 - abs(right)) * (28 - abs(down))


def attack(images, labels, epsilon):
    """Move a share epsilon of the ink to the other side, only where label is 0."""
    flipped = np.flip(images, axis=-1)
    share = np.where(labels == 0, min(1, 6 * epsilon), 0)[:, None, None]
    return (1 - share) * images + share * flipped


def test_fool_counts_what_is_still_read(drawn, digits):
    interactive.fool(attack, probabilities, *digits)
    said = words(drawn[0])
    assert "It says 1. Of all, 33% are still read." in said and "ε = 0.1" in said


def test_fool_moves(live, digits):
    interactive.fool(attack, probabilities, *digits)
    for place, value in [(0, 0.0), (1, 2)]:
        before, after = move(live, place, value)
        assert before != after


CURVES = {
    "correct": {"loss": [5.0, 3.0, 2.0]},
    "bias": {"loss": [5.0, 3.1, 2.1]},
    "adam": {"loss": [4.0, 2.0, 1.9]},
}


READS = {"correct": 0.92, "bias": 0.91, "adam": 0.9}


def test_the_bug_hunt_keeps_the_names_to_itself(drawn):
    interactive.bug_hunt(CURVES, READS)
    said = " ".join([*words(drawn[0]), drawn[0].get_suptitle()])
    assert not any(name in said for name in CURVES)
    assert all(ax.get_legend() is None for ax in drawn[0].axes)


def test_the_bug_hunt_gives_each_network_a_panel_of_its_own(drawn):
    interactive.bug_hunt(CURVES, READS)
    told = [
        (ax.get_title() or ax.get_title(loc="left"), list(ax.lines[-1].get_ydata()))
        for ax in drawn[0].axes
    ]
    by_start = ["adam", "correct", "bias"]
    assert told == [
        (f"{letter}: reads {READS[name]:.1%}", CURVES[name]["loss"])
        for letter, name in zip("ABC", by_start, strict=True)
    ]
    assert len({ax.lines[-1].get_color() for ax in drawn[0].axes}) == 1


def test_the_bug_hunt_tells_after_the_vote(monkeypatch):
    draws = []
    monkeypatch.setattr(interactive, "show", lambda draw, **_: draws.append(draw))
    interactive.bug_hunt(CURVES)
    verdicts = {letter: draws[0](letter).get_suptitle() for letter in "ABC"}
    assert verdicts == {
        "A": "A: adam. This one is wrong.",
        "B": "B: correct. This one is right.",
        "C": "C: bias. This one is wrong.",
    }
    plt.close("all")


def test_the_bug_hunt_is_drawn_again_after_a_vote(live):
    interactive.bug_hunt(CURVES, READS)
    before, after = move(live, 0, "B")
    assert before != after


def test_descent_draws_every_step():
    path = np.array([-2.0, 1.0, -0.5])
    ax = plots.descent(np.square, path, limits=(-3, 3))
    assert np.array_equal(ax.lines[1].get_xdata(), path)
    assert len(ax.texts) == 2  # arrows
    plt.close("all")


def test_class_bars_name_the_truth_in_bold():
    ax = plots.class_bars(np.array([0.1, 0.7, 0.2]), 2)
    weights = [label.get_fontweight() for label in ax.get_xticklabels()]
    assert weights[2] == "bold" and weights[0] != "bold"
    assert [bar.get_height() for bar in ax.patches] == [0.1, 0.7, 0.2]
    plt.close("all")
