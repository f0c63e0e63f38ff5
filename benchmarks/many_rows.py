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


def rows(digits=100, n_samples=1000):
    """Each process has one thread; the two that work are started before."""
    rng = np.random.default_rng(0)
    images = datasets.mnist(full=False).test[0][:digits, 0]
    model = Sequential(
        Conv2d(1, 8, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(8 * 12 * 12, 10, rng=rng),
    )
    predict = partial(probabilities, model)
    explain = partial(
        explain_image, predict, fill=0, n_samples=n_samples, progress=False
    )

    def with_jobs(n_jobs):
        return lambda: explain_many(explain, images, n_jobs=n_jobs, progress=False)

    with threads(1):
        two_ms, one_ms, ratio = paired(with_jobs(2), with_jobs(1), pairs=5)
    return [
        {
            "feature": f"explain_many, {digits} digits, {n_samples} samples, n_jobs=2",
            "peer": "n_jobs=1",
            "threads": "2 x 1",
            "ours_ms": two_ms,
            "peer_ms": one_ms,
            "ratio": ratio,
            "bound": 1 / 1.6,
            "note": f"{1 / ratio:.2f} times as fast (bound 1.6)",
        }
    ]


def probabilities(model, images):
    return softmax(model.forward(images[:, None]))
