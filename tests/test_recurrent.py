"""Networks with a memory: against the textbook's steps, finite differences and
themselves.
"""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchml import (
    SGD,
    Adam,
    Callback,
    CheckFailed,
    CrossEntropyLoss,
    DivergedError,
    Flatten,
    Layer,
    Linear,
    Sequential,
    accuracy,
    fit,
    glorot,
    gradient_check,
    load_weights,
    predict,
    same,
    save_weights,
    softmax,
    train_step,
)
from scratchml.layers import sigmoid
from scratchml.recurrent import (
    GRU,
    LSTM,
    RNN,
    CharacterModel,
    Embedding,
    Recurrent,
    TextClassifier,
    fit_tbptt,
    generate,
    orthogonal,
    predict_proba,
    sample,
)
from scratchml.text import (
    clean_text8,
    decode_characters,
    encode_characters,
    pad,
    windows,
)

N, T, D, H = 3, 5, 4, 6
CELLS = [RNN, LSTM, GRU]
each_cell = pytest.mark.parametrize("cell", CELLS)
each_name = pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])


def generator(seed=0):
    return np.random.default_rng(seed)


def random_cell(cell, n_in=D, n_hidden=H, dtype=np.float64, seed=0, **options):
    """A layer whose biases are not zero, where half of the mistakes would hide."""
    rng = generator(seed)
    layer = cell(n_in, n_hidden, rng=rng, dtype=dtype, **options)
    for p in layer.params.values():
        if p.ndim == 1:
            p[...] = rng.standard_normal(p.shape)
    return layer


def numbers(*shape, seed=1):
    return generator(seed).standard_normal(shape)


RAGGED = np.array(
    [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 0]], bool
)  # and one with holes


# ---------------------------------------------------- the steps, as a textbook has them


def rnn_step(x, h, W_xh, W_hh, b):
    h_next = np.tanh(x @ W_xh + h @ W_hh + b)
    return (h_next,), (x, h, h_next)


def rnn_step_backward(dh, kept, W_xh, W_hh, b):
    x, h, h_next = kept
    da = dh * (1 - h_next**2)
    return (
        da @ W_xh.T,
        (da @ W_hh.T,),
        dict(W_xh=x.T @ da, W_hh=h.T @ da, b=da.sum(axis=0)),
    )


def lstm_step(x, h, c, W_xh, W_hh, b):
    i, f, g, o = np.split(x @ W_xh + h @ W_hh + b, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c_next = f * c + i * g
    return (o * np.tanh(c_next), c_next), (x, h, c, i, f, g, o, c_next)


def lstm_step_backward(dh, dc, kept, W_xh, W_hh, b):
    x, h, c, i, f, g, o, c_next = kept
    dc = dc + dh * o * (1 - np.tanh(c_next) ** 2)
    da = np.hstack(
        [
            dc * g * i * (1 - i),
            dc * c * f * (1 - f),
            dc * i * (1 - g**2),
            dh * np.tanh(c_next) * o * (1 - o),
        ]
    )
    return (
        da @ W_xh.T,
        (da @ W_hh.T, dc * f),
        dict(W_xh=x.T @ da, W_hh=h.T @ da, b=da.sum(axis=0)),
    )


def gru_step(x, h, W_xh, W_hh, b, b_hn):
    x_r, x_z, x_n = np.split(x @ W_xh + b, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ W_hh, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * (h_n + b_hn))
    return ((1 - z) * n + z * h,), (x, h, r, z, n, h_n + b_hn)


def gru_step_backward(dh, kept, W_xh, W_hh, b, b_hn):
    x, h, r, z, n, q = kept
    dn = dh * (1 - z) * (1 - n**2)
    dz = dh * (h - n) * z * (1 - z)
    dr = dn * q * r * (1 - r)
    da, du = np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r])
    return (
        da @ W_xh.T,
        (dh * z + du @ W_hh.T,),
        dict(W_xh=x.T @ da, W_hh=h.T @ du, b=da.sum(axis=0), b_hn=(dn * r).sum(axis=0)),
    )


STEPS = {
    RNN: (rnn_step, rnn_step_backward),
    LSTM: (lstm_step, lstm_step_backward),
    GRU: (gru_step, gru_step_backward),
}


def textbook(layer, x, dy, mask, state, dstate):
    """The layer as a loop over its steps, one example's padding skipped by hand."""
    step, step_backward = STEPS[type(layer)]
    p, steps, ys = layer.params, [], []
    state = tuple(state)
    for t in range(x.shape[1]):
        after, kept = step(x[:, t], *state, **p)
        on = mask[:, t, None]
        state = tuple(
            np.where(on, new, old) for new, old in zip(after, state, strict=True)
        )
        steps.append(kept)
        ys.append(state[0])
    dx, total, ds = (
        np.zeros_like(x),
        {name: np.zeros_like(a) for name, a in p.items()},
        [*dstate],
    )
    for t in reversed(range(x.shape[1])):
        on = mask[:, t, None]
        ds[0] = ds[0] + dy[:, t]
        dx[:, t], before, grads = step_backward(*(on * d for d in ds), steps[t], **p)
        ds = [np.where(on, new, old) for new, old in zip(before, ds, strict=True)]
        for name, g in grads.items():
            total[name] += g
    return {
        "y": np.stack(ys, axis=1),
        "state": np.stack(state),
        "dx": dx,
        "dstate": np.stack(ds),
    } | total


