"""Training, prediction and weights on disk."""

import math
import os
import re
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchml import (
    L1,
    L2,
    SGD,
    Adam,
    BatchNorm,
    Callback,
    CrossEntropyLoss,
    DivergedError,
    Dropout,
    EarlyStopping,
    Flatten,
    Interrupted,
    Layer,
    Linear,
    MSELoss,
    ReLU,
    Schedule,
    Sequential,
    Tanh,
    accuracy,
    batches,
    confusion_matrix,
    cosine,
    fit,
    load_weights,
    predict,
    random_shift,
    save_weights,
    train_step,
)
from scratchml._support import progress_bar


def blobs(n=60, seed=0):
    """Three clouds of points, easy to tell apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centres = np.array([[2, 0, 0, 1], [0, 2, 0, -1], [0, 0, 2, 0]])
    return (centres[y] + rng.standard_normal((n, 4))).astype(np.float32), y


def network(seed=0, dropout=0.0):
    rng = np.random.default_rng(seed)
    return Sequential(
        Linear(4, 8, rng=rng), ReLU(), Dropout(dropout, rng=rng), Linear(8, 3, rng=rng)
    )


def run(model=None, data=None, *, loss=None, optimizer=None, **settings):
    """fit with everything chosen, so that a test says only what matters to it."""
    chosen = {
        "epochs": 3,
        "batch_size": 16,
        "rng": np.random.default_rng(1),
        "progress": False,
    }
    return fit(
        network() if model is None else model,
        loss or CrossEntropyLoss(),
        optimizer or SGD(0.1),
        blobs() if data is None else data,
        **(chosen | settings),
    )


def weights(model):
    return {name: a.copy() for name, a in model.state_dict().items()}


def assert_same_weights(model, expected):
    for name, a in model.state_dict().items():
        np.testing.assert_array_equal(a, expected[name], err_msg=name)


class Whiten(Layer):
    """A reader's own batch normalisation: no weights, two buffers."""

    def __init__(self, n):
        self.buffers = {"mean": np.zeros(n, np.float32), "std": np.ones(n, np.float32)}

    def forward(self, x):
        if self.training:
            mean, std = x.mean(axis=0), x.std(axis=0) + 1e-3
            for name, new in (("mean", mean), ("std", std)):
                self.buffers[name] = 0.8 * self.buffers[name] + 0.2 * new
        else:
            mean, std = self.buffers["mean"], self.buffers["std"]
        self.y, self.scale = (x - mean) / std, std
        return self.y

    def backward(self, dy):
        y = self.y
        return (dy - dy.mean(axis=0) - y * (dy * y).mean(axis=0)) / self.scale


def normalised(kind, seed=0):
    """A network that sees the blobs far from 0, and relies on being normalised."""
    rng = np.random.default_rng(seed)
    return Sequential(
        kind(4), Linear(4, 8, rng=rng), kind(8), ReLU(), Linear(8, 3, rng=rng)
    )


def far_blobs(n=60, seed=0):
    x, y = blobs(n, seed)
    return 5 * x + 40, y


each_normalisation = pytest.mark.parametrize("kind", [BatchNorm, Whiten])


# ------------------------------------------------------------------------------ batches


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_batches_give_every_example_once_with_its_target(n, batch_size, seed):
    x, y = np.arange(n)[:, None] * 1.0, np.arange(n) * 10
    found = list(batches(x, y, batch_size, np.random.default_rng(seed)))
    assert [len(a) for a, _ in found] == [batch_size] * (n // batch_size) + (
        [n % batch_size] if n % batch_size else []
    )
    xs, ys = (np.concatenate(part) for part in zip(*found, strict=True))
    np.testing.assert_array_equal(np.sort(xs[:, 0]), x[:, 0])
    np.testing.assert_array_equal(xs[:, 0] * 10, ys)


def test_batches_shuffle_the_examples_anew_each_time(rng):
    x = np.arange(1000)
    first, second = (
        np.concatenate([a for a, _ in batches(x, x, 10, rng)]) for _ in range(2)
    )
    for order, other in ((first, x), (second, x), (first, second)):
        assert (order == other).mean() < 0.02
    # Examples, not batches: neighbours of before are spread over all batches.
    assert (np.abs(np.diff(first)) == 1).mean() < 0.02
    np.testing.assert_array_equal(x, np.arange(1000))  # the data stays where it is
    again = np.concatenate([a for a, _ in batches(x, x, 10, np.random.default_rng(0))])
    np.testing.assert_array_equal(again, first)


def test_batches_are_copies(rng):
    x = np.zeros((6, 2))
    for a, _ in batches(x, np.arange(6), 6, rng):
        a += 1
    assert not x.any()


@pytest.mark.parametrize(
    ("x", "y", "size", "message"),
    [
        (
            np.ones((3, 2)),
            np.ones(4),
            2,
            r"one target per example, got x \(3, 2\) and y \(4,\)",
        ),
        (np.ones((0, 2)), np.ones(0), 2, r"got x \(0, 2\) and y \(0,\)"),
        (np.ones((3, 2)), np.ones(3), 0, "batch size of at least 1, got 0"),
    ],
)
def test_batches_say_what_is_missing(rng, x, y, size, message):
    with pytest.raises(ValueError, match=message):
        next(batches(x, y, size, rng))


