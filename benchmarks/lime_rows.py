"""LIME beside the `lime` package: same segments or words, same number of samples, in
one run.

The classifier costs next to nothing, so what is measured is the explaining; except for
the forest, whose threads cost most when they are called often.
"""

import contextlib
import io
import tracemalloc
import warnings
from importlib.metadata import version

import numpy as np

from run import paired, threads
from scratchml.lime import explain_image, explain_tabular, explain_text, grid_segments


def rows():
    """One thread, as everywhere in the course: those of a matrix library that wait for
    work would slow down the forest's.
    """
    with threads(1):
        return [
            image_row(224),
            image_row(512),
            text_row(300),
            long_text_row(50_000),
            forest_row(30),
        ]


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

    note = (
        f"{segments.max() + 1} segments, peak memory +{peak(ours):.0f} MB (bound 100)"
    )
    return _row(
        f"LIME, photo {size} x {size}, {n_samples} samples", ours, theirs, 1 / 6, note
    )


def text_row(n_words, n_samples=5000):
    text, ours, theirs = _text(n_words, n_samples, vocabulary=2000)
    size = len(ours()._repr_html_()) / 1e3
    note = f"{len(set(text.split()))} different words, {size:.0f} kB HTML (bound 20)"
    return _row(
        f"LIME, text of {n_words} words, {n_samples} samples", ours, theirs, 1 / 4, note
    )


def long_text_row(n_words, n_samples=1000):
    """More words than samples."""
    text, ours, theirs = _text(n_words, n_samples, vocabulary=10_000)
    note = (
        f"{len(set(text.split()))} different words, "
        f"peak memory +{peak(ours):.0f} MB (bound 380, what lime takes)"
    )
    name = f"LIME, text of {n_words} words, {n_samples} samples"
    return _row(name, ours, theirs, 1, note, pairs=1)


def _text(n_words, n_samples, vocabulary):
    """A text whose words are as frequent as in a language, and both explanations."""
    rng = np.random.default_rng(0)
    zipf = 1 / np.arange(1, vocabulary + 1)
    words = np.array([f"word{i}" for i in range(vocabulary)])
    text = " ".join(rng.choice(words, n_words, p=zipf / zipf.sum()))

    def predict(texts):
        p = np.array([len(text) for text in texts]) / (10 * n_words)
        return np.column_stack([1 - p, p])

    def ours():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few samples for so many words
            return explain_text(
                predict, text, n_samples=n_samples, labels=1, progress=False
            )

    def theirs():
        from lime.lime_text import LimeTextExplainer

        return LimeTextExplainer(random_state=0).explain_instance(
            text, predict, labels=(1,), num_samples=n_samples
        )

    return text, ours, theirs


def forest_row(columns, n_samples=5000):
    """A forest of 100 trees, which has two threads of its own."""
    from lime.lime_tabular import LimeTabularExplainer
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, columns))
    y = x[:, 0] + x[:, 1] ** 2 > 1
    forest = RandomForestClassifier(100, n_jobs=2, random_state=0).fit(x, y)
    explainer = LimeTabularExplainer(x, discretize_continuous=False, random_state=0)

    def ours():
        return explain_tabular(
            forest.predict_proba,
            x[0],
            x,
            n_samples=n_samples,
            labels=1,
            progress=False,
        )

    def theirs():
        return explainer.explain_instance(
            x[0], forest.predict_proba, num_samples=n_samples
        )

    name = f"LIME, forest on {columns} columns, {n_samples} samples"
    return _row(name, ours, theirs, 1, "100 trees, n_jobs=2", pairs=9)


def peak(run):
    """Megabytes that Python and numpy allocate at most; apart, as it slows things."""
    tracemalloc.start()
    run()
    megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return megabytes


def _row(feature, ours, theirs, bound, note, pairs=3):
    ours_ms, peer_ms, ratio = paired(ours, theirs, pairs=pairs)
    return {
        "feature": feature,
        "peer": f"lime {version('lime')}",
        "threads": 1,
        "ours_ms": ours_ms,
        "peer_ms": peer_ms,
        "ratio": ratio,
        "bound": bound,
        "note": note,
    }