@each_cell
@given(data=st.data())
def test_layer_is_the_loop_over_its_steps(cell, data):
    """Any sizes, any mask, any initial state, any gradient of the final one."""
    n, t, d, h = (data.draw(st.integers(1, 5), label=name) for name in "NTDH")
    layer = random_cell(cell, d, h, seed=data.draw(st.integers(0, 99)))
    rng = generator(data.draw(st.integers(0, 99)))
    x, dy = rng.standard_normal((n, t, d)), rng.standard_normal((n, t, h))
    state, dstate = rng.standard_normal((2, layer.n_states, n, h))
    mask = rng.random((n, t)) < data.draw(st.sampled_from([0, 0.5, 0.9, 1]))
    y = layer.forward(x, mask, state)
    found = {
        "y": y,
        "state": layer.state,
        "dx": layer.backward(dy, dstate),
        "dstate": layer.dstate,
    } | layer.grads
    expected = textbook(layer, x, dy, mask, state, dstate)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(
            found[name], value, rtol=1e-11, atol=1e-13, err_msg=name
        )


@each_cell
def test_one_step_is_a_layer_with_one_time_step(cell):
    """What a notebook compares its own step with."""
    layer, (step, step_backward) = random_cell(cell), STEPS[cell]
    x, state, dstate = (
        numbers(N, D),
        numbers(layer.n_states, N, H),
        numbers(layer.n_states, N, H),
    )
    after, kept = step(x, *state, **layer.params)
    y = layer.forward(x[:, None], state=state)
    np.testing.assert_allclose(layer.state, np.stack(after), rtol=1e-12)
    np.testing.assert_array_equal(y[:, 0], layer.state[0])
    dx, before, grads = step_backward(*dstate, kept, **layer.params)
    np.testing.assert_allclose(
        layer.backward(np.zeros_like(y), dstate)[:, 0], dx, rtol=1e-11
    )
    np.testing.assert_allclose(layer.dstate, np.stack(before), rtol=1e-11)
    for name, g in grads.items():
        np.testing.assert_allclose(layer.grads[name], g, rtol=1e-11, atol=1e-14)


# ------------------------------------------------------------------- finite differences


class FromState(Layer):
    """A cell as a function of its initial state, and of nothing else that is checked
    here.
    """

    def __init__(self, cell, x, mask=None):
        self.cell = cell
        self.x = x
        self.mask = mask

    def forward(self, state):
        self.shape = state.shape  # (N, S H), since a batch comes first
        state = state.reshape(len(state), self.cell.n_states, -1).swapaxes(0, 1)
        return self.cell.forward(self.x.astype(state.dtype), self.mask, state)

    def backward(self, dy):
        self.cell.backward(dy)
        return self.cell.dstate.swapaxes(0, 1).reshape(self.shape)


class FinalState(FromState):
    """The same, but what counts is the final state: `backward(dy, dstate)`."""

    def forward(self, state):
        y = super().forward(state)
        self.dy = np.zeros_like(y)
        return self.cell.state.swapaxes(0, 1).reshape(self.shape)

    def backward(self, dfinal):
        dfinal = dfinal.reshape(len(dfinal), self.cell.n_states, -1).swapaxes(0, 1)
        self.cell.backward(self.dy, dfinal)
        return self.cell.dstate.swapaxes(0, 1).reshape(self.shape)


@each_cell
@pytest.mark.parametrize(
    "arguments", [(), (RAGGED,), "state", "state and mask"], ids=str
)
def test_gradients_are_right(cell, arguments, capsys):
    layer = random_cell(cell)
    if isinstance(arguments, str):
        mask = RAGGED if "mask" in arguments else None
        arguments = mask, numbers(layer.n_states, N, H, seed=5)
    gradient_check(layer, numbers(N, T, D), *arguments, rng=generator())
    assert "dx, dW_xh, dW_hh, db" in capsys.readouterr().out


@each_cell
@pytest.mark.parametrize("mask", [None, RAGGED], ids=["all", "ragged"])
@pytest.mark.parametrize("kind", [FromState, FinalState])
def test_gradients_of_the_initial_state_are_right(cell, kind, mask, capsys):
    layer = random_cell(cell)
    state = numbers(N, layer.n_states * H)
    gradient_check(kind(layer, numbers(N, T, D), mask), state, rng=generator())
    assert capsys.readouterr().out.count("✓") == 1


@each_cell
def test_gradients_are_right_inside_a_network(cell, capsys):
    rng = generator()
    gradient_check(
        Sequential(
            random_cell(cell),
            random_cell(LSTM, H, 3),
            Flatten(),
            Linear(3 * T, 2, rng=rng),
        ),
        numbers(N, T, D),
        rng=rng,
    )
    assert "1.dW_hh" in capsys.readouterr().out


@each_name
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_gradients_of_the_classifier_are_right(cell, pooling, capsys):
    model = TextClassifier(
        9, 3, embedding=D, hidden=H, cell=cell, pooling=pooling, rng=generator()
    )
    ids = np.array([[1, 2, 3, 4, 0, 0], [5, 6, 7, 8, 1, 0], [2, 0, 0, 0, 0, 0]])
    gradient_check(model, ids, rng=generator())
    assert "embedding.dW, cell.dW_xh" in capsys.readouterr().out


