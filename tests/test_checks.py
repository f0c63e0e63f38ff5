"""The checks: every mistake gets its own diagnosis, and right code is never accused."""

import contextlib
import re
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
import right_layers
import wrong_layers
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml import (
    L1,
    L2,
    SGD,
    AdaGrad,
    Adam,
    BCEWithLogitsLoss,
    CheckFailed,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    Loss,
    MSELoss,
    Optimizer,
    ReLU,
    RMSProp,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    batches,
    batches_check,
    gradient_check,
    same,
    same_steps,
    softmax,
)
from scratchml._compare import both, diagnose_shape
from scratchml._diagnoses import alike_shape
from scratchml._failures import StillBlank, learner_code
from scratchml._trial import global_state, own_generator_only


def generator(seed=0):
    return np.random.default_rng(seed)


def normal(*shape):
    return generator(7).standard_normal(shape)


def mine(kind, *args, forward=None, backward=None):
    """A layer or loss of this kind, called Mine, with one thing wrong.

    `forward(layer, x)` replaces forward. `backward(layer, x, dy, dx)` is called after
    the right backward, may change `layer.grads`, and what it returns replaces dx.
    """

    class Mine(kind):
        def forward(self, x, *target):
            self.x = x
            y = super().forward(x, *target)
            return y if forward is None else forward(self, x)

        def backward(self, *dy):
            dx = super().backward(*dy)
            return dx if backward is None else backward(self, self.x, *dy, dx)

    return Mine(*args, **({"rng": generator()} if kind in (Linear, Dropout) else {}))


def grads(**edits):
    """An edit that replaces gradients: grads(b=lambda g, x, dy: ...)."""

    def backward(layer, x, dy, dx):
        new = {name: edit(layer.grads[name], x, dy) for name, edit in edits.items()}
        layer.grads = layer.grads | new
        return dx

    return backward


def scribble(array):
    array += 1
    return array


def forget_b(layer, x, dy, dx):
    layer.grads = {"W": layer.grads["W"]}
    return dx


def forget_all(layer, x, dy, dx):
    layer.grads = {}
    return dx


# ----------------------------------------- gradient_check: what each mistake looks like

LAYER_MISTAKES = {
    # the shape is wrong
    "dW transposed": (
        mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: g.T)),
        normal(5, 4),
        r"the gradient of W has shape \(3, 4\), expected \(4, 3\)\. It looks tr",
    ),
    "db a scalar": (
        mine(Linear, 4, 3, backward=grads(b=lambda g, x, dy: dy.sum())),
        normal(5, 4),
        r"the gradient of b has shape \(\), expected \(3,\)\. It looks like one sc",
    ),
    "db not summed": (
        mine(Linear, 4, 3, backward=grads(b=lambda g, x, dy: dy)),
        normal(5, 4),
        r"has shape \(5, 3\), expected \(3,\)\. It looks not summed over the batch",
    ),
    "dW of x x^T": (
        mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: x.T @ x)),
        normal(5, 4),
        r"has shape \(4, 4\), expected \(4, 3\)\. Write the shapes below your",
    ),
    "dx of dy": (
        mine(Linear, 4, 3, backward=lambda self, x, dy, dx: dy),
        normal(5, 4),
        r"the gradient of x has shape \(5, 3\), expected \(5, 4\)",
    ),
    # the shape is right, the numbers are not
    "dW transposed, square": (
        mine(Linear, 3, 3, backward=grads(W=lambda g, x, dy: g.T)),
        normal(5, 3),
        r"the gradient of W is wrong.*It looks transposed",
    ),
    "dW NaN": (
        mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: g / 0 * 0)),
        normal(5, 4),
        "Mine: dW holds NaN or infinity",
    ),
    "db zero": (
        mine(Linear, 4, 3, backward=grads(b=lambda g, x, dy: 0 * g)),
        normal(5, 4),
        "the gradient of b.*It is zero everywhere: is it ever assigned",
    ),
    "dW negative": (
        mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: -g)),
        normal(5, 4),
        "the gradient of W.*It has the wrong sign",
    ),
    "dx negative": (
        mine(Tanh, backward=lambda self, x, dy, dx: -dx),
        normal(5, 4),
        "the gradient of x.*It has the wrong sign",
    ),
    "dW times N": (
        mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: g * len(x))),
        normal(5, 4),
        "off by the batch size: 5 times too large",
    ),
    "dW over N": (
        mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: g / len(x))),
        normal(5, 4),
        "off by the batch size: 5 times too small.*do not average",
    ),
    "db a mean": (
        mine(Linear, 4, 3, backward=grads(b=lambda g, x, dy: dy.mean(axis=0))),
        normal(5, 4),
        "the gradient of b.*off by the batch size: 5 times too small",
    ),
    "dropout without its factor": (
        mine(Dropout, 0.3, backward=lambda self, x, dy, dx: dx * (1 - self.p)),
        normal(6, 5),
        r"1 - p times the right value: the factor 1/\(1-p\)",
    ),
    "a constant factor": (
        mine(Sigmoid, backward=lambda self, x, dy, dx: 1.7 * dx),
        normal(5, 4),
        r"1\.7 times the right value everywhere",
    ),
    "db the same for all units": (
        mine(
            Linear, 4, 3, backward=grads(b=lambda g, x, dy: np.full_like(g, dy.sum()))
        ),
        normal(5, 4),
        "the gradient of b is wrong.*one scalar for all units: sum over the batch",
    ),
    "all signs positive": (
        mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: np.abs(g))),
        normal(5, 4),
        r"a sign\(\.\.\.\) is missing",
    ),
    "dx is dy": (
        mine(Tanh, backward=lambda self, x, dy, dx: dy.copy()),
        normal(5, 4),
        "dy, passed on unchanged: the layer's own derivative is missing",
    ),
    "dx without dy": (
        mine(Tanh, backward=lambda self, x, dy, dx: 1 - np.tanh(x) ** 2),
        normal(5, 4),
        "own derivative without dy: the chain rule",
    ),
    "diagonal of the Jacobian": (
        mine(
            Softmax,
            backward=lambda self, x, dy, dx: (
                dy * (y := np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)) * (1 - y)
            ),
        ),
        normal(5, 4),
        "diagonal of the Jacobian only",
    ),
    "another slope": (
        mine(Tanh, backward=lambda self, x, dy, dx: dy * (1 - np.tanh(x))),
        normal(5, 4),
        r"Divided by dy, yours is -?\d.* the layer's slope is \d",
    ),
    "something else": (
        mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: np.sin(7 * g) + 1)),
        normal(5, 4),
        "no mistake known here: compare your equation term by term",
    ),
    # something is changed, missing or never there
    "x changed by forward": (
        mine(ReLU, forward=lambda self, x: np.maximum(x, 0, out=x)),
        normal(5, 4),
        "forward changes its input x in place",
    ),
    "x changed by backward": (
        mine(ReLU, backward=lambda self, x, dy, dx: scribble(x) * 0 + dx),
        normal(5, 4),
        "backward changes its input x in place",
    ),
    "dy changed": (
        mine(ReLU, backward=lambda self, x, dy, dx: np.multiply(dy, x > 0, out=dy)),
        normal(5, 4),
        "backward changes its input dy in place",
    ),
    "forward without return": (
        mine(ReLU, forward=lambda self, x: None),
        normal(5, 4),
        "forward returns nothing: end it with return",
    ),
    "backward without return": (
        mine(Linear, 4, 3, backward=lambda self, x, dy, dx: None),
        normal(5, 4),
        "backward returns nothing: end it with return dx",
    ),
    "forward NaN": (
        mine(ReLU, forward=lambda self, x: x + np.nan),
        normal(5, 4),
        "Mine: output holds NaN or infinity",
    ),
    "no gradient of b": (
        mine(Linear, 4, 3, backward=forget_b),
        normal(5, 4),
        r"stores no gradient for b: assign self\.grads",
    ),
    "b is None": (
        mine(Linear, 4, 3, backward=grads(b=lambda g, x, dy: None)),
        normal(5, 4),
        r"stores no gradient for b: assign self\.grads",
    ),
    "no gradients at all": (
        mine(Linear, 4, 3, backward=forget_all),
        normal(5, 4),
        r"stores no gradient for W, b",
    ),
    "nothing to check": (
        ReLU(),
        -np.abs(normal(5, 4)),
        "nothing to check. The gradient of x is zero everywhere",
    ),
    "never reaches the loss": (
        mine(Linear, 4, 3, forward=lambda self, x: self._keep(x @ self.params["W"], x)),
        normal(5, 4),
        "backward gives b a gradient, but forward does not depend on b: a term",
    ),
}


