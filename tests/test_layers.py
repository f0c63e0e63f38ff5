"""Each layer against its definition, written here as plainly as possible."""

import math
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scratchml import (
    SGD,
    Adam,
    BatchNorm,
    CheckFailed,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    fit,
    glorot,
    gradient_check,
    he,
    softmax,
    standard_normal,
    train_step,
)

finite = st.floats(-1e3, 1e3, width=32)


# ------------------------------------------------------------------------------- Linear


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_linear_is_sums_of_products(seed, n, t, n_in, n_out):
    rng = np.random.default_rng(seed)
    layer = Linear(n_in, n_out, rng=rng, dtype=np.float64)
    layer.params["b"] = rng.standard_normal(n_out)
    W, b = layer.params["W"], layer.params["b"]
    x, dy = rng.standard_normal((n, t, n_in)), rng.standard_normal((n, t, n_out))
    y, dx = layer.forward(x), layer.backward(dy)
    dW, db, dx_expected = np.zeros_like(W), np.zeros_like(b), np.zeros_like(x)
    for i in range(n):
        for j in range(t):
            for o in range(n_out):
                total = b[o]
                db[o] += dy[i, j, o]
                for k in range(n_in):
                    total += x[i, j, k] * W[k, o]
                    dW[k, o] += x[i, j, k] * dy[i, j, o]
                    dx_expected[i, j, k] += dy[i, j, o] * W[k, o]
                assert y[i, j, o] == pytest.approx(total, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(layer.grads["W"], dW, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.grads["b"], db, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx, dx_expected, rtol=1e-12, atol=1e-12)

    # A sequence is so many rows: (N, T, D) gives what (N*T, D) gives.
    gradients = layer.gradients()
    rows = layer.forward(x.reshape(n * t, n_in))
    np.testing.assert_allclose(rows.reshape(n, t, n_out), y, rtol=1e-12, atol=1e-12)
    layer.backward(dy.reshape(n * t, n_out))
    for name, g in layer.gradients().items():
        np.testing.assert_allclose(g, gradients[name], rtol=1e-12, atol=1e-12)


def test_linear_names_itself_and_both_shapes(rng):
    layer = Linear(4, 3, rng=rng)
    with pytest.raises(
        ValueError, match=r"Linear\(4 -> 3\) expects \(N, 4\), got \(2, 5\)"
    ):
        layer.forward(np.ones((2, 5), np.float32))
    with pytest.raises(ValueError, match=r"expects \(N, 4\), got \(4,\)"):
        layer.forward(np.ones(4, np.float32))
    with pytest.raises(ValueError, match=r"Linear.*\(2, 3\), got \(2, 4\)"):
        layer.forward(np.ones((2, 4), np.float32))
        layer.backward(np.ones((2, 4), np.float32))


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8, bool])
def test_linear_names_both_dtypes_and_the_remedy(rng, dtype):
    with pytest.raises(
        TypeError, match=rf"float32 weights and got {np.dtype(dtype)}: .*astype"
    ):
        Linear(4, 3, rng=rng).forward(np.ones((2, 4), dtype))
    y = Linear(4, 3, rng=rng).astype(np.float64).forward(np.ones((2, 4)))
    assert y.dtype == np.float64


@pytest.mark.parametrize(
    ("init", "variance"),
    [(glorot, 2 / (400 + 300)), (he, 2 / 400), (standard_normal, 1)],
)
def test_initialisations_have_the_variance_they_promise(rng, init, variance):
    W = Linear(400, 300, rng=rng, init=init).params["W"]
    assert W.dtype == np.float32
    assert W.var() == pytest.approx(variance, rel=0.02)
    assert abs(W.mean()) < 4 * math.sqrt(variance / W.size)


def test_he_keeps_the_signal_through_relu_and_unscaled_saturates(rng):
    x = rng.standard_normal((200, 100), dtype=np.float32)
    deep = Sequential(
        *(
            layer
            for _ in range(10)
            for layer in (Linear(100, 100, rng=rng, init=he), ReLU())
        )
    )
    assert 0.3 < np.square(deep.forward(x)).mean() / np.square(x).mean() < 3
    units = Sequential(Linear(100, 100, rng=rng, init=standard_normal), Tanh()).forward(
        x
    )
    assert (np.abs(units) > 0.99).mean() > 0.7


