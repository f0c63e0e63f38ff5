"""Every exported layer, loss, penalty and optimizer keeps the contract.

The classes are found in the package itself, and tests/usages.py says how to use them:
a new one goes through everything here without a line of its own.
"""

import contextlib
import copy
import importlib
import inspect

import numpy as np
import pytest
import usages
from hypothesis import given
from hypothesis import strategies as st

from scratchml import (
    L1,
    L2,
    SGD,
    Adam,
    CrossEntropyLoss,
    DivergedError,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    fit,
    gradient_check,
    gradient_norm,
    load_weights,
    predict,
    same,
    same_steps,
    save_weights,
    train_step,
)


def cases(groups):
    return [
        pytest.param(example, id=f"{kind.__name__}-{i}")
        for kind, group in groups.items()
        for i, example in enumerate(group)
    ]


ALL = usages.LAYERS | usages.LOSSES | usages.PENALTIES
each_layer = pytest.mark.parametrize("example", cases(usages.LAYERS))
each_loss = pytest.mark.parametrize("example", cases(usages.LOSSES | usages.PENALTIES))
each_data_loss = pytest.mark.parametrize("example", cases(usages.LOSSES))
each_optimizer = pytest.mark.parametrize("make", cases(usages.OPTIMIZERS))
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_class_has_an_example(kind):
    assert ALL[kind], usages.help_for(kind)
    for example in ALL[kind]:
        assert type(example.build()[0]) is kind


def random_like(y, seed=1):
    return np.random.default_rng(seed).standard_normal(y.shape).astype(y.dtype)


def read_only(array):
    """The same numbers where nobody may write, and with gaps between them in memory."""
    spread = np.repeat(array, 2, axis=-1)[..., ::2]
    spread.flags.writeable = False
    return spread


# ------------------------------------------------------------------------------- layers


@each_layer
def test_layer_gradients_are_right(example, capsys):
    layer, (x,) = example.build()
    gradient_check(layer, x, rng=np.random.default_rng(2))
    same(layer, copy.deepcopy(layer), x, rng=np.random.default_rng(2))
    assert capsys.readouterr().out.count("✓") == 2


@each_dtype
@each_layer
def test_layer_keeps_dtype_names_and_shapes(example, dtype):
    layer, (x,) = example.build(dtype)
    y = layer.forward(x)
    dx = layer.backward(random_like(y))
    assert y.dtype == dtype
    assert len(y) == len(x)
    if x.dtype.kind == "f":
        assert (dx.dtype, dx.shape) == (x.dtype, x.shape)
    parameters, gradients = layer.parameters(), layer.gradients()
    assert list(parameters) == list(gradients)
    for name, p in parameters.items():
        assert p.dtype == gradients[name].dtype == dtype
        assert p.shape == gradients[name].shape


@each_layer
def test_layer_leaves_its_inputs_alone(example):
    layer, (x,) = example.build()
    other = copy.deepcopy(layer)
    y = layer.forward(x)
    dy = random_like(y)
    x_before, dy_before = x.copy(), dy.copy()
    p_before = {name: p.copy() for name, p in layer.parameters().items()}
    layer.backward(dy)
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(dy, dy_before)
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(p, p_before[name])

    other_y = other.forward(read_only(x))  # would raise where anybody wrote
    np.testing.assert_allclose(other_y, y, rtol=1e-12, atol=1e-14)
    other.backward(read_only(dy))
    for name, g in other.gradients().items():
        np.testing.assert_allclose(g, layer.gradients()[name], rtol=1e-12, atol=1e-14)


@each_layer
def test_layer_gradients_are_arrays_of_their_own(example):
    """Clipping and penalties write into them."""
    layer, (x,) = example.build()
    dy = random_like(layer.forward(x))
    layer.backward(dy)
    for g in layer.gradients().values():
        assert g.flags.writeable
        for array in (x, dy, *layer.parameters().values()):
            assert not np.shares_memory(g, array)


@each_layer
def test_layer_assigns_its_gradients(example):
    layer, (x,) = example.build()
    layer.eval()
    found = []
    for scale in (1, 3, 1):
        y = layer.forward(scale * x if x.dtype.kind == "f" else x)
        layer.backward(random_like(y) * scale)
        found.append({name: g.copy() for name, g in layer.gradients().items()})
    for name, g in found[0].items():
        np.testing.assert_array_equal(g, found[2][name])
        assert not np.array_equal(g, found[1][name])


