"""Networks with a memory: the state of each step is computed from the step before.

Every step is one product, `a = [h_{t-1} x_t 1] W`, and what the cell makes of its
columns: `step`. The product is the Linear layer of notebook 01, so only `step_backward`
is new. Run backwards, the loop over the steps is backpropagation through time (Werbos,
1990), and when all `da` are known, the gradients of the weights are one product as
well.
"""

import numpy as np

from ._support import check_dtype, require
from .layers import Layer, Linear, Sequential, glorot, softmax
from .text import PADDING, check_ids, pad, windows
from .training import fit, predict


class Embedding(Layer):
    """Give each of `n` ids a vector to be learned: `y = W[ids]`, one-hot rows times
    `W`.

    Shapes: `ids` is integer `(N, T)`, or any shape, `W` is `(n, n_out)`, `y` is `(N, T,
    n_out)`. Gradient: row `i` of `dW` is the sum of `dy` wherever the id is `i`. There
    is no `dx`. The id `padding`, if given, stands for nothing: its vector is zero and
    learns nothing. The vectors start as normal numbers times `scale`.

    Raises TypeError for ids that are not integers, ValueError for an id outside
    `0..n-1`.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.
    """

    def __init__(self, n, n_out, *, rng, padding=None, scale=1.0, dtype=np.float32):
        self.padding = padding
        self.params = {"W": (scale * rng.standard_normal((n, n_out))).astype(dtype)}

    def forward(self, ids):
        W = self.params["W"]
        check_ids(self, ids.ravel(), len(W))
        y = W[ids]
        if self.padding is not None:
            y[ids == self.padding] = 0
        return self._keep(y, ids)

    def backward(self, dy):
        ids, (n, n_out) = self._kept(dy), self.params["W"].shape
        # np.add.at(dW, ids, dy), twice as fast: one bin for each number in dW
        bins = ids.reshape(-1, 1).astype(np.intp) * n_out + np.arange(n_out)
        dW = (
            np.bincount(bins.ravel(), dy.ravel(), n * n_out)
            .reshape(n, n_out)
            .astype(dy.dtype)
        )
        if self.padding is not None:
            dW[self.padding] = 0
        self.grads = {"W": dW}

    __repr__ = Linear.__repr__


