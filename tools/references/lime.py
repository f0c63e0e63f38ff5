"""Notebook 04: distances, kernel weights, the ridge regression and chosen features.

`image` has 20 parts and 300 masks, `text` 35 words and 400.
"""

from functools import partial

import numpy as np

import scratchml as s
from references import PATHS, Case

KINDS = {"image": (300, 20), "text": (400, 35)}
CLASSES = 3
CHOSEN = 4


def cases():
    """Every comparison of this file."""
    return [
        Case(
            kind,
            partial(their_surrogate, kind),
            our_surrogate,
            f"LIME, {kind}: distances, weights, surrogate, selected features",
            peer="lime",
            bound=PATHS,
        )
        for kind in KINDS
    ]


def inputs():
    """Masks, and probabilities that are no linear function of them."""
    found = {}
    for kind, (n, d) in KINDS.items():
        rng = np.random.default_rng(d)
        Z = s.sample_masks(n, d, rng=rng, kind=kind)
        pair = 2.0 * (Z[:, :1] & Z[:, 1:2])  # two parts that count only together
        linear = Z @ rng.normal(size=(d, CLASSES))
        Y = s.softmax(linear + pair * rng.normal(size=CLASSES))
        found[kind] = {"Z": Z, "Y": Y}
    return found


def our_surrogate(given):
    Z = given["Z"]
    D = s.mask_distance(Z)
    w = s.exponential_kernel(D)
    fit = s.fit_surrogate(Z, given["Y"], w)
    few = s.fit_surrogate(Z, given["Y"], w, features=CHOSEN, select="forward_selection")
    chosen = [np.flatnonzero(column) for column in few.coef.T]
    return {
        "D": D,
        "w": w,
        "coef": fit.coef,
        "intercept": fit.intercept,
        "r2": fit.r2,
        "local_prediction": fit.local_prediction,
        "chosen": np.transpose(chosen),
    }


def their_surrogate(kind, given):
    from lime.lime_base import LimeBase
    from sklearn.metrics import pairwise_distances

    Z = given["Z"].astype(float)
    Y = given["Y"]
    # As in lime_image and lime_text, which measures in hundredths.
    unit, width = (1, 0.25) if kind == "image" else (100, 25)
    D = pairwise_distances(Z, Z[:1], metric="cosine").ravel() * unit
    base = LimeBase(lambda D: np.sqrt(np.exp(-(D**2) / width**2)), random_state=0)
    n_features = Z.shape[1]
    found = {
        "D": D / unit,
        "w": base.kernel_fn(D),
        "coef": np.zeros((n_features, CLASSES)),
        "intercept": np.zeros(CLASSES),
        "r2": np.zeros(CLASSES),
        "local_prediction": np.zeros(CLASSES),
        "chosen": np.zeros((CHOSEN, CLASSES), int),
    }
    for k in range(CLASSES):
        intercept, pairs, r2, local = base.explain_instance_with_data(
            Z, Y, D, k, n_features, feature_selection="none"
        )
        found["intercept"][k] = intercept
        found["r2"][k] = r2
        found["local_prediction"][k] = local[0]
        for feature, weight in pairs:
            found["coef"][feature, k] = weight
        _, few, _, _ = base.explain_instance_with_data(
            Z, Y, D, k, CHOSEN, feature_selection="forward_selection"
        )
        found["chosen"][:, k] = sorted(feature for feature, _ in few)
    return found
