"""The parts a network is built from.

A layer is a function with a memory. `forward` computes `y` from `x` and keeps what the
chain rule will need; `backward` receives `dy`, the gradient of the loss with respect to
`y`, and returns `dx`, the gradient with respect to `x`. On the way it stores the
gradients of the layer's own parameters. Chain the layers, run them backwards, and you
have backpropagation (Rumelhart, Hinton and Williams, 1986).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self, TypeAlias, cast

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from ._support import Array, Gradient, Shape, check_dtype, check_floating, require

# What a class has before its instances assign their own: nobody can fill it.
EMPTY = cast("dict[str, Array]", MappingProxyType({}))


class Layer:
    """The contract every layer keeps: `forward`, `backward`, `params`, `grads`.

    A layer with weights assigns `self.params = {"W": ..., "b": ...}` in `__init__`, and
    `self.grads`, with the same names and shapes, in `backward`. Gradients are assigned,
    never accumulated. Neither `forward` nor `backward` changes the array it is given.

    `self.buffers`, by name too, holds what is saved but not trained, such as the
    running means of `BatchNorm`. An array that is only an attribute is lost on saving.

    Layers inside a layer are found by attribute, as in PyTorch: `self.hidden =
    Linear(...)`, or a list, tuple or dict of layers. One that is found twice counts
    once. Do not keep the layer above as an attribute: it would count as one inside.

    Call `backward` once per `forward`. `_keep(y, x)` stores `x` and returns `y`;
    `_kept(dy)` returns `x`. It raises RuntimeError without a `forward`, and ValueError
    if `dy` has the wrong shape or is not floating point.

    Nobody needs the gradient with respect to the data. Set `needs_input_grad = False`
    on the first layer with weights, and its `backward` skips that work and returns
    None.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    params: dict[str, Array] = EMPTY
    grads: dict[str, Array] = EMPTY
    buffers: dict[str, Array] = EMPTY
    training: bool = True
    needs_input_grad: bool = True
    _saved: Any = None
    # Attributes in which nobody needs to look for layers.
    _no_layers = frozenset({"params", "grads", "buffers", "_saved"})

    def forward(self, x: Array) -> Array:
        """Return `y`, and keep what `backward` needs."""
        raise NotImplementedError(f"{self} needs a forward(x)")

    def backward(self, dy: Array) -> Gradient:
        """Return `dx` for `dy = dLoss/dy`, and assign the parameters' gradients."""
        raise NotImplementedError(f"{self} needs a backward(dy)")

    def children(self) -> dict[str, "Layer"]:
        """The layers directly inside this one, by name."""
        found: dict[str, Layer] = {}
        for name, value in vars(self).items():
            if isinstance(value, CONTAINERS) and name not in self._no_layers:
                found.update(layers_in(name, value))
        return found

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, "Layer"]]:
        """This layer and all inside it, each once, with the prefix of its names."""
        found: dict[int, tuple[str, Layer]] = {}
        self._collect(prefix, found)
        yield from found.values()

    def _collect(self, prefix: str, found: dict[int, tuple[str, "Layer"]]) -> None:
        if id(self) not in found:
            found[id(self)] = prefix, self
            for name, child in self.children().items():
                child._collect(f"{prefix}{name}.", found)

    def parameters(self) -> dict[str, Array]:
        """All parameters, children included, by name: `{"0.W": ..., "0.b": ...}`."""
        return {
            prefix + name: p
            for prefix, layer in self.named_layers()
            for name, p in layer.params.items()
        }

    def gradients(self) -> dict[str, Array]:
        """The gradients the last `backward` assigned, by the names of `parameters`."""
        return {
            prefix + name: g
            for prefix, layer in self.named_layers()
            for name, g in layer.grads.items()
        }

    def state_dict(self) -> dict[str, Array]:
        """What is saved: all parameters and buffers by name, not copied.

        Raises ValueError if a parameter and a buffer share a name.
        """
        parameters = self.parameters()
        buffers = {
            prefix + name: b
            for prefix, layer in self.named_layers()
            for name, b in layer.buffers.items()
        }
        twice = sorted(parameters.keys() & buffers.keys())
        require(not twice, f"{self} has a parameter and a buffer of one name: {twice}")
        return parameters | buffers

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy these numbers into the parameters and buffers: all of them or none.

        Raises ValueError if a name, a shape or a kind of number is not the model's.
        """
        own = self.state_dict()
        if wrong := _differences(own, state):
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            raise ValueError(
                f"{type(self).__name__} cannot load these weights: "
                f"{'; '.join(wrong[:5])}{more}"
            )
        for name, array in own.items():
            array[...] = state[name]

    def train(self, mode: bool = True) -> Self:
        """Switch this layer and its children to training, or with False to `eval`."""
        self.training = mode
        for child in self.children().values():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Switch to prediction: dropout, for one, then passes everything through."""
        return self.train(False)

    def astype(self, dtype: DTypeLike) -> Self:
        """Turn parameters and buffers into `dtype`, here and in the children."""
        self.params = {name: p.astype(dtype) for name, p in self.params.items()}
        self.buffers = {
            name: b.astype(dtype) if b.dtype.kind == "f" else b
            for name, b in self.buffers.items()
        }
        self.grads = {}
        for child in self.children().values():
            child.astype(dtype)
        return self

    def _keep(self, y: Array, *saved: Any) -> Array:
        self._saved = y.shape, saved
        return y

    def _kept(self, dy: Array) -> Any:
        if self._saved is None:
            raise RuntimeError(
                f"{self}.backward needs a forward before it, one for each backward"
            )
        shape, saved = self._saved
        if dy.shape != shape or dy.dtype.kind != "f":
            raise ValueError(
                f"{self}.backward expects dy of its output's shape {shape}, "
                f"got {dy.shape}, and floats, got {dy.dtype}"
            )
        self._saved = None
        return saved[0] if len(saved) == 1 else saved

    def __getstate__(self) -> dict[str, Any]:
        """What is copied, or sent to another process: all but what waits for `dy`."""
        return {name: kept for name, kept in vars(self).items() if name != "_saved"}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# What may be a layer or hold layers.