def test_an_initialisation_of_your_own(rng):
    def zero(shape, fan_in, fan_out, rng):
        return np.zeros(shape) + fan_in + 10 * fan_out

    np.testing.assert_array_equal(
        Linear(2, 3, rng=rng, init=zero).params["W"], np.full((2, 3), 32)
    )


def test_the_same_generator_state_gives_the_same_weights():
    first, second, other = (
        Linear(4, 3, rng=np.random.default_rng(s)).params for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first["W"], second["W"])
    assert not np.array_equal(first["W"], other["W"])
    assert not first["b"].any()


# --------------------------------------------------------------------------- Sequential


def test_sequential_names_parameters_by_position(rng):
    model = Sequential(
        Linear(4, 3, rng=rng), ReLU(), Sequential(Linear(3, 2, rng=rng), Tanh())
    )
    assert list(model.parameters()) == ["0.W", "0.b", "2.0.W", "2.0.b"]
    assert model.parameters()["2.0.W"] is model.layers[2].layers[0].params["W"]
    assert model.gradients() == {}
    assert (
        repr(model)
        == "Sequential(Linear(4 -> 3), ReLU(), Sequential(Linear(3 -> 2), Tanh()))"
    )


def test_sequential_switches_and_converts_its_children(rng):
    model = Sequential(Sequential(Dropout(0.5, rng=rng)), Linear(2, 2, rng=rng))
    inner = model.layers[0].layers[0]
    assert inner.training
    model.eval()
    assert not inner.training
    model.train()
    assert inner.training
    model.train(False)
    assert not model.training and not inner.training
    assert model.astype(np.float64).parameters()["1.b"].dtype == np.float64


@pytest.mark.parametrize("wrong", [[ReLU(), ReLU()], np.tanh, None, ReLU])
def test_sequential_takes_layers_and_nothing_else(wrong):
    with pytest.raises(
        TypeError, match="Sequential takes layers, one argument each, got"
    ):
        Sequential(wrong)


def test_an_unfinished_layer_says_what_it_needs():
    class Mine(Layer):
        pass

    with pytest.raises(NotImplementedError, match=r"Mine\(\) needs a forward\(x\)"):
        Mine().forward(np.ones(2))
    with pytest.raises(NotImplementedError, match=r"Mine\(\) needs a backward\(dy\)"):
        Mine().backward(np.ones(2))


def test_layers_share_nothing_by_accident():
    first, second = Tanh(), Tanh()
    first.forward(np.ones((2, 2)))
    with pytest.raises(RuntimeError):
        second.backward(np.ones((2, 2)))
    with pytest.raises(TypeError):  # the empty defaults of the class cannot be filled
        first.params["W"] = np.ones(2)


def test_the_first_layer_may_leave_out_dx(rng):
    """Nobody learns below it; the gradients of the parameters stay the same."""
    model = Sequential(Flatten(), Linear(6, 4, rng=rng), ReLU(), Linear(4, 2, rng=rng))
    x, dy = (
        rng.standard_normal((3, 2, 3), dtype=np.float32),
        np.ones((3, 2), np.float32),
    )
    model.forward(x)
    assert model.backward(dy).shape == x.shape
    expected = model.gradients()
    model.layers[1].needs_input_grad = False
    for _ in range(2):
        model.forward(x)
        assert model.backward(dy) is None
        for name, g in model.gradients().items():
            np.testing.assert_array_equal(g, expected[name])
    with pytest.raises(
        CheckFailed, match=r"backward returns nothing.*leave needs_input_grad at True"
    ):
        gradient_check(model, x, rng=rng)


def test_a_forgotten_return_in_the_middle_is_noticed(rng):
    class Forgetful(Tanh):
        def backward(self, dy):
            super().backward(dy)

    model = Sequential(Linear(4, 3, rng=rng), Forgetful(), Linear(3, 2, rng=rng))
    with pytest.raises(RuntimeError, match=r"no gradient for .*0\.W"):
        train_step(
            model,
            CrossEntropyLoss(),
            SGD(0.1),
            np.ones((2, 4), np.float32),
            np.arange(2),
        )