@each_name
def test_gradients_of_the_character_model_are_right(cell, capsys):
    model = CharacterModel(7, embedding=D, hidden=H, cell=cell, rng=generator())
    gradient_check(model, generator().integers(0, 7, (N, T)), rng=generator())
    assert "0.dW, 1.dW_xh" in capsys.readouterr().out


# ------------------------------------------------------------------------- planted bugs


def lost(where):
    """The RNN of the notebook, by itself, with a path of its way back cut at
    `where`.
    """

    class MyRNN(Layer):
        def __init__(self):
            self.params = random_cell(RNN).params

        def forward(self, x):
            W_xh, W_hh, b = self.params.values()
            h = [np.zeros((len(x), len(W_hh)), x.dtype)]
            for t in range(x.shape[1]):
                h.append(np.tanh(x[:, t] @ W_xh + h[-1] @ W_hh + b))
            self.x, self.h = x, h
            return np.stack(h[1:], axis=1)

        def backward(self, dy):
            W_xh, W_hh, _ = self.params.values()
            self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}
            dx, dh = np.zeros_like(self.x), 0
            for t in reversed(range(dy.shape[1])):
                back = (
                    0
                    if where == "no recurrence" or (where == "two steps" and t == 2)
                    else dh
                )
                da = (dy[:, t] + back) * (1 - self.h[t + 1] ** 2)
                if where == "slope" and t < dy.shape[1] - 1:
                    da = dy[:, t] * (1 - self.h[t + 1] ** 2) + back
                dx[:, t], dh = da @ W_xh.T, da @ W_hh.T
                share = {
                    "W_xh": self.x[:, t].T @ da,
                    "b": da.sum(axis=0),
                    "W_hh": self.h[t + (where == "wrong state")].T @ da,
                }
                for name, g in share.items():
                    if where == "overwritten":
                        self.grads[name] = g
                    else:
                        self.grads[name] += g
            return dx

    return MyRNN()


def test_the_rnn_of_the_notebook_is_right(capsys):
    gradient_check(lost(None), numbers(N, T, D), rng=generator())
    same(lost(None), random_cell(RNN, seed=3), numbers(N, T, D), rng=generator())
    assert capsys.readouterr().out.count("✓") == 2


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (
            "no recurrence",
            "Only the last 1 of 5 time steps are right: a path back through time is",
        ),
        ("slope", "Only the last 1 of 5 time steps are right: a path back"),
        ("two steps", "Only the last 2 of 5 time steps are right: a path back"),
        ("overwritten", "as dx is: add up over the steps"),
        ("wrong state", "the h_{t-1} it started from"),
    ],
)
def test_a_path_forgotten_on_the_way_back_is_named_and_trains_all_the_same(where, says):
    with pytest.raises(CheckFailed, match="MyRNN: the gradient of") as caught:
        gradient_check(lost(where), numbers(N, T, D), rng=generator())
    assert says in str(caught.value)
    with pytest.raises(CheckFailed) as caught:
        same(lost(where), random_cell(RNN), numbers(N, T, D), rng=generator())
    assert says in str(caught.value)

    x = generator(4).standard_normal((120, T, D))
    y = (x[:, :3].sum(axis=(1, 2)) > 0).astype(int)
    model = Sequential(
        lost(where), Flatten(), Linear(T * H, 2, rng=generator(), dtype=np.float64)
    )
    history = fit(
        model,
        CrossEntropyLoss(),
        SGD(0.1),
        (x, y),
        epochs=10,
        batch_size=10,
        rng=generator(),
        progress=False,
    )
    assert history["loss"][-1] < 0.8 * history["loss"][0]


# --------------------------------------------------------------------- mask and padding


@each_cell
def test_mask_carries_the_state_over(cell):
    layer = random_cell(cell)
    x, state = numbers(N, T, D), numbers(layer.n_states, N, H)
    y = layer.forward(x, RAGGED, state)
    for n in range(N):
        h = state[0, n]
        for t in range(T):
            assert np.array_equal(y[n, t], h) != RAGGED[n, t]
            h = y[n, t]
    np.testing.assert_array_equal(layer.state[0], y[:, -1])
    dx = layer.backward(numbers(N, T, H))
    assert not dx[~RAGGED].any() and dx[RAGGED].all()


@each_cell
def test_what_stands_under_the_mask_does_not_matter(cell):
    layer, x = random_cell(cell), numbers(N, T, D)
    outcomes = []
    for filling in (0, 1e6):
        y = layer.forward(np.where(RAGGED[:, :, None], x, filling), RAGGED)
        dx = layer.backward(np.ones_like(y))
        outcomes.append([y, dx, *layer.grads.values()])
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(one, other)


@each_cell
def test_a_shorter_text_gives_the_same_alone_and_padded(cell):
    layer, x = random_cell(cell), numbers(1, T, D)
    alone = layer.forward(x[:, :3])
    final = layer.state
    padded = layer.forward(x, np.arange(T)[None] < 3)
    np.testing.assert_allclose(padded[:, :3], alone, rtol=1e-12)
    np.testing.assert_allclose(layer.state, final, rtol=1e-12)