@pytest.mark.parametrize("mistake", LAYER_MISTAKES)
def test_gradient_check_names_the_mistake(mistake, capsys):
    layer, x, message = LAYER_MISTAKES[mistake]
    before = x.copy()
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        pytest.raises(CheckFailed, match=message),
    ):
        gradient_check(layer, x, rng=generator())
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(x, before)  # the check worked on a copy


def test_the_message_names_parameter_index_and_both_values():
    rights = []

    def nudge(layer, x, dy, dx):
        rights.append((x.T @ dy)[2, 1])
        layer.grads["W"] = layer.grads["W"] + 0.1 * np.arange(12).reshape(4, 3) ** 2
        layer.grads["W"][2, 1] += 50
        return dx

    rng = generator()
    layer, x = mine(Linear, 4, 3, backward=nudge).astype(np.float64), normal(5, 4)
    with pytest.raises(CheckFailed) as caught:
        gradient_check(layer, x, rng=generator(3))
    right = rights[0]
    assert str(caught.value).startswith(
        f"Mine: the gradient of W is wrong, worst at (2, 1): yours {right + 54.9:.6g}, "
        f"numerical {right:.6g}. It matches no mistake known here"
    )
    assert isinstance(caught.value, AssertionError)
    with pytest.raises(
        CheckFailed,
        match=r"Sequential: the gradient of 1\.W is wrong, worst at "
        r"\(2, 1\)",
    ):
        gradient_check(Sequential(Tanh(), layer), x, rng=rng)


def test_one_example_hides_the_mistakes_of_a_batch():
    """Why the notebooks check with several: with N = 1 a mean is a sum."""
    layer = mine(Linear, 4, 3, backward=grads(b=lambda g, x, dy: dy.mean(axis=0)))
    gradient_check(layer, normal(1, 4), rng=generator())
    with pytest.raises(CheckFailed):
        gradient_check(layer, normal(2, 4), rng=generator())


def test_large_arrays_are_checked_at_random_places():
    layer = mine(Linear, 60, 50, backward=grads(W=lambda g, x, dy: 1.01 * g))
    with pytest.raises(
        CheckFailed, match=r"the gradient of W.*1\.01 times the right value"
    ):
        gradient_check(layer, normal(5, 60), rng=generator(), limit=20)

    calls = []
    counting = mine(
        Linear,
        60,
        50,
        forward=lambda self, x: (
            calls.append(1) or self._keep(x @ self.params["W"] + self.params["b"], x)
        ),
    )
    gradient_check(counting, normal(5, 60), rng=generator(), limit=20)
    # x, W and b, each place moved up and down, in two tries; some calls of other checks
    assert len(calls) < 2 * 3 * 2 * 20 + 40


# ----------------------------------------------------------------- losses and penalties


def targets(kind):
    return {
        MSELoss: -np.ones((5, 3)),
        CrossEntropyLoss: np.array([0, 1, 2, 2, 1]),
        BCEWithLogitsLoss: np.array([[0, 1, 1]] * 5),
    }[kind]


