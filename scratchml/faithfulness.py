"""Can you believe an explanation? Five ways to find out, without a look at the model.

Take away what it calls important, part by part (`deletion_insertion`) or at once
(`alone_and_without`), draw again (`stability`), plant the truth and look for it
(`recovery`), and break the model (`randomised_weights`): an explanation that stays the
same did not explain it.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ._support import require
from .explanation import Explanation
from .lime import predict_perturbed


class Curves(NamedTuple):
    """Probability of the label after 0..d features: `deletion`, `insertion` `(d + 1,)`.

    `random` `(orders, d + 1)` are deletions in random order; insertion's are these
    reversed. An area is the mean height of its curve, in [0, 1]; `random_area` is the
    mean over the orders.
    """

    deletion: np.ndarray
    insertion: np.ndarray
    random: np.ndarray
    deletion_area: float
    insertion_area: float
    random_area: float


def deletion_insertion(
    explanation: Explanation,
    predict: Callable[[Any], Any],
    *,
    label: Any = None,
    orders: int = 20,
    seed: int = 0,
    batch_size: int = 256,
) -> Curves:
    """How soon does the model give in when the features go, heaviest evidence first?

    Deletion starts from the whole input and switches off the feature with the most
    evidence for the label, then the next. Insertion starts from nothing and switches
    them on in the same order. Good evidence has a deletion area below, and an insertion
    area above, that of `orders` random orders.

    Raises ValueError for fewer than one random order and an unknown label.

    Derived in notebooks/deeper/04_lime.ipynb, section *How good is an explanation?*
    (Petsiuk, Das and Saenko, 2018).

    >>> from scratchml import explain_text
    >>> def predict(texts):
    ...     p = np.array([0.9 if "good" in text else 0.2 for text in texts])
    ...     return np.column_stack([1 - p, p])
    >>> told = explain_text(predict, "a good film", labels=1, progress=False)
    >>> curves = deletion_insertion(told, predict)
    >>> curves.deletion, curves.insertion
    (array([0.9, 0.2, 0.2, 0.2]), array([0.2, 0.9, 0.9, 0.9]))
    """
    require(
        orders >= 1, f"deletion_insertion expects orders of at least 1, got {orders}"
    )
    c = explanation.label(label)
    original = explanation.masks[0]
    d = len(original)
    rng = np.random.default_rng(seed)
    heaviest = np.argsort(-explanation.coef[:, c] * original, kind="stable")
    lightest = heaviest[::-1]
    order = np.stack([heaviest, lightest, *(rng.permutation(d) for _ in range(orders))])
    step = order.argsort(axis=1)  # at which each feature goes, (2 + orders, d)
    on = step[:, None, :] >= np.arange(d + 1)[:, None]  # (2 + orders, d + 1, d)
    answers = predict_perturbed(
        predict,
        explanation.perturb,
        on.reshape(-1, d) * original,
        mode=explanation.mode,
        batch_size=batch_size,
    )
    curves = np.concatenate([Y[:, c] for Y in answers]).reshape(-1, d + 1)
    deletion = curves[0]
    insertion = curves[1, ::-1]  # the lightest deleted first, read backwards
    areas = np.trapezoid(curves, dx=1 / d)
    return Curves(
        deletion,
        insertion,
        random=curves[2:],
        deletion_area=float(areas[0]),
        insertion_area=float(areas[1]),
        random_area=float(areas[2:].mean()),
    )


def masks_of(d: int, choices: Iterable[Iterable[int]]) -> np.ndarray:
    """Turn lists of features into masks, `(n, d)`: a row for each choice, those on.

    Raises ValueError for a feature that is not in 0..d-1.

    Derived in notebooks/03_cnn.ipynb, section *Explain*.

    >>> masks_of(4, [[0, 2], [3]]).astype(int)
    array([[1, 0, 1, 0],
           [0, 0, 0, 1]])
    """
    rows = [np.asarray([*choice], int) for choice in choices]
    masks = np.zeros((len(rows), d), bool)
    for mask, chosen in zip(masks, rows, strict=True):
        require(
            chosen.size == 0 or (chosen.min() >= 0 and chosen.max() < d),
            f"masks_of expects features in 0..{d - 1}, got {chosen.tolist()}",
        )
        mask[chosen] = True
    return masks


def as_large(order: Any, area: Any, wanted: float) -> np.ndarray:
    """Take parts in this order until they cover the area wanted, and not one more.

    So that a rival of an explanation has no less to show: ten parts chosen by their
    weight may be far larger than ten others. `order` are part numbers, `area` `(d,)` is
    the size of each part, in the unit of `wanted`. All parts, where even all are too
    small.

    Derived in notebooks/03_cnn.ipynb, section *Explain*.

    >>> as_large([2, 0, 1], area=[0.5, 0.2, 0.3], wanted=0.4)
    array([2, 0])
    """
    order = np.asarray(order, int)
    covered = np.cumsum(np.asarray(area, float)[order])
    enough = np.searchsorted(covered, wanted * (1 - 1e-9)) + 1  # sums are inexact
    return order[:enough]


def alone_and_without(
    explanation: Explanation,
    predict: Callable[[Any], Any],
    choices: Iterable[Iterable[int]],
    *,
    label: Any = None,
    batch_size: int = 256,
) -> tuple[np.ndarray, np.ndarray]:
    """What does the model say to these features alone, and what without them?

    `choices` are n lists of features. Returns the probability of the label for each,
    `(n,)` with nothing else switched on and `(n,)` with everything else. Good evidence
    keeps the answer alone, and leaves little of it without. Compare with features
    chosen at random that are `as_large`.

    Raises ValueError for an unknown label or feature.

    Derived in notebooks/03_cnn.ipynb, section *Explain*.

    >>> from scratchml import explain_text
    >>> def predict(texts):
    ...     p = np.array([0.9 if "good" in text else 0.2 for text in texts])
    ...     return np.column_stack([1 - p, p])
    >>> told = explain_text(predict, "a good film", labels=1, progress=False)
    >>> alone_and_without(told, predict, [[1], [0, 2]])  # "good", then "a" and "film"
    (array([0.9, 0.2]), array([0.2, 0.9]))
    """
    c = explanation.label(label)
    original = explanation.masks[0]
    on = masks_of(len(original), choices)
    answers = predict_perturbed(
        predict,
        explanation.perturb,
        np.concatenate([on, ~on]) * original,
        mode=explanation.mode,
        batch_size=batch_size,
    )
    p = np.concatenate([Y[:, c] for Y in answers])
    return p[: len(on)], p[len(on) :]


class Similarity(NamedTuple):
    """How alike explanations are, 1 being the same: means of pairwise comparisons.

    `jaccard`: shared part of the `k` heaviest features; `rank_correlation`: Spearman's,
    of all weights with their signs. `weights`, one explanation a row, are what was
    compared.
    """

    jaccard: float
    rank_correlation: float
    weights: np.ndarray


def stability(
    explain: Callable[[int], Explanation],
    *,
    seeds: Iterable[int] = range(10),
    k: int = 5,
    label: Any = None,
) -> Similarity:
    """Does another seed tell the same story? `explain(seed)` returns an explanation.

    Compares all pairs. Raises ValueError for fewer than two seeds.

    Derived in notebooks/deeper/04_lime.ipynb, section *Does it work?*.

    >>> from scratchml import explain_text
    >>> def predict(texts):
    ...     p = np.array([0.9 if "good" in text else 0.2 for text in texts])
    ...     return np.column_stack([1 - p, p])
    >>> def explain(seed):
    ...     return explain_text(predict, "a good film", seed=seed, progress=False)
    >>> stability(explain, seeds=range(4), k=1).jaccard
    1.0
    """
    explanations = [explain(seed) for seed in seeds]
    require(
        len(explanations) >= 2,
        f"stability expects at least two seeds, got {len(explanations)}",
    )
    c = explanations[0].label(label)
    weights = np.stack([told.coef[:, c] for told in explanations])
    return _similarity(combinations(weights, 2), k, weights)


def randomised_weights(
    explain: Callable[[Any], Explanation],
    predict: Any,
    randomised: Iterable,
    *,
    k: int = 5,
    label: Any = None,
) -> Similarity:
    """Does the explanation change when the model is broken? It must.

    `explain(predict)` returns an explanation; `randomised` yields the `predict` of
    models with random weights, such as `shuffled_weights(...)`. Compare the similarity,
    of the true model's explanation to each of theirs, with that of `stability`. Signs
    are kept, as the sizes are alike for any model: where an image is empty all weights
    are near 0. Raises ValueError when `randomised` yields nothing.

    Derived in notebooks/deeper/04_lime.ipynb, section *How good is an explanation?*
    (Adebayo et al., 2018).
    """
    trained = explain(predict)
    c = trained.label(label)
    true = trained.coef[:, c]
    others = [explain(broken).coef[:, c] for broken in randomised]
    require(others, "randomised_weights expects at least one broken model, got none")
    pairs = [(true, other) for other in others]
    return _similarity(pairs, k, np.stack([true, *others]))


def shuffled_weights(
    predict: Any,
    parameters: dict[str, np.ndarray],
    *,
    rng: np.random.Generator,
    repeats: int = 5,
) -> Iterator[Any]:
    """Yield `predict` `repeats` times, each array of `parameters` shuffled anew.

    `parameters` is a dict such as `model.parameters()`, changed in place and restored
    at the end, also when you stop early.

    Derived in notebooks/deeper/04_lime.ipynb, section *How good is an explanation?*.
    """
    trained = {name: p.copy() for name, p in parameters.items()}
    try:
        for _ in range(repeats):
            for name, p in parameters.items():
                p[...] = rng.permutation(trained[name].ravel()).reshape(p.shape)
            yield predict
    finally:
        for name, p in parameters.items():
            p[...] = trained[name]


def _similarity(pairs, k, weights):
    jaccard = []
    correlation = []
    for a, b in pairs:
        both = _heaviest(a, k) & _heaviest(b, k)
        either = _heaviest(a, k) | _heaviest(b, k)
        jaccard.append(len(both) / len(either))
        correlation.append(np.corrcoef(_ranks(a), _ranks(b))[0, 1])
    return Similarity(float(np.mean(jaccard)), float(np.mean(correlation)), weights)


def _heaviest(weights, k):
    return set(np.argsort(-np.abs(weights), kind="stable")[:k].tolist())


def _ranks(values):
    """Ranks, equal values sharing theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (count.cumsum() - (count - 1) / 2)[place]