@each_cell
def test_a_mask_of_ones_is_no_mask(cell):
    layer, x, dy = random_cell(cell), numbers(N, T, D), numbers(N, T, H)
    outcomes = []
    for mask in (None, np.ones((N, T), bool), np.ones((N, T)), [[1] * T] * N):
        y = layer.forward(x, mask)
        outcomes.append([y, layer.backward(dy), *layer.grads.values()])
    for outcome in outcomes[1:]:
        for one, other in zip(outcomes[0], outcome, strict=True):
            np.testing.assert_array_equal(one, other)


# ----------------------------------------------------------------- state and truncation


@each_cell
@given(cut=st.integers(1, T - 1))
def test_two_pieces_are_one_when_both_state_and_gradient_are_handed_over(cell, cut):
    layer, x, dy = random_cell(cell), numbers(N, T, D), numbers(N, T, H, seed=2)
    y = layer.forward(x)
    whole = [y, layer.backward(dy), *layer.grads.values()]
    first, second = random_cell(cell), random_cell(cell)
    ys = [first.forward(x[:, :cut])]
    ys.append(second.forward(x[:, cut:], None, first.state))
    dx = second.backward(dy[:, cut:])
    dxs = [first.backward(dy[:, :cut], second.dstate), dx]
    pieces = [
        np.concatenate(ys, axis=1),
        np.concatenate(dxs, axis=1),
        *(first.grads[name] + second.grads[name] for name in first.grads),
    ]
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


@each_cell
def test_truncation_keeps_the_output_and_shortens_the_gradient(cell):
    layer, x, dy = random_cell(cell), numbers(N, T, D), numbers(N, T, H, seed=2)
    y, dx = layer.forward(x), layer.backward(dy)
    layer.train().stateful = True
    for piece in (np.s_[:, :2], np.s_[:, 2:]):
        np.testing.assert_allclose(layer.forward(x[piece]), y[piece], rtol=1e-12)
        part = layer.backward(dy[piece])
        assert np.allclose(part, dx[piece], rtol=1e-9) == (piece == np.s_[:, 2:])


@each_cell
def test_state_is_carried_only_while_training(cell):
    layer, x = random_cell(cell), numbers(N, T, D)
    fresh = layer.forward(x)
    np.testing.assert_array_equal(
        layer.forward(x), fresh
    )  # it does not carry it unless told to
    layer.stateful = True
    assert not np.allclose(layer.forward(x), fresh)
    given = np.zeros((layer.n_states, N, H))
    np.testing.assert_array_equal(
        layer.forward(x, None, given), fresh
    )  # given, it wins
    layer.train()
    np.testing.assert_array_equal(layer.forward(x), fresh)  # forgotten
    layer.eval()
    for _ in range(2):
        np.testing.assert_array_equal(layer.forward(x), fresh)
    layer.train()
    layer.forward(x)
    with pytest.raises(
        ValueError, match=r"a state of shape \(\d, 2, 6\), got \(\d, 3, 6\)"
    ):
        layer.forward(x[:2])


@each_cell
def test_outputs_and_states_stay_what_they_were(cell):
    """Later forwards and backwards do not write into what was handed out."""
    layer, x = random_cell(cell), numbers(N, T, D)
    y, state = layer.forward(x), layer.state
    before = y.copy(), state.copy()
    layer.backward(np.ones_like(y))
    dx, dstate, grads = layer.grads["b"], layer.dstate, copy.deepcopy(layer.grads)
    layer.forward(x + 1, None, state)
    layer.backward(np.ones_like(y))
    np.testing.assert_array_equal(y, before[0])
    np.testing.assert_array_equal(state, before[1])
    assert dx is not layer.grads["b"] and dstate is not layer.dstate
    np.testing.assert_array_equal(dx, grads["b"])


# ----------------------------------------------------------------------------- contract


@each_cell
def test_gradients_are_assigned_not_accumulated(cell):
    layer, x, dy = random_cell(cell), numbers(N, T, D), numbers(N, T, H)
    taken = []
    for _ in range(2):
        layer.forward(x)
        layer.backward(dy)
        taken.append(layer.gradients())
    for name, p in layer.params.items():
        np.testing.assert_array_equal(taken[0][name], taken[1][name])
        assert taken[0][name].shape == p.shape


@each_cell
def test_in_float32_everything_stays_float32(cell):
    layer, x = random_cell(cell, dtype=np.float32), numbers(N, T, D).astype(np.float32)
    y = layer.forward(x, RAGGED)
    dx = layer.backward(np.ones_like(y))
    arrays = [
        y,
        dx,
        layer.state,
        layer.dstate,
        *layer.grads.values(),
        *layer.params.values(),
    ]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}
    exact = copy.deepcopy(layer).astype(np.float64)
    np.testing.assert_allclose(
        y, exact.forward(x.astype(np.float64), RAGGED), atol=1e-5
    )


