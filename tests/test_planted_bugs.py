"""It trains, but it is wrong: mistakes found in real code. The loss falls with each of
them.

Every bug is planted on purpose, trained on three clouds of points, and then caught by
the check that a notebook would run, with a diagnosis of its own.
"""

import numpy as np
import pytest

from scratchml import (
    L1,
    L2,
    SGD,
    Adam,
    CheckFailed,
    CrossEntropyLoss,
    Dropout,
    Layer,
    Linear,
    MSELoss,
    Optimizer,
    ReLU,
    Sequential,
    Softmax,
    Tanh,
    batches,
    batches_check,
    fit,
    gradient_check,
    predict,
    same,
    same_steps,
    softmax,
    train_step,
)


def generator():
    return np.random.default_rng(0)


Y = np.arange(90) % 3
X = (
    2 * np.eye(3)[Y] @ np.array([[1, 0, 0, 1], [0, 1, 0, -1], [0, 0, 1, 0]])
    + generator().standard_normal((90, 4))
).astype(np.float32)
EXAMPLES = generator().standard_normal((5, 4))


def train(*layers, loss=None, optimizer=None, y=Y, **settings):
    """The course of the loss in training."""
    history = fit(
        Sequential(*layers),
        loss or CrossEntropyLoss(),
        optimizer or SGD(0.1),
        (X, y),
        epochs=15,
        batch_size=10,
        rng=generator(),
        progress=False,
        **settings,
    )
    return history["loss"]


def linear(n_in=4, n_out=3, kind=Linear):
    return kind(n_in, n_out, rng=generator())


# ------------------------------------------------------------------------------- layers


class ScalarBias(Linear):
    """Adds up the bias gradient over everything: one number for all units."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.grads["b"] = dy.sum() * np.ones_like(self.params["b"])
        return dx


class DiagonalSoftmax(Softmax):
    """Takes `y (1 - y)`, the diagonal of the Jacobian, for the whole of it."""

    def backward(self, dy):
        y = self._kept(dy)
        return dy * y * (1 - y)


class OutputReLU(ReLU):
    """Asks where its *output* is >= 0, which is everywhere."""

    def forward(self, x):
        y = np.maximum(x, 0)
        return self._keep(y, y)

    def backward(self, dy):
        return dy * (self._kept(dy) >= 0)


class InPlaceReLU(ReLU):
    """Saves an array, and changes the caller's."""

    def backward(self, dy):
        dy[~self._kept(dy)] = 0
        return dy


class UnscaledDropout(Dropout):
    """Scales by 1/(1-p) on the way forward only."""

    def backward(self, dy):
        return dy * (self._kept(dy) > 0)


class RestlessDropout(Dropout):
    """Drops in prediction as well: it never asks for the mode."""

    def forward(self, x):
        mode, self.training = self.training, True
        try:
            return super().forward(x)
        finally:
            self.training = mode


class BatchNorm(Layer):
    """`y = (x - mean) / sqrt(var + eps)`, over the batch; right."""

    def forward(self, x):
        centred = x - x.mean(axis=0)
        root = np.sqrt((centred * centred).mean(axis=0) + 1e-5)
        return self._keep(centred / root, centred / root, root)

    def backward(self, dy):
        y, root = self._kept(dy)
        return (dy - dy.mean(axis=0) - y * (dy * y).mean(axis=0)) / root


class HastyBatchNorm(BatchNorm):
    """Takes mean and variance for constants."""

    def backward(self, dy):
        _, root = self._kept(dy)
        return dy / root


LAYERS = {
    ScalarBias: (
        lambda: [linear(4, 8), Tanh(), linear(8, 3, ScalarBias)],
        lambda: linear(kind=ScalarBias),
        "one scalar for all units: sum over the batch",
    ),
    OutputReLU: (
        lambda: [linear(4, 8), OutputReLU(), linear(8, 3)],
        OutputReLU,
        "dy, passed on unchanged: the layer's own derivative is missing",
    ),
    InPlaceReLU: (
        lambda: [linear(4, 8), InPlaceReLU(), linear(8, 3)],
        InPlaceReLU,
        "backward changes its input dy in place",
    ),
    UnscaledDropout: (
        lambda: [linear(4, 8), UnscaledDropout(0.3, rng=generator()), linear(8, 3)],
        lambda: UnscaledDropout(0.3, rng=generator()),
        r"1 - p times the right value: the factor 1/\(1-p\) is missing",
    ),
    RestlessDropout: (
        lambda: [linear(4, 8), RestlessDropout(0.3, rng=generator()), linear(8, 3)],
        lambda: RestlessDropout(0.3, rng=generator()),
        "random in eval mode, so every prediction would be",
    ),
    HastyBatchNorm: (
        lambda: [linear(4, 8), HastyBatchNorm(), linear(8, 3)],
        HastyBatchNorm,
        "the gradient of x is wrong",
    ),
}