# ----------------------------------------------------------------- layers inside layers


class Residual(Layer):
    """A block as PyTorch's users write it: `y = x + second(relu(first(x)))`."""

    def __init__(self, width, rng):
        self.first = Linear(width, width, rng=rng)
        self.relu = ReLU()
        self.second = Linear(width, width, rng=rng)

    def forward(self, x):
        return x + self.second.forward(self.relu.forward(self.first.forward(x)))

    def backward(self, dy):
        dh = self.second.backward(dy)
        return dy + self.first.backward(self.relu.backward(dh))


class Tower(Layer):
    """Layers in a list, a tuple, a dict, and lists of lists."""

    def __init__(self, width, classes, rng):
        self.blocks = [Residual(width, rng), [Residual(width, rng), "not a layer"]]
        self.rest = Tanh(), Dropout(0.1, rng=rng)
        self.heads = {"out": Linear(width, classes, rng=rng)}

    @property
    def order(self):
        return [self.blocks[0], self.blocks[1][0], *self.rest, self.heads["out"]]

    def forward(self, x):
        for layer in self.order:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.order):
            dy = layer.backward(dy)
        return dy


def test_layers_are_found_by_attribute_and_train(rng):
    model = Tower(4, 3, rng)
    names = [
        "blocks.0.first",
        "blocks.0.second",
        "blocks.1.0.first",
        "blocks.1.0.second",
        "heads.out",
    ]
    assert list(model.parameters()) == [f"{n}.{p}" for n in names for p in ("W", "b")]
    gradient_check(model.eval(), rng.standard_normal((5, 4)), rng=rng)
    x = rng.standard_normal((60, 4), dtype=np.float32)
    y = x[:, :3].argmax(axis=1)
    before = {name: p.copy() for name, p in model.parameters().items()}
    data = {"epochs": 30, "batch_size": 10, "rng": rng, "progress": False}
    history = fit(model, CrossEntropyLoss(), Adam(0.01), (x, y), **data)
    assert history["accuracy"][-1] > 0.9 > history["accuracy"][0]
    for name, p in model.parameters().items():
        assert not np.array_equal(p, before[name]), f"{name} never moved"


def test_modes_and_dtypes_reach_every_layer_inside(rng):
    model = Tower(4, 3, rng)
    inside = [layer for _, layer in model.named_layers()]
    assert len(inside) == 12 and {type(layer) for layer in inside} >= {ReLU, Dropout}
    model.eval()
    assert not any(layer.training for layer in inside)
    model.train()
    assert all(layer.training for layer in inside)
    model.astype(np.float64)
    assert {p.dtype for p in model.parameters().values()} == {np.dtype(np.float64)}


def test_a_layer_that_is_found_twice_counts_once(rng):
    model = Residual(3, rng)
    model.all = [model.first, model.relu, model.second]
    model.itself = model
    assert list(model.parameters()) == ["first.W", "first.b", "second.W", "second.b"]
    assert [name for name, _ in model.named_layers()] == [
        "",
        "first.",
        "relu.",
        "second.",
    ]
    assert list(dict(model.named_layers("model."))) == [
        "model.",
        "model.first.",
        "model.relu.",
        "model.second.",
    ]


def test_a_layer_above_is_kept_by_a_weak_reference(rng):
    """As an attribute it would be a layer inside: the walk ends all the same."""
    model = Sequential(Linear(2, 2, rng=rng))
    inner = model.layers[0]
    inner.above = model
    assert list(model.parameters()) == ["0.W", "0.b"]
    with pytest.raises(RecursionError):
        model.train()
    inner.above = weakref.ref(model)
    assert model.train().training


def test_a_sequential_finds_what_a_subclass_adds(rng):
    class WithBias(Sequential):
        def __init__(self, *layers):
            super().__init__(*layers)
            self.extra = Linear(2, 2, rng=rng)

    model = WithBias(Linear(3, 2, rng=rng))
    assert list(model.parameters()) == ["0.W", "0.b", "extra.W", "extra.b"]