@each_layer
def test_layer_in_eval_mode_is_deterministic_and_treats_each_example_alone(example):
    layer, (x,) = example.build()
    assert layer.eval() is layer
    y = layer.forward(x)
    np.testing.assert_array_equal(layer.forward(x), y)
    one_by_one = np.concatenate([layer.forward(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(one_by_one, y, rtol=1e-12, atol=1e-14)
    assert layer.train() is layer
    assert layer.training


@each_layer
def test_layer_wants_one_forward_for_each_backward(example):
    layer, (x,) = example.build()
    fresh = copy.deepcopy(layer)
    with pytest.raises(RuntimeError, match=r"backward needs a forward before it"):
        fresh.backward(x)
    y = layer.forward(x)
    for wrong in (y.shape[1:], (*y.shape, 1), (len(y) + 1, *y.shape[1:])):
        with pytest.raises(
            ValueError, match=r"dy of its output's shape \(.*\), got \(.*\)"
        ):
            layer.backward(np.ones(wrong))
    layer.forward(x)
    layer.backward(np.ones_like(y))
    with pytest.raises(RuntimeError, match="one for each backward"):
        layer.backward(np.ones_like(y))


@each_layer
def test_layer_can_be_copied_and_turned_into_another_dtype(example):
    layer, (x,) = example.build()
    before = {name: p.copy() for name, p in layer.parameters().items()}
    layer.forward(x)  # a copy taken in mid-step, as the checks do
    other = copy.deepcopy(layer)
    for p in other.parameters().values():
        p += 1
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(p, before[name])
    assert other.astype(np.float32) is other
    assert {p.dtype for p in other.parameters().values()} <= {np.dtype(np.float32)}
    assert {p.dtype for p in layer.parameters().values()} <= {np.dtype(np.float64)}
    assert type(layer).__name__ in repr(layer)


@each_layer
def test_layer_learns_inside_a_network(example):
    """With a linear layer behind it, a few steps make the loss fall, in float32."""
    layer, (x,) = example.build(np.float32)
    rng = np.random.default_rng(3)
    features = layer.forward(x)[0].size
    model = Sequential(layer, Flatten(), Linear(features, 3, rng=rng))
    y = rng.integers(0, 3, len(x))
    before = {name: p.copy() for name, p in model.parameters().items()}
    loss = CrossEntropyLoss()
    first = loss.forward(predict(model, x), y)
    history = fit(
        model,
        loss,
        Adam(0.02),
        (x, y),
        epochs=30,
        batch_size=4,
        rng=rng,
        progress=False,
    )
    assert loss.forward(predict(model, x), y) < 0.9 * first
    assert len(history["loss"]) == 30
    for name, p in model.parameters().items():
        assert p.dtype == np.float32
        assert not np.array_equal(p, before[name]), f"{name} never moved"


@each_layer
def test_layer_predicts_the_same_after_saving_and_loading(example, tmp_path):
    """What a prediction depends on is a parameter or a buffer, nothing else."""
    layer, (x,) = example.build()
    rng = np.random.default_rng(4)
    for _ in range(3):
        layer.forward(rng.permutation(x) * 2 if x.dtype.kind == "f" else x)
    for p in layer.parameters().values():
        p += 0.1 * rng.standard_normal(p.shape)
    save_weights(layer, tmp_path / "w.npz")
    other, _ = example.build(seed=9)
    load_weights(other, tmp_path / "w.npz")
    y = layer.eval().forward(x)
    np.testing.assert_array_equal(other.eval().forward(x), y)
    assert layer.astype(np.float32).state_dict().keys() == other.state_dict().keys()
    assert {a.dtype for a in layer.state_dict().values()} <= {np.dtype(np.float32)}


class Stretch(Layer):
    """What a learner writes: no super().__init__, no helpers, only the contract."""

    def __init__(self, n):
        self.params = {"s": np.full(n, 2.0, np.float32)}

    def forward(self, x):
        self.x = x
        return x * self.params["s"]

    def backward(self, dy):
        self.grads = {"s": (dy * self.x).sum(axis=0)}
        return dy * self.params["s"]


def test_a_learners_layer_drops_in_beside_ours():
    rng = np.random.default_rng(0)
    gradient_check(Stretch(4), rng.standard_normal((5, 4)), rng=rng)
    model = Sequential(Stretch(4), Linear(4, 3, rng=rng), ReLU(), Stretch(3))
    assert list(model.parameters()) == ["0.s", "1.W", "1.b", "3.s"]
    gradient_check(model, rng.standard_normal((5, 4)), rng=rng)
    x, y = rng.standard_normal((30, 4), dtype=np.float32), rng.integers(0, 3, 30)
    history = fit(
        model,
        CrossEntropyLoss(),
        SGD(0.05),
        (x, y),
        epochs=10,
        batch_size=5,
        rng=rng,
        progress=False,
    )
    assert history["loss"][-1] < history["loss"][0]
    assert predict(copy.deepcopy(model), x).dtype == np.float32


# ------------------------------------------------------------------------------- losses


@each_loss
def test_loss_gradient_is_right(example, capsys):
    loss, inputs = example.build()
    gradient_check(loss, *inputs, rng=np.random.default_rng(2))
    same(loss, copy.deepcopy(loss), *inputs, rng=np.random.default_rng(2))
    assert capsys.readouterr().out.count("✓") == 2


@each_dtype
@each_loss
def test_loss_is_a_float_and_its_gradient_like_the_scores(example, dtype):
    loss, (scores, *target) = example.build(dtype)
    value = loss.forward(scores, *target)
    assert type(value) is float
    ds = loss.backward()
    assert (ds.dtype, ds.shape) == (scores.dtype, scores.shape)


@each_loss
def test_loss_leaves_its_inputs_alone(example):
    loss, inputs = example.build()
    before = copy.deepcopy(inputs)
    value, ds = loss.forward(*inputs), loss.backward()
    for array, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, old)
        assert not np.shares_memory(ds, array)
    assert loss.forward(*map(read_only, inputs)) == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(loss.backward(), ds, rtol=1e-12)
    ds *= 0  # the gradient belongs to who asked for it
    assert loss.forward(*inputs) == value


@each_loss
def test_loss_wants_one_forward_for_each_backward(example):
    loss, inputs = example.build()
    with pytest.raises(RuntimeError, match=r"backward needs a forward before it"):
        loss.backward()
    loss.forward(*inputs)
    copy.deepcopy(loss).backward()
    loss.backward()
    with pytest.raises(RuntimeError, match=type(loss).__name__):
        loss.backward()


@each_data_loss
def test_loss_is_a_mean_over_the_batch(example):
    loss, inputs = example.build()
    value, ds = loss.forward(*inputs), loss.backward()
    twice = [np.concatenate([a, a]) for a in inputs]
    assert loss.forward(*twice) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(
        loss.backward(), np.concatenate([ds, ds]) / 2, rtol=1e-12
    )


@each_data_loss
def test_loss_refuses_what_does_not_fit(example):
    loss, (scores, target) = example.build()
    with pytest.raises(ValueError, match=r"expects .* got .*\(\d"):
        loss.forward(scores, target[:-1])
    with pytest.raises(TypeError, match="expects floating-point numbers, got int64"):
        loss.forward(np.zeros(scores.shape, np.int64), target)
    with pytest.raises(ValueError, match="at least one example"):
        loss.forward(scores[:0], target[:0])


@each_data_loss
def test_loss_falls_when_scores_walk_against_its_gradient(example):
    loss, (scores, target) = example.build(np.float32)
    values = []
    for _ in range(20):
        values.append(loss.forward(scores, target))
        scores = scores - 0.1 * loss.backward()
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0]


@pytest.mark.parametrize("penalty", [L1(0.05), L2(0.05)], ids=repr)
def test_penalty_falls_in_training(penalty):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 6), dtype=np.float32), rng.integers(0, 2, 40)
    sizes = []
    for chosen in (None, penalty):
        model = Sequential(Linear(6, 2, rng=np.random.default_rng(1)))
        optimizer = SGD(0.3)
        for _ in range(60):
            train_step(model, CrossEntropyLoss(), optimizer, x, y, penalty=chosen)
        sizes.append(penalty.forward(model.parameters()["0.W"]))
    assert sizes[1] < 0.8 * sizes[0]