# -------------------------------------------------------------------------------- steps


@pytest.mark.parametrize("penalty", [None, L1(0.1), L2(0.1)], ids=repr)
def test_a_step_goes_down_the_numerical_gradient_of_the_loss_it_reports(penalty):
    """The penalty is in the loss and in the gradient, once, for matrices and not for
    biases.
    """
    x, y = blobs(9)
    x = x.astype(np.float64)
    model = network().astype(np.float64)
    for p in model.parameters().values():
        p += 0.05  # no weight and no bias at zero, where L1 has its kink
    loss = CrossEntropyLoss()

    def total():
        penalties = (
            sum(
                penalty.forward(p)
                for name, p in model.parameters().items()
                if name.endswith("W")
            )
            if penalty
            else 0
        )
        return loss.forward(model.forward(x), y) + penalties

    numerical, before = {}, weights(model)
    for name, p in model.parameters().items():
        numerical[name] = np.empty_like(p)
        for where in np.ndindex(p.shape):
            p[where] += 1e-6
            above = total()
            p[where] -= 2e-6
            numerical[name][where] = (above - total()) / 2e-6
            p[where] += 1e-6
    expected = total()
    value, scores, norm = train_step(model, loss, SGD(0.1), x, y, penalty=penalty)
    assert value == pytest.approx(expected, rel=1e-12)
    assert scores.shape == (9, 3)
    assert norm is None
    for name, p in model.parameters().items():
        np.testing.assert_allclose(
            before[name] - p, 0.1 * numerical[name], rtol=1e-6, atol=1e-9
        )


def test_a_step_clips_penalty_and_all(rng):
    x, y = blobs(20)
    model, twin = network().astype(np.float64), network().astype(np.float64)
    before = weights(model)
    value, _, norm = train_step(
        model,
        CrossEntropyLoss(),
        SGD(1),
        x.astype(float),
        y,
        penalty=L2(5),
        clip_norm=0.01,
    )
    free, _, _ = train_step(
        twin, CrossEntropyLoss(), SGD(1), x.astype(float), y, penalty=L2(5)
    )
    assert value == free
    step = np.concatenate(
        [(before[k] - p).ravel() for k, p in model.parameters().items()]
    )
    long = np.concatenate(
        [(before[k] - p).ravel() for k, p in twin.parameters().items()]
    )
    assert np.linalg.norm(step) == pytest.approx(0.01)
    assert norm == pytest.approx(np.linalg.norm(long))
    np.testing.assert_allclose(step, long * 0.01 / norm, rtol=1e-9, atol=1e-14)


def test_a_step_with_an_infinite_loss_changes_nothing():
    x, y = blobs(6)
    model = network()
    before = weights(model)
    value, _, _ = train_step(
        model, CrossEntropyLoss(), SGD(0.1), np.full_like(x, np.nan), y
    )
    assert math.isnan(value)
    assert_same_weights(model, before)


# ---------------------------------------------------------------------------------- fit


class Recorder(Callback):
    """Writes down what it was told, and when."""

    def __init__(self):
        self.calls = []

    def before_epoch(self, training):
        self.calls.append(("before", training.epoch, training.optimizer.lr))

    def after_epoch(self, training):
        self.calls.append(("after", training.epoch, len(training.history["loss"])))

    def after_training(self, training):
        self.calls.append(("end", training.epoch, training.stop))


@pytest.mark.parametrize(
    ("batch_size", "steps"), [(1, 60), (16, 4), (60, 1), (1000, 1)]
)
def test_fit_sees_every_example_once_an_epoch(batch_size, steps):
    """Online, mini-batch and full-batch training differ in the number of steps
    alone.
    """
    x, y = blobs(60)
    seen, sizes = [], []

    def look(xb, rng):
        seen.append(xb)
        sizes.append(len(xb))
        return xb

    run(data=(x, y), epochs=3, batch_size=batch_size, augment=look)
    assert len(sizes) == 3 * steps
    epochs = np.split(np.concatenate(seen), 3)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch, axis=0), np.sort(x, axis=0))
    assert not np.array_equal(epochs[0], epochs[1])


@pytest.mark.parametrize("batch_size", [1, 16, 60])
def test_fit_learns(batch_size):
    x, y = blobs(60)
    model = network()
    history = run(model, (x, y), epochs=30, batch_size=batch_size, optimizer=SGD(0.05))
    assert history["loss"][-1] < history["loss"][0]
    assert history["accuracy"][-1] > 0.85
    assert accuracy(predict(model, x), y) > 0.85
    assert history.stopped == ""


def test_fit_is_a_loop_of_train_steps():
    x, y = blobs(50)
    mine, optimizer, rng = network(), Adam(0.01), np.random.default_rng(1)
    losses = []
    for _ in range(3):
        total = 0
        for xb, yb in batches(x, y, 16, rng):
            total += (
                len(xb) * train_step(mine, CrossEntropyLoss(), optimizer, xb, yb)[0]
            )
        losses.append(total / 50)
    model = network()
    history = run(model, (x, y), optimizer=Adam(0.01))
    assert history["loss"] == pytest.approx(losses, rel=1e-12)
    assert_same_weights(model, weights(mine))


