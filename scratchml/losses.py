"""What a network is asked to make small.

A loss compares the network's scores with the targets and answers with one number. Its
`backward` starts backpropagation: it returns the gradient of that number with respect
to the scores.
"""

import numpy as np

from ._support import check_floating
from .layers import sigmoid


class Loss:
    """The contract: `forward(scores, target) -> float`, then `backward() -> dscores`.

    `backward` without a `forward` before it raises RuntimeError.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.
    """

    _saved = None

    def forward(self, scores, target):
        """Return the mean loss over the batch."""
        raise NotImplementedError(f"{self} needs a forward(scores, target)")

    def backward(self):
        """Return dLoss/dscores, in the shape of the scores."""
        raise NotImplementedError(f"{self} needs a backward()")

    def _kept(self):
        if self._saved is None:
            raise RuntimeError(
                f"{self}.backward needs a forward before it, one for each backward"
            )
        saved, self._saved = self._saved, None
        return saved

    def __repr__(self):
        return f"{type(self).__name__}()"


def check_pair(loss, scores, target):
    """Raise unless scores are floats, not empty, and target has their shape; returns
    the target.
    """
    check_scores(loss, scores)
    target = np.asarray(target)
    if scores.shape != target.shape:
        raise ValueError(
            f"{loss} expects a target of shape {scores.shape}, got {target.shape}"
        )
    return target.astype(scores.dtype)


def check_scores(loss, scores):
    """Raise unless the scores are a batch of floats with at least one number in it."""
    check_floating(loss, scores)
    if scores.size == 0 or scores.ndim == 0:
        raise ValueError(
            f"{loss} expects at least one example, got scores of shape {scores.shape}"
        )


class MSELoss(Loss):
    """Mean squared error over all numbers: `L = mean (s - t)^2`, so `ds = 2 (s - t) /
    size`.

    Shapes: scores and target alike, any shape. Raises ValueError when they differ or
    are empty, TypeError for scores that are whole numbers; so do the losses below.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.
    """

    def forward(self, scores, target):
        self._saved = error = scores - check_pair(self, scores, target)
        return float(np.mean(error * error))

    def backward(self):
        error = self._kept()
        return error * (2 / error.size)


class CrossEntropyLoss(Loss):
    """The surprise at the right class, `L = -mean log softmax(s)[t]`, so `ds = (p - t)
    / N`.

    It takes *scores*, not probabilities: the softmax is inside, where the logarithm of
    the sum is safe from overflow. Shapes: scores `(N, C)` or `(N, T, C)`; target either
    integers `(N)` or `(N, T)`, or one-hot rows (or probabilities) in the shape of the
    scores. Raises ValueError for other shapes, for a class outside `0..C-1` and for
    rows that do not sum to one.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.
    """

    def forward(self, scores, target):
        check_scores(self, scores)
        target = one_hot(self, np.asarray(target), scores)
        shifted = scores - scores.max(axis=-1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=-1, keepdims=True)
        n = scores.size // scores.shape[-1]
        e /= total  # now the probabilities
        self._saved = (e - target) / n
        return float(np.vdot(target, np.log(total) - shifted) / n)

    def backward(self):
        return self._kept()


def one_hot(loss, target, scores):
    """Write integer classes as rows with a single 1; leave rows that sum to one as they
    are.
    """
    if target.shape == scores.shape and scores.ndim > 1:
        if not np.allclose(target.sum(axis=-1), 1, atol=1e-3):
            raise ValueError(f"{loss} expects one-hot rows that sum to 1")
        return target.astype(scores.dtype)
    rows, C = scores.shape[:-1], scores.shape[-1]
    if target.shape != rows or target.dtype.kind not in "iu":
        raise ValueError(
            f"{loss} expects integer classes of shape {rows} or one-hot rows of "
            f"shape {scores.shape}, got {target.dtype} of shape {target.shape}"
        )
    hot = target[..., None] == np.arange(C)
    if np.count_nonzero(hot) < target.size:
        raise ValueError(
            f"{loss} expects classes 0..{C - 1}, got {target.min()}..{target.max()}"
        )
    return hot.astype(scores.dtype)


class BCEWithLogitsLoss(Loss):
    """Cross-entropy for yes-or-no scores: `L = -mean (t log p + (1 - t) log(1 - p))`.

    Here `p = sigmoid(s)`, and `ds = (p - t) / size`. Computed as `max(s, 0) - s t +
    log(1 + exp(-|s|))`, which cannot overflow. Shapes: scores and target alike, target
    in [0, 1]; else it raises ValueError.

    Derived in notebooks/01_nn.ipynb, section *What to minimise: the loss*.
    """

    def forward(self, scores, target):
        target = check_pair(self, scores, target)
        if target.min() < 0 or target.max() > 1:
            raise ValueError(
                f"{self} expects targets in [0, 1], got {target.min()}..{target.max()}"
            )
        self._saved = scores, target
        losses = (
            np.maximum(scores, 0) - scores * target + np.log1p(np.exp(-np.abs(scores)))
        )
        return float(losses.mean())

    def backward(self):
        scores, target = self._kept()
        return (sigmoid(scores) - target) / scores.size


class L1(Loss):
    """A penalty on one weight matrix: `strength sum |W|`, so `dW = strength sign(W)`.

    It pulls every weight towards zero by the same amount and leaves most of them *at*
    zero.

    Derived in notebooks/01_nn.ipynb, section *Tuning* (Tibshirani, 1996).
    """

    def __init__(self, strength):
        self.strength = float(strength)

    def forward(self, W):
        check_floating(self, W)
        self._saved = W
        return float(self.strength * np.abs(W).sum())

    def backward(self):
        return self.strength * np.sign(self._kept())

    def __repr__(self):
        return f"{type(self).__name__}({self.strength})"


class L2(L1):
    """A penalty on one weight matrix: `strength / 2 sum W^2`, so `dW = strength W`.

    It pulls large weights harder than small ones; with plain SGD it is weight decay.

    Derived in notebooks/01_nn.ipynb, section *Tuning* (Krogh and Hertz, 1991).
    """

    def forward(self, W):
        check_floating(self, W)
        self._saved = W
        return float(self.strength / 2 * (W * W).sum())

    def backward(self):
        return self.strength * self._kept()
