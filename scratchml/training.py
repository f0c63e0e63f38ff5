"""Put a model, a loss and an optimizer together, and repeat.

One step: take a batch, run it forward, measure the loss, run the gradient backward,
move the parameters. `fit` repeats it over shuffled batches and writes down what
happened.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from ._support import Array, progress_bar, replace_file, require
from .layers import Layer
from .losses import Loss, Penalty
from .optimizers import Optimizer, clip_gradients, require_parameters

Pair: TypeAlias = tuple[Array, Array]  # examples and their targets


class History(dict[str, list[float]]):
    """What `fit` wrote down: `history["loss"]` is a list with one number an epoch.

    Keys: `loss` (penalty included, mean over the epoch), `lr`; `accuracy` for integer
    targets; `gradient_norm` with clipping (before it, mean over the steps);
    `validation_loss` and `validation_accuracy` with validation data. `stopped` says why
    training ended before its last epoch, and is empty if it did not.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """

    stopped: str = ""

    def __repr__(self) -> str:
        epochs = len(self.get("loss", ()))
        last = ", ".join(f"{name} {values[-1]:.3g}" for name, values in self.items())
        reason = f"; {self.stopped}" if self.stopped else ""
        return f"History({epochs} epochs: {last}{reason})"


class DivergedError(FloatingPointError):
    """The loss became infinite or NaN; `.history` holds the epochs before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C in `fit`; `.history` holds the epochs before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


@dataclass
class TrainingState:
    """What a callback sees of the training under way, and may change.

    `epoch` counts from 0. A callback that sets `stop` to a reason ends the training
    after this epoch.
    """

    model: Layer
    optimizer: Optimizer
    epochs: int
    epoch: int = 0
    stop: str = ""
    history: History = field(default_factory=History)


class Callback:
    """Hooks into `fit`; override those you need. Each gets the `TrainingState`.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """

    def before_epoch(self, state: TrainingState) -> None:
        """Called before each epoch."""

    def after_epoch(self, state: TrainingState) -> None:
        """Called when the epoch's numbers stand in `state.history`."""

    def after_training(self, state: TrainingState) -> None:
        """Called once at the end, also after Ctrl-C or an error."""


class EarlyStopping(Callback):
    """Stop when the watched number has not improved for `patience` epochs.

    At the end the model gets back its best weights, buffers included. `watch` is a key
    of the history; of an accuracy the largest is best, of all else the smallest.

    Raises ValueError if `fit` does not record `watch`.

    Derived in notebooks/01_nn.ipynb, section *Train properly* (Prechelt, 1998).
    """

    def __init__(self, patience: int = 5, watch: str = "validation_loss") -> None:
        self.patience = patience
        self.watch = watch
        self._forget()

    def _forget(self) -> None:
        self.best = math.inf
        self.best_epoch = -1
        self.weights: dict[str, Array] = {}

    def before_epoch(self, state: TrainingState) -> None:
        if state.epoch == 0:  # the best of another training is not this one's
            self._forget()

    def after_epoch(self, state: TrainingState) -> None:
        require(
            self.watch in state.history,
            f"EarlyStopping watches {self.watch!r}, which fit does not record: "
            "pass validation=(x, y), or watch='loss'",
        )
        value = state.history[self.watch][-1]
        if self.watch.endswith("accuracy"):
            value = -value
        if value < self.best:
            self.best = value
            self.best_epoch = state.epoch
            weights = state.model.state_dict()
            self.weights = {name: array.copy() for name, array in weights.items()}
        elif state.epoch - self.best_epoch >= self.patience:
            state.stop = f"no better {self.watch} for {self.patience} epochs"

    def after_training(self, state: TrainingState) -> None:
        if self.weights:
            state.model.load_state_dict(self.weights)


class Schedule(Callback):
    """Set the learning rate before each epoch: `lr = rate(epoch, epochs)`.

    `Schedule(cosine(0.1))` falls from 0.1 to 0 along half a cosine.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """

    def __init__(self, rate: Callable[[int, int], float]) -> None:
        self.rate = rate

    def before_epoch(self, state: TrainingState) -> None:
        state.optimizer.lr = self.rate(state.epoch, state.epochs)


def cosine(lr: float) -> Callable[[int, int], float]:
    """A rate for `Schedule`: from `lr` towards 0 along half a cosine.

    Derived in notebooks/01_nn.ipynb, section *Train properly* (Loshchilov and Hutter,
    2017).

    >>> rate = cosine(0.1)
    >>> [round(rate(epoch, 4), 3) for epoch in range(4)]
    [0.1, 0.085, 0.05, 0.015]
    """
    return lambda epoch, epochs: lr * (1 + math.cos(math.pi * epoch / epochs)) / 2


