"""Pictures: what is drawn, on which Axes, from which data; wrong shapes are named."""

import copy
import io
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml import plots
from scratchml.explanation import Evidence, Explanation
from scratchml.faithfulness import Curves
from scratchml.lime import explain_image, explain_text

ROOT = Path(__file__).resolve().parent.parent


def explained(image):
    """An image whose brightness is what the model reads; nothing hides as paper."""

    def predict(images):
        p = images.reshape(len(images), -1).mean(axis=1) / image.max()
        return np.column_stack([1 - p, p])

    cells = np.arange(64).reshape(8, 8) // 16
    return explain_image(
        predict, image, segments=cells, fill=0, n_samples=50, progress=False
    )


def data():
    """Fresh arguments for every function of the module: {name: (args, kwargs)}."""
    rng = np.random.default_rng(0)
    images = rng.random((12, 1, 28, 28)).astype(np.float32)
    labels = np.arange(12) % 3
    history = {
        "loss": [2.0, 1.0, 0.5],
        "validation_loss": [2.1, 1.2, 0.9],
        "accuracy": [0.2, 0.5, 0.8],
        "validation_accuracy": [0.2, 0.4, 0.7],
    }
    return {
        "digits": ((images, labels), {}),
        "worst_mistakes": ((images, labels, rng.normal(size=(12, 3))), {"k": 4}),
        "weights": ((rng.normal(size=(784, 5)),), {}),
        "learning_curves": ((history,), {}),
        "curves": ((np.arange(1.0, 5), {"a": np.arange(4.0), "b": np.ones(4)}), {}),
        "decision_boundary": (
            (
                lambda x: (x.sum(1) > 1).astype(float),
                rng.random((9, 2)),
                np.arange(9) % 2,
            ),
            {},
        ),
        "confusion": ((rng.integers(0, 9, (3, 3)),), {}),
        "gradient_norms": (({"sigmoid": np.array([1e-6, 1e-3, 0.1])},), {}),
        "optimizer_paths": (
            (
                lambda w: w[:, 0] ** 2 + 20 * w[:, 1] ** 2,
                {"SGD": rng.normal(size=(6, 2))},
            ),
            {"optimum": (0, 0), "limits": (-3, 3, -2, 2)},
        ),
        "timeline": (
            (
                [
                    (1958, "perceptron", "idea"),
                    ((1969, 1980), "winter", "winter"),
                    (1986, "backpropagation", "idea"),
                ],
            ),
            {},
        ),
        "network": (
            ([3, 12, 2],),
            {
                "labels": ["in", "hidden", "out"],
                "weights": [rng.normal(size=(3, 12)), rng.normal(size=(12, 2))],
            },
        ),
        "image_evidence": (
            (rng.random((8, 8)), np.arange(64).reshape(8, 8) // 16, rng.normal(size=4)),
            {},
        ),
        "top_parts": (
            (rng.random((8, 8)), np.arange(64).reshape(8, 8) // 16, rng.normal(size=4)),
            {"k": 2},
        ),
        "perturbed_copies": ((explained(rng.random((8, 8, 3))),), {}),
        "evidence_bars": (
            (
                [
                    Evidence("engine", 0.3, 0.2, 0.4, 0),
                    Evidence("moon", -0.2, -0.3, -0.1, 1),
                ],
            ),
            {},
        ),
        "deletion_insertion": (
            (
                Curves(
                    np.linspace(1, 0, 5),
                    np.linspace(0, 1, 5),
                    rng.random((3, 5)),
                    0.5,
                    0.5,
                    0.5,
                ),
            ),
            {},
        ),
        "bars": (
            (np.array([0.8, 0.9]), ["nearest mean", "network"], np.array([0.02, 0.01])),
            {},
        ),
        "descent": ((np.square, np.array([-2.0, 1.0, -0.5])), {"limits": (-3, 3)}),
        "computational_graph": ((2, 3, 1, 5), {}),
        "class_bars": ((np.array([0.1, 0.7, 0.2]), 2), {}),
        "unrolled": ((), {"backward": True}),
        "two_steps": (({"x1": 0.5, "h1": 0.4}, {"y1": 1, "y2": 1, "h1": 1.9}), {}),
        "lstm_cell": ((), {"backward": True}),
        "number_grid": ((np.arange(6.0).reshape(2, 3),), {"marked": [(0, 1)]}),
        "letters": (("call me ishmael", rng.random(15)), {"columns": 10}),
        "texts": (({"after 0 steps": "xqzt", "after 50 steps": "the wh"},), {}),
        "word_by_word": (
            (
                ["from", "lee"],
                np.array([0.4, 0.8]),
                [True, False],
                ["atheism", "other"],
            ),
            {},
        ),
    }


NAMES = list(data())


@pytest.fixture(autouse=True)
def clean_figures():
    with mpl.rc_context():
        plots.style()
        yield
        plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


# -------------------------------------------------------------------- all of them alike


def test_every_function_is_tested():
    public = [
        name
        for name, value in vars(plots).items()
        if callable(value)
        and getattr(value, "__module__", "") == plots.__name__
        and not name.startswith("_")
    ]
    figures = "sliding_window learned_kernel numbered_parts"  # test_interactive_0N.py
    elsewhere = f"style signed_norm as_html alt_text {figures}".split()
    assert sorted(public) == sorted([*NAMES, *elsewhere])


@pytest.mark.parametrize("name", NAMES)
def test_makes_a_figure_and_returns_its_axes(name):
    args, options = data()[name]
    ax = getattr(plots, name)(*args, **options, title="A finding")
    assert isinstance(ax, mpl.axes.Axes) and ax.get_title(loc="left") == "A finding"
    assert len(plt.get_fignums()) == 1  # left open, for plt.show()
    ax.figure.canvas.draw()


@pytest.mark.parametrize("name", NAMES)
def test_draws_on_the_given_axes_and_nowhere_else(name):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5))
    args, options = data()[name]
    assert getattr(plots, name)(*args, **options, ax=right) is right
    assert len(plt.get_fignums()) == 1 and not left.has_data() and not left.texts
    assert (
        len(right.lines)
        + len(right.images)
        + len(right.collections)
        + len(right.patches)
        + len(right.texts)
        > 0
    )
    figure.canvas.draw()