# --------------------------------------------------------------------------- optimizers


class Bowl(Layer):
    """A model that is nothing but its parameters; its gradient is the parameter
    itself.
    """

    def __init__(self, **params):
        self.params = params

    def backward(self, dy=None):
        self.grads = {name: p.copy() for name, p in self.params.items()}


RATES = 0.1, 0.01, 0.001


def best(run):
    """The smallest loss that a run reaches, with one of the learning rates."""
    losses = []
    for lr in RATES:
        with np.errstate(all="ignore"), contextlib.suppress(DivergedError):
            losses.append(run(lr))
    return np.nanmin(losses)


@each_optimizer
def test_optimizer_is_its_own_reference(make, capsys):
    same_steps(make(0.1), make(0.1), rng=np.random.default_rng(0))
    assert "✓" in capsys.readouterr().out


@each_dtype
@each_optimizer
def test_optimizer_updates_in_place_and_keeps_the_dtype(make, dtype):
    rng = np.random.default_rng(0)

    def away_from_zero(*shape):
        return (rng.choice([-1, 1], shape) * (1 + rng.random(shape))).astype(dtype)

    model = Bowl(
        W=away_from_zero(4, 3), b=away_from_zero(3), turned=away_from_zero(3, 5).T
    )
    arrays = dict(model.params)
    before = {name: p.copy() for name, p in arrays.items()}
    optimizer = make(0.01)
    for _ in range(3):
        model.backward()
        gradients = {name: g.copy() for name, g in model.grads.items()}
        optimizer.step(model)
        for name, g in model.grads.items():
            np.testing.assert_array_equal(g, gradients[name])
    for name, p in model.parameters().items():
        assert p is arrays[name]
        assert p.dtype == dtype
        assert (np.abs(p) < np.abs(before[name])).all()  # every entry walked downhill
    for state in optimizer.states.values():
        for kept in state.values():
            assert not isinstance(kept, np.ndarray) or kept.dtype == dtype