@each_cell
def test_nobody_needs_dx_of_the_first_layer(cell):
    layer, x, dy = random_cell(cell), numbers(N, T, D), numbers(N, T, H)
    layer.forward(x, RAGGED)
    layer.backward(dy)
    expected = {"dstate": layer.dstate} | layer.grads
    layer.needs_input_grad = False
    layer.forward(x, RAGGED)
    assert layer.backward(dy) is None
    for name, g in ({"dstate": layer.dstate} | layer.grads).items():
        np.testing.assert_allclose(g, expected[name], rtol=1e-11, atol=1e-13)


@each_cell
def test_initial_weights(cell):
    layer = cell(50, 40, rng=generator())
    assert repr(layer) == f"{cell.__name__}(50 -> 40)"
    G = layer.n_blocks
    assert {name: p.shape for name, p in layer.params.items() if name != "b_hn"} == {
        "W_xh": (50, G * 40),
        "W_hh": (40, G * 40),
        "b": (G * 40,),
    }
    for block in np.split(layer.params["W_hh"], G, axis=1):
        np.testing.assert_allclose(block.T @ block, np.eye(40), atol=1e-5)
    assert layer.params["W_xh"].std() == pytest.approx(math.sqrt(2 / 90), rel=0.05)
    forget = layer.params["b"][40:80]
    assert (forget == (1 if cell is LSTM else 0)).all()
    assert np.count_nonzero(layer.params["b"]) == (40 if cell is LSTM else 0)
    block = cell(50, 40, rng=generator(), init=glorot).params["W_hh"][:, :40]
    assert not np.allclose(block.T @ block, np.eye(40), atol=0.1)
    np.testing.assert_array_equal(
        cell(50, 40, rng=generator()).params["W_hh"], layer.params["W_hh"]
    )


def test_forget_bias_can_be_chosen():
    assert not LSTM(3, 4, rng=generator(), forget_bias=0).params["b"].any()


def test_orthogonal_keeps_lengths():
    W = orthogonal((6, 18), 6, 6, generator())
    h = numbers(4, 6)
    for block in np.split(W, 3, axis=1):
        np.testing.assert_allclose(
            np.linalg.norm(h @ block, axis=1), np.linalg.norm(h, axis=1)
        )
    assert not np.allclose(W[:, :6], W[:, 6:12])


@each_cell
def test_bad_input_is_named(cell):
    layer = random_cell(cell)
    name = rf"{cell.__name__}\(4 -> 6\)"
    for shape in ((N, T), (N, T, D + 1), (N, 1, T, D), (N, 0, D)):
        with pytest.raises(
            ValueError, match=rf"{name} expects \(N, T, 4\) with T > 0, got \({N}"
        ):
            layer.forward(np.zeros(shape))
    with pytest.raises(TypeError, match=rf"{name} has float64 weights and got float32"):
        layer.forward(np.zeros((N, T, D), np.float32))
    with pytest.raises(TypeError, match="got int64"):
        layer.forward(np.zeros((N, T, D), np.int64))
    for mask in (np.ones(T), np.ones((N, T + 1)), np.ones((N, T, 1))):
        with pytest.raises(
            ValueError, match=r"expects a mask \(N, T\) = \(3, 5\), got \("
        ):
            layer.forward(np.zeros((N, T, D)), mask)
    S = layer.n_states
    for shape in ((N, H), (S, N + 1, H), (S, N, H + 1), (3 - S, N, H)):
        with pytest.raises(
            ValueError, match=rf"expects a state of shape \({S}, 3, 6\), got \("
        ):
            layer.forward(np.zeros((N, T, D)), None, np.zeros(shape))
    with pytest.raises(TypeError, match="float32"):
        layer.forward(np.zeros((N, T, D)), None, np.zeros((S, N, H), np.float32))
    with pytest.raises(RuntimeError, match="needs a forward before it"):
        random_cell(cell).backward(np.zeros((N, T, H)))
    layer.forward(np.zeros((N, T, D)))
    with pytest.raises(ValueError, match=r"expects a dstate of shape"):
        layer.backward(np.zeros((N, T, H)), np.zeros((N, H)))


@each_cell
def test_an_empty_batch_passes(cell):
    layer = random_cell(cell)
    y = layer.forward(np.zeros((0, T, D)), np.zeros((0, T)))
    assert y.shape == (0, T, H)
    assert layer.backward(y).shape == (0, T, D)
    assert not layer.grads["W_hh"].any()


def test_a_cell_without_steps_says_what_is_missing():
    with pytest.raises(NotImplementedError, match=r"needs a step\(a, h\)"):
        Recurrent(D, H, rng=generator(), dtype=np.float64).forward(numbers(N, T, D))
    with pytest.raises(NotImplementedError, match=r"needs a step_backward"):
        Recurrent(D, H, rng=generator()).step_backward(None, None)


# ---------------------------------------------------------------------------- embedding


def test_embedding_is_one_hot_rows_times_W():
    layer = Embedding(7, D, rng=generator(), dtype=np.float64)
    ids, dy = generator().integers(0, 7, (N, T)), numbers(N, T, D)
    rows = np.eye(7)[ids]
    np.testing.assert_array_equal(layer.forward(ids), rows @ layer.params["W"])
    assert layer.backward(dy) is None
    np.testing.assert_allclose(
        layer.grads["W"], np.einsum("ntv,ntd->vd", rows, dy), rtol=1e-12
    )