@pytest.mark.parametrize("bug", LAYERS)
def test_a_wrong_layer_trains_and_is_caught(bug):
    layers, make, message = LAYERS[bug]
    loss = train(*layers())
    assert loss[-1] < 0.8 * loss[0]
    with pytest.raises(CheckFailed, match=f"{bug.__name__}.*{message}"):
        gradient_check(make(), EXAMPLES, rng=generator())


@pytest.mark.parametrize("bug", [ScalarBias, OutputReLU, InPlaceReLU, UnscaledDropout])
def test_comparing_with_the_library_catches_it_too(bug):
    _, make, message = LAYERS[bug]
    right = {ScalarBias: linear, UnscaledDropout: lambda: Dropout(0.3, rng=generator())}
    with pytest.raises(CheckFailed, match=message):
        same(make(), right.get(bug, ReLU)(), EXAMPLES, rng=generator())


def test_half_a_softmax_trains_and_is_caught():
    """Behind -log p the right class's score still gets its exact gradient; behind MSE
    none does.
    """
    one_hot = np.eye(3, dtype=np.float32)[Y]
    loss = train(
        linear(), DiagonalSoftmax(), loss=MSELoss(), y=one_hot, optimizer=SGD(0.5)
    )
    assert loss[-1] < 0.8 * loss[0]

    gradients = []
    for kind in (Softmax, DiagonalSoftmax):
        model, mse = Sequential(linear().astype(np.float64), kind()), MSELoss()
        mse.forward(model.forward(X.astype(float)), one_hot)
        model.backward(mse.backward())
        gradients.append(model.gradients()["0.W"])
    right, wrong = gradients
    assert np.linalg.norm(wrong - right) > 0.2 * np.linalg.norm(right)

    with pytest.raises(
        CheckFailed, match="diagonal of the Jacobian only: each output depends"
    ):
        gradient_check(DiagonalSoftmax(), EXAMPLES, rng=generator())
    with pytest.raises(CheckFailed, match="the gradient of x is wrong"):
        same(DiagonalSoftmax(), Softmax(), EXAMPLES, rng=generator())


def test_a_check_through_a_plain_sum_sees_nothing_of_softmax():
    """Why `dy` is random: the outputs sum to 1, so with dy = 1 every gradient is zero
    anyway.
    """
    right, wrong = Softmax(), Softmax()
    wrong.backward = lambda dy: 0 * dy
    for layer in (right, wrong):
        layer.forward(EXAMPLES)
        np.testing.assert_allclose(
            layer.backward(np.ones_like(EXAMPLES)), 0, atol=1e-15
        )


def test_batch_norm_on_one_example_is_nothing_to_check():
    """Its output is 0 whatever comes in: right and wrong would both pass."""
    one = EXAMPLES[:1]
    with pytest.raises(
        CheckFailed, match=r"nothing to check.*take a batch of several different"
    ):
        gradient_check(BatchNorm(), one, rng=generator())
    with pytest.raises(
        CheckFailed, match=r"forward does not depend on x: a term never"
    ):
        gradient_check(HastyBatchNorm(), one, rng=generator())
    with pytest.raises(CheckFailed, match="the gradient of x is wrong"):
        gradient_check(HastyBatchNorm(), EXAMPLES, rng=generator())
    gradient_check(BatchNorm(), EXAMPLES, rng=generator())


def test_dropout_in_prediction_makes_predictions_random():
    model = Sequential(
        linear(4, 8), RestlessDropout(0.5, rng=generator()), linear(8, 3)
    )
    assert not np.array_equal(predict(model, X), predict(model, X))


# ----------------------------------------------------------------- losses and penalties


class ShiftingCrossEntropy(CrossEntropyLoss):
    """Subtracts the largest score from the caller's array."""

    def forward(self, scores, target):
        scores -= scores.max(axis=-1, keepdims=True)
        return super().forward(scores, target)


class SummedCrossEntropy(CrossEntropyLoss):
    """Reports the mean over the batch, and hands back the gradient of the sum."""

    def forward(self, scores, target):
        self.n = len(scores)
        return super().forward(scores, target)

    def backward(self):
        return super().backward() * self.n


