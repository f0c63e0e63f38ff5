"""How does the time of one training step grow? Draws docs/growth.png; `make bench`
calls it.

Forward and backward, float32, one thread, against batch size, width, sequence length
and image size; ours and PyTorch's. Medians of a few runs measured in turn.
"""

from functools import partial

import numpy as np

from run import HERE, paired, threads
from scratchml import (
    LSTM,
    RNN,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    interop,
    plots,
)
from scratchml._support import replace_file


def dense(width, batch):
    rng = np.random.default_rng(0)
    model = Sequential(
        Flatten(), Linear(784, width, rng=rng), ReLU(), Linear(width, 10, rng=rng)
    )
    model.layers[1].needs_input_grad = False
    return model, (batch, 784)


def recurrent(cell, T):
    model = cell(64, 128, rng=np.random.default_rng(0))
    model.needs_input_grad = False
    return model, (64, T, 64)


def convolutional(size):
    rng = np.random.default_rng(0)
    model = Sequential(
        Conv2d(1, 8, 5, padding=2, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(8, 16, 5, padding=2, rng=rng),
        ReLU(),
        MaxPool2d(2),
    )
    model.layers[0].needs_input_grad = False
    return model, (16, 1, size, size)


GROWTH = [  # title, label of the x-axis, values, value -> (model, shape of x)
    ("784-128-10", "batch size", (8, 32, 128, 512, 2048), partial(dense, 128)),
    (
        "784-width-10, batch 64",
        "width",
        (32, 128, 512, 2048),
        lambda width: dense(width, 64),
    ),
    (
        "RNN 64 to 128, batch 64",
        "sequence length",
        (5, 20, 80, 320),
        partial(recurrent, RNN),
    ),
    (
        "LSTM 64 to 128, batch 64",
        "sequence length",
        (5, 20, 80, 320),
        partial(recurrent, LSTM),
    ),
    ("two Conv5x5, batch 16", "image size", (14, 28, 56, 112), convolutional),
]


def step_times(model, shape):
    """(ours in ms, PyTorch's in ms) for one forward and backward."""
    import torch

    x = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    dy = np.ones_like(model.forward(x))
    peer, their_x, their_dy = (
        interop.to_torch(model),
        torch.from_numpy(x),
        torch.from_numpy(dy),
    )

    def ours():
        model.forward(x)
        model.backward(dy)

    def theirs():
        peer.zero_grad()
        peer(their_x).backward(their_dy)

    return paired(ours, theirs, pairs=7, pause=0.02)[:2]


def draw():
    """Measure, draw, return the worst and the best ratio of each picture as lines of
    text.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plots.style()
    fig, axes = plt.subplots(1, len(GROWTH), figsize=(14, 3.1), layout="constrained")
    lines = []
    with threads(1):
        for ax, (title, label, values, build) in zip(axes, GROWTH, strict=True):
            times = np.array([step_times(*build(value)) for value in values])
            for column, name in zip(times.T, ("scratchml", "PyTorch"), strict=True):
                ax.loglog(values, column, "o-", label=name)
            ax.set(title=title, xlabel=label)
            ax.set_xticks(values, values)
            ax.minorticks_off()
            ratios = times[:, 0] / times[:, 1]
            lines.append(
                f"{title}: ratio {ratios.min():.2f} to {ratios.max():.2f} "
                f"over {label} {values[0]} to {values[-1]}"
            )
    axes[0].set_ylabel("milliseconds, forward and backward")
    axes[0].legend()
    path = HERE.parent / "docs" / "growth.png"
    replace_file(path, lambda file: fig.savefig(file, dpi=100))
    return lines


if __name__ == "__main__":
    print("\n".join(draw()))