@pytest.mark.parametrize("kind", [MSELoss, CrossEntropyLoss, BCEWithLogitsLoss])
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda self, x, ds: -ds, "It has the wrong sign"),
        (
            lambda self, x, ds: ds * 5,
            "off by the batch size: 5 times too large. Divide by N",
        ),
        (lambda self, x, ds: ds / 5, "off by the batch size: 5 times too small"),
        (
            lambda self, x, ds: ds / 3,
            "3 times too small: divide by the rows N, not by all the numbers",
        ),
        (lambda self, x, ds: ds * 0, "It is zero everywhere"),
        (lambda self, x, ds: None, "backward returns nothing"),
        (
            lambda self, x, ds: scribble(x) * 0 + ds,
            "backward changes its input x in place",
        ),
    ],
)
def test_gradient_check_of_a_loss_names_the_mistake(kind, edit, message):
    with pytest.raises(CheckFailed, match=message):
        gradient_check(
            mine(kind, backward=edit), normal(5, 3), targets(kind), rng=generator()
        )


def test_a_loss_must_not_change_scores_or_target():
    class Shifts(CrossEntropyLoss):
        def forward(self, scores, target):
            scores -= scores.max(axis=-1, keepdims=True)
            return super().forward(scores, target)

    class Sorts(CrossEntropyLoss):
        def forward(self, scores, target):
            target.sort()
            return super().forward(scores, target)

    y = np.array([2, 0, 1, 1, 0])
    with pytest.raises(
        CheckFailed, match="Shifts: forward changes its input x in place"
    ):
        gradient_check(Shifts(), normal(5, 3), y, rng=generator())
    with pytest.raises(
        CheckFailed, match="Sorts: forward changes its input argument 2 in place"
    ):
        gradient_check(Sorts(), normal(5, 3), y, rng=generator())


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (
            mine(L1, 0.1, backward=lambda self, W, dW: self.strength * np.ones_like(W)),
            r"a sign\(\.\.\.\) is missing",
        ),
        (
            mine(L1, 0.1, backward=lambda self, W, dW: self.strength * np.abs(W)),
            "Mine: the gradient",
        ),
        (mine(L2, 0.1, backward=lambda self, W, dW: 2 * dW), "2 times the right value"),
        (mine(L2, 0.1, forward=lambda self, W: 0.0), "a term never reaches the loss"),
    ],
)
def test_gradient_check_of_a_penalty_names_the_mistake(penalty, message):
    penalty._saved = normal(4, 3)
    with pytest.raises(CheckFailed, match=message):
        gradient_check(penalty, normal(4, 3), rng=generator())


# ------------------------------------------------------------------ dtype and eval mode


class Root(Layer):
    """`y = x / sqrt(2)`, written by someone who believes numpy keeps float32."""

    def __init__(self, where):
        self.where = where
        self.params = {"s": np.ones(4, np.float32)}

    def forward(self, x):
        self.x = x
        y = x * self.params["s"] / (np.sqrt(2.0) if self.where == "y" else 2**0.5)
        return y

    def backward(self, dy):
        root = np.sqrt(2.0)  # a float64, which promotes float32
        self.grads = {
            "s": (dy * self.x).sum(axis=0) / (root if self.where == "s" else 2**0.5)
        }
        return dy * self.params["s"] / (root if self.where == "x" else 2**0.5)


each_place = pytest.mark.parametrize(
    ("where", "what"), [("y", "output"), ("x", "dx"), ("s", "ds")]
)


@each_place
def test_a_learners_float64_is_a_hint_after_the_numbers_are_right(where, what, capsys):
    gradient_check(Root(where), normal(5, 4), rng=generator())
    told = capsys.readouterr().out
    assert told.startswith("✓ Root: dx, ds match finite differences\n  hint: ")
    assert re.search(f"For float32 {what}.* would be float64", told)
    assert ".astype(x.dtype)" in told
    assert max(map(len, told.splitlines())) <= 88


@each_place
def test_the_librarys_layers_must_keep_float32(where, what):
    ours = type("Ours", (Root,), {"__module__": "scratchml.layers"})
    with pytest.raises(
        CheckFailed,
        match=f"Ours: {what} is float64 where float32 was given: keep"
        r" the dtype \(math\.sqrt, not np\.sqrt",
    ):
        gradient_check(ours(where), normal(5, 4), rng=generator())


def test_a_float64_layer_before_ours_is_a_hint_too(capsys):
    model = Sequential(Root("y"), Linear(4, 3, rng=generator()))
    gradient_check(model, normal(5, 4), rng=generator())
    told = " ".join(capsys.readouterr().out.split())
    assert "hint: with float32 it fails. Sequential: forward stops: TypeError" in told
    assert "Linear(4 -> 3) has float32 weights and got float64" in told


class Narrow(Layer):
    """Always allocates float32: half the digits of a float64 are gone."""

    def forward(self, x):
        y = np.zeros(x.shape, np.float32)
        y += 3
        return self._keep((x + y).astype(np.float32) if self.output else x + y, x.dtype)

    def backward(self, dy):
        self._kept(dy)
        return dy.astype(np.float32)

    def __init__(self, output):
        self.output = output


def test_float32_where_float64_was_given():
    with pytest.raises(CheckFailed):
        gradient_check(Narrow(output=True), normal(5, 4), rng=generator())
    # The numbers pass, 1 is 1 in any type; the type does not.
    with pytest.raises(
        CheckFailed, match="Narrow: dx is float32 where float64 was given"
    ):
        gradient_check(
            Narrow(output=False),
            normal(5, 4).astype(np.float32),
            rng=generator(),
            tolerance=1e-5,
        )


def test_a_float32_input_is_checked_in_float64():
    gradient_check(
        Linear(4, 3, rng=generator()), normal(5, 4).astype(np.float32), rng=generator()
    )


def test_dropout_that_forgets_the_mode():
    class MyDropout(Dropout):
        def forward(self, x):
            self.training = True
            return super().forward(x)

    with pytest.raises(
        CheckFailed, match=r"MyDropout is random in eval mode.*self\.training is"
    ):
        gradient_check(MyDropout(0.5, rng=generator()), normal(6, 5), rng=generator())


# --------------------------------------------------------------------------------- same