@pytest.mark.parametrize("name", NAMES)
def test_leaves_its_arguments_as_they_were(name):
    args, options = data()[name]
    before = copy.deepcopy((args, options))
    getattr(plots, name)(*args, **options)
    np.testing.assert_equal(contents(args), contents(before[0]))
    np.testing.assert_equal(options, before[1])


def contents(args):
    """The arguments; of an explanation its arrays, as it cannot be compared itself."""
    return [
        {**vars(a), "perturb": None} if isinstance(a, Explanation) else a for a in args
    ]


@pytest.mark.parametrize("name", NAMES)
def test_everything_drawn_is_inside_the_figure(name):
    """No label or title is cut off when the figure is shown as it is."""
    args, options = data()[name]
    width = getattr(plots, name)(*args, **options).figure.get_figwidth()
    ax = getattr(plots, name)(*args, **options, title="A finding " * int(1.4 * width))
    ax.figure.canvas.draw()
    assert "\n" in ax.get_title(loc="left")
    box, whole = ax.figure.get_tightbbox(), ax.figure.bbox_inches
    assert box.x0 > -0.03 and box.y0 > -0.03
    assert box.x1 < whole.x1 + 0.03 and box.y1 < whole.y1 + 0.03


@pytest.mark.parametrize("name", NAMES)
def test_works_in_the_look_of_the_reader(name):
    """Without style(): matplotlib's own settings, no layout engine."""
    mpl.rcdefaults()
    args, options = data()[name]
    getattr(plots, name)(*args, **options, title="A finding").figure.canvas.draw()