def test_fit_does_the_same_for_the_same_generator():
    results = []
    for seed in (1, 1, 2):
        model = network(dropout=0.3)
        history = run(
            model, rng=np.random.default_rng(seed), validation=blobs(9, seed=3)
        )
        results.append((history, weights(model)))
    assert results[0][0] == results[1][0]
    assert results[0][0] != results[2][0]
    for name, p in results[0][1].items():
        np.testing.assert_array_equal(p, results[1][1][name])


def test_fit_trains_in_training_mode_whatever_the_mode_before():
    model, modes = network(dropout=0.5).eval(), []

    def look(xb, rng):
        modes.append(model.training and model.layers[2].training)
        return xb

    run(model, augment=look, validation=blobs(9))
    assert modes and all(modes)


def test_history_has_one_number_an_epoch():
    validation = blobs(12, seed=5)
    model = network(dropout=0.5)
    history = run(model, epochs=4, validation=validation, clip_norm=1.0)
    assert set(history) == {
        "loss",
        "lr",
        "accuracy",
        "gradient_norm",
        "validation_loss",
        "validation_accuracy",
    }
    assert {len(values) for values in history.values()} == {4}
    assert {type(v) for values in history.values() for v in values} == {float}
    # The last validation is that of the model as it is now, without dropout.
    scores = predict(model, validation[0])
    assert history["validation_loss"][-1] == CrossEntropyLoss().forward(
        scores, validation[1]
    )
    assert history["validation_accuracy"][-1] == accuracy(scores, validation[1])
    assert repr(history).startswith("History(4 epochs: loss ")


def test_history_weighs_a_smaller_last_batch_by_its_size():
    x, y = blobs(50)
    model = network()
    history = run(
        model, (x, y), optimizer=SGD(1e-30), epochs=1, batch_size=16, clip_norm=1e-3
    )
    scores = predict(model, x)
    assert history["loss"][0] == pytest.approx(
        CrossEntropyLoss().forward(scores, y), rel=1e-5
    )
    assert history["accuracy"][0] == pytest.approx(accuracy(scores, y))


def test_history_of_a_regression_has_no_accuracy(rng):
    x = rng.standard_normal((30, 4), dtype=np.float32)
    y = x[:, :3] * 2
    history = run(data=(x, y), loss=MSELoss(), validation=(x, y), epochs=5)
    assert set(history) == {"loss", "lr", "validation_loss"}
    assert history["loss"][-1] < history["loss"][0]


def test_history_counts_each_step_of_a_sequence(rng):
    x = rng.standard_normal((20, 5, 4), dtype=np.float32)
    y = x[..., :3].argmax(axis=-1)
    history = run(data=(x, y), epochs=60, validation=(x, y), optimizer=Adam(0.02))
    assert history["accuracy"][0] < 0.8
    assert 0.9 < history["accuracy"][-1] <= 1
    assert 0.9 < history["validation_accuracy"][-1] <= 1


def test_the_reported_loss_contains_the_penalty():
    free, held = (
        run(optimizer=SGD(1e-30), epochs=1, penalty=penalty)["loss"][0]
        for penalty in (None, L2(0.5))
    )
    parameters = network().parameters()
    expected = sum(0.25 * np.square(parameters[name]).sum() for name in ("0.W", "3.W"))
    assert held - free == pytest.approx(expected, rel=1e-5)


def test_fit_reports_the_norm_before_clipping():
    history = run(optimizer=SGD(1e-30), epochs=1, batch_size=60, clip_norm=1e-4)
    model = network()
    x, y = blobs()
    norm = train_step(model, CrossEntropyLoss(), SGD(0.1), x, y, clip_norm=100)[2]
    assert history["gradient_norm"] == [pytest.approx(norm, rel=1e-5)]


def test_augment_changes_the_batches_and_not_the_data():
    x, y = blobs()
    before = x.copy()
    generator = np.random.default_rng(7)
    handed = []

    def noise(xb, rng):
        handed.append(rng)
        xb += rng.standard_normal(xb.shape, dtype=np.float32)
        return xb

    run(data=(x, y), epochs=1, augment=noise, rng=generator)
    np.testing.assert_array_equal(x, before)
    assert all(rng is generator for rng in handed)


def test_no_epochs_no_change():
    model = network()
    history = run(model, epochs=0)
    assert history == {}
    assert_same_weights(model, weights(network()))
    assert repr(history) == "History(0 epochs: )"


# ---------------------------------------------------------------------------- callbacks


def test_callbacks_are_called_in_turn():
    recorder = Recorder()
    run(epochs=2, callbacks=[recorder], optimizer=SGD(0.25))
    assert recorder.calls == [
        ("before", 0, 0.25),
        ("after", 0, 1),
        ("before", 1, 0.25),
        ("after", 1, 2),
        ("end", 1, ""),
    ]


