"""What a network is asked to make small.

A loss compares the network's scores with the targets and answers with one number. Its
`backward` starts backpropagation: it returns the gradient of that number with respect
to the scores. A penalty looks at a weight matrix instead.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._support import Array, check_floating
from .layers import sigmoid


class _Measure:
    """What losses and penalties share: one `backward` for each `forward`."""

    _saved: Any = None

    def _kept(self) -> Any:
        if self._saved is None:
            raise RuntimeError(
                f"{self}.backward needs a forward before it, one for each backward"
            )
        saved = self._saved
        self._saved = None
        return saved

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Loss(_Measure):
    """The contract: `forward(scores, target) -> float`, then `backward() -> dscores`.

    Keep in `self._saved` what the way back needs; `_kept()` returns it, and raises
    RuntimeError if there was no `forward`.

    Every loss is the mean over the batch. Class weights, `reduction`, `ignore_index`
    and other options of PyTorch raise TypeError: the course needs none of them.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.
    """

    def __init__(self, **options: object) -> None:
        if options:
            raise TypeError(
                f"{type(self).__name__} has no {', '.join(options)}: it is the plain "
                "mean over the batch. Write a Loss of your own, or use PyTorch's"
            )

    def forward(self, scores: Array, target: ArrayLike) -> float:
        """Return the mean loss over the batch."""
        raise NotImplementedError(f"{self} needs a forward(scores, target)")

    def backward(self) -> Array:
        """Return dLoss/dscores, in the shape of the scores."""
        raise NotImplementedError(f"{self} needs a backward()")


def check_scores(loss: Loss, scores: Array) -> None:
    """Raise unless the scores are a batch of floats with at least one number in it."""
    check_floating(loss, scores)
    if scores.size == 0 or scores.ndim == 0:
        raise ValueError(
            f"{loss} expects at least one example, got scores of shape {scores.shape}"
        )


def check_pair(loss: Loss, scores: Array, target: ArrayLike) -> Array:
    """Return the target in the dtype of the scores; raise unless the shapes agree."""
    check_scores(loss, scores)
    target = np.asarray(target)
    if scores.shape != target.shape:
        raise ValueError(
            f"{loss} expects a target of shape {scores.shape}, got {target.shape}"
        )
    return target.astype(scores.dtype)


class MSELoss(Loss):
    """Mean squared error, `L = mean (s - t)^2`, so `ds = 2 (s - t) / n`.

    Shapes: scores and target alike, any shape; n is their size.

    Raises ValueError if they differ or are empty, TypeError if the scores are integers.
    So do the losses below.

    Derived in notebooks/deeper/01_nn.ipynb, section *Squared error or cross-entropy?*.

    >>> loss = MSELoss()
    >>> loss.forward(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    2.0
    >>> loss.backward()
    array([[ 0., -2.]])
    """

    def forward(self, scores: Array, target: ArrayLike) -> float:
        error = scores - check_pair(self, scores, target)
        self._saved = error
        return float(np.mean(error * error))

    def backward(self) -> Array:
        error = self._kept()
        return error * (2 / error.size)


class CrossEntropyLoss(Loss):
    """The surprise at the right class, `L = -mean log softmax(s)[t]`.

    It takes *scores*, not probabilities: the softmax is inside, where the logarithm of
    the sum is safe from overflow. With `p = softmax(s)` and N rows, `ds = (p - t) / N`.
    (PyTorch's `NLLLoss`, of log-probabilities, is not here: this one takes its place.)

    Shapes: scores `(N, C)` or `(N, T, C)`, the classes last. The target is either
    integers `(N,)` or `(N, T)`, or has the shape of the scores: one-hot rows, or rows
    of probabilities.

    Raises ValueError if the shapes do not fit, if a class is outside `0..C-1` or if a
    row does not sum to one.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.

    >>> loss = CrossEntropyLoss()
    >>> scores = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> round(loss.forward(scores, np.array([0, 2])), 4)
    0.6691
    >>> loss.backward().round(3)
    array([[-0.107,  0.053,  0.053],
           [ 0.167,  0.167, -0.333]])
    """

    def forward(self, scores: Array, target: ArrayLike) -> float:
        check_scores(self, scores)
        t = one_hot(self, np.asarray(target), scores)
        N = scores.size // scores.shape[-1]
        shifted = scores - scores.max(axis=-1, keepdims=True)
        p = np.exp(shifted)
        total = p.sum(axis=-1, keepdims=True)
        p /= total
        self._saved = (p - t) / N
        return float(np.vdot(t, np.log(total) - shifted) / N)

    def backward(self) -> Array:
        return self._kept()


def one_hot(loss: Loss, target: Array, scores: Array) -> Array:
    """Write integer classes as rows with a single 1; rows that sum to one stay."""
    if target.shape == scores.shape and scores.ndim > 1:
        if not np.allclose(target.sum(axis=-1), 1, atol=1e-3):
            raise ValueError(f"{loss} expects one-hot rows that sum to 1")
        return target.astype(scores.dtype)
    check_classes(loss, target, scores)
    C = scores.shape[-1]
    hot = target[..., None] == np.arange(C)
    if np.count_nonzero(hot) < target.size:
        raise ValueError(
            f"{loss} expects classes 0..{C - 1}, got {target.min()}..{target.max()}; "
            "there is no ignore_index"
        )
    return hot.astype(scores.dtype)


def check_classes(loss: Loss, target: Array, scores: Array) -> None:
    """Raise unless the target holds one integer for each row of scores."""
    rows = scores.shape[:-1]
    if target.shape == rows and target.dtype.kind in "iu":
        return
    hint = ""
    if scores.ndim > 2 and target.shape == scores.shape[:1] + scores.shape[2:]:
        hint = ": the classes of the scores come last, not second as in PyTorch"
    raise ValueError(
        f"{loss} expects integer classes of shape {rows} or one-hot rows of "
        f"shape {scores.shape}, got {target.dtype} of shape {target.shape}{hint}"
    )


class BCEWithLogitsLoss(Loss):
    """Cross-entropy for yes-or-no scores: `L = -mean (t log p + (1 - t) log(1 - p))`.

    Here `p = sigmoid(s)`, and `ds = (p - t) / n`. Computed as `max(s, 0) - s t +
    log(1 + exp(-|s|))`, which cannot overflow. Shapes: scores and target alike, n is
    their size.

    Raises ValueError if the shapes differ or a target is outside [0, 1].

    Derived in notebooks/deeper/01_nn.ipynb, section *Squared error or cross-entropy?*.

    >>> loss = BCEWithLogitsLoss()
    >>> round(loss.forward(np.array([0.0, 3.0]), np.array([1, 1])), 4)
    0.3709
    """

    def forward(self, scores: Array, target: ArrayLike) -> float:
        t = check_pair(self, scores, target)
        if t.min() < 0 or t.max() > 1:
            raise ValueError(
                f"{self} expects targets in [0, 1], got {t.min()}..{t.max()}"
            )
        self._saved = scores, t
        losses = np.maximum(scores, 0) - scores * t
        losses += np.log1p(np.exp(-np.abs(scores)))
        return float(losses.mean())

    def backward(self) -> Array:
        scores, t = self._kept()
        return (sigmoid(scores) - t) / scores.size


class Penalty(_Measure):
    """What a weight matrix costs: `forward(W) -> float`, then `backward() -> dW`.

    Hand it to `fit` or `train_step` as `penalty=`: they add it for every weight matrix,
    to the loss and to the gradient. `strength` is the factor, lambda in the notebook.

    Derived in notebooks/deeper/01_nn.ipynb, section *Overfitting*.
    """

    def __init__(self, strength: float) -> None:
        self.strength = float(strength)

    def forward(self, W: Array) -> float:
        """Return what these weights cost."""
        raise NotImplementedError(f"{self} needs a forward(W)")

    def backward(self) -> Array:
        """Return the gradient of the cost, in the shape of the weights."""
        raise NotImplementedError(f"{self} needs a backward()")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.strength})"


class L1(Penalty):
    """`strength sum |W|`, so `dW = strength sign(W)`.

    It pulls every weight towards zero by the same amount, and leaves most of them close
    to zero. At zero the slope counts as 0.

    Derived in notebooks/deeper/01_nn.ipynb, section *Overfitting* (Tibshirani, 1996).
    """

    def forward(self, W: Array) -> float:
        check_floating(self, W)
        self._saved = W
        return float(self.strength * np.abs(W).sum())

    def backward(self) -> Array:
        W = self._kept()
        return self.strength * np.sign(W)


class L2(Penalty):
    """`strength / 2 sum W^2`, so `dW = strength W`.

    It pulls large weights harder than small ones; with plain SGD it is weight decay.

    Derived in notebooks/deeper/01_nn.ipynb, section *Overfitting*
    (Krogh and Hertz, 1991).
    """

    def forward(self, W: Array) -> float:
        check_floating(self, W)
        self._saved = W
        return float(self.strength / 2 * (W * W).sum())

    def backward(self) -> Array:
        W = self._kept()
        return self.strength * W
