"""The convolutional network beside PyTorch, forward and backward, and LIME through a
CNN.
"""

import os
import resource
import sys
import time
import tracemalloc

import numpy as np

from run import paired, sgemm_rate, threads
from scratchml import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    local_probabilities,
    photos,
)
from scratchml.interop import to_torch
from scratchml.lime import explain_image, superpixels
from scratchml.squeezenet import squeezenet, squeezenet_probabilities

BATCH = 64


def rows():
    """The bounds hold with one thread each; with more the table only tells (see
    run.py).
    """
    import torch  # first, so that `threads` finds it

    found = []
    for number in sorted({1, os.cpu_count() or 1}):
        with threads(number):
            rate = sgemm_rate()
            found += [
                network_row(torch, 8, 16, 1.1, number, rate),
                network_row(torch, 32, 64, 1.2, number, rate),
                batchnorm_row(torch, number),
                squeezenet_row(torch, number),
            ]
    with threads(1):  # many small products: threads would mostly wait for each other
        return [*found, photograph_row(), squeezenet_photograph_row()]


def network_row(torch, c1, c2, bound, number, rate):
    """Conv5x5(1 -> c1), ReLU, pool, Conv5x5(c1 -> c2), ReLU, pool, Linear on 28 x 28,
    float32.
    """
    rng = np.random.default_rng(0)
    nn = torch.nn
    x = rng.standard_normal((BATCH, 1, 28, 28), dtype=np.float32)
    dy = rng.standard_normal((BATCH, 10), dtype=np.float32)
    model = Sequential(
        Conv2d(1, c1, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(c1, c2, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(16 * c2, 10, rng=rng),
    )
    # autograd does not compute the gradient of the data either
    model.layers[0].needs_input_grad = False
    peer = nn.Sequential(
        nn.Conv2d(1, c1, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(c1, c2, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * c2, 10),
    )
    their_x = torch.from_numpy(x)
    their_dy = torch.from_numpy(dy)

    def ours():
        for _ in range(3):
            model.forward(x)
            model.backward(dy)

    def theirs():
        for _ in range(3):
            peer.zero_grad()
            peer(their_x).backward(their_dy)

    ours_ms, peer_ms, ratio = paired(ours, theirs)
    # The products that cannot be avoided: y and dW of both convolutions, dx of the
    # second.
    operations = 2 * BATCH * 25 * (2 * 24**2 * c1 + 3 * 8**2 * c1 * c2)
    return {
        "feature": f"CNN of {c1} and {c2} channels, batch {BATCH}, forward and backward",
        "peer": f"PyTorch {torch.__version__.partition('+')[0]}",
        "threads": number,
        "ours_ms": ours_ms / 3,
        "peer_ms": peer_ms / 3,
        "ratio": ratio,
        "bound": bound if number == 1 else None,
        "share": operations / (ours_ms / 3e3) / rate,
    }


def batchnorm_row(torch, number):
    """What follows the first convolution of the smaller network, forward and backward.

    PyTorch has one function for the whole layer, numpy goes over the batch a dozen
    times.
    """
    rng = np.random.default_rng(0)
    shape = BATCH, 8, 24, 24
    x = rng.standard_normal(shape, dtype=np.float32)
    dy = rng.standard_normal(shape, dtype=np.float32)
    layer = BatchNorm(8)
    peer = torch.nn.BatchNorm2d(8)
    their_x = torch.from_numpy(x).requires_grad_()
    their_dy = torch.from_numpy(dy)

    def ours():
        layer.forward(x)
        layer.backward(dy)

    def theirs():
        peer.zero_grad()
        their_x.grad = None
        peer(their_x).backward(their_dy)

    ours_ms, peer_ms, ratio = paired(ours, theirs)
    return {
        "feature": "BatchNorm, 64 x 8 x 24 x 24, forward and backward",
        "peer": f"PyTorch {torch.__version__.partition('+')[0]}",
        "threads": number,
        "ours_ms": ours_ms,
        "peer_ms": peer_ms,
        "ratio": ratio,
        "bound": 2.0 if number == 1 else None,
    }


def squeezenet_row(torch, number, batch=10):
    """The scores of ten photographs, 227 x 227, as LIME asks for them; forward only."""
    model = squeezenet().eval()
    peer = to_torch(model)
    rng = np.random.default_rng(0)
    x = 60 * rng.standard_normal((batch, 3, 227, 227), dtype=np.float32)
    their_x = torch.from_numpy(x)

    def theirs():
        with torch.no_grad():
            peer(their_x)

    ours_ms, peer_ms, ratio = paired(lambda: model.forward(x), theirs, pairs=11)
    return {
        "feature": f"SqueezeNet, forward, batch {batch}",
        "peer": f"PyTorch {torch.__version__.partition('+')[0]}",
        "threads": number,
        "ours_ms": ours_ms,
        "peer_ms": peer_ms,
        "ratio": ratio,
        "bound": 1.0 if number == 1 else None,
    }


def photograph_row(n_samples=1000):
    """LIME on a 512 x 512 photograph; the network sees it at half that size, as in
    training.
    """
    rng = np.random.default_rng(0)
    image = photos.photographs()["astronaut"]
    model = Sequential(
        AvgPool2d(2),
        Conv2d(3, 16, 3, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(16, 32, 3, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(32, 48, 3, rng=rng),
        ReLU(),
        Conv2d(48, len(photos.CLASSES), 4, rng=rng),
    )
    return explained_row(
        f"LIME through a CNN, photo 512 x 512, {n_samples} samples",
        lambda batch: local_probabilities(model, batch),
        image,
        n_samples,
        bounds=(30, 500),
    )


def squeezenet_photograph_row(n_samples=300):
    """LIME on a photograph as SqueezeNet sees it, 227 x 227."""
    model = squeezenet()
    image = photos.square(photos.photographs()["coffee"])
    return explained_row(
        f"LIME through SqueezeNet, {n_samples} samples",
        lambda batch: squeezenet_probabilities(model, batch),
        image,
        n_samples,
        bounds=(8, 300),
    )


def explained_row(feature, ask, image, n_samples, bounds):
    """Time and memory of one explanation; `bounds` in seconds, the peer's time, and MB."""
    granted, memory = bounds
    segments = superpixels(image)

    def explain(n):
        explain_image(ask, image, segments=segments, n_samples=n, progress=False)

    explain(100)
    before, start = most_memory(), time.perf_counter()
    explain(n_samples)
    seconds, grown = time.perf_counter() - start, most_memory() - before
    tracemalloc.start()  # numpy reports its arrays to it; apart, as it slows things down
    explain(100)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return {
        "feature": feature,
        "peer": f"the {granted} s granted",
        "threads": 1,
        "ours_ms": 1e3 * seconds,
        "peer_ms": 1e3 * granted,
        "ratio": seconds / granted,
        "bound": 1.0,
        "note": f"{segments.max() + 1} segments, peak memory "
        f"+{max(peak, grown):.0f} MB (bound {memory})",
    }


def most_memory():
    """The most memory that this process has used so far, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)