class Recovery(NamedTuple):
    """Precision: the share of named features that are `planted`; recall: the reverse.

    `found` are the planted features among those named, the heaviest first.
    """

    precision: float
    recall: float
    found: list


def recovery(
    explanation: Explanation,
    planted: Iterable,
    *,
    k: int | None = None,
    label: Any = None,
) -> Recovery:
    """Does the explanation name what you planted among its `k` heaviest features?

    `planted` are names, as in `explanation.names`; `k` defaults to their number. Raises
    ValueError when nothing is planted or a name is unknown.

    Derived in notebooks/deeper/04_lime.ipynb, section *The stamp, counted*.

    >>> from scratchml import explain_text
    >>> def predict(texts):
    ...     p = np.array([0.9 if "good" in text else 0.2 for text in texts])
    ...     return np.column_stack([1 - p, p])
    >>> told = explain_text(predict, "a good film", progress=False)
    >>> recovery(told, ["good"])
    Recovery(precision=1.0, recall=1.0, found=['good'])
    """
    planted = set(planted)
    require(
        planted and planted <= set(explanation.names),
        "recovery expects planted names out of "
        f"{explanation.names[:10]}..., got {planted or 'none'}",
    )
    k = len(planted) if k is None else k
    named = [e.name for e in explanation.top(label, k)]
    found = [name for name in named if name in planted]
    return Recovery(len(found) / max(len(named), 1), len(found) / len(planted), found)
