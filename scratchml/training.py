"""Put a model, a loss and an optimizer together, and repeat.

One step: take a batch, run it forward, measure the loss, run the gradient backward,
move the parameters. `fit` repeats it over shuffled batches and writes down what
happened.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from ._support import progress_bar, replace_file, require
from .optimizers import clip_gradients, require_parameters


class DivergedError(FloatingPointError):
    """The loss became infinite or NaN; `.history` holds the epochs before."""

    def __init__(self, message, history):
        super().__init__(message)
        self.history = history


class History(dict):
    """What `fit` wrote down: `history["loss"]` is a list with one number an epoch.

    Keys: `loss` (penalty included, mean over the epoch), `lr`; `accuracy` for integer
    targets; `validation_loss` and `validation_accuracy` with validation data;
    `gradient_norm` with clipping. `stopped` says why training ended before its last
    epoch, and is empty when it did not.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """

    stopped = ""

    def __repr__(self):
        epochs = len(self.get("loss", ()))
        last = ", ".join(f"{name} {values[-1]:.3g}" for name, values in self.items())
        return f"History({epochs} epochs: {last}{'; ' + self.stopped if self.stopped else ''})"


@dataclass
class TrainingState:
    """What a callback sees, and may change: set `stop` to a reason to end after this
    epoch.
    """

    model: object
    optimizer: object
    epochs: int
    epoch: int = 0
    stop: str = ""
    history: History = field(default_factory=History)


class Callback:
    """Hooks into `fit`; override those you need. Each receives the `TrainingState`
    under way.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """

    def before_epoch(self, training):
        """Called before each epoch, `training.epoch` counting from 0."""

    def after_epoch(self, training):
        """Called when the epoch's numbers stand in `training.history`."""

    def after_training(self, training):
        """Called once at the end, also after Ctrl-C or an error."""


class EarlyStopping(Callback):
    """Stop when the watched number has not improved for `patience` epochs; keep the
    best weights.

    Raises ValueError when `fit` does not record `watch`.

    Derived in notebooks/01_nn.ipynb, section *Train properly* (Prechelt, 1998).
    """

    def __init__(self, patience=5, watch="validation_loss"):
        self.patience, self.watch, self.weights = patience, watch, {}

    def before_epoch(self, training):
        if training.epoch == 0:  # the best of another training is not this one's
            self.best, self.best_epoch, self.weights = math.inf, -1, {}

    def after_epoch(self, training):
        require(
            self.watch in training.history,
            f"EarlyStopping watches {self.watch!r}, which fit "
            "does not record: pass validation=(x, y), or watch='loss'",
        )
        value = training.history[self.watch][-1]
        value = -value if self.watch.endswith("accuracy") else value
        if value < self.best:
            self.best, self.best_epoch = value, training.epoch
            self.weights = {k: p.copy() for k, p in training.model.state_dict().items()}
        elif training.epoch - self.best_epoch >= self.patience:
            training.stop = f"no better {self.watch} for {self.patience} epochs"

    def after_training(self, training):
        state = training.model.state_dict()
        for name, best in self.weights.items():
            state[name][...] = best


class Schedule(Callback):
    """Set the learning rate before each epoch: `lr = rate(epoch, epochs)`.

    `Schedule(cosine(0.1))` falls from 0.1 to 0 along half a cosine.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """

    def __init__(self, rate):
        self.rate = rate

    def before_epoch(self, training):
        training.optimizer.lr = self.rate(training.epoch, training.epochs)


def cosine(lr):
    """A rate for `Schedule`: from `lr` towards 0 along half a cosine.

    Derived in notebooks/01_nn.ipynb, section *Train properly* (Loshchilov and Hutter,
    2017).
    """
    return lambda epoch, epochs: lr * (1 + math.cos(math.pi * epoch / epochs)) / 2


def batches(x, y, batch_size, rng):
    """Yield `(x, y)` batch by batch: every example once, in a new random order, the
    rest last.

    With `rng=None` they come in the order they have: a text must not be shuffled.
    Raises ValueError when `x` and `y` differ in length or are empty, or for a batch
    size below 1.

    Derived in notebooks/01_nn.ipynb, section *Optimizers*.
    """
    require(
        np.ndim(x) and np.ndim(y) and len(x) == len(y) > 0,
        f"batches expects one target per example, got x {np.shape(x)} and y {np.shape(y)}",
    )
    require(
        batch_size >= 1, f"batches expects a batch size of at least 1, got {batch_size}"
    )
    order = np.arange(len(x)) if rng is None else rng.permutation(len(x))
    for start in range(0, len(x), batch_size):
        chosen = order[start : start + batch_size]
        yield x[chosen], y[chosen]