def batches(
    x: Array, y: Array, batch_size: int, rng: Generator | None
) -> Iterator[Pair]:
    """Yield `(x, y)` batch by batch: every example once, in a new random order.

    The last batch may be smaller. With `rng=None` the examples keep their order: a text
    must not be shuffled.

    Raises ValueError if `x` and `y` differ in length or are empty, and for a batch size
    below 1.

    Derived in notebooks/deeper/01_nn.ipynb, section *How many examples?*.

    >>> x, y = np.arange(5), np.arange(5) * 10
    >>> for xb, yb in batches(x, y, batch_size=2, rng=None):
    ...     print(xb, yb)
    [0 1] [ 0 10]
    [2 3] [20 30]
    [4] [40]
    """
    require(
        np.ndim(x) and np.ndim(y) and len(x) == len(y) > 0,
        "batches expects one target per example, "
        f"got x {np.shape(x)} and y {np.shape(y)}",
    )
    require(
        batch_size >= 1, f"batches expects a batch size of at least 1, got {batch_size}"
    )
    order = np.arange(len(x)) if rng is None else rng.permutation(len(x))
    for start in range(0, len(x), batch_size):
        chosen = order[start : start + batch_size]
        yield x[chosen], y[chosen]


def train_step(
    model: Layer,
    loss: Loss,
    optimizer: Optimizer,
    x: Array,
    y: Array,
    *,
    penalty: Penalty | None = None,
    clip_norm: float | None = None,
) -> tuple[float, Array, float | None]:
    """One step: forward, loss, backward, update.

    Returns the loss, the scores and the norm of the gradient before clipping, None
    without `clip_norm`. Nothing is updated if the loss is not finite.

    `penalty`, such as `L2(1e-4)`, is added for every weight matrix (parameters with two
    axes or more; biases stay free), to the loss *and* to the gradient. Gradients longer
    than `clip_norm` are shortened to it (`clip_gradients`).

    Derived in notebooks/01_nn.ipynb, section *Backpropagation*.
    """
    scores = model.forward(x)
    value = loss.forward(scores, y)
    model.backward(loss.backward())
    if penalty is not None:
        value += _add_penalty(model, penalty)
    norm = None
    if math.isfinite(value):
        if clip_norm is not None:
            norm = clip_gradients(model, clip_norm)
        optimizer.step(model)
    return value, scores, norm


def _add_penalty(model: Layer, penalty: Penalty) -> float:
    """Add the penalty to the gradient of each weight matrix; returns what they cost."""
    total = 0.0
    gradients = model.gradients()
    for name, p in model.parameters().items():
        if p.ndim > 1:
            total += penalty.forward(p)
            gradients[name] += penalty.backward()
    return total


def fit(
    model: Layer,
    loss: Loss,
    optimizer: Optimizer,
    train: Pair,
    *,
    epochs: int,
    batch_size: int,
    rng: Generator | None,
    validation: Pair | None = None,
    callbacks: Sequence[Callback] = (),
    penalty: Penalty | None = None,
    clip_norm: float | None = None,
    augment: Callable[[Array, Any], Array] | None = None,
    interruptible: bool = False,
    progress: bool = True,
) -> History:
    """Train the model in place, and return its `History`.

    - `train`, `validation`: pairs `(x, y)`. Validation is measured after each epoch.
    - `epochs`: how often to go through all examples.
    - `batch_size`: how many examples make one step. 1 is online training, `len(x)`
      full-batch, anything between mini-batch.
    - `rng`: draws the order of the examples, anew in each epoch; None keeps it.
    - `callbacks`: `EarlyStopping`, `Schedule` or your own `Callback`.
    - `penalty`, `clip_norm`: as in `train_step`.
    - `augment(x, rng)`: returns the batch to use in place of `x`, such as
      `random_shift`.
    - `interruptible`: whether Ctrl-C ends the training and returns the history so far.
      If not, it raises `Interrupted`, a KeyboardInterrupt with that history as
      `.history`. The model stays usable either way.
    - `progress`: whether to show a progress bar.

    Raises ValueError for a model without parameters, DivergedError at the first loss
    that is not finite. However training ends, the callbacks' `after_training` runs.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.

    >>> from scratchml import SGD, CrossEntropyLoss, Linear, Sequential
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((60, 2), dtype=np.float32)
    >>> y = (x[:, 0] > x[:, 1]).astype(int)
    >>> model = Sequential(Linear(2, 2, rng=rng))
    >>> history = fit(model, CrossEntropyLoss(), SGD(lr=0.5), (x, y),
    ...               epochs=20, batch_size=10, rng=rng, progress=False)
    >>> len(history["loss"]), history["loss"][-1] < history["loss"][0]
    (20, True)
    >>> accuracy(y, predict(model, x)) > 0.9
    True
    """
    require_parameters(model, model.parameters())
    _check_pair("train", train)
    state = TrainingState(model, optimizer, epochs)
    steps = math.ceil(len(train[0]) / max(batch_size, 1))
    bar = progress_bar(epochs * steps, progress)
    try:
        for epoch in range(epochs):
            state.epoch = epoch
            for callback in callbacks:
                callback.before_epoch(state)
            data = _augmented(batches(*train, batch_size, rng), augment, rng)
            numbers = _train_epoch(state, loss, data, penalty, clip_norm, bar)
            numbers |= _validate(model, loss, validation)
            _write_down(state.history, numbers, bar)
            for callback in callbacks:
                callback.after_epoch(state)
            if state.stop:
                break
    except KeyboardInterrupt:
        state.stop = f"stopped in epoch {state.epoch}; the model is usable"
        if not interruptible:
            raise Interrupted(state.stop, state.history) from None
        print(state.stop)
    finally:
        bar.close()
        state.history.stopped = state.stop
        for callback in callbacks:
            callback.after_training(state)
    return state.history