@each_optimizer
def test_optimizer_finds_the_minimum_of_a_ravine(make):
    start = np.array([[3.0, -2.0]])
    curvature = np.array([1.0, 10.0])

    def height(p):
        return (curvature * p**2).sum()

    def walk(lr):
        optimizer, p, state = make(lr), start.copy(), {}
        for t in range(400):
            optimizer.lr = lr * (1 - t / 400)
            optimizer.update(p, curvature * p, state)
        return height(p)

    assert best(walk) < 0.7 * height(start)


@each_optimizer
def test_optimizer_doubles_its_first_step_with_the_rate(make):
    g = np.random.default_rng(0).standard_normal((4, 3))
    steps = []
    for lr in (0.1, 0.2):
        p = np.zeros((4, 3))
        make(lr).update(p, g, {})
        steps.append(p)
    np.testing.assert_allclose(steps[1], 2 * steps[0], rtol=1e-12)
    assert (steps[0] * g < 0).all()


@each_optimizer
def test_optimizer_stands_still_without_a_gradient(make):
    p, state = np.ones((2, 2)), {}
    optimizer = make(0.1)
    for _ in range(3):
        optimizer.update(p, np.zeros((2, 2)), state)
    if hasattr(optimizer, "weight_decay"):  # then it may shrink
        assert (p > 0).all() and (p <= 1).all()
    else:
        np.testing.assert_array_equal(p, 1)


@each_optimizer
def test_optimizer_says_what_it_needs(make):
    optimizer, model = make(0.1), Bowl(W=np.ones((2, 2)))
    name = type(optimizer).__name__
    with pytest.raises(
        RuntimeError, match=rf"{name}.*no gradient for .*W.*call backward first"
    ):
        optimizer.step(model)
    model.backward()
    optimizer.step(model)
    with pytest.raises(ValueError, match=f"{name}.* already trains another model"):
        optimizer.step(Bowl(W=np.ones((2, 2))))
    model.grads = {"W": np.ones(2)}
    with pytest.raises(
        ValueError, match=r"gradient of W has shape \(2,\), the parameter \(2, 2\)"
    ):
        optimizer.step(model)
    for lr in (0, -1, float("nan")):
        with pytest.raises(
            ValueError, match=f"{name} expects a learning rate lr > 0, got"
        ):
            make(lr)
    assert name in repr(optimizer)


@each_optimizer
def test_optimizer_trains_a_network(make):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4), dtype=np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)

    def train(lr):
        rng = np.random.default_rng(1)
        model = Sequential(Linear(4, 12, rng=rng), Tanh(), Linear(12, 2, rng=rng))
        data = {"epochs": 40, "batch_size": 10, "rng": rng, "progress": False}
        history = fit(model, CrossEntropyLoss(), make(lr), (x, y), **data)
        assert np.isfinite(gradient_norm(model))
        return history["loss"][-1] / history["loss"][0]

    assert best(train) < 0.8


# -------------------------------------------------------------------- the whole package


@given(st.integers(0, 2**32 - 1))
def test_any_stack_of_layers_passes_the_gradient_check(seed):
    rng = np.random.default_rng(seed)
    width, layers = int(rng.integers(1, 5)), []
    shape = (
        int(rng.integers(2, 6)),
        *rng.integers(1, 3, rng.integers(0, 2)).tolist(),
        width,
    )
    for _ in range(rng.integers(1, 5)):
        out = int(rng.integers(1, 5))
        layers += [
            Linear(width, out, rng=rng),
            [Sigmoid(), Tanh(), LeakyReLU(0.2)][rng.integers(3)],
        ]
        width = out
    model = Sequential(*layers)
    for p in model.parameters().values():
        p += 0.1 * rng.standard_normal(p.shape)  # no biases at 0, where every kink lies
    gradient_check(model, rng.standard_normal(shape), rng=rng, limit=30)