def test_same_accepts_and_says_what_it_compared(capsys):
    same(
        mine(Linear, 4, 3),
        Linear(4, 3, rng=generator(9)),
        normal(5, 4),
        rng=generator(),
    )
    assert (
        capsys.readouterr().out
        == "✓ Mine is the library's Linear: output, dx, dW, db\n"
    )
    gradient_check(mine(Linear, 4, 3), normal(5, 4), rng=generator())
    assert capsys.readouterr().out == "✓ Mine: dx, dW, db match finite differences\n"
    y = np.array([0, 1, 2, 1, 0])
    same(mine(CrossEntropyLoss), CrossEntropyLoss(), normal(5, 3), y, rng=generator())
    assert (
        capsys.readouterr().out
        == "✓ Mine is the library's CrossEntropyLoss: output, dx\n"
    )


def test_same_touches_neither_of_the_two():
    own, library = mine(Linear, 4, 3), Linear(4, 3, rng=generator(9))
    before = [own.params["W"].copy(), library.params["W"].copy()]
    same(own, library, normal(5, 4), rng=generator())
    np.testing.assert_array_equal(own.params["W"], before[0])
    np.testing.assert_array_equal(library.params["W"], before[1])
    assert own.params["W"].dtype == library.params["W"].dtype == np.float32


class Weights(Layer):
    """Parameters of any names and shapes, and no mathematics."""

    def __init__(self, **shapes):
        self.params = {
            name: np.zeros(shape, np.float32) for name, shape in shapes.items()
        }


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (
            Weights(W=(4, 3), bias=3),
            r"Weights has the parameters {'W': \(4, 3\), 'bias': \(3,\)}, "
            r"the library's Linear has {'W': \(4, 3\), 'b': \(3,\)}",
        ),
        (Weights(), r"Weights has the parameters {}, the library's Linear has {'W'"),
        (
            Weights(W=(3, 4), b=3),
            r"{'W': \(3, 4\), .*, the library's Linear has {'W': \(4, 3\)",
        ),
        (
            mine(
                Linear,
                4,
                3,
                forward=lambda self, x: self._keep(x @ self.params["W"], x),
            ),
            "the gradient|the output",
        ),
        (
            mine(Linear, 4, 3, forward=lambda self, x: (x @ self.params["W"])[0]),
            r"the output has shape \(3,\), expected \(5, 3\)",
        ),
        (
            mine(Linear, 4, 3, backward=grads(W=lambda g, x, dy: -g)),
            "the gradient of W is wrong, worst "
            r"at \(\d, \d\): yours .*, the library's .*It has the wrong sign",
        ),
        (mine(Linear, 4, 3, backward=forget_b), "stores no gradient for b"),
        (
            mine(Linear, 4, 3, backward=grads(b=lambda g, x, dy: g * 5)),
            "5 times too large",
        ),
    ],
)
def test_same_names_the_mistake(own, message):
    library = Linear(4, 3, rng=generator(9))
    library.params["b"] += 0.5
    with pytest.raises(CheckFailed, match=message):
        same(own, library, normal(5, 4), rng=generator())


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            lambda self, x: self._keep(-np.tanh(x), -np.tanh(x)),
            "the output is wrong.*wrong sign",
        ),
        (
            lambda self, x: self._keep(np.tanh(2 * x), np.tanh(x)),
            "the output is wrong, worst at",
        ),
        (
            lambda self, x: np.tanh(x).T,
            r"the output has shape \(4, 5\), expected \(5, 4\)",
        ),
    ],
)
def test_same_compares_the_outputs_first(forward, message):
    with pytest.raises(CheckFailed, match=message):
        same(mine(Tanh, forward=forward), Tanh(), normal(5, 4), rng=generator())


def test_same_of_a_loss_sees_the_value():
    own = mine(MSELoss, forward=lambda self, s: float(np.sum(s * s)))
    with pytest.raises(CheckFailed, match=r"the output is wrong, worst at \(\)"):
        same(own, MSELoss(), normal(5, 3), normal(5, 3), rng=generator())


# --------------------------------------------------------------------------- same_steps


def stepping(update, lr=0.1):
    """An optimizer called Mine with this update."""
    return type("Mine", (Optimizer,), {"update": update})(lr)


def in_place(rule):
    def update(self, p, g, state):
        p -= rule(self, p, g, state)

    return update


def adam_without_exponent(self, p, g, state):
    m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * g * g
    p -= self.lr * (m / 0.1) / (np.sqrt(v / 0.001) + 1e-8)


def forgetful_momentum(self, p, g, state):
    v = 0.9 * state.get("v", 0) + g
    state["v"] = g
    p -= self.lr * v


def assigns(self, p, g, state):
    p = p - self.lr * g


def changes_g(self, p, g, state):
    g *= self.lr
    p -= g


DECAY = in_place(lambda self, p, g, state: self.lr * (g + 0.2 * p))