@given(
    seed=st.integers(0, 99),
    n=st.integers(1, 250),
    dtype=st.sampled_from([np.float32, np.float64]),
    kind=st.sampled_from([np.uint8, np.int32, np.int64]),
)
def test_embedding_gradient_is_add_at(seed, n, dtype, kind):
    rng = generator(seed)
    layer = Embedding(n, 3, rng=rng, dtype=dtype)
    ids = rng.integers(0, n, rng.integers(1, 9, rng.integers(1, 4))).astype(kind)
    dy = rng.standard_normal((*ids.shape, 3)).astype(dtype)
    layer.forward(ids)
    layer.backward(dy)
    expected = np.zeros((n, 3))
    np.add.at(expected, ids, dy)
    assert layer.grads["W"].dtype == dtype
    atol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(layer.grads["W"], expected, atol=atol)


def test_padding_is_zero_and_learns_nothing(capsys):
    layer = Embedding(7, D, rng=generator(), padding=0, dtype=np.float64)
    ids = np.array([[3, 0, 0], [1, 3, 0]])
    y = layer.forward(ids)
    assert not y[ids == 0].any() and y[ids != 0].all()
    layer.backward(np.ones_like(y))
    assert not layer.grads["W"][0].any()
    np.testing.assert_array_equal(layer.grads["W"][3], 2)
    gradient_check(layer, ids, rng=generator())


def test_embedding_starts_at_its_scale():
    for scale in (1, 0.1):
        W = Embedding(400, 20, rng=generator(), scale=scale).params["W"]
        assert W.std() == pytest.approx(scale, rel=0.05) and W.dtype == np.float32


def test_bad_ids_are_named():
    layer = Embedding(7, D, rng=generator())
    for ids in ([[7]], [[-1]], [[0, 99]]):
        with pytest.raises(
            ValueError, match=r"Embedding\(7 -> 4\) expects ids 0\.\.6, got"
        ):
            layer.forward(np.array(ids))
    with pytest.raises(TypeError, match=r"expects integer ids \(T,\), got float64"):
        layer.forward(np.zeros((2, 3)))
    assert layer.forward(np.zeros((2, 0), int)).shape == (2, 0, D)


# ---------------------------------------------------------------------- text classifier


def small(cell="RNN", **options):
    return TextClassifier(
        12, 2, embedding=5, hidden=8, cell=cell, rng=generator(), **options
    )


def order_task(n, seed):
    """Which of the words 2 and 3 comes first: the same bag of words for both
    answers.
    """
    rng = generator(seed)
    y = rng.integers(0, 2, n)
    ids = np.where(rng.random((n, 10)) < 0.3, 0, rng.integers(4, 12, (n, 10)))
    ids = np.array([sorted(row, key=lambda i: i == 0) for row in ids])  # padding behind
    ids[:, 0], ids[:, 3] = 2 + y, 3 - y
    return ids, y


@each_name
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_classifier_learns_order(cell, pooling):
    model = small(cell, pooling=pooling)
    fit(
        model,
        CrossEntropyLoss(),
        Adam(0.02),
        order_task(400, 0),
        epochs=12,
        batch_size=20,
        rng=generator(),
        progress=False,
        clip_norm=1,
    )
    ids, y = order_task(200, 1)
    assert accuracy(predict(model, ids), y) > 0.95
    assert predict(model, ids).dtype == np.float32


@each_name
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_padding_behind_changes_nothing(cell, pooling):
    model = small(cell, pooling=pooling).astype(np.float64)
    ids, _ = order_task(20, 0)
    wide = np.pad(ids, ((0, 0), (0, 7)))
    scores = model.forward(ids)
    np.testing.assert_allclose(model.forward(wide), scores, rtol=1e-12)
    one_by_one = [model.forward(row[None, row > 0])[0] for row in ids]
    np.testing.assert_allclose(one_by_one, scores, rtol=1e-12)
    gradients = []
    for given_ids in (ids, wide):
        model.forward(given_ids)
        model.backward(np.ones_like(scores))
        gradients.append(model.gradients())
    for name, g in gradients[0].items():
        np.testing.assert_allclose(gradients[1][name], g, rtol=1e-11, atol=1e-13)
    assert not gradients[0]["embedding.W"][0].any()


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_an_empty_post_gets_the_bias(pooling):
    model = small(pooling=pooling)
    model.parameters()["linear.b"][:] = 3, -1
    for ids in ([[0, 0, 0]], pad([[]])):
        np.testing.assert_array_equal(model.forward(np.array(ids)), [[3, -1]])
    scores = model.forward(np.array([[0, 0], [4, 5]]))
    np.testing.assert_array_equal(scores[0], [3, -1])
    assert not np.allclose(scores[1], [3, -1])
    model.backward(np.ones_like(scores))
    assert all(np.isfinite(g).all() for g in model.gradients().values())


def test_a_post_without_a_known_word_gets_a_score():
    assert np.isfinite(small().forward(np.ones((1, 4), int))).all()


