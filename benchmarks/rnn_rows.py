"""The recurrent layers beside PyTorch's, and how long LIME takes with a text
classifier.

The peer of the last row is the time the course grants it.
"""

import os
import string

import numpy as np

from run import paired, sgemm_rate, threads
from scratchml.recurrent import GRU, LSTM, RNN, TextClassifier, predict_proba
from scratchml.text import Vocabulary

N, T, D, H = 64, 50, 64, 128
BOUNDS = {RNN: 0.75, LSTM: 1.25, GRU: 1.1}
LIME_SECONDS = 3


def rows():
    """Forward and backward of one batch (N=64, T=50, D=64, H=128), float32; and LIME.

    The bounds hold with one thread each; with more the table only tells (see run.py).
    """
    import torch  # first, so that `threads` finds it

    found = []
    for cell, bound in BOUNDS.items():
        for number in sorted({1, os.cpu_count() or 1}):
            with threads(number):
                rate = sgemm_rate()
                ours_ms, peer_ms, ratio = paired(ours(cell), theirs(torch, cell))
                floor = paired(products(cell), theirs(torch, cell))[2]
            operations = 2 * N * T * (2 * (D + H) + H) * cell.n_blocks * H
            found.append(
                {
                    "feature": f"{cell.__name__} forward and backward, 64 x 50 x 64 -> 128, float32",
                    "peer": f"PyTorch {torch.__version__.partition('+')[0]}",
                    "threads": number,
                    "ours_ms": ours_ms,
                    "peer_ms": peer_ms,
                    "ratio": ratio,
                    "bound": bound if number == 1 else None,
                    "note": f"its products alone {floor:.2f}",
                    "share": operations / (ours_ms / 1e3) / rate,
                }
            )
    return [*found, lime_row()]


def batch():
    rng = np.random.default_rng(0)
    return [
        rng.standard_normal(shape, dtype=np.float32) for shape in ((N, T, D), (N, T, H))
    ]


def ours(cell):
    layer = cell(D, H, rng=np.random.default_rng(0))
    # autograd does not compute the gradient of the data either
    layer.needs_input_grad = False
    x, dy = batch()

    def run():
        layer.forward(x)
        layer.backward(dy)

    return run


def products(cell):
    """The matrix products that cannot be avoided, and nothing else: forward, then dh
    and dW.
    """
    rng = np.random.default_rng(0)
    blocks = cell.n_blocks * H
    z = rng.standard_normal((T, N, D + H), dtype=np.float32)
    da = rng.standard_normal((T, N, blocks), dtype=np.float32)
    W = rng.standard_normal((D + H, blocks), dtype=np.float32)
    W_hh_T = rng.standard_normal((blocks, H), dtype=np.float32)

    def run():
        for t in range(T):
            z[t] @ W
        for t in reversed(range(T)):
            da[t] @ W_hh_T
        z.reshape(T * N, -1).T @ da.reshape(T * N, -1)

    return run


def theirs(torch, cell):
    layer = getattr(torch.nn, cell.__name__)(D, H, batch_first=True)
    x, dy = map(torch.from_numpy, batch())

    def run():
        layer.zero_grad()
        y, _ = layer(x)
        y.backward(dy)

    return run


def lime_row(n_words=150, n_samples=5000):
    """One explanation of a 150-word post by an RNN classifier, texts to words to ids
    included.
    """
    from scratchml import explain_text

    rng = np.random.default_rng(0)
    words = np.array(
        [a + b + c for a in string.ascii_lowercase for b in "aeiou" for c in "lnrst"]
    )
    weights = 1 / np.arange(1, len(words) + 1)
    text = " ".join(rng.choice(words, n_words, p=weights / weights.sum()))
    vocabulary = Vocabulary([" ".join(words)])
    model = TextClassifier(len(vocabulary), 2, cell="RNN", rng=rng)

    def predict(texts):
        return predict_proba(model, [vocabulary.encode(text) for text in texts])

    def explain():
        return explain_text(predict, text, n_samples=n_samples, progress=False)

    ours_ms, _, _ = paired(explain, lambda: None, pairs=3)
    return {
        "feature": f"LIME, {n_words}-word post, {n_samples:,} samples through the RNN",
        "peer": f"the {LIME_SECONDS} s granted",
        "threads": os.cpu_count(),
        "ours_ms": ours_ms,
        "peer_ms": 1e3 * LIME_SECONDS,
        "ratio": ours_ms / (1e3 * LIME_SECONDS),
        "bound": 1.0,
    }
