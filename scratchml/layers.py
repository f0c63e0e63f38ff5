"""The parts a network is built from.

A layer is a function with a memory. `forward` computes `y` from `x` and keeps what the
chain rule will need; `backward` receives `dy`, the gradient of the loss with respect to
`y`, and returns `dx`, the gradient with respect to `x`. On the way it stores the
gradients of the layer's own parameters. Chain the layers, run them backwards, and you
have backpropagation (Rumelhart, Hinton and Williams, 1986).
"""

import math
from types import MappingProxyType

import numpy as np

from ._support import check_dtype, check_floating, require


class Layer:
    """The contract every layer keeps: `forward`, `backward`, `params`, `grads`.

    A layer with weights assigns `self.params = {"W": ..., "b": ...}` in `__init__`, and
    `self.grads`, with the same names and shapes, in `backward`. Gradients are assigned,
    never accumulated. Neither `forward` nor `backward` changes the array it is given.
    Call `backward` once per `forward`: without one it raises RuntimeError, for a `dy`
    of another shape than `y`'s, or of whole numbers, ValueError.

    Nobody needs the gradient with respect to the data. Set `needs_input_grad = False`
    on the first layer with weights, and its `backward` saves that work and returns
    None.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    params = grads = buffers = MappingProxyType({})
    training = needs_input_grad = True
    _saved = None

    def forward(self, x):
        """Return `y`, and keep what `backward` needs."""
        raise NotImplementedError(f"{self} needs a forward(x)")

    def backward(self, dy):
        """Return `dx` for `dy = dLoss/dy`, and assign the gradients of the
        parameters.
        """
        raise NotImplementedError(f"{self} needs a backward(dy)")

    def children(self):
        """The layers inside this one, by name: attributes that are a layer, or a list
        of them.
        """
        found = {}
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                found[name] = value
            elif isinstance(value, list | tuple):
                found |= {
                    f"{name}.{i}": v
                    for i, v in enumerate(value)
                    if isinstance(v, Layer)
                }
        return found

    def named_layers(self, prefix=""):
        """This layer and all layers inside it, each with the beginning of its
        parameters' names.
        """
        yield prefix, self
        for name, child in self.children().items():
            yield from child.named_layers(f"{prefix}{name}.")

    def parameters(self):
        """All parameters, children included, by name: `{"0.W": ..., "0.b": ...}`."""
        layers = self.named_layers()
        return {
            start + name: p
            for start, layer in layers
            for name, p in layer.params.items()
        }

    def gradients(self):
        """The gradients the last `backward` assigned, by the names of `parameters`."""
        layers = self.named_layers()
        return {
            start + name: g
            for start, layer in layers
            for name, g in layer.grads.items()
        }

    def state_dict(self):
        """What is saved: all parameters and buffers by name, not copied."""
        layers = self.named_layers()
        buffers = {
            start + name: b
            for start, layer in layers
            for name, b in layer.buffers.items()
        }
        return self.parameters() | buffers

    def train(self, mode=True):
        """Switch this layer and its children to training; `train(False)` is
        `eval()`.
        """
        self.training = mode
        for child in self.children().values():
            child.train(mode)
        return self

    def eval(self):
        """Switch to prediction: dropout, for one, then passes everything through."""
        return self.train(False)

    def astype(self, dtype):
        """Turn all parameters into `dtype`, here and in the children; returns the layer
        itself.
        """
        self.params = {name: p.astype(dtype) for name, p in self.params.items()}
        self.buffers = {name: b.astype(dtype) for name, b in self.buffers.items()}
        self.grads = {}
        for child in self.children().values():
            child.astype(dtype)
        return self

    def _keep(self, y, *saved):
        self._saved = y.shape, saved
        return y

    def _kept(self, dy):
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

    def __repr__(self):
        return f"{type(self).__name__}()"


class Sequential(Layer):
    """Layers one after the other: `y = f_L(... f_2(f_1(x)))`.

    `backward` is the chain rule: it hands `dy` through the same layers in reverse, down
    to a layer that returns None because nothing below it learns. Raises TypeError for
    what is not a layer.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    def __init__(self, *layers):
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(
                    f"Sequential takes layers, one argument each, got {layer!r}"
                )
        require(
            len({*map(id, layers)}) == len(layers),
            "Sequential: the same layer stands in two places, and a layer remembers one forward: "
            "make a new one for each place",
        )
        self.layers = layers

    def children(self):
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
            if dy is None:
                break
        return dy

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"


def glorot(shape, fan_in, fan_out, rng):
    """Uniform with variance `2 / (fan_in + fan_out)`: keeps signals level through tanh
    or sigmoid.

    Derived in notebooks/01_nn.ipynb, section *Tuning* (Glorot and Bengio, 2010).
    """
    limit = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)


def he(shape, fan_in, fan_out, rng):
    """Normal with variance `2 / fan_in`: makes up for the half of the signal that ReLU
    cuts off.

    Derived in notebooks/01_nn.ipynb, section *Tuning* (He et al., 2015).
    """
    return rng.normal(0, math.sqrt(2 / fan_in), shape)


def standard_normal(shape, fan_in, fan_out, rng):
    """Normal with variance 1, whatever the width: the mistake to show. It saturates
    every unit.

    Derived in notebooks/01_nn.ipynb, section *Tuning*.
    """
    return rng.normal(0, 1, shape)