@pytest.mark.parametrize(
    ("own", "library", "message"),
    [
        (
            stepping(in_place(lambda self, p, g, s: -self.lr * g)),
            SGD(0.1),
            r"step 1 is wrong, worst at \(\d, \d\): yours .*, the library's .*wrong sign: it walks up",
        ),
        (
            stepping(in_place(lambda self, p, g, s: self.lr * g + 0.01 * p)),
            stepping(DECAY),
            "ignores the learning rate: doubling lr does not double it",
        ),
        (
            stepping(in_place(lambda self, p, g, s: 0.1 * g + 0 * p)),
            SGD(0.2),
            "ignores the learning rate",
        ),
        (
            stepping(in_place(lambda self, p, g, s: 2 * self.lr * g)),
            SGD(0.1),
            "It is 2 times the right step: a constant factor is off",
        ),
        (
            stepping(in_place(lambda self, p, g, s: self.lr * np.sign(g))),
            SGD(0.1),
            "The very first step differs: compare the equation term by term",
        ),
        (
            stepping(adam_without_exponent, 0.001),
            Adam(0.001),
            r"step 2 is wrong.*steps 0\.0010, 0\.0013, 0\.0016 instead of 0\.0010 each: the bias "
            r"correction needs the step number as its exponent, 1 - beta\*\*k at step k",
        ),
        (
            stepping(forgetful_momentum),
            SGD(0.1, momentum=0.9),
            "step 3 is wrong.*The steps before were right: something is not kept in state",
        ),
        (
            stepping(assigns),
            SGD(0.1),
            r"p never changes. Update it in place: p -= ..., not p = p",
        ),
        (stepping(changes_g), SGD(0.1), "update changes its input g in place"),
        (AdaGrad(0.01), RMSProp(0.01), "AdaGrad: step 1 is wrong"),
        (
            SGD(0.1, momentum=0.9),
            SGD(0.1, momentum=0.9, nesterov=True),
            "SGD: step 1 is wrong",
        ),
    ],
)
def test_same_steps_names_the_mistake(own, library, message):
    with pytest.raises(CheckFailed, match=message):
        same_steps(own, library, rng=generator())


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_same_steps_accepts_other_spellings_of_the_same_walk(seed):
    def adam(self, p, g, state):
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
        v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * g**2
        p[...] = p - self.lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)

    same_steps(stepping(adam, 0.01), Adam(0.01), rng=generator(seed), steps=50)


# ------------------------------------------------------------------------ batches_check


def cut(x, y, order, batch_size, y_order=None):
    for i in range(0, len(order), batch_size):
        chosen = order[i : i + batch_size]
        yield x[chosen], y[chosen if y_order is None else y_order[i : i + batch_size]]


def shuffle_starts(x, y, batch_size, rng):
    starts = np.arange(0, len(x), batch_size)
    rng.shuffle(starts)
    for i in starts:
        yield x[i : i + batch_size], y[i : i + batch_size]


ALWAYS_THE_SAME = generator(5).permutation(20)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda x, y, size, rng: cut(x, y, np.arange(len(x)), size),
            "the examples are never shuffled",
        ),
        (shuffle_starts, "only the order of the batches is shuffled, not the examples"),
        (
            lambda x, y, size, rng: cut(x, y, ALWAYS_THE_SAME, size),
            "every epoch has the same order",
        ),
        (
            lambda x, y, size, rng: cut(
                x, y, rng.permutation(len(x))[: len(x) // size * size], size
            ),
            "2 of 20 examples never appear in an epoch: the last, smaller batch counts too",
        ),
        (
            lambda x, y, size, rng: cut(x, y, rng.integers(0, len(x), len(x)), size),
            "some examples appear twice in an epoch and others never: draw a permutation",
        ),
        (
            lambda x, y, size, rng: cut(
                x, y, rng.permutation(len(x)), size, rng.permutation(len(x))
            ),
            "x and y come apart: use one order for both",
        ),
        (
            lambda x, y, size, rng: cut(
                x, y, rng.permutation(len(x)), size, np.arange(len(x))
            ),
            "x and y come apart",
        ),
        (lambda x, y, size, rng: [(x, y)], "a batch has more than 6 examples"),
        (
            lambda x, y, size, rng: cut(x, y, np.arange(26) % 20, size),
            "6 examples appear more than once in an epoch",
        ),
        (lambda x, y, size, rng: None, "batches gives nothing: yield each batch"),
    ],
)
def test_batches_check_names_the_mistake(wrong, message):
    with pytest.raises(CheckFailed, match=message):
        batches_check(wrong, rng=generator())


@given(st.integers(0, 2**32 - 1))
def test_batches_check_accepts_the_right_ones(seed):
    batches_check(batches, rng=generator(seed))
    batches_check(
        lambda x, y, size, rng: list(cut(x, y, rng.permutation(len(x)), size)),
        rng=generator(seed),
    )


# ---------------------------------------------------------------------- no false alarms


@settings(max_examples=30)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 5), st.integers(2, 5)
)
def test_right_layers_are_never_accused(seed, n, d, out):
    rng = generator(seed)
    x = rng.standard_normal((n, d)) * rng.choice([0.1, 1, 3])
    for layer in (
        Linear(d, out, rng=rng),
        Sigmoid(),
        Tanh(),
        Softmax(),
        LeakyReLU(0.2),
        Flatten(),
        Dropout(0.05, rng=rng),
    ):
        if not (isinstance(layer, Dropout) and n * d < 12):  # all may be silenced
            gradient_check(layer, x, rng=rng)
    gradient_check(ReLU(), np.append(x, np.ones((n, 1)), axis=1), rng=rng)
    y = rng.integers(0, d, n)
    for loss, target in (
        (MSELoss(), rng.standard_normal((n, d))),
        (CrossEntropyLoss(), y),
        (CrossEntropyLoss(), np.eye(d)[y]),
        (BCEWithLogitsLoss(), rng.integers(0, 2, (n, d))),
    ):
        gradient_check(loss, x, target, rng=rng)
    for penalty in (L1(0.01), L2(1e-4)):
        gradient_check(penalty, x, rng=rng)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_right_layers_are_never_accused_where_kinks_meet(seed):
    """A row of zeros and no bias: every unit stands at its kink, and moving x moves
    them all.
    """
    rng = generator(seed)
    x = rng.standard_normal((5, 4))
    x[2] = 0
    gradient_check(
        Sequential(
            Linear(4, 6, rng=rng),
            LeakyReLU(0.1),
            Linear(6, 5, rng=rng),
            LeakyReLU(0.1),
            Linear(5, 3, rng=rng),
        ),
        x,
        rng=rng,
    )


@given(st.integers(0, 2**32 - 1))
def test_right_layers_are_never_accused_at_a_kink(seed):
    """Whole numbers, so many exact zeros, and others closer to zero than the step."""
    rng = generator(seed)
    x = rng.integers(-2, 3, (6, 4)).astype(float)
    x[0] = 1
    for layer in (ReLU(), LeakyReLU(0.1), L1(0.3)):
        gradient_check(layer, x + rng.choice([0, 3e-6, -7e-6], (6, 4)), rng=rng)