def test_a_callback_may_stop_training():
    class Enough(Callback):
        def after_epoch(self, training):
            if training.epoch == 1:
                training.stop = "enough"

    history = run(epochs=10, callbacks=[Enough()])
    assert len(history["loss"]) == 2
    assert history.stopped == "enough"
    assert "enough" in repr(history)


class Fixed(Callback):
    """Plays a prepared course: writes the number, and an epoch's mark into the
    weights.
    """

    def __init__(self, watch, values):
        self.watch, self.values = watch, values

    def after_epoch(self, training):
        training.history[self.watch] = self.values[: training.epoch + 1]
        for p in training.model.parameters().values():
            p[...] = training.epoch


@pytest.mark.parametrize(
    ("watch", "values", "epochs", "best"),
    [
        (
            "validation_loss",
            [5, 3, 4, 2, 2.5, 2, 6, 1],
            7,
            3,
        ),  # a tie is no improvement
        ("validation_accuracy", [0.5, 0.7, 0.6, 0.9, 0.8, 0.9, 0.1, 1], 7, 3),
        ("loss", [5, 4, 3, 2, 1, 0.5, 0.4, 0.3], 8, 7),
        ("loss", [1, math.nan, math.nan, math.nan, 0], 4, 0),
    ],
)
def test_early_stopping_keeps_the_best_weights(watch, values, epochs, best):
    model, stopping = network(), EarlyStopping(patience=3, watch=watch)
    arrays = model.parameters()
    history = run(model, epochs=len(values), callbacks=[Fixed(watch, values), stopping])
    assert len(history["lr"]) == epochs
    assert bool(history.stopped) == (epochs < len(values))
    assert stopping.best_epoch == best
    for name, p in model.parameters().items():
        assert p is arrays[name]  # in place: an optimizer and others still hold it
        np.testing.assert_array_equal(p, best)


def test_early_stopping_on_real_data_is_no_worse_than_the_last_epoch():
    x, y = blobs(30)
    validation = blobs(60, seed=9)
    model = network()
    history = run(
        model,
        (x, y),
        epochs=200,
        optimizer=Adam(0.05),
        validation=validation,
        callbacks=[EarlyStopping(patience=5)],
    )
    assert "no better validation_loss for 5 epochs" in history.stopped
    scores = predict(model, validation[0])
    assert CrossEntropyLoss().forward(scores, validation[1]) == min(
        history["validation_loss"]
    )


def test_early_stopping_forgets_the_training_before():
    stopping, first, second = (
        EarlyStopping(patience=3, watch="loss"),
        network(),
        network(),
    )
    run(first, epochs=2, callbacks=[Fixed("loss", [1, 0.5]), stopping])
    run(second, epochs=3, callbacks=[Fixed("loss", [9, 8, 7]), stopping])
    for p in second.parameters().values():
        np.testing.assert_array_equal(p, 2)


@each_normalisation
def test_early_stopping_gives_the_buffers_back_too(kind):
    class Spoil(Callback):
        """After the best epoch, moves what the layers remember."""

        def after_epoch(self, training):
            if training.epoch == 3:
                self.best = weights(training.model)
            for array in training.model.state_dict().values():
                array += 100 * (training.epoch >= 3)

    spoil = Spoil()
    stopping = EarlyStopping(patience=3, watch="loss")
    model = normalised(kind)
    losses = [5, 4, 3, 2, 2, 2, 2]
    run(
        model,
        far_blobs(),
        epochs=7,
        callbacks=[Fixed("loss", losses), stopping, spoil],
    )
    assert stopping.best_epoch == 3
    assert_same_weights(model, spoil.best)
    assert any(name.endswith("mean") for name in spoil.best)


def test_early_stopping_with_nothing_to_keep_changes_nothing():
    """All is NaN from the start, or training ends before the first epoch does."""
    model = network()
    stopping = EarlyStopping(patience=2, watch="loss")
    with pytest.raises(DivergedError):
        run(model, augment=lambda x, rng: x * np.nan, callbacks=[stopping])
    assert_same_weights(model, weights(network()))
    assert stopping.weights == {} and stopping.best_epoch == -1


def test_early_stopping_says_what_it_cannot_watch():
    with pytest.raises(
        ValueError, match=r"'validation_loss'.*=\(x, y\), or watch='loss'"
    ):
        run(callbacks=[EarlyStopping()])


def test_schedule_sets_the_rate_before_each_epoch():
    recorder, optimizer = Recorder(), SGD(9.0)
    history = run(
        optimizer=optimizer, epochs=4, callbacks=[Schedule(cosine(0.2)), recorder]
    )
    expected = [
        0.2,
        0.2 * (1 + math.sqrt(0.5)) / 2,
        0.1,
        0.2 * (1 - math.sqrt(0.5)) / 2,
    ]
    assert history["lr"] == pytest.approx(expected)
    assert [c[2] for c in recorder.calls if c[0] == "before"] == pytest.approx(expected)
    halves = run(epochs=3, callbacks=[Schedule(lambda epoch, epochs: 0.8 * 0.5**epoch)])
    assert halves["lr"] == pytest.approx([0.8, 0.4, 0.2])


# ------------------------------------------------------- what may come between: ^C, NaN