def test_classifier_speaks_up():
    with pytest.raises(
        ValueError, match="expected the cell 'RNN', 'LSTM' or 'GRU', got 'CNN'"
    ):
        small("CNN")
    with pytest.raises(ValueError, match="pooling 'mean' or 'last', got 'max'"):
        small(pooling="max")
    model = small()
    for shape in ((3,), (3, 0), (3, 4, 1)):
        with pytest.raises(
            ValueError, match=r"expects ids \(N, T\) with T > 0, got \(3,.*use pad"
        ):
            model.forward(np.ones(shape, int))
    with pytest.raises(ValueError, match=r"expects ids 0\.\.11, got 1\.\.12"):
        model.forward(np.array([[1, 12]]))
    with pytest.raises(TypeError, match="integer ids"):
        model.forward(np.ones((2, 3)))


def test_a_learners_cell_drops_in():
    class Mean(Layer):
        """No memory at all: the running mean would do, here simply tanh of the
        input.
        """

        def __init__(self, n_in, n_hidden, *, rng, dtype):
            self.params = {"W": rng.standard_normal((n_in, n_hidden)).astype(dtype)}

        def forward(self, x, mask=None, state=None):
            return self._keep(np.tanh(x @ self.params["W"]), x)

        def backward(self, dy):
            x, W = self._kept(dy), self.params["W"]
            da = dy * (1 - np.tanh(x @ W) ** 2)
            self.grads = {"W": np.einsum("ntd,nth->dh", x, da)}
            return da @ W.T

    gradient_check(small(Mean), np.array([[1, 2, 3], [4, 5, 0]]), rng=generator())
    fit(
        small(Mean),
        CrossEntropyLoss(),
        Adam(),
        order_task(20, 0),
        epochs=1,
        batch_size=5,
        rng=generator(),
        progress=False,
    )


def test_weights_are_saved_and_loaded(tmp_path):
    model, other = (
        small("GRU"),
        TextClassifier(12, 2, embedding=5, hidden=8, cell="GRU", rng=generator(9)),
    )
    save_weights(model, tmp_path / "w.npz")
    load_weights(other, tmp_path / "w.npz")
    ids, _ = order_task(5, 0)
    np.testing.assert_array_equal(model.forward(ids), other.forward(ids))
    with pytest.raises(ValueError, match=r"cell\.b_hn"):
        load_weights(small("LSTM"), tmp_path / "w.npz")


@given(
    st.lists(st.lists(st.integers(0, 11), max_size=9), min_size=1, max_size=30),
    st.integers(1, 8),
)
def test_predict_proba_answers_in_the_order_of_the_questions(sequences, batch_size):
    model = small("GRU").astype(np.float64)
    found = predict_proba(model, sequences, batch_size=batch_size)
    np.testing.assert_allclose(
        found, softmax(predict(model, pad(sequences))), rtol=1e-9
    )
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert model.training


def test_predict_proba_takes_few_steps_for_short_texts(monkeypatch):
    """5,000 texts of 1 to 150 words: half the steps of padding all of them to 150."""
    model, steps = small(), []

    def forward(x, mask):
        steps.append(x.shape[:2])
        return np.zeros((*x.shape[:2], 8), np.float32)

    monkeypatch.setattr(model.cell, "forward", forward)
    lengths = generator().integers(1, 151, 5000)
    predict_proba(model, [[2] * n for n in lengths])
    assert sum(n * t for n, t in steps) < 1.15 * lengths.sum()
    with pytest.raises(ValueError, match="at least one list"):
        predict_proba(model, [])


# ---------------------------------------------------------------------- character model

TEXT = encode_characters(
    clean_text8("she sells 7 sea shells by the sea shore and " * 60)
)


def character_model(cell="GRU", **options):
    return CharacterModel(
        27, embedding=8, hidden=24, cell=cell, rng=generator(), **options
    )


@each_name
def test_fit_tbptt_learns_a_text(cell):
    model = character_model(cell)
    history = fit_tbptt(
        model,
        CrossEntropyLoss(),
        Adam(0.01),
        TEXT,
        epochs=12,
        batch_size=8,
        seq_len=20,
        validation=TEXT[:400],
        clip_norm=1,
        progress=False,
    )
    assert set(history) >= {"loss", "accuracy", "validation_loss", "gradient_norm"}
    assert history["loss"][0] > 2 and history["loss"][-1] < 0.5
    assert history["validation_loss"][-1] < 0.6


def test_validation_reads_longer_pieces_from_an_empty_memory():
    model, other = character_model(), encode_characters("sea shore " * 30)
    history = fit_tbptt(
        model,
        CrossEntropyLoss(),
        SGD(0.1),
        TEXT,
        epochs=1,
        batch_size=4,
        seq_len=15,
        validation=other,
        progress=False,
    )
    x, y = windows(other, 1, 60)
    expected = CrossEntropyLoss().forward(predict(model, x, batch_size=1), y)
    assert history["validation_loss"] == [pytest.approx(expected, rel=1e-5)]


def test_fit_tbptt_is_truncated_bptt_written_out():
    """Window by window, the state handed over by hand."""
    model, by_hand = character_model(), character_model()
    fit_tbptt(
        model,
        CrossEntropyLoss(),
        SGD(0.1),
        TEXT,
        epochs=2,
        batch_size=4,
        seq_len=15,
        progress=False,
    )
    loss, optimizer = CrossEntropyLoss(), SGD(0.1)
    x, y = windows(TEXT, 4, 15)
    for _ in range(2):
        state = None
        for i in range(0, len(x), 4):
            loss.forward(by_hand.forward(x[i : i + 4], state), y[i : i + 4])
            state = by_hand.state
            by_hand.backward(loss.backward())
            optimizer.step(by_hand)
    for name, p in by_hand.parameters().items():
        np.testing.assert_array_equal(p, model.parameters()[name])