WRONG = {  # most of the messages are numpy's and matplotlib's own
    "digits": [
        ((np.zeros((28, 28)),), r"into shape \(28,28,28\)"),
        ((np.zeros((2, 3, 8, 8)),), r"into shape \(2,8,8\)"),
        ((np.zeros((2, 8, 8)), [1]), "argument 2 is shorter"),
        ((np.zeros((2, 8, 8)), [1, 2, 3]), "argument 2 is longer"),
    ],
    "worst_mistakes": [
        ((np.zeros((2, 8, 8)), np.zeros(3, int), np.zeros((2, 4))), "broadcast"),
        ((np.zeros((2, 8, 8)), np.zeros(2, int), np.eye(4)[[0, 0]]), "no mistakes"),
    ],
    "weights": [
        ((np.zeros((783, 5)),), r"into shape \(5,28,28\)"),
        ((np.zeros((392, 2)),), r"into shape \(2,28,28\)"),
        ((np.zeros((5, 3, 4, 4)),), r"into shape \(5,4,4\)"),
    ],
    "curves": [((np.arange(3), {"a": np.arange(4)}), r"\(3,\) and \(4,\)")],
    "decision_boundary": [
        ((lambda x: x[:, 0], np.zeros((4, 3)), np.zeros(4)), "unpack"),
        ((lambda x: 5 * x, np.eye(2), [0, 1]), r"into shape \(200,200,1\)"),
        ((lambda x: 5 * x[:, 0], np.eye(2), [0, 1]), "put a sigmoid around the scores"),
    ],
    "confusion": [((np.zeros((2, 3)),), r"\(2,3\)"), ((np.eye(3), ["a"]), "labels")],
    "timeline": [(([(1958, "perceptron")],), "unpack")],
    "bars": [
        (([1.0, 2.0], ["a"]), "labels"),
        (([1.0, 2.0], ["a", "b"], [1.0]), "argument 2 is shorter"),
    ],
}


@pytest.mark.parametrize(
    "name, args, says",
    [(name, args, says) for name, cases in WRONG.items() for args, says in cases],
)
def test_wrong_shapes_are_named(name, args, says):
    with pytest.raises(ValueError, match=says):
        getattr(plots, name)(*args)


def test_a_key_that_was_not_recorded_is_named():
    for history in (
        {"a": {"accuracy": [1.0]}},
        {"a": {"accuracy": [1.0]}, "b": {"loss": [1.0]}},
    ):
        with pytest.raises(KeyError, match="loss"):
            plots.learning_curves(history)


def test_network_wants_a_label_for_each_layer():
    with pytest.raises(ValueError, match="argument 3 is shorter"):
        plots.network([3, 2], labels=["input"])


# ----------------------------------------------------------------------------- the look


def test_style_is_only_set_when_asked():
    code = (
        "import matplotlib as m; before = dict(m.rcParams); import scratchml.plots as p; "
        "same = dict(m.rcParams) == before; p.style(); "
        "print(same, m.rcParams['figure.dpi'], m.rcParams['axes.spines.top'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["True", "90.0", "False"]


def test_style_sets_its_own_and_leaves_the_rest():
    mpl.rcdefaults()
    plt.rcParams["lines.linestyle"] = ":"
    plt.rcParams["figure.dpi"] = 33
    before = dict(plt.rcParams)
    plots.style()
    changed = {k for k, value in plt.rcParams.items() if value != before[k]}
    assert plt.rcParams["figure.dpi"] == 90 and plt.rcParams["lines.linestyle"] == ":"
    assert {"axes.prop_cycle", "axes.grid", "legend.frameon"} <= changed
    assert len(changed) == 19
    with plt.rc_context():
        plt.rcParams["axes.grid"] = False
        plots.style()
    assert plt.rcParams["axes.grid"]


def test_a_sign_has_one_colour_everywhere():
    """Blue is positive or for, vermilion negative or against, white is zero."""
    rgb = mpl.colors.to_rgb
    for_, against = rgb(plots.FOR), rgb(plots.AGAINST)

    def ends(norm, cmap):
        return [cmap(norm(v))[:3] for v in (norm.vmin, 0.0, norm.vmax)]

    signed = [against, (1, 1, 1), for_]
    picture = plots.weights(np.array([[1.0], [-2.0]]), shape=(1, 2)).images[0]
    np.testing.assert_allclose(
        ends(picture.norm, picture.get_cmap()), signed, atol=0.01
    )
    halves = np.array([[0, 1]])
    ax = plots.image_evidence(np.zeros((1, 2)), halves, np.array([1.0, -1.0]))
    overlay = np.asarray(ax.images[1].get_array())
    np.testing.assert_allclose(overlay[0, :, :3], [for_, against], atol=0.01)
    bar = ax.figure.axes[1]
    assert "against" in bar.get_ylabel().split("←")[0]
    W = [np.array([[2.0], [-1.0]])]
    edges = plots.network([2, 1], labels=["in", "out"], weights=W).lines
    assert [rgb(line.get_color()) for line in edges] == [for_, against]
    evidence = [Evidence("a", 1.0, 0.5, 1.5, 0), Evidence("b", -1.0, -2.0, -0.5, 1)]
    bars = plots.evidence_bars(evidence).patches
    assert [patch.get_facecolor()[:3] for patch in bars] == [for_, against]
    for curve in plots.deletion_insertion(data()["deletion_insertion"][0][0]).lines:
        assert rgb(curve.get_color()) not in (for_, against), "a curve has no sign"


def test_colours_differ_for_colour_blind_readers():
    """Simulated after Machado, Oliveira and Fernandes (2009), severity 1: no two look
    alike.
    """
    simulate = {
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
    }
    colours = np.array([mpl.colors.to_rgb(colour) for colour in plots.COLOURS])
    linear = np.where(
        colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4
    )
    for matrix in simulate.values():
        seen = np.clip(linear @ np.transpose(matrix), 0, 1) ** (1 / 2.4)
        distance = np.linalg.norm(seen[:, None] - seen, axis=-1) + np.eye(len(seen))
        assert distance.min() > 0.1


@settings(max_examples=30)
@given(st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), max_size=8))
def test_signed_scale_is_white_at_zero(values):
    norm = plots.signed_norm(np.array(values, float))
    assert norm.vmin == -norm.vmax < 0
    assert norm(0.0) == 0.5
    finite = [abs(v) for v in values if np.isfinite(v)]
    assert norm.vmax == (max(finite, default=0) or 1)