class Press(Callback):
    """Presses Ctrl-C in a chosen epoch."""

    def __init__(self, hook, epoch):
        self.epoch = epoch
        setattr(self, hook, self.press)

    def press(self, training):
        if training.epoch == self.epoch:
            signal.raise_signal(signal.SIGINT)


each_hook = pytest.mark.parametrize(
    ("hook", "recorded"), [("before_epoch", 2), ("after_epoch", 3)]
)
STOPPED = "stopped in epoch 2; the model is usable"


@each_hook
def test_ctrl_c_says_where_it_stopped_and_raises_on(hook, recorded, capsys):
    recorder = Recorder()
    with pytest.raises(Interrupted) as caught:
        run(epochs=50, callbacks=[Press(hook, 2), recorder])
    assert str(caught.value) == STOPPED
    assert isinstance(caught.value, KeyboardInterrupt)
    assert not isinstance(caught.value, Exception)  # a loop of many fits stops as well
    assert len(caught.value.history["loss"]) == recorded
    assert caught.value.history.stopped == STOPPED
    assert recorder.calls[-1] == ("end", 2, STOPPED)
    assert capsys.readouterr().out == ""


@each_hook
def test_ctrl_c_in_an_interruptible_training_returns_the_history(
    hook, recorded, capsys
):
    recorder = Recorder()
    history = run(epochs=50, callbacks=[Press(hook, 2), recorder], interruptible=True)
    assert history.stopped == STOPPED
    assert len(history["loss"]) == recorded
    assert recorder.calls[-1] == ("end", 2, STOPPED)
    assert capsys.readouterr().out == f"{STOPPED}\n"


def test_ctrl_c_in_a_batch_leaves_a_usable_model():
    x, y = blobs()
    model, count = network(dropout=0.2), iter(range(1000))

    def press(xb, rng):
        if next(count) == 6:  # four batches an epoch
            signal.raise_signal(signal.SIGINT)
        return xb

    history = run(
        model,
        (x, y),
        epochs=50,
        augment=press,
        validation=(x, y),
        callbacks=[EarlyStopping(patience=50)],
        interruptible=True,
    )
    assert history.stopped == "stopped in epoch 1; the model is usable"
    assert {len(values) for values in history.values()} == {1}
    # EarlyStopping gave the best weights back, and training can go on.
    scores = predict(model, x)
    assert CrossEntropyLoss().forward(scores, y) == history["validation_loss"][0]
    assert len(run(model, (x, y))["loss"]) == 3


def test_ctrl_c_in_the_validation_leaves_lists_of_one_length():
    class Slow(ReLU):
        """Presses Ctrl-C in its third evaluation."""

        evaluations = 0

        def forward(self, x):
            self.evaluations += not self.training
            if self.evaluations == 3:
                signal.raise_signal(signal.SIGINT)
            return super().forward(x)

    rng = np.random.default_rng(0)
    model = Sequential(Linear(4, 8, rng=rng), Slow(), Linear(8, 3, rng=rng))
    with pytest.raises(Interrupted) as caught:
        run(model, epochs=9, validation=blobs(9), clip_norm=1.0)
    assert {len(values) for values in caught.value.history.values()} == {2}
    assert model.training  # predict restores the mode


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_with_epoch_and_batch(value):
    count, model = iter(range(1000)), network()

    def poison(xb, rng):
        return xb if next(count) < 6 else xb * value  # four batches an epoch

    with pytest.raises(
        DivergedError,
        match=r"loss became (nan|inf) in epoch 1, batch 2: try a "
        r"smaller learning rate than 0\.1, clip_norm=1",
    ) as caught:
        run(model, epochs=5, augment=poison)
    assert isinstance(caught.value, FloatingPointError)
    assert len(caught.value.history["loss"]) == 1
    assert re.match(
        r"the loss became (nan|inf) in epoch 1", caught.value.history.stopped
    )
    assert all(np.isfinite(p).all() for p in model.parameters().values())


def test_callbacks_come_to_their_end_when_the_loss_diverges():
    """EarlyStopping gives the best weights back."""
    x, y = blobs()
    count, model, recorder = iter(range(1000)), network(), Recorder()

    def poison(xb, rng):
        return xb if next(count) < 10 else xb * np.nan  # four batches an epoch

    with pytest.raises(DivergedError) as caught:
        run(
            model,
            (x, y),
            epochs=5,
            augment=poison,
            validation=(x, y),
            callbacks=[EarlyStopping(patience=9), recorder],
        )
    assert recorder.calls[-1] == ("end", 2, caught.value.history.stopped)
    best = min(caught.value.history["validation_loss"])
    assert CrossEntropyLoss().forward(predict(model, x), y) == best


def test_a_rate_far_too_large_is_told_without_a_flood_of_warnings():
    with (
        warnings.catch_warnings(),
        pytest.raises(DivergedError, match=r"rate than 1e\+30"),
    ):
        warnings.simplefilter("error")
        x, y = blobs()
        run(
            data=(x, y.astype(np.float32)[:, None] * np.ones(3, np.float32)),
            loss=MSELoss(),
            optimizer=SGD(1e30),
            epochs=50,
        )


