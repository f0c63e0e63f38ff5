"""Can you believe an explanation? Four ways to find out, none of which looks inside the
model.

Take away what it calls important (`deletion_insertion`), draw again (`stability`),
plant the truth and look for it (`recovery`), and break the model
(`randomised_weights`): an explanation that stays the same did not explain it.
"""

from collections import namedtuple
from itertools import combinations

import numpy as np

from ._support import require
from .lime import predict_perturbed


class Curves(
    namedtuple(
        "Curves", "deletion insertion random deletion_area insertion_area random_area"
    )
):
    """Probability of the label after 0..d features: `deletion`, `insertion` `(d + 1,)`.

    `random` `(orders, d + 1)` are deletions in random order; insertion's are these
    reversed. The areas lie in [0, 1]: the heights averaged over the way, `random_area`
    over the orders too.
    """


def deletion_insertion(
    explanation, predict, *, label=None, orders=20, seed=0, batch_size=256
):
    """Switch features off, heaviest evidence for the label first: how soon does the
    model give in?

    Deletion starts from the whole input, insertion from nothing. Good evidence has a
    deletion area below, and an insertion area above, that of random orders.

    Derived in notebooks/04_lime.ipynb, section *How good is an explanation?* (Petsiuk,
    Das, Saenko, 2018).
    """
    c, original = explanation.label(label), explanation.masks[:1]
    d = original.shape[1]
    rng = np.random.default_rng(seed)
    best = np.argsort(-explanation.coef[:, c] * original[0], kind="stable")
    order = np.stack([best, best[::-1], *(rng.permutation(d) for _ in range(orders))])
    place = order.argsort(axis=1)  # the step at which each feature goes
    keep = place[:, None, :] >= np.arange(d + 1)[:, None]
    answers = predict_perturbed(
        predict,
        explanation.perturb,
        keep.reshape(-1, d) * original,
        batch_size=batch_size,
    )
    curves = np.concatenate([P[:, c] for P in answers]).reshape(-1, d + 1)
    curves[1] = curves[1, ::-1]  # the lightest deleted first, read backwards
    areas = np.trapezoid(curves, dx=1 / d)
    return Curves(
        curves[0], curves[1], curves[2:], areas[0], areas[1], areas[2:].mean()
    )


class Similarity(namedtuple("Similarity", "jaccard rank_correlation weights")):
    """How alike explanations are, 1 being the same: means of pairwise comparisons.

    `jaccard`: shared part of the `k` heaviest features; `rank_correlation`: Spearman's,
    of all weights with their signs. `weights`, one explanation a row, are what was
    compared.
    """


def stability(explain, *, seeds=range(10), k=5, label=None):
    """Does another seed tell the same story? `explain(seed)` returns an explanation.

    Compares all pairs. Raises ValueError for fewer than two seeds.

    Derived in notebooks/04_lime.ipynb, section *Does it work?*.
    """
    explanations = [explain(seed) for seed in seeds]
    c = explanations[0].label(label)
    weights = np.stack([e.coef[:, c] for e in explanations])
    return _similarity(list(combinations(weights, 2)), k, weights)


def randomised_weights(explain, predict, randomised, *, k=5, label=None):
    """Does the explanation change when the model is broken? It must.

    `explain(predict)` returns an explanation; `randomised` yields the `predict` of
    models with random weights, such as `shuffled_weights(...)`. Compare the similarity,
    of the true model's explanation to each of theirs, with that of `stability`. Signs
    are kept, as the sizes are alike for any model: where an image is empty all weights
    are near 0. Raises ValueError when `randomised` yields nothing.

    Derived in notebooks/04_lime.ipynb, section *How good is an explanation?* (Adebayo
    et al., 2018).
    """
    trained = explain(predict)
    c = trained.label(label)
    weights = np.stack(
        [trained.coef[:, c], *(explain(p).coef[:, c] for p in randomised)]
    )
    return _similarity([(weights[0], w) for w in weights[1:]], k, weights)


def shuffled_weights(predict, parameters, *, rng, repeats=5):
    """Yield `predict` `repeats` times, the numbers in each array of `parameters` newly
    shuffled.

    `parameters` is a dict such as `model.parameters()`, changed in place and restored
    at the end, also when you stop early.

    Derived in notebooks/04_lime.ipynb, section *How good is an explanation?*.
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
    require(
        pairs,
        "stability expects at least two seeds, randomised_weights at least one model",
    )
    heaviest = [
        [set(np.argsort(-np.abs(w), kind="stable")[:k]) for w in pair] for pair in pairs
    ]
    jaccard = [len(a & b) / len(a | b) for a, b in heaviest]
    correlation = [np.corrcoef(_ranks(a), _ranks(b))[0, 1] for a, b in pairs]
    return Similarity(float(np.mean(jaccard)), float(np.mean(correlation)), weights)


def _ranks(values):
    """Ranks, equal values sharing theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (count.cumsum() - (count - 1) / 2)[place]


class Recovery(namedtuple("Recovery", "precision recall found")):
    """Of the features named: how many are `planted` (precision); of the planted: how
    many named.
    """


def recovery(explanation, planted, *, k=None, label=None):
    """Does the explanation name the features that you planted among its `k` heaviest?

    `planted` are names, as in `explanation.names`; `k` defaults to their number. Raises
    ValueError when nothing is planted or a name is unknown.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    planted = set(planted)
    require(
        planted and planted <= set(explanation.names),
        "recovery expects planted names out of "
        f"{explanation.names[:10]}..., got {planted or 'none'}",
    )
    named = [e.name for e in explanation.top(label, k or len(planted))]
    found = [name for name in named if name in planted]
    return Recovery(len(found) / max(len(named), 1), len(found) / len(planted), found)