# ---------------------------------------------------------------------- what is in them


def test_digits_are_ink_on_paper_in_reading_order():
    images = np.stack([np.full((4, 4), k / 5) for k in range(6)])
    ax = plots.digits(images, range(6), columns=3)
    canvas = ax.images[0].get_array()
    values = [v for v in canvas.compressed() if np.isfinite(v)]
    first_row = canvas[: canvas.shape[0] // 2].compressed()
    assert set(np.unique(values)) == set(images[:, 0, 0]) and set(first_row) == {
        0,
        0.2,
        0.4,
    }
    assert ax.images[0].get_cmap().name == "Greys"
    assert texts(ax) == list("012345")


def test_digits_mark_what_holds_an_arrow():
    ax = plots.digits(np.zeros((3, 8, 8)), [1, "2 → 7", 3])
    assert texts(ax) == ["1", "2 → 7", "3"]
    assert [t.get_color() == plots.WRONG for t in ax.texts] == [False, True, False]
    assert texts(plots.digits(np.zeros((2, 1, 8, 8)))) == []


def test_worst_mistakes_come_worst_first():
    scores = np.log([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.01, 0.99]]) + 3
    images = np.arange(4.0)[:, None, None] * np.ones((4, 6, 6))
    ax = plots.worst_mistakes(images, [0, 0, 0, 0], scores, k=2)
    assert texts(ax) == ["0 → 1\n99%", "0 → 1\n80%"]
    canvas = ax.images[0].get_array().filled(np.nan)
    assert np.nanmax(canvas[:, :6]) == 3 and np.nanmax(canvas[:, -6:]) == 1
    assert len(plots.worst_mistakes(images, [0, 0, 0, 0], scores).texts) == 3


def test_weights_share_one_scale_around_zero():
    W = np.zeros((784, 3))
    W[0], W[783] = [0.5, -2, 0.1], [1, 0, -0.3]
    ax = plots.weights(W)
    picture = ax.images[0]
    assert (picture.norm.vmin, picture.norm.vmax) == (-2, 2)
    assert picture.get_cmap() is plots.SIGNED
    tile = picture.get_array().filled(np.nan)[:28, :28]
    assert (
        tile[0, 0] == 0.5 and tile[-1, -1] == 1
    )  # unit 0: its column of W, in image order
    assert [a.get_ylabel() for a in ax.figure.axes if a is not ax] == ["weight"]
    assert plots.weights(np.ones((6, 1, 3, 3))).images[0].norm.vmin == -1
    assert plots.weights(np.ones((12, 2)), shape=(3, 4)).images[
        0
    ].get_array().shape == (3, 9)


def test_learning_curves_of_one_history():
    history = data()["learning_curves"][0][0]
    ax = plots.learning_curves(history, "accuracy")
    assert [line.get_label() for line in ax.lines] == ["training", "validation"]
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert ax.lines[1].get_ydata().tolist() == history["validation_accuracy"]
    assert ax.yaxis.get_major_formatter()(0.5) == "50%"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "accuracy")
    assert plots.learning_curves(history, log=True).get_yscale() == "log"