CONTAINERS = (Layer, list, tuple, dict)


def layers_in(name: str, value: object) -> Iterator[tuple[str, Layer]]:
    """Yield a layer with its name, or each layer of a list, tuple or dict."""
    if isinstance(value, Layer):
        yield name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from layers_in(f"{name}.{key}", part)
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from layers_in(f"{name}.{i}", part)


def _differences(own: Mapping[str, Array], given: Mapping[str, Array]) -> list[str]:
    """What keeps the given arrays from taking the place of our own, in words."""
    wrong = [f"{name} is missing" for name in own if name not in given]
    wrong += [f"{name} is not the model's" for name in given if name not in own]
    for name in [name for name in own if name in given]:
        expected = own[name]
        found = given[name]
        if found.shape != expected.shape:
            wrong.append(f"{name} has shape {found.shape}, expected {expected.shape}")
        elif not np.can_cast(found.dtype, expected.dtype, "same_kind"):
            wrong.append(f"{name} holds {found.dtype}, expected {expected.dtype}")
    return wrong


class Sequential(Layer):
    """Layers one after the other: `y = f_L(... f_2(f_1(x)))`.

    `backward` is the chain rule: it hands `dy` through the same layers in reverse, down
    to a layer that returns None because nothing below it learns.

    Raises TypeError for an argument that is not a layer, ValueError for a layer that
    stands in two places.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.

    >>> rng = np.random.default_rng(0)
    >>> model = Sequential(Linear(4, 8, rng=rng), ReLU(), Linear(8, 3, rng=rng))
    >>> model
    Sequential(Linear(4 -> 8), ReLU(), Linear(8 -> 3))
    >>> model.forward(np.ones((5, 4), np.float32)).shape
    (5, 3)
    >>> {name: p.shape for name, p in model.parameters().items()}
    {'0.W': (4, 8), '0.b': (8,), '2.W': (8, 3), '2.b': (3,)}
    """

    _no_layers = Layer._no_layers | {"layers"}  # they are numbered

    def __init__(self, *layers: Layer) -> None:
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(
                    f"Sequential takes layers, one argument each, got {layer!r}"
                )
        require(
            len({id(layer) for layer in layers}) == len(layers),
            "Sequential: the same layer stands in two places, and a layer remembers "
            "one forward: make a new one for each place",
        )
        self.layers = layers

    def children(self) -> dict[str, Layer]:
        numbered = {str(i): layer for i, layer in enumerate(self.layers)}
        return numbered | super().children()

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: Array) -> Gradient:
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
            if dy is None:
                break
        return dy

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"


# How weights start: `init(shape, fan_in, fan_out, rng)` returns an array of that shape.
Init: TypeAlias = Callable[[Shape, int, int, Generator], Array]


