"""What LIME answers: the surrogate's numbers, as text, as a picture and as HTML."""

import html
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ._support import AGAINST, FOR, require


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Surrogate:
    """The linear model that stands in for the real one near one input.

    `coef` and `stderr` are `(d, classes)`; `intercept`, `local_prediction` (its answer
    to row 0), `r2` (weighted, in-sample) and `r2_loo` (leave-one-out) are `(classes,)`;
    `effective_samples` is `sum(w)^2 / sum(w^2)`. What cannot be told is NaN: R^2 of
    constant answers, and errors when a sample decides its own fit.

    Derived in notebooks/04_lime.ipynb, section *Perturb, weigh, fit*; its quality in
    section *How good is an explanation?*.
    """

    coef: np.ndarray
    stderr: np.ndarray
    intercept: np.ndarray
    local_prediction: np.ndarray
    r2: np.ndarray
    r2_loo: np.ndarray
    effective_samples: float

    @property
    def interval(self):
        """Both ends of the 95 % intervals, `coef -+ 1.96 stderr`: `(2, d, classes)`."""
        return self.coef + np.array([-1.96, 1.96])[:, None, None] * self.stderr


class Evidence(namedtuple("Evidence", "name weight low high index")):
    """What one feature says: its `weight` with the 95 % interval, and its row in
    `coef`.
    """


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Explanation(Surrogate):
    """Why the model answers as it does for one input: a `Surrogate` and what it was
    fitted to.

    `prediction` is the model's own answer, `(classes,)`, to be held against
    `local_prediction`; `labels` are the classes asked for. `names` are the features:
    segment numbers, words or columns. `masks`, `predictions` and `weights` are the
    samples, to fit again (with another kernel, say) without asking again;
    `perturb(masks)` are the inputs. For tables the masks are scaled rows. Images have
    `image` and `segments` (numbered from 0, as `coef` is), texts have `pieces`: (gap,
    word, feature of the word).

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """

    names: list
    labels: list
    class_names: list
    prediction: np.ndarray
    masks: np.ndarray
    predictions: np.ndarray
    weights: np.ndarray
    perturb: Callable
    image: np.ndarray | None = None
    segments: np.ndarray | None = None
    pieces: list | tuple = ()

    def label(self, label=None):
        """The number of a class given by number or name; by default the first of
        `labels`.
        """
        return (
            self.labels[0]
            if label is None
            else class_index(label, len(self.r2), self.class_names)
        )

    def top(self, label=None, k=10):
        """The `k` features that weigh most for `label`, heaviest first: a list of
        `Evidence`.

        Raises ValueError for an unknown label.
        """
        c = self.label(label)
        rows = np.stack([self.coef[:, c], *self.interval[..., c]], axis=1).tolist()
        order = np.argsort(-np.abs(self.coef[:, c]), kind="stable")[:k].tolist()
        return [Evidence(self.names[i], *rows[i], i) for i in order if rows[i][0] != 0]

    def summary(self, label=None, k=10):
        """A few lines of text: how good the explanation is, and its heaviest
        features.
        """
        rows = [
            f"  {e.weight:+.3f}  [{e.low:+.3f}, {e.high:+.3f}]  {e.name}"
            for e in self.top(label, k)
        ]
        return "\n".join([self.headline(label), *(rows or ["  nothing matters"])])

    def headline(self, label=None):
        """One line: the class, what model and surrogate say, and how well they
        agree.
        """
        c = self.label(label)
        name = f" ({self.class_names[c]})" if self.class_names else ""
        return (
            f"class {c}{name}: model {self.prediction[c]:.3f}, surrogate "
            f"{self.local_prediction[c]:.3f}, R² {self.r2[c]:.3f} "
            f"(leave-one-out {self.r2_loo[c]:.3f}), {len(self.weights)} samples worth "
            f"{self.effective_samples:.0f}"
        )

    def __repr__(self):
        return f"<Explanation of {len(self.names)} features, {self.headline()}>"

    def plot(self, label=None, ax=None, **options):
        """Draw the evidence as bars, or over the image, and return the Axes; options as
        in `plots`.

        Over an image, parts whose interval contains 0 stay clear.
        """
        from . import plots

        if self.image is None:
            return plots.evidence_bars(
                self.top(label, options.pop("k", 10)), ax=ax, **options
            )
        c = self.label(label)
        weights = np.where(self.interval.prod(axis=0) <= 0, 0, self.coef)[:, c]
        return plots.image_evidence(
            self.image, self.segments, weights, ax=ax, **options
        )

    def _repr_html_(self):
        """The first label: headline; picture, or text with what is sure tinted;
        bars.
        """
        top = self.top(k=30)
        full = max((abs(e.weight) for e in top), default=1)
        colour = {e.index: FOR if e.weight > 0 else AGAINST for e in top}
        tint = {
            e.index: f"{colour[e.index]}{30 + round(140 * abs(e.weight) / full):x}"
            for e in top
            if not e.low <= 0 <= e.high
        }
        middle = "".join(
            _escape(gap) + _escape(word, background=tint.get(i))
            for gap, word, i in self.pieces[:300]
        ) + " …" * (len(self.pieces) > 300)
        if self.image is not None:
            from . import plots

            middle = plots.as_html(self.plot())
        bars = "".join(
            f'<div><span style="background:linear-gradient(90deg,{colour[e.index]}90 '
            f'{abs(e.weight) / full:.0%},#0000 0);display:inline-block;width:16em">'
            f"{_escape(e.name, 25)}</span> {e.weight:+.3f} <small>[{e.low:+.3f}, {e.high:+.3f}]"
            "</small></div>"
            for e in top[:10]
        )
        return (
            f'<div style="margin:1em 0"><b>{_escape(self.headline(), 200)}</b>'
            f'<p style="white-space:pre-wrap;line-height:1.6">{middle}</p>'
            f"{bars or 'nothing matters'}</div>"
        )


def _escape(text, longest=100, background=None):
    text = str(text)
    escaped = html.escape(text if len(text) <= longest else text[: longest - 1] + "…")
    return (
        f'<span style="background:{background}">{escaped}</span>'
        if background
        else escaped
    )


def class_index(label, classes, class_names):
    if label in class_names:
        return class_names.index(label)
    require(
        isinstance(label, (int, np.integer)) and 0 <= label < classes,
        f"unknown label {label!r}: expected 0 to {classes - 1} or one of {class_names}",
    )
    return int(label)