def test_learning_curves_of_several():
    ax = plots.learning_curves(
        {"SGD": {"loss": [2.0, 1.0, 0.5]}, "Adam": {"loss": [4.0, 2.0]}}
    )
    assert [line.get_label() for line in ax.lines] == ["SGD", "Adam"]
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.lines[1].get_ydata().tolist() == [4, 2]
    ax = plots.learning_curves({"SGD": data()["learning_curves"][0][0]})
    assert [line.get_label() for line in ax.lines] == [
        "SGD, training",
        "SGD, validation",
    ]
    assert ax.lines[0].get_color() == ax.lines[1].get_color()


def test_history_of_a_training_run_is_drawn():
    import scratchml

    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    model = scratchml.Sequential(scratchml.Linear(2, 2, rng=rng))
    history = scratchml.fit(
        model,
        scratchml.CrossEntropyLoss(),
        scratchml.SGD(0.1),
        (x, y),
        validation=(x, y),
        epochs=2,
        batch_size=5,
        rng=rng,
        progress=False,
    )
    assert len(plots.learning_curves(history).lines) == 2
    assert (
        len(plots.learning_curves({"a": history, "b": history}, "accuracy").lines) == 4
    )
    ax = plots.decision_boundary(
        lambda points: scratchml.softmax(model.forward(points))[:, 1], x, y
    )
    assert len(ax.collections) == 3  # the line, and the points of two classes


def test_curves_take_logarithmic_axes():
    ax = plots.curves([1, 10], {"loss": [1, 2]}, log="x")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert plots.curves([1, 10], {"loss": [1, 2]}, log="xy").get_yscale() == "log"


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_boundary_runs_between_the_classes(shape):
    def predict(x):
        return (1 / (1 + np.exp(-4 * (x[:, 0] - 0.5)))).reshape(shape)

    x = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    ax = plots.decision_boundary(
        predict, x, np.array([0, 0, 1, 1]), classes=["left", "right"]
    )
    line = ax.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(line[:, 0], 0.5, atol=1e-6)
    shade = np.asarray(ax.images[0].get_array())
    assert shade.shape == (200, 200, 3)
    assert shade[:, 0, 2].max() < shade[:, -1, 2].min()  # blue on the right: class 1
    points = ax.collections[1:]
    blue = mpl.colors.to_rgb(plots.FOR)
    np.testing.assert_array_equal(points[1].get_facecolor()[0, :3], blue)
    assert [p.get_label() for p in points] == ["left", "right"]
    assert (
        len({tuple(p.get_paths()[0].vertices.ravel()) for p in points}) == 2
    )  # marker by class


def test_boundary_of_hard_decisions():
    x = np.array([[0.0, 0], [1, 0], [0, 1]])
    assert (
        len(plots.decision_boundary(lambda p: p[:, 0] > 0.5, x, [0, 1, 0]).collections)
        == 3
    )
    assert plots.decision_boundary(lambda p: np.zeros(len(p)), x, np.zeros(3)).images


@pytest.mark.parametrize(
    "dtype, seen",
    [(np.float64, np.float64), (np.float32, np.float32), (int, np.float32)],
)
def test_model_gets_points_of_the_type_it_was_trained_on(dtype, seen):
    def predict(points):
        assert points.dtype == seen and points.shape == (40000, 2)
        return np.full(len(points), 0.5)

    plots.decision_boundary(predict, np.eye(2).astype(dtype), [0, 1])


def test_confusion_colours_only_the_mistakes():
    ax = plots.confusion(np.array([[90, 3], [0, 80]]), ["cat", "dog"])
    shown = np.asarray(ax.images[0].get_array())
    assert shown.tolist() == [[0, 3], [0, 0]]
    assert texts(ax) == ["90", "3", "80"]  # zeros stay empty
    assert [t.get_position() for t in ax.texts][1] == (
        1,
        0,
    )  # row true, column predicted
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cat", "dog"]
    assert texts(plots.confusion(np.array([[2 / 3, 1 / 3], [0, 1]]))) == [
        "0.67",
        "0.33",
        "1.0",
    ]
    assert texts(plots.confusion(np.eye(2, dtype=int))) == ["1", "1"]


def test_numbers_on_the_darkest_mistake_are_readable():
    """WCAG asks for a contrast of 4.5; the darkest cell carries black ink, the diagonal
    grey.
    """

    def luminance(colour):
        c = np.array(mpl.colors.to_rgb(colour))
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [
            0.2126,
            0.7152,
            0.0722,
        ]

    ax = plots.confusion(np.array([[5, 9], [2, 5]]))
    for text in ax.texts:
        j, i = text.get_position()
        cell = ax.images[0].to_rgba(ax.images[0].get_array()[i, j])[:3]
        dark, light = sorted([luminance(text.get_color()), luminance(cell)])
        assert (light + 0.05) / (dark + 0.05) > 4.5