def test_a_state_is_loaded_whole_or_not_at_all(rng):
    model = Sequential(Linear(4, 3, rng=rng), BatchNorm(3))
    before = {name: a.copy() for name, a in model.state_dict().items()}
    assert list(before) == [
        "0.W",
        "0.b",
        "1.gamma",
        "1.beta",
        "1.running_mean",
        "1.running_var",
    ]
    good = {name: a + 1 for name, a in before.items()}
    for wrong, message in [
        ({"1.running_mean": None}, r"1\.running_mean is missing$"),
        ({"2.W": np.ones(2)}, r"2\.W is not the model's$"),
        ({"0.W": np.ones((3, 4))}, r"0\.W has shape \(3, 4\), expected \(4, 3\)$"),
        ({"0.b": np.array(["a"] * 3)}, r"0\.b holds <U1, expected float32$"),
        (
            dict.fromkeys(good),
            r"0\.W is missing; .*1\.running_mean is missing and 1 more",
        ),
    ]:
        state = {name: a for name, a in (good | wrong).items() if a is not None}
        with pytest.raises(ValueError, match=rf"Sequential cannot load .*{message}"):
            model.load_state_dict(state)
        for name, a in model.state_dict().items():
            np.testing.assert_array_equal(a, before[name])
    arrays = model.state_dict()
    model.load_state_dict(good)
    for name, a in model.state_dict().items():
        np.testing.assert_array_equal(a, good[name])
        assert a is arrays[name]


def test_a_parameter_and_a_buffer_of_one_name_are_noticed(rng):
    layer = Linear(2, 2, rng=rng)
    layer.buffers = {"b": np.ones(2), "steps": np.zeros(1)}
    with pytest.raises(ValueError, match=r"a buffer of one name: \['0\.b'\]"):
        Sequential(layer).state_dict()


def test_buffers_are_cast_and_counters_stay_integers(rng):
    layer = BatchNorm(3)
    layer.buffers["steps"] = np.array(7)
    layer.astype(np.float64)
    assert {name: b.dtype for name, b in layer.buffers.items()} == {
        "running_mean": np.float64,
        "running_var": np.float64,
        "steps": np.int64,
    }


# -------------------------------------------------------------------------- activations


@given(
    arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=finite)
)
def test_activations_are_their_formulas(x):
    with np.errstate(over="ignore"):
        expected = {
            Sigmoid: 1 / (1 + np.exp(-x)),
            Tanh: np.tanh(x),
            ReLU: np.where(x > 0, x, 0),
            LeakyReLU: np.where(x > 0, x, 0.01 * x),
        }
    for kind, y in expected.items():
        np.testing.assert_allclose(kind().forward(x), y, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "layer", [Sigmoid(), Tanh(), ReLU(), LeakyReLU(), Softmax()], ids=repr
)
def test_activations_stay_finite_and_silent_for_huge_numbers(layer, dtype):
    x = np.array([[-1e4, -100, 0, 100, 1e4]], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = layer.forward(x)
        dx = layer.backward(np.ones_like(y))
    assert np.isfinite(y).all() and np.isfinite(dx).all()
    assert y.dtype == dx.dtype == dtype


def test_sigmoid_is_accurate_in_both_tails():
    y = Sigmoid().forward(np.array([-40.0, 0.0, 40.0]))
    np.testing.assert_allclose(y, [math.exp(-40), 0.5, 1], rtol=1e-15)


@pytest.mark.parametrize(
    ("layer", "at_zero"), [(ReLU(), 0), (LeakyReLU(0.1), 0.1)], ids=repr
)
def test_the_slope_at_exactly_zero_is_the_left_one(layer, at_zero):
    layer.forward(np.array([[-2.0, 0.0, 3.0]]))
    np.testing.assert_array_equal(
        layer.backward(np.ones((1, 3)))[0], [at_zero, at_zero, 1]
    )


@given(
    arrays(
        np.float64, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=finite
    ),
    st.floats(-1e3, 1e3),
)
def test_softmax_is_a_distribution_and_ignores_shifts(scores, shift):
    p = softmax(scores)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-12)
    np.testing.assert_allclose(softmax(scores + shift), p, rtol=1e-9, atol=1e-12)
    largest = np.take_along_axis(p, scores.argmax(axis=-1, keepdims=True), axis=-1)
    np.testing.assert_array_equal(largest, p.max(axis=-1, keepdims=True))
    np.testing.assert_array_equal(Softmax().forward(scores), p)


