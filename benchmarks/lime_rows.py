"""LIME beside the `lime` package: same segments or words, same number of samples, in
one run.

The classifier costs next to nothing, so what is measured is the explaining.
"""

import contextlib
import io
import tracemalloc
from importlib.metadata import version

import numpy as np

from run import paired
from scratchml.lime import explain_image, explain_text, grid_segments


def rows():
    return [image_row(224), image_row(512), text_row(300)]


def image_row(size, n_samples=1000):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    segments = grid_segments(image, 8)

    def predict(batch):
        p = np.asarray(batch)[:, ::32, ::32].mean(axis=(1, 2, 3)) / 255
        return np.column_stack([1 - p, p])

    def ours():
        return explain_image(
            predict,
            image,
            segments=segments,
            n_samples=n_samples,
            labels=1,
            progress=False,
        )

    def theirs():
        from lime.lime_image import LimeImageExplainer

        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            return LimeImageExplainer(random_state=0).explain_instance(
                image,
                predict,
                top_labels=None,
                labels=(1,),
                num_samples=n_samples,
                segmentation_fn=lambda _: segments,
            )

    tracemalloc.start()  # numpy reports its arrays to it; apart, as it slows things down
    ours()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    note = f"{segments.max() + 1} segments, peak memory +{peak:.0f} MB (bound 100)"
    return _row(
        f"LIME, photo {size} x {size}, {n_samples} samples", ours, theirs, 1 / 6, note
    )


def text_row(n_words, n_samples=5000):
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"word{i}" for i in range(2000)])
    zipf = 1 / np.arange(1, 2001)
    text = " ".join(rng.choice(vocabulary, n_words, p=zipf / zipf.sum()))

    def predict(texts):
        p = np.array([len(text) for text in texts]) / (10 * n_words)
        return np.column_stack([1 - p, p])

    def ours():
        return explain_text(
            predict, text, n_samples=n_samples, labels=1, progress=False
        )

    def theirs():
        from lime.lime_text import LimeTextExplainer

        return LimeTextExplainer(random_state=0).explain_instance(
            text, predict, labels=(1,), num_samples=n_samples
        )

    size = len(ours()._repr_html_()) / 1e3
    note = f"{len(set(text.split()))} different words, {size:.0f} kB HTML (bound 20)"
    return _row(
        f"LIME, text of {n_words} words, {n_samples} samples", ours, theirs, 1 / 4, note
    )


def _row(feature, ours, theirs, bound, note):
    ours_ms, peer_ms, ratio = paired(ours, theirs, pairs=3)
    return {
        "feature": feature,
        "peer": f"lime {version('lime')}",
        "ours_ms": ours_ms,
        "peer_ms": peer_ms,
        "ratio": ratio,
        "bound": bound,
        "note": note,
    }