def test_a_model_without_parameters_is_not_trained_happily():
    class Hidden(Layer):
        """Its layer stands where nobody looks."""

        def __init__(self):
            self.layers = {Linear(4, 3, rng=np.random.default_rng(0))}

    for model in (Hidden(), Sequential(ReLU()), Sequential()):
        with pytest.raises(ValueError, match=r"no parameters to train.*by attribute"):
            run(model)


def test_fit_wants_pairs():
    x, y = blobs()
    with pytest.raises(ValueError, match=r"train=\(x, y\), got 3 parts"):
        run(data=((x, y), (x, y), (x, y)))
    with pytest.raises(ValueError, match=r"validation=\(x, y\), got 1 parts"):
        run(validation=(x,))


def test_a_last_batch_of_one_is_an_error_that_names_the_remedy():
    with pytest.raises(ValueError, match=r"BatchNorm\(4\) needs .*batch_size"):
        run(normalised(BatchNorm), far_blobs(61), batch_size=20)


def test_other_errors_pass_through():
    def broken(xb, rng):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(augment=broken)


# ------------------------------------------------------------------------ progress bars

PROGRESS = """
    import sys
    if {hide!r}:
        sys.modules["tqdm"] = sys.modules["tqdm.auto"] = None
    import numpy as np
    from scratchml import *
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 4), dtype=np.float32), rng.integers(0, 3, 20)
    history = fit(Sequential(Linear(4, 3, rng=rng)), CrossEntropyLoss(), SGD(0.1), (x, y),
                  epochs=3, batch_size=5, rng=rng, progress={progress!r}, validation=(x, y))
    print(len(history["loss"]))
"""


@pytest.mark.parametrize(
    ("environment", "progress", "hide", "shown"),
    [
        ({}, True, False, True),
        ({}, False, False, False),
        ({"TQDM_DISABLE": "1"}, True, False, False),
        ({}, True, True, False),
    ],
    ids=["shown", "progress=False", "TQDM_DISABLE", "no tqdm"],
)
def test_the_progress_bar(environment, progress, hide, shown):
    if shown:
        pytest.importorskip("tqdm")
    clean = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(PROGRESS.format(progress=progress, hide=hide)),
        ],
        env=clean | environment,
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == [b"3"]
    assert bool(done.stderr) == shown, done.stderr
    if shown:
        assert b"0/12" in done.stderr  # four batches in three epochs
        assert done.stderr.endswith(b"\r")  # leaves nothing behind


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 7), (2, 4), (7, 1), (99, 1)])
def test_the_progress_bar_counts_batches(monkeypatch, rng, batch_size, steps):
    totals = []

    def bar(total, show):
        totals.append(total)
        return progress_bar(total, show=False)

    monkeypatch.setattr("scratchml.training.progress_bar", bar)
    x, y = np.zeros((7, 4), np.float32), np.zeros(7, int)
    model = Linear(4, 3, rng=rng)
    fit(
        model,
        CrossEntropyLoss(),
        SGD(0.1),
        (x, y),
        epochs=2,
        batch_size=batch_size,
        rng=rng,
    )
    assert totals == [2 * steps]


# -------------------------------------------------------------------------- predictions


class Broken(Layer):
    def forward(self, x):
        raise LookupError("mine")


@pytest.mark.parametrize("training", [True, False])
def test_predict_works_in_eval_mode_and_restores_the_mode(training, rng):
    x, _ = blobs(30)
    model = network(dropout=0.5).train(training)
    np.testing.assert_array_equal(predict(model, x), predict(model, x))
    assert model.training is model.layers[2].training is training
    model = Sequential(Dropout(0.5, rng=rng), Broken()).train(training)
    with pytest.raises(LookupError):
        predict(model, x)
    assert model.training is model.layers[0].training is training


@given(st.integers(1, 40), st.integers(1, 50))
def test_predict_in_batches_is_predict_at_once(n, batch_size):
    x, _ = blobs(n)
    model = network(dropout=0.5)
    at_once = model.eval().forward(x)
    np.testing.assert_allclose(
        predict(model, x, batch_size=batch_size), at_once, rtol=1e-5, atol=1e-6
    )


def test_predict_wants_an_example():
    with pytest.raises(
        ValueError, match=r"at least one example, got x of shape \(0, 4\)"
    ):
        predict(network(), np.ones((0, 4), np.float32))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_predict_wants_a_batch_size(rng, batch_size):
    with pytest.raises(
        ValueError, match=f"a batch_size of 1 or more, got {batch_size}"
    ):
        predict(Linear(3, 2, rng=rng), np.zeros((1, 3)), batch_size=batch_size)


def test_accuracy_from_scores_or_classes():
    y = np.array([0, 1, 2, 2])
    found = np.array([0, 2, 2, 2])
    assert accuracy(found, y) == accuracy(np.eye(3)[found], y) == 0.75
    assert type(accuracy(found, y)) is float
    sequence = np.stack([y, found])
    assert accuracy(np.eye(3)[sequence], np.stack([y, y])) == 7 / 8
    for wrong in (np.eye(3)[found][:2], found[:2], np.ones((4, 3, 3))):
        for pair in ((wrong, y), (y, wrong)):
            with pytest.raises(ValueError, match=r"accuracy expects .* got shapes \("):
                accuracy(*pair)
    with pytest.raises(ValueError, match=r"got shapes \(0, 3\) and \(0,\)"):
        accuracy(np.ones((0, 3)), np.ones(0, int))