def train_step(model, loss, optimizer, x, y, *, penalty=None, clip_norm=None):
    """One step: forward, loss, backward, update. Returns `(loss, scores, gradient
    norm)`.

    `penalty`, such as `L2(1e-4)`, is added for every weight matrix (parameters with two
    axes or more; biases stay free), to the loss *and* to the gradient. The norm is None
    without `clip_norm`. Nothing is updated when the loss is not finite.

    Derived in notebooks/01_nn.ipynb, section *Optimizers*.
    """
    scores = model.forward(x)
    value = loss.forward(scores, y)
    model.backward(loss.backward())
    if penalty is not None:
        gradients = model.gradients()
        for name, p in model.parameters().items():
            if p.ndim > 1:
                value += penalty.forward(p)
                gradients[name] += penalty.backward()
    norm = None
    if math.isfinite(value):
        norm = clip_gradients(model, clip_norm) if clip_norm else None
        optimizer.step(model)
    return value, scores, norm


def fit(
    model,
    loss,
    optimizer,
    train,
    *,
    epochs,
    batch_size,
    rng,
    validation=None,
    callbacks=(),
    penalty=None,
    clip_norm=None,
    augment=None,
    progress=True,
):
    """Train the model in place, and return its `History`.

    `train` and `validation` are pairs `(x, y)`. `batch_size=1` is online training,
    `batch_size=len(x)` full-batch, anything between mini-batch. `augment(x, rng)`
    changes each batch before it is used. `penalty` and `clip_norm` as in `train_step`.

    Ctrl-C ends training and returns the history so far; the model stays usable. Raises
    DivergedError at the first loss that is not finite. However training ends, the
    callbacks' `after_training` runs.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """
    require_parameters(model, model.parameters())
    x, y = train
    training = TrainingState(model, optimizer, epochs)
    history = training.history
    bar = progress_bar(epochs * math.ceil(len(x) / max(batch_size, 1)), progress)
    try:
        for training.epoch in range(epochs):
            for callback in callbacks:
                callback.before_epoch(training)
            model.train()
            seen = total = right = 0
            norms = []
            for number, (xb, yb) in enumerate(batches(x, y, batch_size, rng)):
                xb = augment(xb, rng) if augment else xb
                with np.errstate(over="ignore", invalid="ignore"):
                    value, scores, norm = train_step(
                        model,
                        loss,
                        optimizer,
                        xb,
                        yb,
                        penalty=penalty,
                        clip_norm=clip_norm,
                    )
                if not math.isfinite(value):
                    training.stop = (
                        f"the loss became {value} in epoch {training.epoch}, "
                        f"batch {number}"
                    )
                    raise DivergedError(
                        f"{training.stop}: try a smaller learning rate than {optimizer.lr:g}, "
                        "clip_norm=1, or look for NaN in the data",
                        history,
                    )
                seen += len(xb)
                total += value * len(xb)
                classes = scores.ndim > yb.ndim  # the targets are: one axis less
                if classes:
                    right += np.count_nonzero(scores.argmax(axis=-1) == yb) / yb[0].size
                norms.append(norm)
                bar.update()
            numbers = {"loss": total / seen, "lr": optimizer.lr}
            if classes:
                numbers["accuracy"] = float(right / seen)
            if clip_norm:
                numbers["gradient_norm"] = float(np.mean(norms))
            if validation is not None:
                scores = predict(model, validation[0])
                numbers["validation_loss"] = loss.forward(scores, validation[1])
                if classes:
                    numbers["validation_accuracy"] = accuracy(scores, validation[1])
            for (
                name,
                value,
            ) in numbers.items():  # at the end: Ctrl-C leaves lists of one length
                history.setdefault(name, []).append(value)
            bar.set_postfix(
                {k: f"{v[-1]:.3g}" for k, v in history.items()}, refresh=False
            )
            for callback in callbacks:
                callback.after_epoch(training)
            if training.stop:
                break
    except KeyboardInterrupt:
        training.stop = "interrupted"
    finally:
        bar.close()
        history.stopped = training.stop
        for callback in callbacks:
            callback.after_training(training)
    return history