# ----------------------------------------------------------------------------- defaults

# What a call means that leaves an option out. Whoever changes a line here changes what
# the notebooks show and what readers' code does: on purpose, then.
DEFAULTS = """
layers.Layer.named_layers: prefix=''
layers.Layer.train: mode=True
layers.LeakyReLU: slope=0.01
layers.Dropout: p=0.5
layers.BatchNorm: *, momentum=0.1, eps=1e-05
optimizers.SGD: momentum=0.0, nesterov=False
optimizers.AdaGrad: lr=0.01, eps=1e-10
optimizers.RMSProp: lr=0.01, beta=0.99, eps=1e-08
optimizers.Adam: lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08
training.TrainingState: epoch=0, stop=''
training.EarlyStopping: patience=5, watch='validation_loss'
training.fit: *, interruptible=False, progress=True
training.predict: *, batch_size=256
training.random_shift: pixels=2
recurrent.Embedding: *, scale=1.0
recurrent.Recurrent.train: mode=True
recurrent.LSTM: *, forget_bias=1.0
recurrent.TextClassifier: *, embedding=32, hidden=64, cell='LSTM', pooling='mean'
recurrent.predict_proba: *, batch_size=512
recurrent.CharacterModel: characters=27, *, embedding=32, hidden=128, cell='LSTM'
recurrent.generate: temperature=1.0
convolution.output_size: stride=1, padding=0
convolution.im2col: stride=1, padding=0
convolution.col2im: stride=1, padding=0
convolution.Conv2d: *, stride=1, padding=0
convolution.Pool2d: *, padding=0
convolution.MaxPool2d: *, padding=0
convolution.AvgPool2d: *, padding=0
lime.sample_masks: *, kind='image', design='iid'
lime.exponential_kernel: width=0.25
lime.fit_surrogate: *, alpha=1.0, select='auto', paired=False
lime.predict_perturbed: *, mode='classification', batch_size=256, progress=False
lime.explain_image: *, fill='mean', mode='classification', n_samples=1000, design='iid', width=0.25, alpha=1.0, select='auto', seed=0, progress=True
lime.superpixels: n_segments=60
lime.grid_segments: cells=7
lime.explain_text: *, bag_of_words=True, mode='classification', n_samples=5000, design='iid', width=0.25, alpha=1.0, select='auto', batch_size=256, seed=0, progress=True
lime.explain_tabular: *, mode='classification', n_samples=5000, design='iid', alpha=1.0, select='auto', batch_size=5000, seed=0, progress=True
lime.submodular_pick: *, k=10
explanation.Explanation.top: k=10
explanation.Explanation.summary: k=10
explanation.Explanation.plot: *, k=10
faithfulness.deletion_insertion: *, orders=20, seed=0, batch_size=256
faithfulness.alone_and_without: *, batch_size=256
faithfulness.stability: *, k=5
faithfulness.randomised_weights: *, k=5
faithfulness.shuffled_weights: *, repeats=5
many.ExplanationFailed: details=''
many.explain_many: *, seed=0, progress=True, errors='raise'
datasets.newsgroups: strip_headers=False
checks.gradient_check: *, tolerance=1e-06, limit=1000, eval_gradients=True
checks.same: *, tolerance=1e-10, eval_gradients=True
checks.same_steps: *, steps=10, tolerance=1e-10
checks.batches_check: *, n=20, batch_size=6
"""


def defaults_of(thing):
    """Its options that are numbers, words or switches; after a star by name only."""
    told = ""
    for p in inspect.signature(thing).parameters.values():
        if isinstance(p.default, int | float | str):
            if p.kind is p.KEYWORD_ONLY and "*" not in told:
                told += ", *" if told else "*"
            told += f"{', ' if told else ''}{p.name}={p.default!r}"
    return told


@pytest.mark.parametrize("line", DEFAULTS.strip().splitlines())
def test_an_option_left_out_means_what_it_meant(line):
    path, _, options = line.partition(": ")
    module, *names = path.split(".")
    thing = importlib.import_module(f"scratchml.{module}")
    for name in names:
        thing = getattr(thing, name)
    assert defaults_of(thing) == options
