"""Networks with a memory: the state of each step is computed from the step before.

Every step is one product, `a = [h_{t-1} x_t 1] W`, and what the cell makes of its
columns: `step`. The product is the Linear layer of notebook 01, so only `step_backward`
is new. Run backwards, the loop over the steps is backpropagation through time (Werbos,
1990). When all `da` are known, the gradients of the weights are one product as well.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, DTypeLike

from ._support import Array, Shape, check_dtype, require
from .layers import Layer, Linear, Sequential, glorot, softmax
from .losses import Loss
from .optimizers import Optimizer
from .text import PADDING, check_ids, pad, windows
from .training import History, fit, predict


class Embedding(Layer):
    """Give each of `n` ids a vector to be learned: `y = W[ids]`.

    Picking a row is multiplying by a one-hot vector, so row `i` of `dW` is the sum of
    `dy` wherever the id is `i`. There is no `dx`.

    Shapes: `ids` is integer `(N, T)`, or any shape, `W` is `(n, n_out)`, `y` is
    `(N, T, n_out)`. The vector of the id `padding` is zero and learns nothing. The
    others start as normal numbers times `scale`.

    Raises TypeError if the ids are not integers, ValueError for one outside `0..n-1`.

    Derived in notebooks/deeper/02_rnn.ipynb, section *Embedding and padding*.

    >>> embedding = Embedding(1000, 32, rng=np.random.default_rng(0))
    >>> embedding.forward(np.array([[3, 1, 4], [1, 5, 0]])).shape
    (2, 3, 32)
    """

    def __init__(
        self,
        n: int,
        n_out: int,
        *,
        rng: Generator,
        padding: int | None = None,
        scale: float = 1.0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.padding = padding
        W = scale * rng.standard_normal((n, n_out))
        self.params = {"W": W.astype(dtype)}

    def forward(self, ids: Array) -> Array:
        W = self.params["W"]
        check_ids(self, ids.ravel(), len(W))
        y = W[ids]
        if self.padding is not None:
            y[ids == self.padding] = 0
        return self._keep(y, ids)

    def backward(self, dy: Array) -> None:
        ids = self._kept(dy).ravel().astype(np.intp)
        n, n_out = self.params["W"].shape
        dW = np.empty((n, n_out), dy.dtype)
        # The same as np.add.at(dW, ids, dy), in half the time: bincount adds up, for
        # each id, the numbers of one column of dy.
        for k, column in enumerate(dy.reshape(-1, n_out).T):
            dW[:, k] = np.bincount(ids, weights=column, minlength=n)
        if self.padding is not None:
            dW[self.padding] = 0
        self.grads = {"W": dW}

    def __repr__(self) -> str:
        n, n_out = self.params["W"].shape
        return f"Embedding({n} -> {n_out})"


def orthogonal(shape: Shape, fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Random rotations side by side: repeated products neither grow nor shrink.

    Shapes: `(n, G n)`, that is G rotations `(n, n)`.

    Derived in notebooks/02_rnn.ipynb, section *Vanishing and exploding gradients*
    (Saxe, McClelland and Ganguli, 2014).
    """
    n, width = shape
    rotations = []
    for _ in range(width // n):
        random = rng.standard_normal((n, n))
        rotations.append(np.linalg.qr(random).Q)
    return np.hstack(rotations)


def sigmoid(a: Array) -> Array:
    """Notebook 01's sigmoid as `(1 + tanh(a / 2)) / 2`, which is faster in a loop."""
    y = np.tanh(0.5 * a)
    y *= 0.5
    y += 0.5
    return y


class Recurrent(Layer):
    """What RNN, LSTM and GRU share: the loop over time, forwards and backwards.

    Shapes: `x` is `(N, T, n_in)`, `y` is `(N, T, H)`: the states `h_1 ... h_T`. The
    weights hold the cell's G blocks side by side, in PyTorch's order: `W_xh` is
    `(n_in, G H)`, `W_hh` is `(H, G H)`, `b` is `(G H,)`. `init` draws `W_hh`.

    `mask (N, T)` is true where there is something to read; elsewhere the state is
    carried over. `state (S, N, H)` is the state to start from, by default zero: S = 1,
    for an LSTM 2, `h` and `c`. After `forward`, `.state` is the state at the end.
    `backward(dy, dstate)` takes the gradient of that state too, where it was used, and
    leaves the initial state's in `.dstate`.

    While `stateful` is set and the layer is training, a forward without `state`
    continues where the last one ended. The gradient stops there: truncated
    backpropagation through time. `train()` and `eval()` forget the state.

    Raises ValueError if `x`, `mask` or `state` has the wrong shape or T is 0, TypeError
    if a dtype is not that of the weights.

    Derived in notebooks/02_rnn.ipynb, section *Backpropagation through time*.
    """

    n_blocks = 1  # G
    n_states = 1  # S
    stateful: bool = False
    state: Array | None = None
    dstate: Array | None = None

    def __init__(
        self,
        n_in: int,
        n_hidden: int,
        *,
        rng: Generator,
        init: Callable[..., Array] = orthogonal,
        dtype: DTypeLike = np.float32,
    ) -> None:
        width = self.n_blocks * n_hidden
        W_xh = glorot((n_in, width), n_in, n_hidden, rng)
        W_hh = init((n_hidden, width), n_hidden, n_hidden, rng)
        self.params = {
            "W_xh": W_xh.astype(dtype),
            "W_hh": W_hh.astype(dtype),
            "b": np.zeros(width, dtype),
        }

    def step(self, *args: Any, **kwargs: Any) -> Sequence[Any]:
        """`step(a, h)`, for an LSTM `step(a, h, c)`: from the old state to the new one.

        `a (G, N, H)` holds the blocks of the product, `h` and `c` are `(N, H)`. Returns
        the new `h`, for an LSTM also the new `c`, and last what `step_backward` needs.
        """
        raise NotImplementedError(f"{self} needs a step(a, h)")

    def step_backward(self, *args: Any, **kwargs: Any) -> Sequence[Any]:
        """`step_backward(kept, dh)`, for an LSTM `step_backward(kept, dh, dc)`.

        Gets what `step` kept and the gradient of the new state. Returns the list of the
        G blocks of `da`; the part of the old `dh` that does not go through the product,
        or 0; and for an LSTM the old `dc`.
        """
        raise NotImplementedError(f"{self} needs a step_backward(kept, dh)")

    def forward(
        self, x: Array, mask: ArrayLike | None = None, state: Array | None = None
    ) -> Array:
        self._check_input(x)
        N, T, _ = x.shape
        reads = self._reads(mask, N, T)
        if state is None and self.stateful and self.training:
            state = self.state
        old = self._states("state", state, N)  # [h], for an LSTM [h, c]

        H = len(self.params["W_hh"])
        W = self._stacked()  # (H + n_in + 1, G H)
        W_blocks = W.reshape(len(W), -1, H).swapaxes(0, 1)  # (G, H + n_in + 1, H)
        hx1 = np.empty((T, N, len(W)), x.dtype)  # [h_{t-1} x_t 1] of every step
        hx1[:, :, H:-1] = x.swapaxes(0, 1)
        hx1[:, :, -1] = 1
        y = np.empty((T, N, H), x.dtype)
        kept = []
        for t in range(T):
            hx1[t, :, :H] = old[0]
            a = hx1[t] @ W_blocks  # (G, N, H)
            *new, for_backward = self.step(a, *old)
            old = where(reads[t], new, old)
            y[t] = old[0]
            kept.append(for_backward)
        self.state = np.stack(old)
        return self._keep(y.swapaxes(0, 1), hx1, kept, reads)

    def backward(self, dy: Array, dstate: Array | None = None) -> Array | None:
        hx1, kept, reads = self._kept(dy)
        N, T, H = dy.shape
        W = self._stacked()  # (K, G H), with K = H + n_in + 1
        K, width = W.shape
        W_xh = W[H:-1]
        W_hh_T = W[:H].T.copy()  # a copy, as a product with it is faster
        da = np.empty((T, N, width), W.dtype)
        dnew = self._states("dstate", dstate, N)  # [dh], for an LSTM [dh, dc]
        zeros = [np.zeros_like(d) for d in dnew]
        for t in reversed(range(T)):
            dnew[0] += dy[:, t]  # dh_t = dy_t + what the step after sends back
            # Where nothing was read, the step gets 0, and the gradient passes it by.
            dread = where(reads[t], dnew, zeros)
            da_blocks, dh_past, *dc = self.step_backward(kept[t], *dread)
            np.concatenate(da_blocks, axis=1, out=da[t])
            dh = da[t] @ W_hh_T + dh_past
            dnew = where(reads[t], [dh, *dc], dnew)
        self.dstate = np.stack(dnew)
        da_rows = da.reshape(T * N, width)
        dW = hx1.reshape(T * N, K).T @ da_rows  # the sum over all steps
        self.grads = self._unstacked(dW)
        if not self.needs_input_grad:
            return None
        dx = da_rows @ W_xh.T
        return dx.reshape(T, N, len(W_xh)).swapaxes(0, 1)

    def train(self, mode: bool = True) -> Self:
        self.state = None
        return super().train(mode)

    def _stacked(self) -> Array:
        """The weights of `[h x 1]`, one above the other: `(H + n_in + 1, G H)`."""
        return np.vstack([self.params[name] for name in ("W_hh", "W_xh", "b")])

    def _unstacked(self, dW: Array) -> dict[str, Array]:
        """The gradients of the parameters, from that of the stacked weights."""
        H = len(self.params["W_hh"])
        return {"W_xh": dW[H:-1], "W_hh": dW[:H], "b": dW[-1]}

    def _reads(self, mask: ArrayLike | None, N: int, T: int) -> list[Array | None]:
        """For each step who reads, `(N, 1)`; None where all do, which is faster."""
        if mask is None:
            return [None] * T
        read = np.asarray(mask) != 0
        if read.shape != (N, T):
            raise ValueError(f"{self} expects a mask (N, T) = {N, T}, got {read.shape}")
        return [None if column.all() else column[:, None] for column in read.T]

    def _check_input(self, x: Array) -> None:
        D = len(self.params["W_xh"])
        if x.ndim != 3 or x.shape[2] != D or x.shape[1] == 0:
            raise ValueError(f"{self} expects (N, T, {D}) with T > 0, got {x.shape}")
        check_dtype(self, x, self.params["W_xh"].dtype)

    def _states(self, name: str, state: Array | None, N: int) -> list[Array]:
        """[h], for an LSTM [h, c], as copies; zeros where nothing is handed in."""
        W_hh = self.params["W_hh"]
        shape = (self.n_states, N, len(W_hh))
        if state is None:
            state = np.zeros(shape, W_hh.dtype)
        if state.shape != shape:
            raise ValueError(
                f"{self} expects a {name} of shape {shape}, got {state.shape}"
            )
        check_dtype(self, state, W_hh.dtype)
        return list(state.copy())

    def __repr__(self) -> str:
        n_in = len(self.params["W_xh"])
        n_hidden = len(self.params["W_hh"])
        return f"{type(self).__name__}({n_in} -> {n_hidden})"


def where(read: Array | None, new: list, old: list) -> list:
    """`np.where(read, new, old)` for each array of two lists; None means all read."""
    if read is None:
        return new
    return [np.where(read, *pair) for pair in zip(new, old, strict=True)]


class RNN(Recurrent):
    """The plain recurrent network: `h_t = tanh(x_t W_xh + h_{t-1} W_hh + b)`.

    Backwards, `da = dh_t (1 - h_t^2)`; the product then sends back `dx_t = da W_xh^T`
    and `dh_{t-1} = da W_hh^T`. Shapes, mask and state as in `Recurrent`.

    Derived in notebooks/02_rnn.ipynb, section *Backpropagation through time* (Elman,
    1990).

    >>> layer = RNN(4, 5, rng=np.random.default_rng(0))
    >>> x = np.zeros((3, 6, 4), np.float32)  # 3 sequences of 6 steps, 4 numbers each
    >>> layer.forward(x).shape
    (3, 6, 5)
    >>> layer.state.shape  # h at the end; it may be passed to the next forward
    (1, 3, 5)
    """

    def step(self, a: Array, h: Array) -> Sequence[Any]:
        h = np.tanh(a[0])
        return h, h

    def step_backward(self, h: Array, dh: Array) -> Sequence[Any]:
        da = dh * (1 - h**2)
        return [da], 0


class LSTM(Recurrent):
    """Long short-term memory: a cell `c` that is only scaled and added to, and gates.

    The blocks `[a_i a_f a_g a_o]` become `i, f, o = sigmoid(a_i, a_f, a_o)` and
    `g = tanh(a_g)`; then `c_t = f c_{t-1} + i g` and `h_t = o tanh(c_t)`. Backwards,
    `dc_t` gets what comes through `h_t`, `dh_t o (1 - tanh(c_t)^2)`. Each factor gets
    `dc_t`, or `dh_t`, times its partner and its slope, and `dc_{t-1} = dc_t f`.

    The forget gate's bias starts at `forget_bias`: at 1 the cell mostly remembers.
    Shapes, mask and state as in `Recurrent`.

    Derived in notebooks/deeper/02_rnn.ipynb, section *The LSTM and the GRU*
    (Hochreiter and Schmidhuber, 1997; `f` and its bias by Gers, Schmidhuber and
    Cummins, 2000).

    >>> layer = LSTM(4, 5, rng=np.random.default_rng(0))
    >>> x = np.zeros((3, 6, 4), np.float32)
    >>> mask = np.arange(6) < [[6], [2], [4]]  # texts of 6, 2 and 4 words
    >>> h = layer.forward(x, mask)
    >>> h.shape, layer.state.shape  # the state is h and c
    ((3, 6, 5), (2, 3, 5))
    """

    n_blocks = 4
    n_states = 2

    def __init__(
        self,
        n_in: int,
        n_hidden: int,
        *,
        rng: Generator,
        init: Callable[..., Array] = orthogonal,
        forget_bias: float = 1.0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(n_in, n_hidden, rng=rng, init=init, dtype=dtype)
        self.params["b"][n_hidden : 2 * n_hidden] = forget_bias

    def step(self, a: Array, h: Array, c: Array) -> Sequence[Any]:
        a_i, a_f, a_g, a_o = a
        i = sigmoid(a_i)
        f = sigmoid(a_f)
        g = np.tanh(a_g)
        o = sigmoid(a_o)
        c_new = f * c + i * g
        tanh_c = np.tanh(c_new)
        h_new = o * tanh_c
        return h_new, c_new, (i, f, g, o, c, tanh_c)

    def step_backward(self, kept: Any, dh: Array, dc: Array) -> Sequence[Any]:
        i, f, g, o, c, tanh_c = kept
        dc = dc + dh * o * (1 - tanh_c**2)
        da_i = dc * g * i * (1 - i)
        da_f = dc * c * f * (1 - f)
        da_g = dc * i * (1 - g**2)
        da_o = dh * tanh_c * o * (1 - o)
        return [da_i, da_f, da_g, da_o], 0, dc * f


class GRU(Recurrent):
    """The gated recurrent unit: `z` blends the old state with a new one.

    With `[x_r x_z x_n] = x_t W_xh + b`, `[h_r h_z h_n] = h_{t-1} W_hh` and a second
    bias `b_hn`, `(H,)`: `r = sigmoid(x_r + h_r)`, `z = sigmoid(x_z + h_z)`,
    `q = h_n + b_hn`, `n = tanh(x_n + r q)` and `h_t = (1 - z) n + z h_{t-1}`.
    Backwards, each factor gets `dh_t` times its partner and its slope; `dh_t z` goes
    past the product. Shapes, mask and state as in `Recurrent`.

    Derived in notebooks/deeper/02_rnn.ipynb, section *The LSTM and the GRU*
    (Cho et al., 2014; `r` after the product as in PyTorch).
    """

    n_blocks = 3

    def __init__(
        self,
        n_in: int,
        n_hidden: int,
        *,
        rng: Generator,
        init: Callable[..., Array] = orthogonal,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(n_in, n_hidden, rng=rng, init=init, dtype=dtype)
        self.params["b_hn"] = np.zeros(n_hidden, dtype)

    def step(self, a: Array, h: Array) -> Sequence[Any]:
        a_r, a_z, x_n, q = a
        r = sigmoid(a_r)
        z = sigmoid(a_z)
        n = np.tanh(x_n + r * q)
        h_new = (1 - z) * n + z * h
        return h_new, (r, z, n, q, h)

    def step_backward(self, kept: Any, dh: Array) -> Sequence[Any]:
        r, z, n, q, h = kept
        da_n = dh * (1 - z) * (1 - n**2)
        da_z = dh * (h - n) * z * (1 - z)
        da_r = da_n * q * r * (1 - r)
        dq = da_n * r
        return [da_r, da_z, da_n, dq], dh * z

    # `r` comes between x_n and q = h_n + b_hn, so the product must give both, not
    # their sum. Their weights get a block of columns each:
    #
    #            r     z     n     q
    #     h     W_hr  W_hz   0    W_hn
    #     x     W_xr  W_xz  W_xn   0
    #     1     b_r   b_z   b_n   b_hn

    def _stacked(self) -> Array:
        p = self.params
        H = len(p["W_hh"])
        W_hr_hz, W_hn = np.split(p["W_hh"], [2 * H], axis=1)
        no_h = np.zeros_like(W_hn)
        no_x = np.zeros_like(p["W_xh"][:, :H])
        return np.block([[W_hr_hz, no_h, W_hn], [p["W_xh"], no_x], [p["b"], p["b_hn"]]])

    def _unstacked(self, dW: Array) -> dict[str, Array]:
        H = len(self.params["W_hh"])
        drz, dn, dq = np.split(dW, [2 * H, 3 * H], axis=1)
        return {
            "W_xh": np.hstack([drz, dn])[H:-1],
            "W_hh": np.hstack([drz, dq])[:H],
            "b": dW[-1, : 3 * H],
            "b_hn": dW[-1, 3 * H :],
        }


def make_cell(cell: str | type[Layer], n_in: int, n_hidden: int, **options: Any) -> Any:
    """A recurrent layer by its name, or of a class of your own."""
    known = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
    kind: Any = known.get(cell, cell) if isinstance(cell, str) else cell
    require(callable(kind), f"expected the cell 'RNN', 'LSTM' or 'GRU', got {cell!r}")
    return kind(n_in, n_hidden, **options)


class TextClassifier(Layer):
    """Scores for a text: embed each word, read them in order, pool the states, weigh.

    Shapes: ids `(N, T)`, 0 being padding, in; scores `(N, classes)` out, for
    `CrossEntropyLoss`. `pooling="mean"` averages the states over the words, `"last"`
    takes the one after the last word. A text without a word gets the scores of a state
    of zeros. `cell` is a name, or a class of your own with `forward(x, mask)`.

    Raises as `Embedding` and `Recurrent`, and ValueError for an unknown cell or
    pooling.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.

    >>> model = TextClassifier(1000, 2, cell="GRU", rng=np.random.default_rng(0))
    >>> model.forward(np.array([[5, 9, 2], [7, 0, 0]])).shape
    (2, 2)
    >>> list(model.parameters())[:3]
    ['embedding.W', 'cell.W_xh', 'cell.W_hh']
    """

    def __init__(
        self,
        vocabulary_size: int,
        classes: int,
        *,
        embedding: int = 32,
        hidden: int = 64,
        cell: str | type[Layer] = "LSTM",
        pooling: str = "mean",
        rng: Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        require(
            pooling in ("mean", "last"),
            f"TextClassifier expects pooling 'mean' or 'last', got {pooling!r}",
        )
        self.pooling = pooling
        # Small vectors, by the scale: a rare word weighs little until it is learned.
        self.embedding = Embedding(
            vocabulary_size, embedding, rng=rng, padding=PADDING, scale=0.1, dtype=dtype
        )
        self.cell = make_cell(cell, embedding, hidden, rng=rng, dtype=dtype)
        self.linear = Linear(hidden, classes, rng=rng, dtype=dtype)

    def forward(self, ids: Array) -> Array:
        if ids.ndim != 2 or ids.shape[1] == 0:
            raise ValueError(
                f"TextClassifier expects ids (N, T) with T > 0, got {ids.shape}: "
                "use pad, which gives an empty text one step"
            )
        ids = without_empty_end(ids)
        mask = ids != PADDING
        h = self.cell.forward(self.embedding.forward(ids), mask)  # (N, T, H)
        shares = self._shares(mask).astype(h.dtype)[:, None]  # (N, 1, T)
        pooled = (shares @ h)[:, 0]
        return self._keep(self.linear.forward(pooled), shares)

    def backward(self, dy: Array) -> None:
        shares = self._kept(dy)
        dpooled: Any = self.linear.backward(dy)
        dh = shares.swapaxes(1, 2) * dpooled[:, None]
        self.embedding.backward(self.cell.backward(dh))

    def _shares(self, mask: Array) -> Array:
        """How much each state counts, `(N, T)`."""
        if self.pooling == "mean":
            return mask / np.maximum(mask.sum(axis=1, keepdims=True), 1)
        shares = np.zeros(mask.shape)
        shares[:, -1] = 1  # the mask has carried the state after the last word there
        return shares


def without_empty_end(ids: Array) -> Array:
    """Cut off the last columns where they are padding in every row."""
    has_word = (ids != PADDING).any(axis=0)
    used = np.flatnonzero(has_word)
    T = used[-1] + 1 if used.size else 1
    return ids[:, :T]


def predict_proba(
    model: Layer, sequences: Sequence[Sequence[int]], *, batch_size: int = 512
) -> Array:
    """A text classifier's probabilities for many lists of ids, `(N, classes)`.

    Lists of similar length are padded and predicted together, so that short ones take
    few steps. Raises ValueError if there is no list.

    Derived in notebooks/02_rnn.ipynb, section *Explain*.
    """
    require(len(sequences), "predict_proba expects at least one list of ids")
    order = np.argsort([len(ids) for ids in sequences], kind="stable")
    scores = []
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        ids = pad([sequences[i] for i in part])
        scores.append(predict(model, ids, batch_size=batch_size))
    place = np.argsort(order)
    return softmax(np.concatenate(scores))[place]


class CharacterModel(Sequential):
    """Scores for what comes next after each character: a network of three layers.

    Embedding, recurrent layer, Linear. Shapes: ids `(N, T)` in, scores
    `(N, T, characters)` out, for `CrossEntropyLoss` with the next characters `(N, T)`.
    `forward(ids, state)` starts from a state; `.state` is the one at the end.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.

    >>> model = CharacterModel(27, cell="RNN", rng=np.random.default_rng(0))
    >>> model.forward(np.array([[20, 8, 5]])).shape
    (1, 3, 27)
    """

    def __init__(
        self,
        characters: int = 27,
        *,
        embedding: int = 32,
        hidden: int = 128,
        cell: str | type[Layer] = "LSTM",
        rng: Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(
            Embedding(characters, embedding, rng=rng, dtype=dtype),
            make_cell(cell, embedding, hidden, rng=rng, dtype=dtype),
            Linear(hidden, characters, rng=rng, dtype=dtype),
        )

    @property
    def state(self) -> Array | None:
        """Where the recurrent layer stands after the last `forward`."""
        cell: Any = self.layers[1]
        return cell.state

    def forward(self, ids: Array, state: Array | None = None) -> Array:
        embedding, _, linear = self.layers
        cell: Any = self.layers[1]
        h = cell.forward(embedding.forward(ids), None, state)
        return linear.forward(h)


def fit_tbptt(
    model: Layer,
    loss: Loss,
    optimizer: Optimizer,
    ids: Array,
    *,
    batch_size: int,
    seq_len: int,
    validation: Array | None = None,
    **options: Any,
) -> History:
    """Train on one long text by truncated backpropagation through time.

    `ids (L,)` is read in `batch_size` rows side by side, `seq_len` characters at a time
    (`windows`): the state is carried from each batch to the next, the gradient stops at
    its beginning. `validation` is a text too, read in pieces four times as long, each
    from an empty memory. `options` are those of `fit`: `epochs`, `clip_norm`,
    `callbacks`, `progress` and so on. Returns the History.

    Raises TypeError if no layer of the model can carry a state, ValueError if a text is
    too short.

    Derived in notebooks/deeper/02_rnn.ipynb, section *Truncated backpropagation*
    (Williams and Peng, 1990).
    """
    cells = [layer for _, layer in model.named_layers() if isinstance(layer, Recurrent)]
    if not cells:
        raise TypeError(
            f"fit_tbptt finds no Recurrent layer in {model} to carry the state"
        )
    train = windows(ids, batch_size, seq_len)
    if validation is not None:
        options["validation"] = windows(validation, 1, 4 * seq_len)
    try:
        for cell in cells:
            cell.stateful = True
        # In the order of the text: rng=None does not shuffle.
        return fit(
            model, loss, optimizer, train, batch_size=batch_size, rng=None, **options
        )
    finally:
        for cell in cells:
            cell.stateful = False


def sample(scores: Array, temperature: float, rng: Generator) -> int:
    """Draw one class from `softmax(scores / temperature)`, with scores `(C,)`.

    A low temperature prefers the likely classes; 0 always takes the likeliest.

    Raises ValueError if the temperature is negative, if `scores` has the wrong shape,
    or for NaN or infinity in it.

    Derived in notebooks/deeper/02_rnn.ipynb, section *Sampling*.
    """
    good = scores.ndim == 1 and scores.size > 0 and scores.max() < np.inf
    if temperature < 0 or not good:
        raise ValueError(
            f"sample expects scores (C,) without NaN, got shape {scores.shape}, "
            f"and a temperature of 0 or more, got {temperature}"
        )
    if temperature == 0:
        return int(scores.argmax())
    p = softmax(scores.astype(np.float64) / temperature)
    return int(rng.choice(len(p), p=p))


def generate(
    model: CharacterModel,
    prompt: ArrayLike,
    n: int,
    temperature: float = 1.0,
    *,
    rng: Generator,
) -> Array:
    """Let a CharacterModel continue the ids `prompt (T,)`: `n` new ids, one by one.

    The state is carried along, so that each new character costs one step.
    Raises ValueError for an empty prompt.

    Derived in notebooks/deeper/02_rnn.ipynb, section *Sampling*.
    """
    ids = np.atleast_2d(prompt)
    require(ids.size, "generate expects a prompt of at least one character")
    drawn: list[int] = []
    state = None
    mode = model.training
    model.eval()
    for _ in range(n):
        scores = model.forward(ids, state)
        state = model.state
        drawn.append(sample(scores[0, -1], temperature, rng))
        ids = np.array([drawn[-1:]])
    model.train(mode)
    return np.array(drawn, np.intp)