def test_accuracy_takes_labels_and_scores_in_either_order(rng):
    """scikit-learn's functions take the labels first, losses take them last."""
    y, scores = rng.integers(0, 3, 20), rng.standard_normal((20, 3))
    right = np.mean(scores.argmax(axis=1) == y)
    assert 0 < right < 1
    assert accuracy(y, scores) == accuracy(scores, y) == right
    classes = scores.argmax(axis=1).tolist()
    assert accuracy(y_true=y, y_pred=classes) == accuracy(classes, y) == right


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)
)
def test_confusion_matrix_counts_true_by_predicted(pairs):
    y, found = (np.array(part) for part in zip(*pairs, strict=True))
    matrix = confusion_matrix(y, found)
    classes = max(map(max, pairs)) + 1
    assert matrix.shape == (classes, classes)
    for true in range(classes):
        for predicted in range(classes):
            assert matrix[true, predicted] == pairs.count((true, predicted))
    assert np.trace(matrix) / matrix.sum() == pytest.approx(accuracy(y, found))


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([0, 1], [0, 1, 1], r"of one shape, got \(2,\) and \(3,\)"),
        ([0, 1], np.eye(2), r"\(2,\) and \(2, 2\); .*by scores\.argmax\(axis=-1\)"),
        ([], [], r"got \(0,\) and \(0,\)"),
        ([0, 1], [0.0, 1.0], r"integer classes .*, got int64 and float64"),
        ([0.0, 1.0], [0, 1], r"integer classes .*, got float64 and int64"),
        ([0, -1], [0, 1], r"integer classes 0\.\.C-1"),
        ([0, 1], [0, -1], r"integer classes 0\.\.C-1"),
        ([0, 10**6], [0, 1], r"up to 10,000 classes, got class 1000000"),
    ],
)
def test_confusion_matrix_names_what_does_not_fit(y_true, y_pred, message):
    with pytest.raises(ValueError, match=f"confusion_matrix .*{message}"):
        confusion_matrix(y_true, y_pred)


# ----------------------------------------------------------------------------- shifting


@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_random_shift_is_the_plain_loop(seed, pixels):
    x = np.random.default_rng(0).random((5, 2, 6, 7), dtype=np.float32)
    before = x.copy()
    moved = random_shift(x, np.random.default_rng(seed), pixels)
    assert (moved.shape, moved.dtype) == (x.shape, x.dtype)
    down, right = (
        np.random.default_rng(seed).integers(0, 2 * pixels + 1, (2, 5)) - pixels
    )
    for n in range(5):
        for c in range(2):
            for i in range(6):
                for j in range(7):
                    row, column = i + down[n], j + right[n]
                    inside = 0 <= row < 6 and 0 <= column < 7
                    assert moved[n, c, i, j] == (x[n, c, row, column] if inside else 0)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(moved, x)


def test_random_shift_goes_everywhere(rng):
    x = np.zeros((2000, 1, 9, 9), np.float32)
    x[:, 0, 4, 4] = 1
    where = random_shift(x, rng, 2).sum(axis=(0, 1))
    assert (where[2:7, 2:7] > 2000 / 25 / 2).all()
    assert where.sum() == 2000


def test_random_shift_wants_images(rng):
    with pytest.raises(ValueError, match=r"images \(N, C, H, W\), got \(3, 28, 28\)"):
        random_shift(np.ones((3, 28, 28)), rng)


# ---------------------------------------------------------------------- weights on disk


def test_weights_come_back(tmp_path):
    model, other = network(seed=1), network(seed=2)
    path = tmp_path / "weights.npz"
    save_weights(model, path)
    arrays = other.parameters()
    load_weights(other, str(path))
    assert_same_weights(other, weights(model))
    assert all(p is arrays[name] for name, p in other.parameters().items())
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.npz"]
    with np.load(path, allow_pickle=False) as file:  # plain numpy reads it too
        np.testing.assert_array_equal(file["0.W"], model.parameters()["0.W"])


def test_weights_keep_the_models_dtype(tmp_path):
    save_weights(network(seed=1).astype(np.float64), tmp_path / "w.npz")
    model = network(seed=2)
    load_weights(model, tmp_path / "w.npz")
    assert model.parameters()["0.W"].dtype == np.float32


@each_normalisation
def test_a_trained_model_predicts_the_same_after_saving_and_loading(tmp_path, kind):
    x, y = far_blobs(90)
    model = normalised(kind)
    run(model, (x, y), epochs=15, batch_size=30, optimizer=Adam(0.02))
    assert accuracy(y, predict(model, x)) > 0.9
    save_weights(model, tmp_path / "w.npz")
    other = normalised(kind, seed=5)
    assert accuracy(y, predict(other, x)) < 0.8
    load_weights(other, tmp_path / "w.npz")
    np.testing.assert_array_equal(predict(other, x), predict(model, x))
    # The running means are what it depends on: without them it is lost.
    parameters = {name: p.copy() for name, p in model.parameters().items()}
    np.savez(tmp_path / "p.npz", **parameters)
    with pytest.raises(ValueError, match=r"p\.npz: .*0\.\w+ is missing"):
        load_weights(other, tmp_path / "p.npz")
    lost = normalised(kind).eval()
    for name, p in lost.parameters().items():
        p[...] = parameters[name]
    assert accuracy(y, lost.forward(x)) < 0.8