def test_a_kink_excuses_nothing_elsewhere():
    """Zeros in the input do not hide a wrong slope at the other entries."""
    x = np.array([[0.0, 0.0, 1.0, -1.0]])
    for edit in (lambda self, x, dy, dx: 1.1 * dx, lambda self, x, dy, dx: dy):
        with pytest.raises(CheckFailed):
            gradient_check(mine(ReLU, backward=edit), x, rng=generator())


def test_the_checks_leave_no_trace_in_what_they_check():
    layer = Sequential(Linear(4, 3, rng=generator()), Dropout(0.5, rng=generator(1)))
    state = layer.layers[1].rng.bit_generator.state
    gradient_check(layer, normal(5, 4), rng=generator())
    assert layer.gradients() == {}
    assert layer.training
    assert layer.parameters()["0.W"].dtype == np.float32
    assert layer.layers[1].rng.bit_generator.state == state


def test_a_learners_exception_is_told_with_its_line_and_its_shapes():
    class Mine(Loss):
        def forward(self, scores, target):
            raise LookupError("mine")

    told = (
        r"Mine: forward stops at line \d+, `raise LookupError\(\"mine\"\)`: "
        r"LookupError: mine\. Shapes here: x \(5, 3\)\.$"
    )
    with pytest.raises(CheckFailed, match=told):
        gradient_check(Mine(), normal(5, 3), normal(5, 3), rng=generator())


def test_the_librarys_own_errors_are_not_dressed_up():
    with pytest.raises(ValueError, match=r"Linear\(4 -> 3\) expects \(N, 4\)"):
        gradient_check(Linear(4, 3, rng=generator()), normal(5, 2), rng=generator())


CELLS = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor")
shell.run_cell("import numpy as np; from scratchml import *; rng = np.random.default_rng(0)")
shell.run_cell("class Mine(ReLU):\\n    def backward(self, dy):\\n        return -dy")
shell.run_cell("x = rng.normal(size=(4, 3))\\ngradient_check(Mine(), x, rng=rng)")
shell.run_cell("same(Mine(), ReLU(), x, rng=rng)")
shell.run_cell(
    "class Shapes(ReLU):\\n    def backward(self, dy):\\n        return dy @ self.W\\n"
    "shapes = Shapes()\\nshapes.W = np.ones((2, 3))"
)
shell.run_cell("gradient_check(shapes, x, rng=rng)")
shell.run_cell(
    "class Blank(ReLU):\\n    def backward(self, dy):\\n"
    "        raise NotImplementedError('your turn: return dx')"
)
shell.run_cell("gradient_check(Blank(), x, rng=rng)")
"""


def test_a_notebook_shows_the_line_and_the_message_and_no_frames_of_the_library():
    pytest.importorskip("IPython")
    done = subprocess.run(
        [sys.executable, "-c", CELLS], capture_output=True, text=True, check=True
    )
    assert max(map(len, done.stdout.splitlines())) <= 88
    first, second, shapes, blank = re.split("(?m)^line ", done.stdout.strip())[1:]
    assert first.startswith(
        "2: gradient_check(Mine(), x, rng=rng)\nCheckFailed: Mine: "
    )
    assert second.startswith("1: same(Mine(), ReLU(), x, rng=rng)\nCheckFailed: Mine: ")
    for told in (first, second):
        assert "the gradient of x is wrong, worst at (" in told
        assert "It is -dy: the layer's own derivative is missing" in " ".join(
            told.split()
        )
    told = " ".join(shapes.split())
    assert "line 3, `return dy @ self.W`" in told
    assert "Shapes here: dy (4, 3), W (2, 3)." in told
    assert blank == "1: gradient_check(Blank(), x, rng=rng)\nstill blank: return dx"
    assert "scratchml" not in done.stdout


def test_outside_a_notebook_the_traceback_begins_in_the_callers_line():
    with pytest.raises(CheckFailed) as caught:
        gradient_check(
            mine(ReLU, forward=lambda self, x: None), normal(5, 4), rng=generator()
        )
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [Path(frame.filename).name for frame in frames] == [
        "test_checks.py",
        "checks.py",
    ]
    assert caught.value.__suppress_context__


# ------------------------------------------- many right ones, and many wrong by name

RIGHT = pytest.mark.parametrize("name", right_layers.RIGHT)


@RIGHT
def test_what_is_right_is_accepted(name, capsys):
    for seed in range(2):
        layer, x, *targets = right_layers.RIGHT[name]()
        gradient_check(layer, x, *targets, rng=generator(seed))
    assert capsys.readouterr().out.count("match finite differences\n") == 2


@pytest.mark.parametrize("name", wrong_layers.GRADIENTS)
def test_what_is_wrong_is_named(name, capsys):
    build, message = wrong_layers.GRADIENTS[name]
    for seed in range(2):
        layer, x, *targets = build()
        with pytest.raises(CheckFailed, match=rf"(?s){message}") as caught:
            gradient_check(layer, x, *targets, rng=generator(seed))
        demand_two_numbers(str(caught.value))
    assert capsys.readouterr().out == ""


def demand_two_numbers(message):
    """Never two equal numbers: nobody could see what is wrong."""
    if pair := re.search(r"yours (\S+), (?:numerical|the library's) (\S+)\. ", message):
        assert pair[1] != pair[2]


@pytest.mark.parametrize("name", wrong_layers.SAME)
def test_same_names_what_is_wrong(name):
    build, reference, inputs, message = wrong_layers.SAME[name]
    for seed in range(2):
        with pytest.raises(CheckFailed, match=rf"(?s){message}"):
            same(build(), reference(), *inputs, rng=generator(seed))


@pytest.mark.parametrize("name", wrong_layers.STEPS)
def test_same_steps_names_what_is_wrong(name):
    build, reference, message = wrong_layers.STEPS[name]
    for seed in range(2):
        with pytest.raises(CheckFailed, match=rf"(?s){message}") as caught:
            same_steps(build(), reference, rng=generator(seed))
        demand_two_numbers(str(caught.value))


@pytest.mark.parametrize("batches", wrong_layers.BATCHES, ids=lambda f: f.__name__)
def test_batches_check_names_what_is_wrong(batches):
    message = wrong_layers.BATCHES[batches]
    for seed in range(2):
        with pytest.raises(CheckFailed, match=rf"(?s){message}"):
            batches_check(batches, rng=generator(seed))


def test_what_is_handed_in_comes_back_as_it_was():
    """Even from a loss that changes its targets, and with numpy's own generator."""
    target = np.array([2, 0, 1, 1, 0])
    kept = target.copy()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with pytest.raises(CheckFailed, match="argument 2 in place"):
        gradient_check(
            wrong_layers.SortsTargets(), normal(5, 3), target, rng=generator()
        )
    batches_check(batches, rng=generator())
    np.testing.assert_array_equal(target, kept)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_eval_gradients_can_be_left_out(capsys):
    def layer():
        return wrong_layers.EvalBackwardDropout(0.4, rng=generator(1))

    for options in ({}, {"eval_gradients": True}):
        with pytest.raises(CheckFailed, match="in eval mode "):
            gradient_check(layer(), normal(5, 4), rng=generator(), **options)
        with pytest.raises(CheckFailed, match="in eval mode "):
            same(
                layer(),
                Dropout(0.4, rng=generator(1)),
                normal(5, 4),
                rng=generator(),
                **options,
            )
    gradient_check(layer(), normal(5, 4), rng=generator(), eval_gradients=False)
    library = Dropout(0.4, rng=generator(1))
    same(layer(), library, normal(5, 4), rng=generator(), eval_gradients=False)
    with pytest.raises(CheckFailed, match="random in eval mode"):
        restless = wrong_layers.AlwaysDropout(0.4, rng=generator(1))
        gradient_check(restless, normal(5, 4), rng=generator(), eval_gradients=False)