def test_softmax_backward_is_the_whole_jacobian(rng):
    layer, x, dy = Softmax(), rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    y, dx = layer.forward(x), layer.backward(dy)
    for i in range(3):
        jacobian = np.diag(y[i]) - np.outer(y[i], y[i])
        np.testing.assert_allclose(dx[i], jacobian @ dy[i], rtol=1e-12)


# ------------------------------------------------------------------------------ Dropout


@pytest.mark.parametrize("p", [0, 0.1, 0.5, 0.9])
def test_dropout_silences_a_share_p_and_keeps_the_mean(rng, p):
    layer, x = Dropout(p, rng=rng), np.ones((200, 500))
    y = layer.forward(x)
    assert (y == 0).mean() == pytest.approx(p, abs=0.01)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p))
    assert y.mean() == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(
        layer.backward(2 * x), 2 * y
    )  # the same mask, the same scale


def test_dropout_draws_a_new_mask_each_time_and_none_in_eval(rng):
    layer, x = Dropout(0.5, rng=rng), np.ones((20, 20), np.float32)
    assert not np.array_equal(layer.forward(x), layer.forward(x))
    layer.eval()
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_dropout_wants_a_probability_below_one(rng, p):
    with pytest.raises(
        ValueError, match=rf"Dropout expects a probability 0 <= p < 1, got {p}"
    ):
        Dropout(p, rng=rng)


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: Dropout(np.float64(0.5), rng=rng),
        lambda rng: LeakyReLU(np.float64(0.1)),
    ],
    ids=["Dropout", "Leaky"],
)
def test_numbers_out_of_an_array_do_not_turn_float32_into_float64(rng, make):
    """`for p in np.linspace(...)`: a numpy float64 is stronger than a float32 array."""
    assert make(rng).forward(np.ones((2, 2), np.float32)).dtype == np.float32


# ---------------------------------------------------------------------------- BatchNorm


def columns(x):
    """The numbers of each feature, batch and positions in one axis."""
    return np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)


shapes = st.sampled_from([(2, 1), (6, 4), (5, 3, 2, 4), (1, 2, 3, 3)])


@given(shapes, st.integers(0, 2**32 - 1))
def test_batch_norm_gives_each_feature_its_own_mean_and_spread(shape, seed):
    rng = np.random.default_rng(seed)
    layer = BatchNorm(shape[1], eps=0.0, dtype=np.float64)
    layer.params["gamma"] = rng.standard_normal(shape[1])
    layer.params["beta"] = rng.standard_normal(shape[1])
    y = layer.forward(10 * rng.standard_normal(shape) + 100)
    for feature, gamma, beta in zip(columns(y), *layer.params.values(), strict=True):
        assert feature.mean() == pytest.approx(beta, abs=1e-9)
        assert feature.std() == pytest.approx(abs(gamma), rel=1e-9)