def test_gradient_norms_are_told_apart_by_marker_and_colour():
    ax = plots.gradient_norms({"sigmoid": [1e-9, 1e-8, 0.1], "ReLU": [0.3, 0.2, 0.1]})
    assert ax.get_yscale() == "log"
    assert [line.get_label() for line in ax.lines] == ["sigmoid", "ReLU"]
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert ax.lines[0].get_color() != ax.lines[1].get_color()


def test_optimizer_paths_lie_on_contours():
    path = np.array([[-4.0, 1], [-2, 0.5], [0.5, 0]])
    ax = plots.optimizer_paths(
        lambda w: w[:, 0] ** 2 + 30 * w[:, 1] ** 2,
        {"SGD": path},
        limits=(-5, 1, -1, 2),
        optimum=(0, 0),
    )
    np.testing.assert_array_equal(np.transpose(ax.lines[0].get_data()), path)
    assert (*ax.get_xlim(), *ax.get_ylim()) == (-5, 1, -1, 2) and len(
        ax.collections
    ) >= 1


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.integers(1940, 2020),
            st.text("abcdefg ", min_size=1, max_size=50),
            st.sampled_from(["idea", "data"]),
        ),
        min_size=1,
        max_size=15,
    )
)
def test_timeline_labels_never_overlap(events):
    ax = plots.timeline(events)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent().padded(-1) for text in ax.texts]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
    for line in ax.lines[
        :-1
    ]:  # and no stem crosses a label; the last is the line of time
        x, top = ax.transData.transform((line.get_xdata()[0], line.get_ydata()[1]))
        assert not any(box.x0 < x < box.x1 and top > box.y0 + 1 for box in boxes)
    plt.close(ax.figure)


def test_timeline_shades_periods_and_names_kinds():
    ax = plots.timeline(data()["timeline"][0][0])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["idea", "winter"]
    assert len(ax.patches) == 1
    assert any(
        "1958" in text and "perceptron" in text.replace("\n", " ") for text in texts(ax)
    )


def test_network_draws_every_unit_or_says_how_many():
    ax = plots.network([2, 3, 1], labels=["in", "hidden", "out"])
    assert len(ax.lines) == 2 * 3 + 3 * 1
    assert [len(c.get_offsets()) for c in ax.collections] == [2, 3, 1]
    assert texts(ax) == ["in\n2", "hidden\n3", "out\n1"]
    ax = plots.network([784, 10], labels=["pixels", "scores"], most=8)
    assert [len(c.get_offsets()) for c in ax.collections] == [7, 7]
    assert texts(ax).count("⋮") == 2 and "pixels\n784" in texts(ax)


def test_network_weights_show_sign_and_size():
    ax = plots.network(
        [2, 1], labels=["in", "out"], weights=[np.array([[2.0], [-1.0]])]
    )
    strong, weak = ax.lines
    assert (strong.get_color(), weak.get_color()) == (
        plots.FOR,
        plots.AGAINST,
    )
    assert strong.get_linewidth() > weak.get_linewidth()


def test_bars_write_the_numbers_out():
    ax = plots.bars(
        [0.8, 0.9], ["a", "b"], [0.02, 0.01], xlabel="accuracy", number="{:.2f}"
    )
    assert texts(ax) == ["0.80 ± 0.02", "0.90 ± 0.01"]
    assert [bar.get_width() for bar in ax.patches] == [0.8, 0.9]
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "a",
        "b",
    ] and ax.yaxis_inverted()
    assert texts(plots.bars([-0.5, 2], ["a", "b"])) == ["-0.5", "2"]


# ------------------------------------------------------------------------- explanations

CELLS = np.arange(64).reshape(8, 8) // 16


