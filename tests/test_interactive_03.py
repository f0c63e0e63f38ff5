"""The instruments of 03: a window that slides, a kernel that learns."""

import time

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from scratchml import interactive, plots

IMAGE = np.random.default_rng(0).random((9, 7))
SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
KERNELS = {"steps": SOBEL, "blur": np.full((3, 3), 1 / 9)}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def shown(monkeypatch):
    """What an instrument hands to `show`: its drawing and its controls."""
    calls = []
    monkeypatch.setattr(
        interactive, "show", lambda draw, **controls: calls.append((draw, controls))
    )
    return calls


def numbers(ax):
    return np.array([float(text.get_text()) for text in ax.texts])


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 2), (6, 4)])
def test_the_window_shows_the_products_and_the_map_so_far(row, column):
    fig = plots.sliding_window(IMAGE, SOBEL, row, column)
    _, kernel, products, answer = fig.axes
    patch = IMAGE[row : row + 3, column : column + 3]
    np.testing.assert_array_equal(numbers(kernel), SOBEL.ravel())
    np.testing.assert_allclose(numbers(products), (patch * SOBEL).ravel(), rtol=0.05)
    assert f"{(patch * SOBEL).sum():.2f}" in products.get_xlabel()
    seen = answer.images[0].get_array()
    assert seen.shape == (7, 5)
    assert seen.count() == row * 5 + column + 1  # what comes later is still blank
    assert seen[row, column] == pytest.approx((patch * SOBEL).sum())


def test_the_sliders_reach_every_position_and_no_other(shown):
    interactive.sliding_window(IMAGE, KERNELS)
    ((draw, controls),) = shown
    assert controls["kernel"].options == ["steps", "blur"]
    assert (controls["row"].low, controls["row"].high) == (0, 6)
    assert (controls["column"].low, controls["column"].high) == (0, 4)
    for name in KERNELS:
        for row, column in [(0, 0), (6, 4)]:
            assert len(draw(name, row, column).axes) == 4


def test_the_learned_kernel_at_each_step(shown):
    windows = np.lib.stride_tricks.sliding_window_view(IMAGE, (3, 3))
    wanted = (windows * SOBEL).sum(axis=(2, 3))
    kernels = [SOBEL * share for share in np.linspace(0, 1, 11)]
    interactive.learned_kernel(IMAGE, wanted, kernels)
    ((draw, controls),) = shown
    assert (controls["step"].low, controls["step"].high) == (0, 10)
    at_first, at_last = draw(0), draw(10)
    np.testing.assert_array_equal(numbers(at_first.axes[3]), np.zeros(9))
    np.testing.assert_array_equal(numbers(at_last.axes[3]), SOBEL.ravel())
    assert "error 0.0000" in at_last.axes[2].get_xlabel()
    assert "after 10 steps" in at_last.axes[2].get_title(loc="left") + (
        at_last.axes[2].get_title()
    )


def test_without_widgets_there_is_a_picture(monkeypatch):
    monkeypatch.setenv("SCRATCHML_STILL", "1")
    monkeypatch.setattr(plt, "show", lambda: None)
    interactive.sliding_window(IMAGE, KERNELS)
    assert len(plt.get_fignums()) == 1


def test_drawing_is_quick():
    plots.sliding_window(IMAGE, SOBEL, 0, 0)
    start = time.process_time()
    plots.sliding_window(IMAGE, SOBEL, 3, 2)
    assert time.process_time() - start < 1


def test_number_grid_frames_what_is_marked():
    ax = plots.number_grid(np.arange(6.0).reshape(2, 3), marked=[(0, 1), (1, 2)])
    np.testing.assert_array_equal(numbers(ax), np.arange(6))
    corners = [patch.get_xy() for patch in ax.patches]
    assert corners == [(0.5, -0.5), (1.5, 0.5)]
