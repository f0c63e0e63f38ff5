"""Each optimizer against steps worked out by hand, and clipping."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchml import (
    SGD,
    AdaGrad,
    Adam,
    Layer,
    Linear,
    Optimizer,
    RMSProp,
    Sequential,
    clip_gradients,
    gradient_norm,
)


def walk(optimizer, gradients, start=0.0):
    """The positions of one number, step by step."""
    p, state, path = np.array([start]), {}, []
    for g in gradients:
        optimizer.update(p, np.array([g]), state)
        path.append(float(p[0]))
    return path


def test_sgd_walks_downhill_by_lr_times_g():
    assert walk(SGD(0.1), [1, -2, 3]) == pytest.approx([-0.1, 0.1, -0.2])


def test_momentum_remembers():
    # v = 1, 1.9, 2.71
    assert walk(SGD(0.1, momentum=0.9), [1, 1, 1]) == pytest.approx(
        [-0.1, -0.29, -0.561]
    )


def test_nesterov_looks_ahead():
    # g + 0.9 v = 1.9, 2.71, 3.439
    assert walk(SGD(0.1, momentum=0.9, nesterov=True), [1, 1, 1]) == pytest.approx(
        [-0.19, -0.461, -0.8049]
    )


def test_adagrad_slows_down():
    steps = -np.diff([0, *walk(AdaGrad(0.1), [2, 2, 2, 2])])
    np.testing.assert_allclose(
        steps, [0.1 / math.sqrt(t) for t in (1, 2, 3, 4)], rtol=1e-9
    )


def test_rmsprop_forgets():
    steps = -np.diff([0, *walk(RMSProp(0.1, beta=0.5), [2] * 40)])
    s = [1 - 0.5**t for t in range(1, 41)]
    np.testing.assert_allclose(steps, 0.1 / np.sqrt(s), rtol=1e-7)
    assert steps[-1] == pytest.approx(0.1, rel=1e-6)


def test_adam_corrects_its_start_at_zero():
    """A constant gradient gives steps of exactly lr, whatever its size; the planted bug
    grows.
    """
    for g in (1, 1e-3, 1e3):
        steps = -np.diff([0, *walk(Adam(0.001), [g] * 20)])
        np.testing.assert_allclose(steps, 0.001, rtol=2e-5)


def test_adam_keeps_a_count_per_parameter():
    """A layer that joins late starts its own bias correction."""
    optimizer, early, late = Adam(0.1), {}, {}
    p, q = np.zeros(1), np.zeros(1)
    for _ in range(5):
        optimizer.update(p, np.ones(1), early)
    optimizer.update(q, np.ones(1), late)
    assert q[0] == pytest.approx(-0.1)
    assert (early["k"], late["k"]) == (5, 1)


@pytest.mark.parametrize("momentum", [-0.1, 1, 2])
def test_sgd_wants_a_momentum_below_one(momentum):
    with pytest.raises(ValueError, match=f"0 <= momentum < 1, got {momentum}"):
        SGD(0.1, momentum=momentum)


def test_nesterov_wants_a_momentum():
    with pytest.raises(
        ValueError, match=r"nesterov=True\) needs a momentum > 0: try momentum=0.9"
    ):
        SGD(0.1, nesterov=True)


def test_a_new_optimizer_is_one_method():
    class SignSGD(Optimizer):
        def update(self, p, g, state):
            p -= self.lr * np.sign(g)

    model = two_weights([3.0, -4.0])
    SignSGD(0.5).step(model)
    np.testing.assert_array_equal(model.params["a"], [-0.5])
    np.testing.assert_array_equal(model.params["b"], [0.5])
    with pytest.raises(NotImplementedError, match=r"needs an update\(p, g, state\)"):
        Optimizer(0.1).step(two_weights([1.0, 1.0]))


def test_a_model_without_parameters_is_an_error_that_says_where_they_are_sought():
    class Hidden(Layer):
        def __init__(self):
            self.make = lambda: Linear(2, 2, rng=np.random.default_rng(0))

    with pytest.raises(
        ValueError,
        match=r"Hidden\(\) has no parameters to train.*self\.params.* by attribute: "
        r"self\.hidden = Linear\(\.\.\.\), or a list, tuple or dict",
    ):
        SGD(0.1).step(Hidden())


# ----------------------------------------------------------------------------- clipping


def two_weights(gradient):
    model = Layer()
    model.params = {"a": np.zeros(1), "b": np.zeros(1)}
    model.grads = {"a": np.array(gradient[:1]), "b": np.array(gradient[1:])}
    return model


def test_clipping_shortens_all_gradients_by_one_factor():
    model = two_weights([3.0, -4.0])
    assert gradient_norm(model) == 5
    assert clip_gradients(model, 1) == 5  # the norm before
    np.testing.assert_allclose([model.grads["a"][0], model.grads["b"][0]], [0.6, -0.8])
    assert clip_gradients(model, 1) == pytest.approx(1)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=2), st.floats(1e-3, 100))
def test_clipping_never_lengthens_and_never_turns(gradient, max_norm):
    model = two_weights(gradient)
    norm = clip_gradients(model, max_norm)
    assert norm == pytest.approx(math.hypot(*gradient))
    if norm <= max_norm:
        np.testing.assert_array_equal(
            [model.grads["a"][0], model.grads["b"][0]], gradient
        )
    else:
        assert gradient_norm(model) == pytest.approx(max_norm)
        assert model.grads["a"][0] * gradient[1] == pytest.approx(
            model.grads["b"][0] * gradient[0]
        )


def test_clipping_reaches_into_nested_layers_in_place():
    rng = np.random.default_rng(0)
    model = Sequential(Sequential(Linear(3, 4, rng=rng)), Linear(4, 2, rng=rng))
    x = rng.standard_normal((5, 3), dtype=np.float32)
    model.backward(100 * model.forward(x))
    arrays = model.gradients()
    clip_gradients(model, 0.5)
    assert all(
        model.gradients()[name] is g and g.dtype == np.float32
        for name, g in arrays.items()
    )
    assert gradient_norm(model) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("max_norm", [0, -1, float("nan")])
def test_clipping_wants_a_positive_norm(max_norm):
    with pytest.raises(ValueError, match=f"max_norm > 0, got {max_norm}"):
        clip_gradients(two_weights([1.0, 1.0]), max_norm)