class Linear(Layer):
    """Every output is a weighted sum of all inputs, plus a bias: `y = x W + b`.

    Shapes: `x` is `(N, n_in)` or `(..., n_in)`, `W` is `(n_in, n_out)`, `b` is
    `(n_out,)`. Gradients: `dW = x^T dy`, `db = sum of dy over the rows`, `dx = dy W^T`.
    `init` is one of `glorot`, `he`, `standard_normal`, or your own function of the same
    arguments.

    Raises ValueError when the last axis of `x` is not `n_in`, TypeError when its dtype
    is not that of the weights.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    def __init__(self, n_in, n_out, *, rng, init=glorot, dtype=np.float32):
        self.params = {
            "W": init((n_in, n_out), n_in, n_out, rng).astype(dtype),
            "b": np.zeros(n_out, dtype),
        }

    def forward(self, x):
        W, b = self.params["W"], self.params["b"]
        if x.ndim < 2 or x.shape[-1] != len(W):
            raise ValueError(f"{self} expects (N, {len(W)}), got {x.shape}")
        check_dtype(self, x, W.dtype)
        y = x @ W
        y += b
        return self._keep(y, x)

    def backward(self, dy):
        x, W = self._kept(dy), self.params["W"]
        rows, drows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        self.grads = {"W": rows.T @ drows, "b": drows.sum(axis=0)}
        return dy @ W.T if self.needs_input_grad else None

    def __repr__(self):
        sizes = map(str, np.shape(self.params.get("W")))
        return f"{type(self).__name__}({' -> '.join(sizes)})"


def sigmoid(x):
    """`1 / (1 + exp(-x))`, from the exponential that cannot overflow.

    Derived in notebooks/01_nn.ipynb, section *Neuron, layer, forward pass*.
    """
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


class Sigmoid(Layer):
    """Squash each number into (0, 1): `y = 1 / (1 + exp(-x))`, so `dx = dy y (1 - y)`.

    Raises TypeError for whole numbers.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    def forward(self, x):
        check_floating(self, x)
        y = sigmoid(x)
        return self._keep(y, y)

    def backward(self, dy):
        y = self._kept(dy)
        return dy * y * (1 - y)


class Tanh(Layer):
    """Squash each number into (-1, 1): `y = tanh(x)`, so `dx = dy (1 - y^2)`.

    Raises TypeError for whole numbers.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    def forward(self, x):
        check_floating(self, x)
        y = np.tanh(x)
        return self._keep(y, y)

    def backward(self, dy):
        y = self._kept(dy)
        return dy * (1 - y * y)


class ReLU(Layer):
    """Cut off what is negative: `y = max(x, 0)`, so `dx = dy where x > 0, else 0`.

    At exactly 0 the gradient is 0, as in PyTorch.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation* (Nair and Hinton, 2010).
    """

    def forward(self, x):
        return self._keep(np.maximum(x, 0), x > 0)

    def backward(self, dy):
        return dy * self._kept(dy)


class LeakyReLU(Layer):
    """A ReLU that lets a little through: `y = x where x > 0, else slope x`.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation* (Maas, Hannun and Ng,
    2013).
    """

    def __init__(self, slope=0.01):
        self.slope = float(slope)

    def forward(self, x):
        positive = x > 0
        return self._keep(np.where(positive, x, self.slope * x), positive)

    def backward(self, dy):
        return np.where(self._kept(dy), dy, self.slope * dy)

    def __repr__(self):
        return f"LeakyReLU({self.slope})"


def softmax(scores):
    """Turn scores into probabilities along the last axis: `p_i = exp(s_i) / sum_j
    exp(s_j)`.

    The largest score is subtracted first: it cancels, and nothing overflows.
    Raises TypeError for whole numbers.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.
    """
    check_floating("softmax", scores)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
    e /= e.sum(axis=-1, keepdims=True)
    return e


class Softmax(Layer):
    """Probabilities along the last axis; each output depends on *every* input.

    The Jacobian is `dy_i/dx_j = y_i ([i = j] - y_j)`, so `dx = y (dy - sum_j dy_j
    y_j)`. To train, end the network with scores and use `CrossEntropyLoss`, which is
    stable.

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """

    def forward(self, x):
        y = softmax(x)
        return self._keep(y, y)

    def backward(self, dy):
        y = self._kept(dy)
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


class Dropout(Layer):
    """While training, silence each number with probability `p` and scale the rest by
    `1/(1-p)`.

    The scaling ("inverted" dropout) keeps the mean, so that `eval` has nothing to do.
    Raises ValueError for `p` outside [0, 1).

    Derived in notebooks/01_nn.ipynb, section *Tuning* (Srivastava et al., 2014).
    """

    def __init__(self, p=0.5, *, rng):
        require(0 <= p < 1, f"Dropout expects a probability 0 <= p < 1, got {p}")
        self.p, self.rng = float(p), rng  # numpy's own float64 would promote float32

    def forward(self, x):
        if not self.training:
            return self._keep(x, None)
        scale = (self.rng.random(x.shape) >= self.p).astype(x.dtype) * (
            1 / (1 - self.p)
        )
        return self._keep(x * scale, scale)

    def backward(self, dy):
        scale = self._kept(dy)
        return dy if scale is None else dy * scale

    def __repr__(self):
        return f"Dropout({self.p})"


class Flatten(Layer):
    """Lay each example out as one row: `(N, ...)` becomes `(N, D)`; `dx` gets the old
    shape back.

    Derived in notebooks/01_nn.ipynb, section *Digits, and a baseline to beat*.
    """

    def forward(self, x):
        return self._keep(x.reshape(*x.shape[:1], math.prod(x.shape[1:])), x.shape)

    def backward(self, dy):
        return dy.reshape(self._kept(dy))
