"""Each loss against its definition, and where definitions overflow."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scratchml import (
    L1,
    L2,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Loss,
    MSELoss,
    Penalty,
    Softmax,
    softmax,
)

scores_2d = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    elements=st.floats(-50, 50),
)


def labels_for(scores, seed=0):
    return np.random.default_rng(seed).integers(0, scores.shape[-1], scores.shape[:-1])


# -------------------------------------------------------------------------- MSE and BCE


@given(scores_2d)
def test_mse_is_the_mean_of_the_squares(scores):
    target = np.cos(scores)
    loss = MSELoss()
    total = sum((s - t) ** 2 for s, t in zip(scores.flat, target.flat, strict=True))
    expected = total / scores.size
    assert loss.forward(scores, target) == pytest.approx(
        expected, rel=1e-12, abs=1e-300
    )
    np.testing.assert_allclose(
        loss.backward(), 2 * (scores - target) / scores.size, rtol=1e-12
    )


def test_mse_never_broadcasts():
    with pytest.raises(ValueError, match=r"MSELoss\(\) expects .*\(5, 1\), got \(5,\)"):
        MSELoss().forward(np.ones((5, 1)), np.ones(5))


@given(arrays(np.float64, st.integers(1, 6), elements=st.floats(-30, 30)))
def test_bce_is_the_surprise_at_yes_or_no(scores):
    target = (np.arange(len(scores)) % 2).astype(float)
    p = 1 / (1 + np.exp(-scores))
    q = 1 / (1 + np.exp(scores))  # 1 - p without the cancellation
    expected = -np.mean(target * np.log(p) + (1 - target) * np.log(q))
    loss = BCEWithLogitsLoss()
    assert loss.forward(scores, target) == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(
        loss.backward(), (p - target) / len(scores), rtol=1e-9, atol=1e-15
    )


def test_bce_takes_answers_of_any_type_between_0_and_1():
    scores = np.array([0.5, -1.0, 2.0])
    values = [
        BCEWithLogitsLoss().forward(scores, np.array([1, 0, 1], kind))
        for kind in (bool, int, np.uint8, np.float32)
    ]
    assert values == [values[0]] * 4
    assert BCEWithLogitsLoss().forward(np.zeros(1), np.array([0.3])) == pytest.approx(
        math.log(2)
    )
    for wrong in ([0, 2, 1], [0, -1, 1]):
        with pytest.raises(ValueError, match=r"targets in \[0, 1\], got"):
            BCEWithLogitsLoss().forward(scores, np.array(wrong))


def test_two_classes_are_one_yes_or_no_question():
    rng = np.random.default_rng(0)
    scores, y = rng.standard_normal((6, 2)), rng.integers(0, 2, 6)
    both = CrossEntropyLoss().forward(scores, y)
    assert BCEWithLogitsLoss().forward(scores[:, 1] - scores[:, 0], y) == pytest.approx(
        both
    )


# ------------------------------------------------------------------------ cross-entropy


@given(scores_2d)
def test_cross_entropy_is_the_mean_surprise(scores):
    y = labels_for(scores)
    loss = CrossEntropyLoss()
    expected = 0.0
    for s, t in zip(scores, y, strict=True):
        top = max(s)
        expected += math.log(math.fsum(math.exp(v - top) for v in s)) + top - s[t]
    assert loss.forward(scores, y) == pytest.approx(
        expected / len(y), rel=1e-9, abs=1e-12
    )
    one_hot = np.eye(scores.shape[-1])[y]
    np.testing.assert_allclose(
        loss.backward(), (softmax(scores) - one_hot) / len(y), rtol=1e-9, atol=1e-13
    )


@given(scores_2d)
def test_integers_and_one_hot_rows_are_the_same_target(scores):
    y, classes = labels_for(scores), scores.shape[-1]
    results = []
    for target in (
        y,
        y.astype(np.int8),
        np.eye(classes)[y],
        np.eye(classes, dtype=int)[y],
        np.eye(classes, dtype=bool)[y],
    ):
        loss = CrossEntropyLoss()
        results.append((loss.forward(scores, target), loss.backward()))
    for value, ds in results:
        assert value == pytest.approx(results[0][0], rel=1e-12, abs=1e-13)
        np.testing.assert_allclose(ds, results[0][1], rtol=1e-12, atol=1e-15)


@given(scores_2d, st.floats(-1e3, 1e3))
def test_a_shift_of_all_scores_changes_nothing(scores, shift):
    y, loss = labels_for(scores), CrossEntropyLoss()
    value = loss.forward(scores, y)
    assert loss.forward(scores + shift, y) == pytest.approx(value, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(loss.backward().sum(axis=-1), 0, atol=1e-12)


def test_a_sequence_is_so_many_rows():
    rng = np.random.default_rng(0)
    scores, y = rng.standard_normal((3, 4, 5)), rng.integers(0, 5, (3, 4))
    long, flat = CrossEntropyLoss(), CrossEntropyLoss()
    assert long.forward(scores, y) == pytest.approx(
        flat.forward(scores.reshape(12, 5), y.ravel())
    )
    np.testing.assert_allclose(long.backward().reshape(12, 5), flat.backward())


def test_soft_targets_are_rows_of_probabilities():
    scores, target = np.array([[1.0, 2.0, 0.5]]), np.array([[0.2, 0.5, 0.3]])
    loss = CrossEntropyLoss()
    expected = -(target * np.log(softmax(scores))).sum()
    assert loss.forward(scores, target) == pytest.approx(expected)
    np.testing.assert_allclose(loss.backward(), softmax(scores) - target)


def test_no_idea_costs_log_c():
    value = CrossEntropyLoss().forward(np.zeros((3, 10)), np.arange(3))
    assert value == pytest.approx(math.log(10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [100, 1e4, 1e30])
def test_huge_scores_stay_finite_and_silent(dtype, size):
    scores = np.array([[size, -size, 0], [-size, size, size]], dtype)
    targets = {CrossEntropyLoss: np.array([1, 0]), BCEWithLogitsLoss: np.ones((2, 3))}
    for kind, target in targets.items():
        loss = kind()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value, ds = loss.forward(scores, target), loss.backward()
        assert math.isfinite(value) and value > 0
        assert np.isfinite(ds).all()


def test_cross_entropy_keeps_learning_where_mse_on_softmax_has_stopped():
    """Surely wrong: the gradient of the one is full, of the other nothing."""
    scores, y = np.array([[20.0, -20.0]]), np.array([1])
    loss = CrossEntropyLoss()
    loss.forward(scores, y)
    assert np.abs(loss.backward()).max() == pytest.approx(1)
    layer, mse = Softmax(), MSELoss()
    mse.forward(layer.forward(scores), np.eye(2)[y])
    assert np.abs(layer.backward(mse.backward())).max() < 1e-15


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.array([0, 3, 1]), r"expects classes 0\.\.2, got 0\.\.3"),
        (np.array([0, -100, 1]), r"0\.\.2, got -100\.\.1; there is no ignore_index"),
        (
            np.array([0.0, 1.0, 2.0]),
            r"integer classes of shape \(3,\) or one-hot rows of shape \(3, 3\)"
            r", got float64 of shape \(3,\)$",
        ),
        (np.array([[0], [1], [2]]), r"got int64 of shape \(3, 1\)"),
        (np.array([0, 1]), r"got int64 of shape \(2,\)"),
        (np.ones((3, 3)), "one-hot rows that sum to 1"),
        (np.full((3, 3), np.nan), "one-hot rows that sum to 1"),
    ],
)
def test_cross_entropy_names_what_does_not_fit(target, message):
    with pytest.raises(ValueError, match=rf"CrossEntropyLoss\(\).*{message}"):
        CrossEntropyLoss().forward(np.zeros((3, 3)), target)


def test_classes_second_as_in_pytorch_are_noticed():
    with pytest.raises(ValueError, match="classes of the scores come last, not second"):
        CrossEntropyLoss().forward(np.zeros((4, 3, 5)), np.zeros((4, 5), int))
    with pytest.raises(ValueError, match=r"got int64 of shape \(4, 7\)$"):
        CrossEntropyLoss().forward(np.zeros((4, 3, 5)), np.zeros((4, 7), int))


@pytest.mark.parametrize("kind", [MSELoss, CrossEntropyLoss, BCEWithLogitsLoss])
@pytest.mark.parametrize("option", ["weight", "reduction", "ignore_index"])
def test_options_of_pytorch_that_ours_lack_are_named(kind, option):
    with pytest.raises(TypeError, match=rf"{kind.__name__} has no {option}: "):
        kind(**{option: None})


# ---------------------------------------------------------------------------- penalties


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 4)),
        elements=st.floats(-10, 10),
    ),
    st.floats(0, 10),
)
def test_penalties_are_their_formulas(W, strength):
    first, second = L1(strength), L2(strength)
    assert first.forward(W) == pytest.approx(strength * sum(abs(w) for w in W.flat))
    assert second.forward(W) == pytest.approx(strength / 2 * sum(w * w for w in W.flat))
    np.testing.assert_allclose(first.backward(), strength * np.sign(W))
    np.testing.assert_allclose(second.backward(), strength * W)


@pytest.mark.parametrize("kind", [L1, L2])
def test_penalties_keep_float32_whatever_the_strength_comes_from(kind):
    penalty = kind(np.logspace(-4, -2, 3)[1])
    penalty.forward(np.ones((2, 2), np.float32))
    assert penalty.backward().dtype == np.float32
    assert repr(penalty) == f"{kind.__name__}(0.001)"


def test_an_unfinished_penalty_says_what_it_needs():
    class Mine(Penalty):
        pass

    with pytest.raises(NotImplementedError, match=r"Mine\(0\.1\) needs a forward\(W\)"):
        Mine(0.1).forward(1)
    with pytest.raises(NotImplementedError, match=r"Mine\(0\.1\) needs a backward\(\)"):
        Mine(0.1).backward()
    assert not issubclass(Penalty, Loss)  # its forward takes no target


def test_an_unfinished_loss_says_what_it_needs():
    class Mine(Loss):
        pass

    with pytest.raises(
        NotImplementedError, match=r"Mine\(\) needs a forward\(scores, target\)"
    ):
        Mine().forward(1, 2)
    with pytest.raises(NotImplementedError, match=r"Mine\(\) needs a backward\(\)"):
        Mine().backward()