@each_normalisation
def test_a_model_with_buffers_goes_to_another_dtype_and_predicts_the_same(kind):
    x, y = far_blobs(90)
    model = normalised(kind)
    run(model, (x, y), epochs=5, batch_size=30)
    before = predict(model, x)
    model.astype(np.float64)
    after = predict(model, x.astype(np.float64))
    assert after.dtype == np.float64
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            lambda rng: Sequential(Flatten(), Linear(4, 8, rng=rng)),
            r"1\.W is missing; 1\.b is missing; 0\.W is not the model's; .* 1 more",
        ),
        (
            lambda rng: Sequential(
                Linear(4, 8, rng=rng), Tanh(), Tanh(), Linear(8, 2, rng=rng)
            ),
            r"3\.W has shape \(8, 3\), expected \(8, 2\); 3\.b has shape",
        ),
        (
            lambda rng: Sequential(*network().layers, BatchNorm(3)),
            r"4\.gamma is missing; .*4\.running_var is missing",
        ),
    ],
)
def test_weights_of_another_model_change_nothing(tmp_path, rng, other, message):
    save_weights(network(), tmp_path / "w.npz")
    model = other(rng)
    before = weights(model)
    with pytest.raises(ValueError, match=rf"w\.npz: .* cannot load .*{message}"):
        load_weights(model, tmp_path / "w.npz")
    assert_same_weights(model, before)


def test_damaged_files_change_nothing(tmp_path):
    save_weights(network(seed=1), tmp_path / "w.npz")
    whole = (tmp_path / "w.npz").read_bytes()
    model, path = network(seed=2), tmp_path / "damaged.npz"
    before = weights(model)
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    damaged = [whole[:n] for n in range(0, len(whole), 97)] + [
        b"no weights",
        bytes(flipped),
    ]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"damaged\.npz is not a weights file of save_weights"
        ):
            load_weights(model, path)
        assert_same_weights(model, before)
    with pytest.raises(FileNotFoundError):
        load_weights(model, tmp_path / "nowhere.npz")


def test_files_of_something_else_change_nothing(tmp_path):
    model, path = network(seed=2), tmp_path / "other.npz"
    before = weights(model)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))  # one array, not an archive
    with pytest.raises(ValueError, match=r"other\.npz is not a weights file"):
        load_weights(model, path)
    words = {
        name: p.astype(str) if name == "3.b" else p + 1 for name, p in before.items()
    }
    np.savez(path, **words)
    with pytest.raises(ValueError, match=r"3\.b holds <U\d+, expected float32"):
        load_weights(model, path)
    assert_same_weights(model, before)


@pytest.mark.skipif(os.name != "posix", reason="permissions are a matter of posix")
def test_saved_weights_have_the_permissions_of_any_new_file(tmp_path):
    save_weights(network(), tmp_path / "w.npz")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "w.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


class Trap:
    """Unpickling it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_ever_unpickled(tmp_path):
    model, trap = (
        Sequential(Linear(2, 2, rng=np.random.default_rng(0))),
        tmp_path / "sprung",
    )
    np.savez(tmp_path / "w.npz", **{"0.W": np.array([Trap(trap)]), "0.b": np.zeros(2)})
    with pytest.raises(ValueError, match="not a weights file"):
        load_weights(model, tmp_path / "w.npz")
    assert not trap.exists()
    assert {entry.name for entry in tmp_path.iterdir()} == {"w.npz"}


def test_a_failing_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "w.npz"
    save_weights(network(seed=1), path)
    old = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save_weights(network(seed=2), path)
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.npz"]


SAVE_FOREVER = """
    import sys
    import numpy as np
    from scratchml import Linear, Sequential, save_weights
    model = Sequential(Linear(400, 300, rng=np.random.default_rng(0)))
    for number in range(10**6):
        for p in model.parameters().values():
            p[...] = number
        save_weights(model, sys.argv[1])
        if number == 2:
            print("going", flush=True)
"""


def test_a_killed_save_leaves_a_whole_file(tmp_path, rng):
    path = tmp_path / "w.npz"
    model = Sequential(Linear(400, 300, rng=rng))
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SAVE_FOREVER), str(path)],
            stdout=subprocess.PIPE,
        ) as process:
            try:
                process.stdout.readline()
                for _ in range(int(rng.integers(5, 20))):  # read while it writes
                    load_weights(model, path)
            finally:
                process.kill()
        load_weights(model, path)
        numbers = {float(v) for p in model.parameters().values() for v in np.unique(p)}
        assert len(numbers) == 1  # one save, not the halves of two
        assert numbers.pop() >= 2