@pytest.mark.parametrize(
    ("bug", "message"),
    [
        (ShiftingCrossEntropy, "forward changes its input x in place"),
        (SummedCrossEntropy, "off by the batch size: 5 times too large"),
    ],
)
def test_a_wrong_loss_trains_and_is_caught(bug, message):
    loss = train(linear(), loss=bug(), optimizer=SGD(0.02))
    assert loss[-1] < 0.8 * loss[0]
    with pytest.raises(CheckFailed, match=f"{bug.__name__}: .*{message}"):
        gradient_check(bug(), EXAMPLES, Y[:5], rng=generator())


class SignlessL1(L1):
    """Pushes every weight down, the negative ones away from zero."""

    def backward(self):
        return self.strength * np.ones_like(self._kept())


class SilentL2(L2):
    """Changes the gradient and never reaches the loss."""

    def forward(self, W):
        super().forward(W)
        return 0.0


@pytest.mark.parametrize(
    ("bug", "message"),
    [
        (
            SignlessL1,
            r"the sizes are right and some signs are not: a sign\(\.\.\.\) is missing",
        ),
        (SilentL2, "forward does not depend on x: a term never reaches the loss"),
    ],
)
def test_a_wrong_penalty_trains_and_is_caught(bug, message):
    loss = train(linear(), penalty=bug(0.01))
    assert loss[-1] < 0.8 * loss[0]
    with pytest.raises(CheckFailed, match=f"(?i){bug.__name__}: .*{message}"):
        gradient_check(bug(0.01), EXAMPLES, rng=generator())


# ------------------------------------------------------------------ optimizers, batches


class AdamWithoutExponent(Adam):
    """Divides by 1 - beta instead of 1 - beta**t, in every step."""

    def update(self, p, g, state):
        if not state:
            state.update(m=np.zeros_like(p), v=np.zeros_like(p))
        m, v = state["m"], state["v"]
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        v += (1 - self.beta2) * g * g
        p -= self.lr * m / (1 - self.beta1) / (np.sqrt(v / (1 - self.beta2)) + self.eps)


class Decay(Optimizer):
    """SGD with weight decay, right: the rate multiplies both terms."""

    def update(self, p, g, state):
        p -= self.lr * (g + 0.1 * p)


class RatelessDecay(Optimizer):
    """The decay ignores the learning rate."""

    def update(self, p, g, state):
        p -= self.lr * g
        p -= 0.1 * p


@pytest.mark.parametrize(
    ("bug", "right", "message"),
    [
        (
            AdamWithoutExponent(0.001),
            Adam(0.001),
            r"A constant gradient 1 gives the steps 0\.0010, 0\.0013, 0\.0016 instead of 0\.0010 each",
        ),
        (
            RatelessDecay(0.05),
            Decay(0.05),
            "Part of the step ignores the learning rate",
        ),
    ],
    ids=repr,
)
def test_a_wrong_optimizer_trains_and_is_caught(bug, right, message):
    loss = train(linear(4, 8), Tanh(), linear(8, 3), optimizer=type(bug)(0.05))
    assert loss[-1] < 0.9 * loss[0]
    with pytest.raises(CheckFailed, match=message):
        same_steps(bug, right, rng=generator())


def unshuffled(x, y, batch_size, rng):
    for i in range(0, len(x), batch_size):
        yield x[i : i + batch_size], y[i : i + batch_size]


def test_batches_that_are_never_shuffled_train_and_are_caught():
    order = np.argsort(Y, kind="stable")  # sorted by class, as many data sets come
    model, loss, optimizer, course = (
        Sequential(linear()),
        CrossEntropyLoss(),
        SGD(0.1),
        [],
    )
    for _ in range(15):
        for x, y in unshuffled(X[order], Y[order], 10, generator()):
            train_step(model, loss, optimizer, x, y)
        course.append(loss.forward(predict(model, X), Y))
    assert course[-1] < 0.9 * course[0]
    with pytest.raises(CheckFailed, match=r"never shuffled: use rng\.permutation"):
        batches_check(unshuffled, rng=generator())


# --------------------------------------------------------------------- together: no bug


def test_the_right_ones_pass():
    """The same checks, on what the library has."""
    rng = generator()
    for layer in (linear(), ReLU(), Softmax(), Dropout(0.3, rng=rng)):
        gradient_check(layer, EXAMPLES, rng=rng)
    gradient_check(CrossEntropyLoss(), EXAMPLES, Y[:5], rng=rng)
    for penalty in (L1(0.01), L2(0.01)):
        gradient_check(penalty, EXAMPLES, rng=rng)
    same_steps(Adam(0.001), Adam(0.001), rng=rng)
    batches_check(batches, rng=rng)
    assert softmax(EXAMPLES).sum() == pytest.approx(5)
