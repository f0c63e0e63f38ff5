"""How the parameters move once their gradients are known, from the simplest rule to
Adam.

Every optimizer is one method, `update(p, g, state)`: change the parameter `p` in place,
given its gradient `g` and a dictionary `state` that belongs to this parameter and
survives from step to step.
"""

import math
from typing import Any

import numpy as np

from ._support import Array, require
from .layers import Layer


class Optimizer:
    """Walk over the parameters by name and update each: `p <- p - step(g)`.

    `p` is a parameter, theta in the notebook, and `g` its gradient. `lr` is the
    learning rate: the step length for one unit of gradient. One optimizer trains one
    model: it remembers momenta and the like by the parameters' names.

    Raises ValueError if the learning rate is not above 0. `step` raises ValueError for
    a model without parameters, for a second model and for a gradient of the wrong
    shape, RuntimeError if a gradient is missing.

    Derived in notebooks/01_nn.ipynb, section *Optimizers*.
    """

    def __init__(self, lr: float) -> None:
        require(
            lr > 0, f"{type(self).__name__} expects a learning rate lr > 0, got {lr}"
        )
        self.lr = lr
        self.states: dict[str, dict[str, Any]] = {}
        self._model: Layer | None = None

    def step(self, model: Layer) -> None:
        """Update every parameter once, from the gradients of the last backward."""
        if self._model is not None and self._model is not model:
            raise ValueError(
                f"{self} already trains another model: make a new one for this model"
            )
        self._model = model
        parameters = model.parameters()
        gradients = model.gradients()
        require_parameters(model, parameters)
        if missing := parameters.keys() - gradients.keys():
            raise RuntimeError(
                f"{self}: no gradient for {sorted(missing)}, call backward first"
            )
        for name, p in parameters.items():
            g = gradients[name]
            if g.shape != p.shape:
                raise ValueError(
                    f"{self}: the gradient of {name} has shape {g.shape}, "
                    f"the parameter {p.shape}"
                )
            state = self.states.setdefault(name, {})
            self.update(p, g, state)

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        """Change `p` in place. The only method a new optimizer writes."""
        raise NotImplementedError(f"{self} needs an update(p, g, state)")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lr={self.lr:g})"


def require_parameters(model: Layer, parameters: dict[str, Array]) -> None:
    """Raise ValueError for a model with nothing to train; say how layers are found."""
    if not parameters:
        raise ValueError(
            f"{model} has no parameters to train. A layer keeps its own in "
            "self.params; layers inside it are found by attribute: "
            "self.hidden = Linear(...), or a list, tuple or dict of layers"
        )


def slot(state: dict[str, Any], name: str, p: Array) -> Array:
    """The array that `state` keeps under this name: at first, zeros like `p`."""
    if name not in state:
        state[name] = np.zeros_like(p)
    return state[name]


class SGD(Optimizer):
    """Downhill, `p <- p - lr g`; with momentum `v <- momentum v + g` and `p <- p - lr
    v`.

    `nesterov` looks ahead: it steps along `g + momentum v` instead of `v`. For weight
    decay, hand `penalty=L2(...)` to `fit`.

    Raises ValueError for a momentum outside [0, 1) and for `nesterov` without one.

    Derived in notebooks/01_nn.ipynb, section *Optimizers* (Robbins and Monro, 1951;
    Polyak, 1964); `nesterov`, in PyTorch's form, in notebooks/deeper/01_nn.ipynb,
    section *Optimizers in full* (Nesterov, 1983).

    >>> p = np.array([1.0, 2.0])
    >>> SGD(lr=0.1).update(p, g=np.array([1.0, -1.0]), state={})
    >>> p
    array([0.9, 2.1])
    """

    def __init__(
        self, lr: float, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        super().__init__(lr)
        require(
            0 <= momentum < 1,
            f"SGD expects a momentum 0 <= momentum < 1, got {momentum}",
        )
        require(
            momentum or not nesterov,
            "SGD(nesterov=True) needs a momentum > 0: try momentum=0.9",
        )
        self.momentum = momentum
        self.nesterov = nesterov

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        if self.momentum:
            v = slot(state, "v", p)
            v *= self.momentum
            v += g
            g = g + self.momentum * v if self.nesterov else v
        p -= self.lr * g


class AdaGrad(Optimizer):
    """A rate per parameter: `q <- q + g^2`, `p <- p - lr g / (sqrt(q) + eps)`.

    Parameters with rare gradients keep large steps; all steps shrink as `q` grows.

    Derived in notebooks/deeper/01_nn.ipynb, section *Optimizers in full*
    (Duchi, Hazan and Singer, 2011).
    """

    def __init__(self, lr: float = 0.01, eps: float = 1e-10) -> None:
        super().__init__(lr)
        self.eps = eps

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        q = slot(state, "q", p)
        q += g * g
        p -= self.lr * g / (np.sqrt(q) + self.eps)


class RMSProp(Optimizer):
    """AdaGrad that forgets: `q <- beta q + (1 - beta) g^2`, and the same step.

    Derived in notebooks/deeper/01_nn.ipynb, section *Optimizers in full*
    (Tieleman and Hinton, 2012).
    """

    def __init__(self, lr: float = 0.01, beta: float = 0.99, eps: float = 1e-8) -> None:
        super().__init__(lr)
        self.beta = beta
        self.eps = eps

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        q = slot(state, "q", p)
        q *= self.beta
        q += (1 - self.beta) * g * g
        p -= self.lr * g / (np.sqrt(q) + self.eps)


class Adam(Optimizer):
    """Momentum and RMSProp together, both corrected for their start at zero.

    `m <- beta1 m + (1 - beta1) g`, `q <- beta2 q + (1 - beta2) g^2`; after step `k`,
    `m^ = m / (1 - beta1^k)`, `q^ = q / (1 - beta2^k)`, and `p <- p - lr m^ / (sqrt(q^)
    + eps)`.

    Derived in notebooks/deeper/01_nn.ipynb, section *Optimizers in full*
    (Kingma and Ba, 2015).
    """

    def __init__(
        self,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(lr)
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps

    def update(self, p: Array, g: Array, state: dict[str, Any]) -> None:
        m = slot(state, "m", p)
        q = slot(state, "q", p)
        k = state["k"] = state.get("k", 0) + 1
        m *= self.beta1
        m += (1 - self.beta1) * g
        q *= self.beta2
        q += (1 - self.beta2) * g * g
        # The corrections are single numbers: taken out, they save two passes over m, q.
        root = np.sqrt(q) / math.sqrt(1 - self.beta2**k) + self.eps
        p -= self.lr / (1 - self.beta1**k) * m / root


def gradient_norm(model: Layer) -> float:
    """The length of all gradients of the model laid end to end: `sqrt(sum g^2)`.

    Derived in notebooks/deeper/02_rnn.ipynb, section *Clipping*.
    """
    squares = [float(np.vdot(g, g)) for g in model.gradients().values()]
    return math.sqrt(sum(squares))


def clip_gradients(model: Layer, max_norm: float) -> float:
    """Shorten the gradients in place so that their common norm is at most `max_norm`.

    The direction stays. Returns the norm before clipping. Raises ValueError unless
    `max_norm` is above 0.

    Derived in notebooks/deeper/02_rnn.ipynb, section *Clipping*
    (Pascanu, Mikolov and Bengio, 2013).
    """
    require(max_norm > 0, f"clip_gradients expects max_norm > 0, got {max_norm}")
    norm = gradient_norm(model)
    if norm > max_norm:
        for g in model.gradients().values():
            g *= max_norm / norm
    return norm