def orthogonal(shape, fan_in, fan_out, rng):
    """Random rotations side by side, each `(n, n)`: repeated products neither grow nor
    shrink.

    Derived in notebooks/02_rnn.ipynb, section *Vanishing and exploding gradients*
    (Saxe, McClelland and Ganguli, 2014).
    """
    n, width = shape
    return np.hstack(
        [np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(width // n)]
    )


class Recurrent(Layer):
    """What RNN, LSTM and GRU share: the loop over time, forwards and backwards.

    Shapes: `x (N, T, n_in)`, `y (N, T, n_hidden)`, the states `h_1 ... h_T`. `W_xh
    (n_in, G H)`, `W_hh (H, G H)` and `b (G H,)` hold the cell's G blocks side by side,
    in PyTorch's order.

    `mask (N, T)` is true where there is something to read; other steps carry the state
    over. `state (S, N, n_hidden)` is the state to start from, zero if not given: S = 1,
    for an LSTM 2, `h` and `c`. After `forward`, `.state` is the state at the end.
    `backward(dy, dstate)` takes the gradient of that state too, if it was used, and
    leaves the initial state's in `.dstate`.

    While `stateful` is set and the layer is training, a forward without `state` goes on
    from the last one's end; no gradient does. `train()` and `eval()` forget the state.

    Raises ValueError for other shapes and for T = 0, TypeError for a dtype other than
    the weights'.

    Derived in notebooks/02_rnn.ipynb, section *Backpropagation through time*.
    """

    gates, states, sigmoids = 1, 1, []  # G, S, and which blocks a sigmoid squashes
    stateful = False
    state = dstate = None

    def __init__(self, n_in, n_hidden, *, rng, init=orthogonal, dtype=np.float32):
        width = self.gates * n_hidden
        self.params = {
            "W_xh": glorot((n_in, width), n_in, n_hidden, rng).astype(dtype),
            "W_hh": init((n_hidden, width), n_hidden, n_hidden, rng).astype(dtype),
            "b": np.zeros(width, dtype),
        }

    def step(self, a, kept, h, *c):
        """One step forward: from `a` and `h_{t-1} = h[0]` set `h_t = h[1]`, in place.

        `a (G, N, H)` holds the blocks of the product, those of a sigmoid halved; what
        the way back needs goes into `kept (G, N, H)`.
        """
        raise NotImplementedError(f"{self} needs a step(a, kept, h)")

    def step_backward(self, da, kept, h, *c_dh_dc):
        """One step back: set `da (G, N, H)`, which lies where `kept` was, from `dh =
        dh_t`.

        Returns the part of `dh_{t-1}` that does not pass through the product, if there
        is one.
        """
        raise NotImplementedError(f"{self} needs a step_backward(da, kept, h, dh)")

    def forward(self, x, mask=None, state=None):
        D, H = len(self.params["W_xh"]), len(self.params["W_hh"])
        W = self._pack()
        if x.ndim != 3 or x.shape[2] != D or x.shape[1] == 0:
            raise ValueError(f"{self} expects (N, T, {D}) with T > 0, got {x.shape}")
        N, T = x.shape[:2]
        check_dtype(self, x, W.dtype)
        skip = [None] * T
        if mask is not None:
            if np.shape(mask) != (N, T):
                raise ValueError(
                    f"{self} expects a mask (N, T) = {N, T}, got {np.shape(mask)}"
                )
            skip = [
                row if row.any() else None
                for row in np.asarray(mask).T[:, :, None] == 0
            ]
        if state is None and self.stateful and self.training:
            state = self.state
        W.reshape(len(W), -1, H)[:, self.sigmoids] *= (
            0.5  # sigmoid(a) = (1 + tanh(a / 2)) / 2
        )

        z = np.empty((T + 1, N, H + D + 1), x.dtype)  # [h_{t-1} x_t 1] for all t
        z[:T, :, H:-1], z[:, :, -1] = x.swapaxes(0, 1), 1
        s = [z[:, :, :H], *np.empty((self.states - 1, T + 1, N, H), x.dtype)]
        for v, start in zip(s, self._check_state("state", state, N), strict=True):
            v[0] = start
        a = np.empty((N, W.shape[1]), x.dtype)
        a_blocks = _blocks(a, H)
        kept = np.empty((T, W.shape[1] // H, N, H), x.dtype)
        for t in range(T):
            np.dot(z[t], W, out=a)
            self.step(a_blocks, kept[t], *(v[t : t + 2] for v in s))
            if skip[t] is not None:
                for v in s:
                    np.copyto(v[t + 1], v[t], where=skip[t])
        self.state = np.stack([v[T] for v in s])
        return self._keep(s[0][1:].swapaxes(0, 1), z, s, kept, skip)

    def backward(self, dy, dstate=None):
        z, s, kept, skip = self._kept(dy)
        (N, T, H), W = dy.shape, self._pack()
        da = kept.reshape(
            T, N, W.shape[1]
        )  # step by step it takes the place of what was kept
        W_T = np.array(W[: -1 if self.needs_input_grad else H].T, order="C")
        ds = np.array(self._check_state("dstate", dstate, N))
        dz = np.zeros((N, W_T.shape[1]), W.dtype)  # what step t sends to [h_{t-1} x_t]
        dx, back = np.empty((N, T, W_T.shape[1] - H), W.dtype), dz[:, :H]
        back += ds[0]
        for t in reversed(range(T)):
            np.add(back, dy[:, t], out=ds[0])
            after = ds if skip[t] is None else ds.copy()
            past = self.step_backward(
                _blocks(da[t], H), kept[t], *(v[t : t + 2] for v in s), *ds
            )
            if skip[t] is not None:  # nothing was read: the gradient passes by
                np.copyto(da[t], 0, where=skip[t])
                np.copyto(ds, after, where=skip[t])
                past = np.where(skip[t], after[0], 0 if past is None else past)
            np.dot(da[t], W_T, out=dz)
            if past is not None:
                back += past
            dx[:, t] = dz[:, H:]
        ds[0] = back
        self.dstate = ds
        self.grads = self._unpack(
            z[:T].reshape(T * N, len(W)).T @ da.reshape(T * N, W.shape[1])
        )
        return dx if self.needs_input_grad else None

    def train(self, mode=True):
        self.state = None
        return super().train(mode)

    def _pack(self):
        return np.vstack([self.params["W_hh"], self.params["W_xh"], self.params["b"]])

    def _unpack(self, dW):
        H = len(self.params["W_hh"])
        return {"W_xh": dW[H:-1], "W_hh": dW[:H], "b": dW[-1]}

    def _check_state(self, name, state, N):
        shape, dtype = (
            (self.states, N, len(self.params["W_hh"])),
            self.params["W_hh"].dtype,
        )
        state = np.zeros(shape, dtype) if state is None else state
        if state.shape != shape:
            raise ValueError(
                f"{self} expects a {name} of shape {shape}, got {state.shape}"
            )
        check_dtype(self, state, dtype)
        return state

    def __repr__(self):
        return f"{type(self).__name__}({len(self.params['W_xh'])} -> {len(self.params['W_hh'])})"


def _blocks(a, H):
    return a.reshape(len(a), a.shape[1] // H, H).swapaxes(
        0, 1
    )  # (N, G H) seen as (G, N, H)


class RNN(Recurrent):
    """The plain recurrent network: `h_t = tanh(x_t W_xh + h_{t-1} W_hh + b)`.

    Backwards, `da = dh_t (1 - h_t^2)`; the product then sends on `dx_t = da W_xh^T` and
    `dh_{t-1} = da W_hh^T`.

    Derived in notebooks/02_rnn.ipynb, section *Backpropagation through time* (Elman,
    1990).
    """

    def step(self, a, kept, h):
        h[1] = np.tanh(a[0], out=kept[0])

    def step_backward(self, da, kept, h, dh):
        np.multiply(dh, 1 - kept[0] * kept[0], out=da[0])


class LSTM(Recurrent):
    """Long short-term memory: a cell `c` that is only scaled and added to, and three
    gates.

    Squash the blocks `[i f g o]` by sigmoid, sigmoid, tanh, sigmoid; then `c_t = f
    c_{t-1} + i g` and `h_t = o tanh(c_t)`. Backwards, `dc = dc_t + dh_t o (1 -
    tanh(c_t)^2)`, and `di = dc g`, `df = dc c_{t-1}`, `dg = dc i`, `do = dh_t
    tanh(c_t)`, each times its slope, make `da`; the cell hands on `dc_{t-1} = dc f`.
    The forget gate's bias starts at `forget_bias`: at 1 the cell remembers at first.

    Derived in notebooks/02_rnn.ipynb, section *The LSTM and the GRU* (Hochreiter and
    Schmidhuber, 1997; `f` and its bias by Gers, Schmidhuber and Cummins, 2000).
    """

    gates, states, sigmoids = 4, 2, [0, 1, 3]

    def __init__(
        self, n_in, n_hidden, *, rng, init=orthogonal, forget_bias=1.0, dtype=np.float32
    ):
        super().__init__(n_in, n_hidden, rng=rng, init=init, dtype=dtype)
        self.params["b"][n_hidden : 2 * n_hidden] = forget_bias

    def step(self, a, kept, h, c):
        np.tanh(a, out=kept)
        i, f, g, o = kept
        for gates in (kept[:2], o):
            gates *= 0.5
            gates += 0.5
        np.multiply(f, c[0], out=c[1])
        c[1] += i * g
        np.multiply(o, np.tanh(c[1]), out=h[1])

    def step_backward(self, da, kept, h, c, dh, dc):
        i, f, g, o = kept
        tanh_c = np.tanh(c[1])
        dc += dh * o * (1 - tanh_c * tanh_c)
        slope = 1 - kept
        slope *= kept
        slope[2] = 1 - g * g
        for block, d in zip(
            slope, (dc * g, dc * c[0], dc * i, dh * tanh_c), strict=True
        ):
            block *= d
        dc *= f
        da[:] = slope  # where i, f, g and o were


class GRU(Recurrent):
    """The gated recurrent unit: `z` blends the old state with a new one, `r` gates what
    it sees.

    With `[r z n]` the blocks of `x_t W_xh + b` and of `h_{t-1} W_hh`, and a second bias
    `b_hn`, `(H,)`: `r = sigmoid(x_r + h_r)`, `z = sigmoid(x_z + h_z)`, `q = h_n +
    b_hn`, `n = tanh(x_n + r q)` and `h_t = (1 - z) n + z h_{t-1}`. Backwards, each
    times its slope, `dn = dh_t (1 - z)`, `dz = dh_t (h_{t-1} - n)`, `dr = dn q`;
    besides, `dq = dn r`, and `dh_t z` passes beside the product. For `x_n` and `q` to
    stay apart it has four blocks, `[r z n q]`.

    Derived in notebooks/02_rnn.ipynb, section *The LSTM and the GRU* (Cho et al., 2014;
    `r` after the product as in PyTorch).
    """

    gates, sigmoids = 3, [0, 1]

    def __init__(self, n_in, n_hidden, *, rng, init=orthogonal, dtype=np.float32):
        super().__init__(n_in, n_hidden, rng=rng, init=init, dtype=dtype)
        self.params["b_hn"] = np.zeros(n_hidden, dtype)

    def step(self, a, kept, h):
        r, z, n, q = kept
        np.tanh(a[:2], out=kept[:2])
        kept[:2] *= 0.5
        kept[:2] += 0.5
        q[:] = a[3]
        np.tanh(a[2] + r * q, out=n)
        np.add(n, z * (h[0] - n), out=h[1])

    def step_backward(self, da, kept, h, dh):
        r, z, n, q = kept
        past = dh * z
        dn = (dh - past) * (1 - n * n)
        da[:] = dn * q * r * (1 - r), past * (1 - z) * (h[0] - n), dn, dn * r
        return past

    def _pack(self):
        W_xh, W_hh, b, b_hn = (
            self.params[name] for name in ("W_xh", "W_hh", "b", "b_hn")
        )
        H, zero = len(W_hh), np.zeros((len(W_hh) + len(W_xh), len(W_hh)), W_hh.dtype)
        return np.block(
            [
                [W_hh[:, : 2 * H], zero[:H], W_hh[:, 2 * H :]],
                [W_xh, zero[H:]],
                [b, b_hn],
            ]
        )

    def _unpack(self, dW):
        H = len(self.params["W_hh"])
        return {
            "W_xh": dW[H:-1, : 3 * H],
            "W_hh": np.delete(dW[:H], np.s_[2 * H : 3 * H], axis=1),
            "b": dW[-1, : 3 * H],
            "b_hn": dW[-1, 3 * H :],
        }


def reader(n, embedding, hidden, n_out, cell, *, rng, dtype, **options):
    """Embedding, recurrent layer and Linear, which every network that reads is made of.

    `cell` is a name, or a class of your own with `forward(x, mask, state)`; `options`
    are those of the Embedding.
    """
    cell = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}.get(cell, cell)
    require(callable(cell), f"expected the cell 'RNN', 'LSTM' or 'GRU', got {cell!r}")
    return (
        Embedding(n, embedding, rng=rng, dtype=dtype, **options),
        cell(embedding, hidden, rng=rng, dtype=dtype),
        Linear(hidden, n_out, rng=rng, dtype=dtype),
    )


class TextClassifier(Layer):
    """Scores for a text: embed each word, read them in order, pool the states, weigh
    them.

    Shapes: ids `(N, T)`, 0 being padding, in; scores `(N, classes)` out, for
    `CrossEntropyLoss`. `pooling="mean"` averages the states over the words, `"last"`
    takes the one after the last word. A text without a word gets the scores of a state
    of zeros.

    Raises as Embedding and Recurrent do, and ValueError for an unknown cell or pooling.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.
    """

    def __init__(
        self,
        vocabulary_size,
        classes,
        *,
        embedding=32,
        hidden=64,
        cell="LSTM",
        pooling="mean",
        rng,
        dtype=np.float32,
    ):
        require(
            pooling in ("mean", "last"),
            f"TextClassifier expects pooling 'mean' or 'last', got {pooling!r}",
        )
        self.pooling = pooling
        # Small vectors, by the scale: a rare word weighs little until it is learned.
        self.embedding, self.cell, self.linear = reader(
            vocabulary_size,
            embedding,
            hidden,
            classes,
            cell,
            rng=rng,
            dtype=dtype,
            padding=PADDING,
            scale=0.1,
        )

    def forward(self, ids):
        if ids.ndim != 2 or ids.shape[1] == 0:
            raise ValueError(
                f"TextClassifier expects ids (N, T) with T > 0, got {ids.shape}: "
                "use pad, which gives an empty text one step"
            )
        mask = ids != PADDING
        T = (
            ids.shape[1] - mask.any(axis=0)[::-1].argmax()
        )  # nothing but padding comes after
        mask = mask[:, :T]
        h = self.cell.forward(self.embedding.forward(ids[:, :T]), mask)
        weights = mask / np.maximum(mask.sum(axis=1, keepdims=True), 1)
        if self.pooling == "last":
            weights[:] = (
                np.arange(T) == T - 1
            )  # where the mask has carried the last state
        weights = weights[:, None].astype(h.dtype)  # (N, 1, T)
        return self._keep(self.linear.forward((weights @ h)[:, 0]), weights)

    def backward(self, dy):
        weights = self._kept(dy)
        dh = weights.swapaxes(1, 2) * self.linear.backward(dy)[:, None]
        self.embedding.backward(self.cell.backward(dh))


def predict_proba(model, sequences, *, batch_size=512):
    """A text classifier's probabilities for many lists of ids, `(N, classes)`.

    Lists of like length are padded and predicted together, so that short ones take few
    steps. Raises ValueError when there is no list.

    Derived in notebooks/02_rnn.ipynb, section *Explain*.
    """
    require(len(sequences), "predict_proba expects at least one list of ids")
    order = np.argsort([len(ids) for ids in sequences], kind="stable")
    parts = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    scores = [
        predict(model, pad([sequences[i] for i in part]), batch_size=batch_size)
        for part in parts
    ]
    return softmax(np.concatenate(scores))[np.argsort(order)]


class CharacterModel(Sequential):
    """Scores for what comes next after each character: Embedding, a recurrent layer,
    Linear.

    Shapes: ids `(N, T)` in, scores `(N, T, characters)` out, for `CrossEntropyLoss`
    with the next characters `(N, T)`. `forward(ids, state)` starts from a state;
    `.state` is the one at the end.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.
    """

    def __init__(
        self,
        characters=27,
        *,
        embedding=32,
        hidden=128,
        cell="LSTM",
        rng,
        dtype=np.float32,
    ):
        super().__init__(
            *reader(
                characters, embedding, hidden, characters, cell, rng=rng, dtype=dtype
            )
        )

    @property
    def state(self):
        """Where the recurrent layer stands after the last `forward`."""
        return self.layers[1].state

    def forward(self, ids, state=None):
        embed, cell, out = self.layers
        return out.forward(cell.forward(embed.forward(ids), None, state))


def fit_tbptt(
    model, loss, optimizer, ids, *, batch_size, seq_len, validation=None, **options
):
    """Train on one long text `(L,)` by truncated backpropagation through time; returns
    History.

    The text is read in `batch_size` rows side by side, `seq_len` characters at a time
    (`windows`): the state is carried from each batch to the next, the gradient stops at
    its beginning. `validation` is a text too, read in pieces four times as long, each
    from an empty memory. `options` are those of `fit`: `epochs`, `clip_norm`,
    `callbacks`, `progress` and the like.

    Raises TypeError when no layer of the model can carry a state.

    Derived in notebooks/02_rnn.ipynb, section *A character model* (Williams and Peng,
    1990).
    """
    cells = [layer for _, layer in model.named_layers() if isinstance(layer, Recurrent)]
    if not cells:
        raise TypeError(
            f"fit_tbptt finds no Recurrent layer in {model} to carry the state"
        )
    if validation is not None:
        validation = windows(validation, 1, 4 * seq_len)
    try:
        for cell in cells:
            cell.stateful = True
        return fit(
            model,
            loss,
            optimizer,
            windows(ids, batch_size, seq_len),
            batch_size=batch_size,
            rng=None,
            validation=validation,
            **options,
        )
    finally:
        for cell in cells:
            cell.stateful = False


def sample(scores, temperature, rng):
    """Draw one class from `softmax(scores / temperature)`, scores being `(C,)`.

    A low temperature prefers the likely classes; 0 always takes the likeliest. Raises
    ValueError for a negative temperature, and for scores of another shape or with NaN.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.
    """
    if (
        temperature < 0
        or scores.ndim != 1
        or not (scores.size and scores.max() < np.inf)
    ):
        raise ValueError(
            f"sample expects scores (C,) without NaN, got shape {scores.shape}, "
            f"and a temperature of 0 or more, got {temperature}"
        )
    if temperature == 0:
        return int(scores.argmax())
    p = softmax(scores.astype(np.float64) / temperature)
    return int(rng.choice(len(p), p=p))


def generate(model, prompt, n, temperature=1.0, *, rng):
    """Let a CharacterModel go on after the ids `prompt (T,)`: `n` new ids, drawn one by
    one.

    The state is carried along, so that each new character costs one step.
    Raises ValueError for an empty prompt.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.
    """
    ids, state, drawn = np.atleast_2d(prompt), None, []
    require(ids.size, "generate expects a prompt of at least one character")
    mode = model.training
    model.eval()
    for _ in range(n):
        scores, state = model.forward(ids, state), model.state
        drawn.append(sample(scores[0, -1], temperature, rng))
        ids = np.array([drawn[-1:]])
    model.train(mode)
    return np.array(drawn, np.intp)
