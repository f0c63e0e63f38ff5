"""What LIME answers: the surrogate's numbers, as text, as a picture and as HTML."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._support import AGAINST, FOR, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Surrogate:
    """The linear model that stands in for the real one near one input.

    `coef` and `stderr` are `(d, classes)`; `intercept`, `local_prediction` (its answer
    to row 0), `r2` (weighted, in-sample) and `r2_loo` (leave-one-out) are `(classes,)`;
    `effective_samples` is `sum(w)^2 / sum(w^2)`. Undefined values are NaN: the R^2 of
    constant answers, and errors where a sample alone decides its own fit.

    Derived in notebooks/04_lime.ipynb, section *Fit*; its quality in
    notebooks/deeper/04_lime.ipynb, section *How sure is a coefficient?*.
    """

    coef: np.ndarray
    stderr: np.ndarray
    intercept: np.ndarray
    local_prediction: np.ndarray
    r2: np.ndarray
    r2_loo: np.ndarray
    effective_samples: float

    @property
    def interval(self) -> np.ndarray:
        """Both ends of the 95 % intervals, `coef -+ 1.96 stderr`: `(2, d, classes)`."""
        margin = 1.96 * self.stderr
        return np.stack([self.coef - margin, self.coef + margin])


class Evidence(NamedTuple):
    """What one feature says: its weight, the 95 % interval, and its row in `coef`."""

    name: Any
    weight: float
    low: float
    high: float
    index: int  # type: ignore[assignment]  # hides tuple.index


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Explanation(Surrogate):
    """Why the model answers as it does for one input: a `Surrogate` and its samples.

    `prediction` is the model's own answer, `(classes,)`: compare it with
    `local_prediction`. `labels` are the classes asked for. `names` are the features:
    segment numbers, words or columns. A regressor has one class, number 0.

    `masks` `(n, d)`, `predictions` `(n, classes)` and `weights` `(n,)` are the samples,
    so that you can fit again (with another kernel, say) without asking again;
    `perturb(masks)` makes inputs of masks. Images have `image` and `segments` (numbered
    from 0, as `coef` is), texts have `pieces`: (gap, word, feature of the word). The
    masks of a table are scaled columns; for a categorical column, 1 where a sample has
    the value of `x`, else 0, and `perturb` puts the most frequent other value there.

    Derived in notebooks/04_lime.ipynb, section *Your LIME explains*.
    """

    names: list
    labels: list[int]
    class_names: list
    prediction: np.ndarray
    masks: np.ndarray
    predictions: np.ndarray
    weights: np.ndarray
    perturb: Callable[..., Any]
    image: np.ndarray | None = None
    segments: np.ndarray | None = None
    pieces: Sequence[tuple[str, str, int]] = ()

    @property
    def mode(self) -> str:
        """`"classification"`, or `"regression"` when the model answers one number."""
        return "regression" if len(self.intercept) == 1 else "classification"

    def label(self, label: Any = None) -> int:
        """The number of a class given by number or name; by default the first label.

        Raises ValueError for an unknown label.
        """
        if label is None:
            return self.labels[0]
        return position("label", label, len(self.intercept), self.class_names)

    def top(self, label: Any = None, k: int = 10) -> list[Evidence]:
        """The `k` features with the largest weights for `label`, the largest first.

        Features of weight 0 are left out. Raises ValueError for an unknown label.

        >>> from scratchml import explain_text
        >>> def predict(texts):
        ...     p = np.array([0.9 if "good" in text else 0.2 for text in texts])
        ...     return np.column_stack([1 - p, p])
        >>> told = explain_text(predict, "a good film", labels=1, progress=False)
        >>> best = told.top(k=1)[0]
        >>> best.name, round(best.weight, 1), best.low < best.weight < best.high
        ('good', 0.7, True)
        """
        c = self.label(label)
        weight = self.coef[:, c]
        low, high = self.interval[..., c]
        order = np.argsort(-np.abs(weight), kind="stable")[:k]
        return [
            Evidence(self.names[i], float(weight[i]), float(low[i]), float(high[i]), i)
            for i in order.tolist()
            if weight[i] != 0
        ]

    def summary(self, label: Any = None, k: int = 10) -> str:
        """A few lines of text: how good the explanation is, and its main features."""
        lines = [
            f"  {e.weight:+.3f}  [{e.low:+.3f}, {e.high:+.3f}]  {printable(e.name)}"
            for e in self.top(label, k)
        ]
        return "\n".join([self.headline(label), *(lines or ["  nothing matters"])])

    def headline(self, label: Any = None) -> str:
        """One line: the class, what model and surrogate say, how well they agree."""
        c = self.label(label)
        what = "value" if self.mode == "regression" else f"class {c}"
        name = f" ({printable(self.class_names[c])})" if self.class_names else ""
        return (
            f"{what}{name}: model {self.prediction[c]:.3f}, "
            f"surrogate {self.local_prediction[c]:.3f}, "
            f"R² {self.r2[c]:.3f} (leave-one-out {self.r2_loo[c]:.3f}), "
            f"{len(self.weights)} samples worth {self.effective_samples:.0f}"
        )

    def __repr__(self) -> str:
        return f"<Explanation of {len(self.names)} features, {self.headline()}>"

    def plot(
        self,
        label: Any = None,
        ax: "Axes | None" = None,
        *,
        top: int | None = None,
        k: int = 10,
        **options: Any,
    ) -> "Axes":
        """Draw the evidence, and return the Axes.

        Over an image, all evidence in colour (`plots.image_evidence`), or with `top=5`
        the five strongest parts for the class and the rest grey (`plots.top_parts`).
        Parts whose interval contains 0 count as 0. For a text or a table, bars of the
        `k` (or `top`) heaviest features (`plots.evidence_bars`). Further options are
        those of the function in `plots`.
        """
        from . import plots

        require(top is None or top >= 1, f"plot expects top of at least 1, got {top}")
        if self.image is None or self.segments is None:
            return plots.evidence_bars(self.top(label, top or k), ax=ax, **options)
        weights = self._certain(label)
        if top is None:
            return plots.image_evidence(
                self.image, self.segments, weights, ax=ax, **options
            )
        return plots.top_parts(
            self.image, self.segments, weights, k=top, ax=ax, **options
        )

    def _certain(self, label=None):
        """The weights for `label`, with 0 for those whose interval contains 0: (d,)."""
        c = self.label(label)
        low, high = self.interval[..., c]
        return np.where((low <= 0) & (high >= 0), 0, self.coef[:, c])

    def _repr_html_(self) -> str:
        """The first label: headline; the picture, or the text tinted; bars."""
        top = self.top(k=30)
        full = max((abs(e.weight) for e in top), default=1.0)
        if self.image is None:
            middle = self._tinted_text(top, full)
        else:
            from . import plots

            middle = plots.as_html(self.plot())
        bars = "".join(_bar(e, abs(e.weight) / full) for e in top[:10])
        return _PAGE.format(
            headline=_escape(self.headline(), 200),
            middle=middle,
            bars=bars or "nothing matters",
        )

    def _tinted_text(self, top, full):
        """The first 300 words; those with certain evidence have its colour behind."""
        certain = self._certain()
        tint = {
            e.index: _colour(e) + f"{30 + round(140 * abs(e.weight) / full):x}"
            for e in top
            if certain[e.index]
        }
        shown = [
            _escape(gap) + _tinted(_escape(word), tint.get(feature))
            for gap, word, feature in self.pieces[:300]
        ]
        rest = "".join(gap + word for gap, word, _ in self.pieces[300:])
        return "".join(shown) + (" …" if rest else "")


_PAGE = """\
<div style="margin:1em 0"><b>{headline}</b>\
<p style="white-space:pre-wrap;line-height:1.6">{middle}</p>{bars}</div>"""

_BAR = """\
<div><span style="background:linear-gradient(90deg,{colour}90 {share:.0%},#0000 0);\
display:inline-block;width:16em">{name}</span> {e.weight:+.3f} \
<small>[{e.low:+.3f}, {e.high:+.3f}]</small></div>"""


def _bar(e, share):
    return _BAR.format(e=e, colour=_colour(e), share=share, name=_escape(e.name, 25))


def _colour(evidence):
    return FOR if evidence.weight > 0 else AGAINST


def _tinted(escaped, colour):
    if colour is None:
        return escaped
    return f'<span style="background:{colour}">{escaped}</span>'


def _escape(text, longest=100):
    text = printable(text)
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return html.escape(text)


def printable(text: object) -> str:
    """`str(text)` with "?" for halves of characters, which no file can hold."""
    return str(text).encode(errors="replace").decode()


def position(what: str, key: Any, n: int, names: list) -> int:
    """Which of n things, such as classes, a number or a name stands for.

    Raises ValueError for an unknown `key`, and for one that is the name of one thing
    and the number of another.

    >>> position("label", "hen", 2, ["cat", "hen"])
    1
    """
    is_number = isinstance(key, int | np.integer) and 0 <= key < n
    if key not in names:
        require(
            is_number,
            f"unknown {what} {key!r}: expected 0 to {n - 1} or one of {names}",
        )
        return int(key)
    named = names.index(key)
    require(
        named == key or not is_number,
        f"{what} {key!r} is ambiguous: it is the name of {what} {named}, and a number "
        "too; let the names be strings",
    )
    return named