def test_learner_code_explains_what_happens_in_it():
    def my_function(a, b):
        return a @ b

    a, b = np.ones((2, 3)), np.ones((2, 3))
    with pytest.raises(
        CheckFailed, match=r"my_function stops at line \d+, `return a @ b`"
    ):
        with learner_code("my_function", a=a, b=b):
            my_function(a, b)
    with pytest.raises(StillBlank, match=r"^your turn: return y$"):
        with learner_code("my_function"):
            raise NotImplementedError("your turn: return y")
    with pytest.raises(CheckFailed, match=r"^as it was$"), learner_code("my_function"):
        raise CheckFailed("as it was")
    with pytest.raises(KeyboardInterrupt), learner_code("my_function"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("does", "caught"),
    [
        (lambda: np.random.randn(), True),  # noqa: NPY002
        (lambda: np.random.rand(2), True),  # noqa: NPY002
        (lambda: np.random.seed(0), True),  # noqa: NPY002
        (lambda: np.random.default_rng(0).random(), False),
    ],
    ids=["a normal number", "two numbers", "a seed", "a generator of its own"],
)
def test_the_global_generator_is_neither_drawn_from_nor_disturbed(does, caught):
    np.random.randn()  # noqa: NPY002  (a second normal number waits)
    before = global_state()
    with pytest.raises(CheckFailed) if caught else contextlib.nullcontext():
        with own_generator_only("a layer"):
            does()
    assert global_state() == before


# ------------------------------------------------------------- the words of a diagnosis


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (0.7, "1 - p times the right value: the factor 1/(1-p) is missing"),
        (0.49, "(1 - p)² times the right value: divide by 1 - p"),
        (7 / 3, "2.333 times the right value: is it divided by p?"),
        (10 / 7, "1/(1-p) times the right value: that factor comes in twice"),
    ],
)
def test_a_factor_of_dropout_is_named(factor, words):
    layer = mine(Dropout, 0.3, backward=lambda self, x, dy, dx: factor * dx)
    with pytest.raises(CheckFailed, match=re.escape(f"It is {words}")):
        gradient_check(layer, normal(9, 4), rng=generator())


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (7, "off by the batch size: 7 times too large"),
        (1 / 7, "off by the batch size: 7 times too small"),
        (4, "4 times too large: divide by all the numbers, not by the rows N"),
        (1 / 4, "4 times too small: divide by the rows N, not by all the numbers"),
        (28, "28 times too large: divide by the number of numbers"),
        (7 / 4, "1.75 times the right value: divide by the rows N, not by the number"),
        (7 // 4 + 0.5, "1.5 times the right value everywhere: a constant factor"),
    ],
)
def test_a_factor_of_a_loss_is_named(factor, words):
    loss = mine(MSELoss, backward=lambda self, x, ds: factor * ds)
    with pytest.raises(CheckFailed, match=re.escape(f"It is {words}")):
        gradient_check(loss, normal(7, 4), normal(7, 4) + 1, rng=generator())


def test_both_numbers_have_the_digits_that_tell_them_apart():
    def both_of(a, b):
        return both(np.array([a]), np.array([b]), (0,), "right")

    assert both_of(1, 2) == "yours 1, right 2"
    assert both_of(1, 1 + 1e-9) == "yours 1, right 1.000000001"
    next_one = np.nextafter(0.1, 1)  # the same to 16 digits
    assert both_of(0.1, next_one) == (
        "yours 0.10000000000000001, right 0.10000000000000002"
    )


def test_the_places_drawn_in_a_large_array_are_all_different():
    moved = []

    def forward(self, x):
        places = np.flatnonzero(self.params["W"] != W)
        moved.extend(places if len(places) == 1 else [])
        return x @ self.params["W"] + self.params["b"]

    layer = mine(Linear, 5, 4, forward=forward).astype(np.float64)
    W = layer.params["W"].copy()
    gradient_check(layer, normal(6, 5), rng=generator(), limit=19)
    draws = len(moved) // (2 * 19)  # in each, 19 places are moved down and up
    assert draws >= 1 and max(np.bincount(moved)) == 2 * draws