def _check_pair(name: str, pair: Sequence[Array]) -> None:
    require(len(pair) == 2, f"fit expects {name}=(x, y), got {len(pair)} parts")


def _augmented(
    data: Iterable[Pair],
    augment: Callable[[Array, Any], Array] | None,
    rng: Generator | None,
) -> Iterator[Pair]:
    for x, y in data:
        yield (augment(x, rng) if augment else x), y


def _train_epoch(
    state: TrainingState,
    loss: Loss,
    data: Iterable[Pair],
    penalty: Penalty | None,
    clip_norm: float | None,
    bar: Any,
) -> dict[str, float]:
    """Train on each batch once; returns the means over the epoch."""
    model = state.model
    optimizer = state.optimizer
    sizes: list[int] = []
    losses: list[float] = []
    shares: list[float] = []
    norms: list[float] = []
    model.train()
    for x, y in data:
        with np.errstate(over="ignore", invalid="ignore"):
            value, scores, norm = train_step(
                model, loss, optimizer, x, y, penalty=penalty, clip_norm=clip_norm
            )
        if not math.isfinite(value):
            raise _diverged(state, value, batch=len(losses))
        sizes.append(len(x))
        losses.append(value)
        if norm is not None:
            norms.append(norm)
        if _are_classes(y, scores):
            shares.append(np.mean(scores.argmax(axis=-1) == y))
        bar.update()
    # A smaller last batch counts less.
    numbers = {"loss": float(np.average(losses, weights=sizes)), "lr": optimizer.lr}
    if shares:
        numbers["accuracy"] = float(np.average(shares, weights=sizes))
    if norms:
        numbers["gradient_norm"] = float(np.mean(norms))
    return numbers


def _are_classes(y: Array, scores: Array) -> bool:
    """Whether the targets are classes: they have no axis for the scores."""
    return scores.ndim == y.ndim + 1


def _diverged(state: TrainingState, value: float, batch: int) -> DivergedError:
    state.stop = f"the loss became {value} in epoch {state.epoch}, batch {batch}"
    return DivergedError(
        f"{state.stop}: try a smaller learning rate than "
        f"{state.optimizer.lr:g}, clip_norm=1, or look for NaN in the data",
        state.history,
    )


def _validate(model: Layer, loss: Loss, validation: Pair | None) -> dict[str, float]:
    """The numbers of the validation data, if there are any."""
    if validation is None:
        return {}
    _check_pair("validation", validation)
    x, y = validation
    scores = predict(model, x)
    numbers = {"validation_loss": loss.forward(scores, y)}
    if _are_classes(y, scores):
        numbers["validation_accuracy"] = accuracy(y, scores)
    return numbers


def _write_down(history: History, numbers: dict[str, float], bar: Any) -> None:
    """Add one number to each list: after the epoch, so that all have one length."""
    for name, number in numbers.items():
        history.setdefault(name, []).append(number)
    shown = {name: f"{values[-1]:.3g}" for name, values in history.items()}
    bar.set_postfix(shown, refresh=False)