@given(shapes, st.integers(0, 2**32 - 1))
def test_batch_norm_is_its_formulas(shape, seed):
    rng = np.random.default_rng(seed)
    layer = BatchNorm(shape[1], momentum=0.25, eps=0.5, dtype=np.float64)
    x = rng.standard_normal(shape)
    for name in layer.params:
        layer.params[name] = rng.standard_normal(shape[1])
    y = columns(layer.forward(x))
    mean, var = layer.buffers["running_mean"], layer.buffers["running_var"]
    for d, numbers in enumerate(columns(x)):
        n = len(numbers)
        gamma, beta = layer.params["gamma"][d], layer.params["beta"][d]
        m = sum(numbers) / n
        squares = sum((v - m) ** 2 for v in numbers)
        expected = [
            gamma * (v - m) / math.sqrt(squares / n + 0.5) + beta for v in numbers
        ]
        np.testing.assert_allclose(y[d], expected, rtol=1e-12, atol=1e-12)
        assert mean[d] == pytest.approx(0.25 * m, rel=1e-12, abs=1e-12)
        assert var[d] == pytest.approx(0.75 + 0.25 * squares / (n - 1), rel=1e-12)
    # In eval mode the running ones take their place, and stay.
    y = columns(layer.eval().forward(x))
    for d, numbers in enumerate(columns(x)):
        gamma, beta = layer.params["gamma"][d], layer.params["beta"][d]
        expected = gamma * (numbers - mean[d]) / math.sqrt(var[d] + 0.5) + beta
        np.testing.assert_allclose(y[d], expected, rtol=1e-12, atol=1e-12)
    assert mean is layer.buffers["running_mean"] and var is layer.buffers["running_var"]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 4, 5)])
def test_batch_norm_gradients_are_right_in_both_modes(rng, shape, training):
    layer = BatchNorm(shape[1])
    for _ in range(3):
        layer.forward(rng.standard_normal(shape, dtype=np.float32) * 3 + 1)
    layer.params["gamma"] += 0.3
    gradient_check(layer.train(training), rng.standard_normal(shape) * 2, rng=rng)


def test_batch_norm_may_leave_out_dx(rng):
    layer = BatchNorm(3)
    x = rng.standard_normal((4, 3), dtype=np.float32)
    layer.forward(x)
    layer.backward(x)
    expected = layer.grads
    layer.needs_input_grad = False
    layer.forward(x)
    assert layer.backward(x) is None
    for name, g in layer.grads.items():
        np.testing.assert_array_equal(g, expected[name])


def test_batch_norm_goes_back_in_the_mode_of_its_forward(rng):
    layer, x = BatchNorm(3), rng.standard_normal((4, 3), dtype=np.float32)
    layer.forward(x)
    dx = layer.backward(x)
    layer.forward(x)
    np.testing.assert_array_equal(layer.eval().backward(x), dx)


def test_batch_norm_learns_the_mean_of_many_batches(rng):
    layer = BatchNorm(2)
    for _ in range(200):
        layer.forward((rng.standard_normal((50, 2)) * [1, 3] + [5, -2]).astype("f4"))
    np.testing.assert_allclose(layer.buffers["running_mean"], [5, -2], atol=0.2)
    np.testing.assert_allclose(layer.buffers["running_var"], [1, 9], rtol=0.1)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 4), r"BatchNorm\(3\) expects \(N, 3\) or \(N, 3, H, W\), got \(5, 4\)"),
        ((5, 6, 3), r"got \(5, 6, 3\)"),
        ((3,), r"got \(3,\)"),
        ((1, 3), r"BatchNorm\(3\) needs more than one number a feature to train"),
        ((1, 3, 1, 1), r"more than one number .*batch_size that leaves no last batch"),
        ((0, 3), r"more than one number"),
    ],
)
def test_batch_norm_names_what_does_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        BatchNorm(3).forward(np.ones(shape, np.float32))


def test_batch_norm_predicts_for_a_single_example(rng):
    layer = BatchNorm(3).eval()
    x = rng.standard_normal((1, 3), dtype=np.float32)
    np.testing.assert_allclose(layer.forward(x), x, rtol=1e-4)
    assert layer.forward(x[:0]).shape == (0, 3)
    with pytest.raises(TypeError, match=r"BatchNorm\(3\) has float32 weights"):
        layer.forward(np.ones((2, 3)))


# ------------------------------------------------------------------------------ Flatten


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_flatten_keeps_the_order_and_finds_its_way_back(shape):
    x = np.arange(math.prod(shape), dtype=float).reshape(shape)
    layer = Flatten()
    y = layer.forward(x)
    assert y.shape == (shape[0], math.prod(shape[1:]))
    np.testing.assert_array_equal(y.ravel(), x.ravel())
    np.testing.assert_array_equal(layer.backward(y), x)
