"""A data set explained by two processes; the peer is the same call in one process."""

from functools import partial

import numpy as np

from run import paired, threads
from scratchml import (
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    datasets,
    explain_image,
    explain_many,
    softmax,
)


def rows():
    """As many digits as deeper/04 explains, and fewer through a convolution."""
    rng = np.random.default_rng(0)
    dense = Sequential(
        Flatten(), Linear(784, 128, rng=rng), ReLU(), Linear(128, 10, rng=rng)
    )
    convolutional = Sequential(
        Conv2d(1, 8, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(8 * 12 * 12, 10, rng=rng),
    )
    return [
        row(dense, "784-128-10", digits=500, bound=1.6),
        row(convolutional, "a convolution", digits=100, bound=None),
    ]


def row(model, name, digits, bound):
    """Each process has one thread; the two that work are started before."""
    images = datasets.mnist(full=False).test[0][:digits, 0]
    predict = partial(probabilities, model)
    explain = partial(explain_image, predict, fill=0, progress=False)

    def with_jobs(n_jobs):
        return lambda: explain_many(explain, images, n_jobs=n_jobs, progress=False)

    with threads(1):
        two_ms, one_ms, ratio = paired(with_jobs(2), with_jobs(1), pairs=5)
    note = f"{1 / ratio:.2f} times as fast"
    return {
        "feature": f"explain_many, {digits} digits through {name}, n_jobs=2",
        "peer": "n_jobs=1",
        "threads": "2 x 1",
        "ours_ms": two_ms,
        "peer_ms": one_ms,
        "ratio": ratio,
        "bound": 1 / bound if bound else None,
        "note": f"{note} (bound {bound})" if bound else note,
    }


def probabilities(model, images):
    return softmax(model.forward(images[:, None]))