def predict(model: Layer, x: Array, *, batch_size: int = 256) -> Array:
    """The model's scores for all of `x`, batch by batch, in eval mode.

    The mode is restored afterwards. Shapes: `(N, ...)` in, `(N, ...)` out. A smaller
    `batch_size` takes less memory; the scores are the same.

    Raises ValueError for an empty `x` or a `batch_size` below 1.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.

    >>> from scratchml import Dropout, Linear, Sequential
    >>> rng = np.random.default_rng(0)
    >>> model = Sequential(Dropout(0.5, rng=rng), Linear(4, 3, rng=rng))
    >>> x = np.ones((5, 4), np.float32)
    >>> predict(model, x).shape, model.training
    ((5, 3), True)
    """
    require(
        np.ndim(x) and len(x) > 0,
        f"predict expects at least one example, got x of shape {np.shape(x)}",
    )
    require(
        batch_size >= 1, f"predict expects a batch_size of 1 or more, got {batch_size}"
    )
    starts = range(0, len(x), batch_size)
    mode = model.training
    model.eval()
    try:
        scores = [model.forward(x[start : start + batch_size]) for start in starts]
    finally:
        model.train(mode)
    return np.concatenate(scores)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """The share of right answers, from labels `(N,)` and scores `(N, C)` or classes.

    The order of the two does not matter: scores have one axis more. The class with the
    largest score is the answer.

    Raises ValueError if the two do not fit, are empty or hold NaN.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.

    >>> scores = np.array([[0.1, 2.0], [3.0, 0.0], [0.2, 0.1]])
    >>> y = np.array([1, 0, 1])
    >>> round(accuracy(y, scores), 3)
    0.667
    """
    labels = np.asarray(y_true)
    found = np.asarray(y_pred)
    shapes = f"{labels.shape} and {found.shape}"
    if labels.ndim > found.ndim:
        labels, found = found, labels
    if found.ndim == labels.ndim + 1 and found.size and not np.isnan(found).any():
        found = found.argmax(axis=-1)
    require(
        found.shape == labels.shape and labels.ndim and labels.size,
        "accuracy expects labels, and scores or classes for them, none NaN, "
        f"got shapes {shapes}",
    )
    return float(np.mean(found == labels))


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Count `matrix[true, predicted]` from classes `(N,)`, in scikit-learn's order.

    Scores become classes by `scores.argmax(axis=-1)`. Classes are 0..C-1, C - 1 being
    the largest in either array.

    Raises ValueError if the shapes differ or are empty, and unless all classes are
    integers from 0 to 9,999.

    Derived in notebooks/deeper/01_nn.ipynb, section *Look closer*.

    >>> confusion_matrix(y_true=[0, 0, 1, 2], y_pred=[0, 1, 1, 2])
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 0, 1]])
    """
    true = np.asarray(y_true)
    predicted = np.asarray(y_pred)
    require(
        true.shape == predicted.shape and true.size,
        "confusion_matrix expects labels and predicted classes of one shape, got "
        f"{true.shape} and {predicted.shape}; scores become classes by "
        "scores.argmax(axis=-1)",
    )
    require(
        true.dtype.kind in "iu"
        and predicted.dtype.kind in "iu"
        and min(true.min(), predicted.min()) >= 0,
        "confusion_matrix expects integer classes 0..C-1, "
        f"got {true.dtype} and {predicted.dtype}",
    )
    C = max(true.max(), predicted.max()) + 1
    require(
        C <= 10_000, f"confusion_matrix counts up to 10,000 classes, got class {C - 1}"
    )
    matrix = np.zeros((C, C), int)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def random_shift(x: Array, rng: Generator, pixels: int = 2) -> Array:
    """Move each image `(N, C, H, W)` by up to `pixels` in both directions.

    What comes in from outside is 0. Raises ValueError if `x` has another shape.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """
    require(x.ndim == 4, f"random_shift expects images (N, C, H, W), got {x.shape}")
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels)))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (height, width), axis=(2, 3)
    )
    down, right = rng.integers(0, 2 * pixels + 1, (2, len(x)))
    return windows[np.arange(len(x)), :, down, right]


def save_weights(model: Layer, path: str | Path) -> None:
    """Write all parameters and buffers into one `.npz` file, by name.

    The file is written beside its place and renamed, so that nobody ever reads half of
    it.

    Derived in notebooks/deeper/01_nn.ipynb, section *Look closer*.

    >>> import tempfile
    >>> from scratchml import Linear, Sequential
    >>> model = Sequential(Linear(4, 3, rng=np.random.default_rng(0)))
    >>> other = Sequential(Linear(4, 3, rng=np.random.default_rng(1)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/weights.npz")
    ...     load_weights(other, f"{folder}/weights.npz")
    >>> np.array_equal(model.parameters()["0.W"], other.parameters()["0.W"])
    True
    """
    state: dict[str, Any] = model.state_dict()
    replace_file(path, lambda file: np.savez(file, **state))


def load_weights(model: Layer, path: str | Path) -> None:
    """Fill the model's parameters and buffers from a file of `save_weights`.

    All of them or none. The model keeps its dtype. Nothing in the file is ever run.

    Raises ValueError if the file is damaged, or if a name or a shape is not the
    model's.

    Derived in notebooks/deeper/01_nn.ipynb, section *Look closer*.
    """
    state = _read_arrays(path)
    try:
        model.load_state_dict(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_arrays(path: str | Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError:
        raise  # missing, or not ours to read
    except Exception as error:  # whatever numpy and zipfile say of a damaged file
        raise ValueError(
            f"{path} is not a weights file of save_weights: {error}"
        ) from error