def test_evidence_fades_towards_zero_and_shares_a_scale():
    weights = np.array([2.0, -1, 0, 0.5])
    ax = plots.image_evidence(np.eye(8), CELLS, weights)
    alpha = np.asarray(ax.images[1].get_array())[::2, 0, 3]
    np.testing.assert_allclose(alpha, 0.85 * np.array([1, 0.5, 0, 0.25]))
    ax = plots.image_evidence(np.eye(8), CELLS, weights, scale=4, colorbar=False)
    alpha = np.asarray(ax.images[1].get_array())[::2, 0, 3]
    np.testing.assert_allclose(alpha, 0.85 * np.array([0.5, 0.25, 0, 0.125]))
    assert len(ax.figure.axes) == 1
    nothing = plots.image_evidence(np.eye(8), CELLS, np.zeros(4))
    assert not np.asarray(nothing.images[1].get_array())[..., 3].any()
    edges = nothing.collections[0].get_segments()
    assert {tuple(np.ravel(edge)[1::2]) for edge in edges} == {
        (y, y) for y in (1.5, 3.5, 5.5)
    }


@pytest.mark.parametrize("colour", [True, False])
def test_the_strongest_parts_are_shown_and_the_rest_is_grey(colour):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 8, 3) if colour else (8, 8)).astype(np.uint8)
    ax = plots.top_parts(image, CELLS, np.array([-9.0, 0.1, 0.3, 0.2]), k=2)
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape == (8, 8, 3)
    assert (drawn[:4] == 0.72).all(), "against, or not strong enough"
    if colour:
        np.testing.assert_allclose(drawn[4:], image[4:] / 255)
    else:
        assert len(np.unique(drawn[4:])) > 10
    few = plots.top_parts(image, CELLS, np.array([-9.0, 0, 0.3, -2]), k=5)
    grey = (np.asarray(few.images[0].get_array()) == 0.72).all(axis=-1)
    assert grey[:4].all() and not grey[4:6].all() and grey[6:].all()


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_perturbed_copies_are_those_that_were_asked_about(shape):
    image = np.random.default_rng(0).uniform(0.1, 1, shape)
    explanation = explained(image)
    ax = plots.perturbed_copies(explanation, 1, k=6, columns=3)
    assert texts(ax) == [f"p = {p:.2f}" for p in explanation.predictions[:6, 1]]
    canvas = np.asarray(ax.images[0].get_array())
    height, width = canvas.shape[0] // 2, (canvas.shape[1] + 1) // 3
    copies = explanation.perturb(explanation.masks)
    for k in range(6):
        row, column = divmod(k, 3)
        tile = canvas[(row + 1) * height - 8 : (row + 1) * height]
        tile = tile[:, column * width : column * width + 8]
        np.testing.assert_allclose(tile, copies[k])
    other = plots.perturbed_copies(explanation, 0, k=2)
    assert texts(other) == [f"p = {p:.2f}" for p in explanation.predictions[:2, 0]]


def test_perturbed_copies_are_images():
    words = explain_text(
        lambda batch: np.full((len(batch), 2), 0.5), "a b", n_samples=9, progress=False
    )
    with pytest.raises(ValueError, match=r"explanation\.perturb"):
        plots.perturbed_copies(words)
    number = explain_image(
        lambda b: b.mean(axis=(1, 2)), np.eye(8), mode="regression", progress=False
    )
    assert texts(plots.perturbed_copies(number, k=1)) == ["y = 0.12"]


def test_names_are_drawn_as_they_stand():
    """Neither half a character nor a formula in dollar signs stops a picture."""
    names = ["\ud83d", "$x^$ costs $5", "plain"]
    evidence = [Evidence(name, 1.0, 0.5, 1.5, 0) for name in names]
    ax = plots.evidence_bars(evidence)
    ax.figure.canvas.draw()
    drawn = [label.get_text() for label in ax.get_yticklabels()]
    assert drawn == ["?", "$x^$ costs $5", "plain"]


def test_a_figure_says_in_words_what_it_shows():
    figure, (left, right) = plt.subplots(1, 2)
    figure.suptitle("Two curves")
    left.set(title="it falls", xlabel="epoch", ylabel="loss")
    right.set_title("it\nrises", loc="left")
    assert (
        plots.alt_text(figure) == "Two curves. it falls: loss against epoch. it rises"
    )
    assert plots.alt_text(plt.figure()) == ""


def test_a_notebooks_figures_are_sharp_and_small():
    figure, axes = plt.subplots(figsize=(4, 3), dpi=90)
    axes.set_title("a finding")
    data, told = plots._sharp_png(figure)
    picture = plt.imread(io.BytesIO(data))
    assert picture.shape[1] == pytest.approx(2 * told["width"], abs=1)
    assert 250 < told["width"] < 400 and told["alt"] == "a finding"