def glorot(shape: Shape, fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Uniform with variance `2 / (fan_in + fan_out)`: for tanh and sigmoid.

    `1 / fan_in` keeps the signal level on the way forward, `1 / fan_out` the gradient
    on the way back; this is between the two. `fan_in` counts the inputs of one output,
    `fan_out` the outputs of one input: n_in and n_out of a Linear layer.

    Derived in notebooks/deeper/01_nn.ipynb, section *Initialisation*
    (Glorot and Bengio, 2010).
    """
    limit = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)


def he(shape: Shape, fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Normal with variance `2 / fan_in`: for ReLU, which discards half of the signal.

    Derived in notebooks/deeper/01_nn.ipynb, section *Initialisation* (He et al., 2015).
    """
    return rng.normal(0, math.sqrt(2 / fan_in), shape)


def standard_normal(shape: Shape, fan_in: int, fan_out: int, rng: Generator) -> Array:
    """Normal with variance 1, whatever the width: a deliberately bad initialisation.

    Through ReLU the signal grows from layer to layer; sigmoid and tanh saturate.

    Derived in notebooks/deeper/01_nn.ipynb, section *Initialisation*.
    """
    return rng.normal(0, 1, shape)


class Linear(Layer):
    """Every output is a weighted sum of all inputs, plus a bias: `y = x W + b`.

    Shapes: `x` is `(N, n_in)` or `(..., n_in)`, `W` is `(n_in, n_out)`, `b` is
    `(n_out,)`. Gradients: `dW = x^T dy`, `db = sum of dy over the rows`, `dx = dy W^T`.
    `init` fills `W`: `glorot`, `he`, `standard_normal`, or your own function of the
    same arguments. `b` starts at 0.

    Raises ValueError if the last axis of `x` is not `n_in`, TypeError if its dtype is
    not that of the weights.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.

    >>> layer = Linear(4, 3, rng=np.random.default_rng(0))
    >>> y = layer.forward(np.ones((5, 4), np.float32))
    >>> y.shape
    (5, 3)
    >>> dx = layer.backward(np.ones_like(y))
    >>> dx.shape, layer.grads["W"].shape, layer.grads["b"]
    ((5, 4), (4, 3), array([5., 5., 5.], dtype=float32))
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        rng: Generator,
        init: Init = glorot,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.params = {
            "W": init((n_in, n_out), n_in, n_out, rng).astype(dtype),
            "b": np.zeros(n_out, dtype),
        }

    def forward(self, x: Array) -> Array:
        W = self.params["W"]
        if x.ndim < 2 or x.shape[-1] != len(W):
            raise ValueError(f"{self} expects (N, {len(W)}), got {x.shape}")
        check_dtype(self, x, W.dtype)
        y = x @ W
        y += self.params["b"]
        return self._keep(y, x)

    def backward(self, dy: Array) -> Gradient:
        x = self._kept(dy)
        W = self.params["W"]
        rows = x.reshape(-1, x.shape[-1])
        drows = dy.reshape(-1, dy.shape[-1])
        self.grads = {"W": rows.T @ drows, "b": drows.sum(axis=0)}
        return dy @ W.T if self.needs_input_grad else None

    def __repr__(self) -> str:
        W = self.params.get("W", np.empty(0))
        return f"{type(self).__name__}({' -> '.join(map(str, W.shape))})"


def sigmoid(x: Array) -> Array:
    """`1 / (1 + exp(-x))`, from the exponential that cannot overflow.

    Derived in notebooks/deeper/01_nn.ipynb, section *Activations*.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


class Sigmoid(Layer):
    """Squash each number into (0, 1): `y = 1 / (1 + exp(-x))`, so `dx = dy y (1 - y)`.

    Raises TypeError for integers.

    Derived in notebooks/deeper/01_nn.ipynb, section *Activations*.
    """

    def forward(self, x: Array) -> Array:
        check_floating(self, x)
        y = sigmoid(x)
        return self._keep(y, y)

    def backward(self, dy: Array) -> Array:
        y = self._kept(dy)
        return dy * y * (1 - y)


class Tanh(Layer):
    """Squash each number into (-1, 1): `y = tanh(x)`, so `dx = dy (1 - y^2)`.

    Raises TypeError for integers.

    Derived in notebooks/deeper/01_nn.ipynb, section *Activations*.
    """

    def forward(self, x: Array) -> Array:
        check_floating(self, x)
        y = np.tanh(x)
        return self._keep(y, y)

    def backward(self, dy: Array) -> Array:
        y = self._kept(dy)
        return dy * (1 - y * y)


class ReLU(Layer):
    """Cut off what is negative: `y = max(x, 0)`, so `dx = dy where x > 0, else 0`.

    At exactly 0 the gradient is 0, as in PyTorch.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation* (Nair and Hinton, 2010).
    """

    def forward(self, x: Array) -> Array:
        return self._keep(np.maximum(x, 0), x > 0)

    def backward(self, dy: Array) -> Array:
        return dy * self._kept(dy)


class LeakyReLU(Layer):
    """A ReLU that lets a little through: `y = x where x > 0, else slope x`.

    Backwards, `dx = dy where x > 0, else slope dy`.

    Derived in notebooks/deeper/01_nn.ipynb, section *Activations* (Maas, Hannun and Ng,
    2013).
    """

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = float(slope)

    def forward(self, x: Array) -> Array:
        positive = x > 0
        return self._keep(np.where(positive, x, self.slope * x), positive)

    def backward(self, dy: Array) -> Array:
        return np.where(self._kept(dy), dy, self.slope * dy)

    def __repr__(self) -> str:
        return f"LeakyReLU({self.slope})"


def softmax(scores: Array) -> Array:
    """Turn scores into probabilities, `p_i = exp(s_i) / sum_j exp(s_j)`, along the
    last axis.

    The largest score is subtracted first: it cancels, and nothing overflows.
    Raises TypeError for integers.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    check_floating("softmax", scores)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
    e /= e.sum(axis=-1, keepdims=True)
    return e


class Softmax(Layer):
    """Probabilities along the last axis; each output depends on *every* input.

    The Jacobian is `dy_i/dx_j = y_i ([i = j] - y_j)`, so `dx = y (dy - sum_j dy_j
    y_j)`. To train, end the network with scores and use `CrossEntropyLoss`, which is
    stable. Raises TypeError for integers.

    Derived in notebooks/deeper/01_nn.ipynb, section *Softmax, backwards*.
    """

    def forward(self, x: Array) -> Array:
        y = softmax(x)
        return self._keep(y, y)

    def backward(self, dy: Array) -> Array:
        y = self._kept(dy)
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


class Dropout(Layer):
    """While training, silence each number with probability `p`, and scale the others.

    The scale `1 / (1 - p)` ("inverted" dropout) keeps the mean, so that `eval` has
    nothing to do. Backwards, `dx = dy scale`, with 0 where a number was silenced.

    Raises ValueError for `p` outside [0, 1).

    Derived in notebooks/deeper/01_nn.ipynb, section *Overfitting*
    (Srivastava et al., 2014).
    """

    def __init__(self, p: float = 0.5, *, rng: Generator) -> None:
        require(0 <= p < 1, f"Dropout expects a probability 0 <= p < 1, got {p}")
        self.p = float(p)  # numpy's own float64 would promote float32
        self.rng = rng

    def forward(self, x: Array) -> Array:
        if not self.training:
            return self._keep(x, None)
        kept = self.rng.random(x.shape) >= self.p
        scale = kept.astype(x.dtype) * (1 / (1 - self.p))
        return self._keep(x * scale, scale)

    def backward(self, dy: Array) -> Array:
        scale = self._kept(dy)
        return dy if scale is None else dy * scale

    def __repr__(self) -> str:
        return f"Dropout({self.p})"


class BatchNorm(Layer):
    """Bring each feature to mean 0 and variance 1 over the batch, then rescale it.

    `y = gamma xhat + beta` with `xhat = (x - mean) / std` and `std = sqrt(var + eps)`.
    Shapes: `x` is `(N, D)`, or `(N, D, H, W)` with mean and variance over the positions
    too; `gamma` and `beta` are `(D,)`.

    Gradients, with n numbers a feature: `dgamma = sum dy xhat`, `dbeta = sum dy`, and
    `dx = gamma / std (dy - dbeta / n - xhat dgamma / n)`, for the mean and the variance
    depend on every `x` of the batch.

    A prediction must not depend on the batch: in eval mode running averages take the
    place of mean and variance, and `dx = gamma / std dy`. Each forward in training mode
    moves them, `running <- (1 - momentum) running + momentum new`. The variance that
    they remember is the unbiased one, divided by n - 1, as in PyTorch.

    Where the variance overflows, `y` is NaN, so that training stops: numbers divided by
    infinity would all look like 0.

    Raises ValueError if `x` has the wrong shape, or only one number a feature while
    training, and for a momentum outside 0..1 or a negative eps; TypeError if the dtype
    of `x` is not that of the weights.

    Derived in notebooks/deeper/01_nn.ipynb, section *Batch normalisation*
    (Ioffe and Szegedy, 2015).

    >>> layer = BatchNorm(2, dtype=np.float64)
    >>> layer.forward(np.array([[1.0, 10.0], [3.0, 30.0]])).round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    >>> layer.buffers["running_mean"]
    array([0.2, 2. ])
    """

    def __init__(
        self,
        n_features: int,
        *,
        momentum: float = 0.1,
        eps: float = 1e-5,
        dtype: DTypeLike = np.float32,
    ) -> None:
        require(
            n_features >= 1, f"BatchNorm expects 1 feature or more, got {n_features}"
        )
        require(
            0 <= momentum <= 1,
            f"BatchNorm expects a momentum 0 <= momentum <= 1, got {momentum}",
        )
        require(0 <= eps < math.inf, f"BatchNorm expects an eps >= 0, got {eps}")
        self.momentum = float(momentum)
        self.eps = float(eps)
        self.params = {
            "gamma": np.ones(n_features, dtype),
            "beta": np.zeros(n_features, dtype),
        }
        self.buffers = {
            "running_mean": np.zeros(n_features, dtype),
            "running_var": np.ones(n_features, dtype),
        }

    def forward(self, x: Array) -> Array:
        self._check(x)
        gamma = per_feature(self.params["gamma"], x)
        beta = per_feature(self.params["beta"], x)
        if self.training:
            mean = x.mean(axis=all_but_features(x))
            # The sum of squares of 16-bit numbers soon needs 32.
            wide = np.result_type(x.dtype, np.float32)
            var = x.var(axis=all_but_features(x), dtype=wide).astype(x.dtype)
            var[np.isinf(var)] = np.nan
            self._remember(mean, var, x.size // len(mean))
        else:
            mean = self.buffers["running_mean"]
            var = self.buffers["running_var"]
        std = per_feature(np.sqrt(var + self.eps), x)
        xhat = (x - per_feature(mean, x)) / std
        return self._keep(gamma * xhat + beta, xhat, std, self.training)

    def backward(self, dy: Array) -> Gradient:
        xhat, std, training = self._kept(dy)
        dgamma = (dy * xhat).sum(axis=all_but_features(dy))
        dbeta = dy.sum(axis=all_but_features(dy))
        self.grads = {"gamma": dgamma, "beta": dbeta}
        if not self.needs_input_grad:
            return None
        if training:
            n = dy.size // len(dbeta)
            dy = dy - per_feature(dbeta / n, dy) - xhat * per_feature(dgamma / n, dy)
        return per_feature(self.params["gamma"], dy) / std * dy

    def _remember(self, mean: Array, var: Array, n: int) -> None:
        running_mean = self.buffers["running_mean"]
        running_mean *= 1 - self.momentum
        running_mean += self.momentum * mean
        running_var = self.buffers["running_var"]
        running_var *= 1 - self.momentum
        running_var += self.momentum * var * (n / (n - 1))

    def _check(self, x: Array) -> None:
        D = len(self.params["gamma"])
        if x.ndim not in (2, 4) or x.shape[1] != D:
            raise ValueError(
                f"{self} expects (N, {D}) or (N, {D}, H, W), got {x.shape}"
            )
        check_dtype(self, x, self.params["gamma"].dtype)
        if self.training and x.size < 2 * D:
            raise ValueError(
                f"{self} needs more than one number a feature to train, got {x.shape}: "
                "choose a batch_size that leaves no last batch of one, or use eval mode"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.params['gamma'])})"


def all_but_features(x: Array) -> Shape:
    """The axes of batch and positions: `(0,)`, or `(0, 2, 3)` for images."""
    return (0, *range(2, x.ndim))


def per_feature(v: Array, x: Array) -> Array:
    """Numbers `(D,)` in a shape that broadcasts along axis 1 of `x`."""
    return v.reshape(-1, *[1] * (x.ndim - 2))


class Flatten(Layer):
    """Lay each example out as one row: `(N, ...)` to `(N, D)`; `dx` goes back.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    def forward(self, x: Array) -> Array:
        return self._keep(x.reshape(*x.shape[:1], math.prod(x.shape[1:])), x.shape)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self._kept(dy))