def predict(model, x, *, batch_size=256):
    """The model's scores for all of `x`, batch by batch, in eval mode.

    The mode is restored afterwards. Shapes: `(N, ...)` in, `(N, ...)` out.
    Raises ValueError for an empty `x`.

    Derived in notebooks/01_nn.ipynb, section *Train properly*.
    """
    require(
        np.ndim(x) and len(x) > 0,
        f"predict expects at least one example, got x of shape {np.shape(x)}",
    )
    mode = model.training
    model.eval()
    try:
        return np.concatenate(
            [model.forward(x[i : i + batch_size]) for i in range(0, len(x), batch_size)]
        )
    finally:
        model.train(mode)


def as_labels(predictions, y):
    """The class with the largest score, unless the predictions are classes already.

    Raises ValueError for NaN, for nothing, and for labels of another shape.
    """
    predictions, y = np.asarray(predictions), np.asarray(y)
    scored = predictions.ndim == y.ndim + 1 and predictions.size
    if scored and not np.isnan(predictions).any():
        predictions = predictions.argmax(axis=-1)
    require(
        predictions.shape == y.shape and y.size,
        "accuracy and confusion_matrix expect scores "
        f"or classes, none NaN, for labels of shape {y.shape}, got shape {predictions.shape}",
    )
    return predictions


def accuracy(predictions, y):
    """The share of right answers, from scores `(N, C)` or classes `(N,)` and labels
    `(N,)`.

    Raises ValueError when the two do not fit, are empty or hold NaN.

    Derived in notebooks/01_nn.ipynb, section *Digits, and a baseline to beat*.
    """
    return float(np.mean(as_labels(predictions, y) == y))


def confusion_matrix(y_true, y_pred):
    """Count `matrix[true, predicted]` from classes `(N,)`, in scikit-learn's order.

    Scores become classes by `scores.argmax(axis=-1)`. Classes are 0..C-1, C - 1 being
    the largest in either array.

    Raises ValueError for different shapes, for none, and for anything but integers of 0
    or more.

    Derived in notebooks/01_nn.ipynb, section *Look at what it learned*.
    """
    y_true = np.asarray(y_true)
    y_pred = np.asarray(y_pred)
    require(
        y_true.shape == y_pred.shape and y_true.size,
        f"confusion_matrix expects labels and predicted classes of one shape, got {y_true.shape} "
        f"and {y_pred.shape}; scores become classes by scores.argmax(axis=-1)",
    )
    require(
        y_true.dtype.kind in "iu"
        and y_pred.dtype.kind in "iu"
        and min(y_true.min(), y_pred.min()) >= 0,
        f"confusion_matrix expects integer classes 0..C-1, got {y_true.dtype} and {y_pred.dtype}",
    )
    classes = max(y_true.max(), y_pred.max()) + 1
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix


def random_shift(x, rng, pixels=2):
    """Move each image by up to `pixels` in both directions, filling with 0: `(N, C, H,
    W)`.

    Raises ValueError for another shape.

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


def save_weights(model, path):
    """Write all parameters into one `.npz` file, by name.

    The file is written beside its place and renamed, so that nobody ever reads half of
    it.

    Derived in notebooks/01_nn.ipynb, section *Look at what it learned*.
    """
    replace_file(path, lambda file: np.savez(file, **model.state_dict()))


def load_weights(model, path):
    """Fill the model's parameters from a file of `save_weights`, all of them or none.

    Raises ValueError when the file is damaged, or when a name or a shape is not the
    model's.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except OSError:
        raise  # missing, or not ours to read
    except (
        Exception
    ) as error:  # whatever a damaged or foreign file makes numpy and zipfile say
        raise ValueError(
            f"{path} is not a weights file of save_weights: {error}"
        ) from error
    parameters = model.state_dict()
    given, expected = (
        {name: p.shape for name, p in arrays.items() if p.dtype.kind == "f"}
        for arrays in (found, parameters)
    )
    require(
        given == expected, f"{path} holds the floats {given}, the model has {expected}"
    )
    for name, p in parameters.items():
        p[...] = found[name]