def test_the_number_of_columns_is_that_of_the_last_axis():
    loss = mine(MSELoss, backward=lambda self, x, ds: ds / 4)
    x = normal(2, 5, 4)
    with pytest.raises(
        CheckFailed, match="It is 4 times too small: divide by the rows"
    ):
        gradient_check(loss, x, x + 1, rng=generator())


def test_a_sum_over_the_other_axis_is_named():
    layer = mine(Linear, 4, 3, backward=grads(b=lambda g, x, dy: dy.sum(axis=1)))
    with pytest.raises(CheckFailed, match="It has one number for each example"):
        gradient_check(layer, normal(5, 4), rng=generator())


def test_a_missing_slope_with_a_wrong_sign_is_named():
    layer = mine(Tanh, backward=lambda self, x, dy, dx: -dy)
    with pytest.raises(CheckFailed, match="It is -dy: the layer's own derivative is"):
        gradient_check(layer, normal(5, 4), rng=generator())


@pytest.mark.parametrize("wrong", [1, 1.01])
def test_a_layer_may_remember_its_last_forward(wrong):
    class Louder(Layer):
        """In training each forward is louder than the one before."""

        factor = 1

        def forward(self, x):
            self.factor = self.factor + 1 if self.training else 1
            return self.factor * x

        def backward(self, dy):
            return wrong * self.factor * dy

    with pytest.raises(CheckFailed) if wrong > 1 else contextlib.nullcontext():
        gradient_check(Louder(), normal(5, 4), rng=generator())


@pytest.mark.parametrize(("numbers", "named"), [(2, False), (3, True)])
def test_a_form_needs_three_numbers(numbers, named):
    """Two numbers go like sign(e) too often by chance."""
    loss = mine(MSELoss, backward=lambda self, x, ds: 0.3 * np.sign(ds))
    target = np.arange(numbers) * 2.0 - 1
    with pytest.raises(CheckFailed) as caught:
        gradient_check(loss, normal(numbers), target, rng=generator())
    told = str(caught.value)
    assert ("It is proportional to sign(the error)" in told) == named
    assert ("The right one goes like the error." in told) == named


@pytest.mark.parametrize(
    ("factor", "told"),
    [(0, "the others are 0: what is left"), (3, "what is different")],
)
def test_where_only_some_numbers_are_right(factor, told):
    """Here those in every second place of each row and column are not."""
    some = np.indices((6, 6)).sum(axis=0) % 2 == 0
    layer = mine(Tanh, backward=lambda self, x, dy, dx: np.where(some, dx, factor * dx))
    with pytest.raises(CheckFailed, match=f"numbers are right.*{told}"):
        gradient_check(layer, normal(6, 6), rng=generator())


def test_numbers_that_should_be_0_are_named():
    def backward(self, x, dy, dx):
        return np.where(x > 0, dx, np.sin(dy))

    with pytest.raises(CheckFailed, match="the others should be 0: what switches"):
        gradient_check(mine(ReLU, backward=backward), normal(6, 6), rng=generator())


def test_one_number_for_all_is_named():
    assert "It is one number for all" in diagnose_shape(np.zeros(1), np.zeros((2, 3)))


def test_one_number_like_another_proves_nothing():
    assert not alike_shape(np.ones(1), np.ones(1))
    assert alike_shape(np.ones(2), np.ones(2))


def test_a_loss_whose_gradient_is_squared_is_named():
    loss = mine(MSELoss, backward=lambda self, x, dx: 0.3 * x**2)
    with pytest.raises(
        CheckFailed, match=r"It is proportional to x squared, 0\.3 times"
    ):
        gradient_check(loss, normal(5), np.arange(5.0), rng=generator())


def test_nothing_to_check_is_said():
    layer = Linear(4, 3, rng=generator())
    with pytest.raises(CheckFailed, match=r"nothing to check: x is float64 \(0, 4\)"):
        gradient_check(layer, np.zeros((0, 4)), rng=generator())


def test_a_rate_that_is_kept_is_found_at_the_step_after():
    class Keeps(Optimizer):
        def update(self, p, g, state):
            p -= state.setdefault("lr", self.lr) * g

    with pytest.raises(CheckFailed, match="until the learning rate changes; step 6,"):
        same_steps(Keeps(0.1), SGD(0.1), rng=generator())


def test_zeros_that_are_right_are_no_half_of_a_gradient():
    def backward(self, x, dy, dx):
        return np.where(x > 0, np.sin(7 * dy), 0)

    with pytest.raises(CheckFailed) as caught:
        gradient_check(mine(ReLU, backward=backward), normal(6, 6), rng=generator())
    assert "numbers are right" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda p, hot: (p - hot) * p, "It is the right one times p"),
        (lambda p, hot: -hot, "The probability p is missing"),
        (lambda p, hot: (p - hot) / (p - hot).sum(), "adds up to 0|divided by 0"),
    ],
)
def test_a_wrong_softmax_is_named(wrong, told):
    y = np.arange(5) % 3
    hot = np.eye(3)[y]
    loss = mine(
        CrossEntropyLoss, backward=lambda self, x, dx: wrong(softmax(x), hot) / len(x)
    )
    with pytest.raises(CheckFailed, match=told):
        gradient_check(loss, normal(5, 3), y, rng=generator())


def other_sign(layer, x):
    return -x


@pytest.mark.parametrize(
    "check",
    [
        lambda: same(
            mine(ReLU, forward=other_sign), ReLU(), normal(5, 4), rng=generator()
        ),
        lambda: batches_check(lambda x, y, batch_size, rng: iter([]), rng=generator()),
    ],
)
def test_every_check_fails_in_the_callers_line(check):
    with pytest.raises(CheckFailed) as caught:
        check()
    frames = traceback.extract_tb(caught.value.__traceback__)
    names = [Path(frame.filename).name for frame in frames]
    assert names[-1] == "checks.py" and names.count("checks.py") == 1
    assert caught.value.__suppress_context__