def test_fit_tbptt_carries_only_for_its_own_time():
    model = character_model()
    seen = []

    class Watch(Callback):
        def after_epoch(self, training):
            seen.append(model.layers[1].stateful)

    settings = dict(epochs=1, batch_size=4, seq_len=15, progress=False)
    fit_tbptt(
        model, CrossEntropyLoss(), SGD(0.1), TEXT, callbacks=[Watch()], **settings
    )
    assert seen == [True] and not model.layers[1].stateful
    with pytest.raises(DivergedError):
        model.parameters()["2.b"][0] = np.nan
        fit_tbptt(model, CrossEntropyLoss(), SGD(0.1), TEXT, **settings)
    assert not model.layers[1].stateful


def test_fit_tbptt_speaks_up():
    model = Sequential(Embedding(27, 27, rng=generator()))
    settings = dict(epochs=1, batch_size=4, seq_len=15, progress=False)
    with pytest.raises(TypeError, match="finds no Recurrent layer"):
        fit_tbptt(model, CrossEntropyLoss(), SGD(0.1), TEXT, **settings)
    with pytest.raises(
        ValueError, match="windows needs 4 x 15 characters and one more, got 60"
    ):
        fit_tbptt(
            character_model(), CrossEntropyLoss(), SGD(0.1), TEXT[:60], **settings
        )


def test_character_model_goes_on_from_a_state():
    model = character_model("LSTM")
    ids = TEXT[None, :30]
    whole = model.forward(ids)
    np.testing.assert_allclose(
        model.forward(ids[:, :12]), whole[:, :12], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        model.forward(ids[:, 12:], model.state), whole[:, 12:], rtol=1e-5, atol=1e-6
    )


@each_name
def test_generate_carries_the_state_along(cell):
    """Temperature 0: the same as reading everything anew for each character."""
    model, prompt = character_model(cell), TEXT[:5]
    drawn = generate(model, prompt, 20, 0, rng=generator())
    ids = list(prompt)
    for _ in range(20):
        ids.append(int(model.forward(np.array([ids]))[0, -1].argmax()))
    assert list(drawn) == ids[5:]
    assert model.training and len(decode_characters(drawn)) == 20
    model.eval()
    assert generate(model, prompt, 0, rng=generator()).shape == (0,)
    assert not model.training


def test_generate_draws_what_it_has_read():
    model = character_model()
    fit_tbptt(
        model,
        CrossEntropyLoss(),
        Adam(0.01),
        TEXT,
        epochs=25,
        batch_size=8,
        seq_len=20,
        clip_norm=1,
        progress=False,
    )
    text = decode_characters(
        generate(model, encode_characters("she sells "), 34, 0.2, rng=generator())
    )
    assert text == "seven sea shells by the sea shore "
    wild = [
        decode_characters(generate(model, TEXT[:5], 40, 3.0, rng=generator(seed)))
        for seed in (0, 0, 1)
    ]
    assert wild[0] == wild[1] != wild[2]


def test_sample_follows_the_temperature():
    scores = np.array([1.0, 2.0, 0.0], np.float32)
    rng = generator()
    for temperature in (0.5, 1.0, 2.0):
        counts = np.bincount(
            [sample(scores, temperature, rng) for _ in range(4000)], minlength=3
        )
        np.testing.assert_allclose(
            counts / 4000, softmax(scores / temperature), atol=0.03
        )
    assert sample(scores, 0, rng) == 1 and sample(scores, 1e-9, rng) == 1


def test_generate_and_sample_speak_up():
    with pytest.raises(ValueError, match="a prompt of at least one character"):
        generate(character_model(), [], 5, rng=generator())
    with pytest.raises(ValueError, match="temperature of 0 or more, got -1"):
        generate(character_model(), TEXT[:3], 5, -1, rng=generator())


def test_train_step_clips_a_recurrent_model():
    model = character_model()
    x, y = windows(TEXT, 4, 15)
    _, _, norm = train_step(
        model, CrossEntropyLoss(), SGD(0.1), x[:4], y[:4], clip_norm=1e-3
    )
    total = sum(float((g * g).sum()) for g in model.gradients().values())
    assert norm > 1e-3 and math.sqrt(total) == pytest.approx(1e-3, rel=1e-3)


def test_the_models_have_the_sizes_they_promise():
    """By hand, an LSTM of H states on D inputs: 4 H (D + H + 1) numbers."""

    def size(model):
        return sum(p.size for p in model.parameters().values())

    characters = CharacterModel(27, rng=generator())
    assert size(characters) == 27 * 32 + 4 * 128 * (32 + 128 + 1) + 27 * (128 + 1)
    texts = TextClassifier(1000, 2, rng=generator())
    assert size(texts) == 1000 * 32 + 4 * 64 * (32 + 64 + 1) + 2 * (64 + 1)
