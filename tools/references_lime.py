"""Freeze the answers of the `lime` package, for notebook 04 and the tests to compare
with.

    make references          (or: python tools/references_lime.py, where lime is installed)

writes `data/references/lime.npz`. `scratchml.datasets.references("lime")` reads it.
Names are `case.what`, the cases `image` (20 parts, 300 masks) and `text` (35 words, 400
masks):

    image.Z .Y                  masks and a made-up model's probabilities for them: what goes in
    image.D .w                  lime's distances and kernel weights
    image.coef .intercept .r2 .local_prediction      its ridge regression on all features
    image.chosen                its four features, by forward selection, for each class
    version                     what computed them

The same versions on the same machine write the same bytes.
"""

import sys

import numpy as np

from references import FOLDER, ROOT, save

CASES = {"image": (300, 20), "text": (400, 35)}
CLASSES, CHOSEN = 3, 4


def inputs(kind, n, d):
    """Masks, and probabilities that are no linear function of them."""
    from scratchml import sample_masks, softmax

    rng = np.random.default_rng(d)
    Z = sample_masks(n, d, rng=rng, kind=kind)
    pair = 2.0 * (Z[:, :1] & Z[:, 1:2])  # two parts that count only together
    return Z, softmax(
        Z @ rng.normal(size=(d, CLASSES)) + pair * rng.normal(size=CLASSES)
    )


def compute(kind, n, d):
    """One case: inputs, and what lime says of them."""
    from lime.lime_base import LimeBase
    from sklearn.metrics import pairwise_distances

    Z, Y = inputs(kind, n, d)
    numbers = Z.astype(float)
    # As in lime_image and lime_text, which measures in hundredths.
    unit, width = (1, 0.25) if kind == "image" else (100, 25)
    D = pairwise_distances(numbers, numbers[:1], metric="cosine").ravel() * unit
    base = LimeBase(lambda D: np.sqrt(np.exp(-(D**2) / width**2)), random_state=0)
    found = {
        "Z": Z,
        "Y": Y,
        "D": D / unit,
        "w": base.kernel_fn(D),
        "coef": np.zeros((d, CLASSES)),
        "intercept": np.zeros(CLASSES),
        "r2": np.zeros(CLASSES),
        "local_prediction": np.zeros(CLASSES),
        "chosen": np.zeros((CHOSEN, CLASSES), int),
    }
    for k in range(CLASSES):
        found["intercept"][k], pairs, found["r2"][k], local = (
            base.explain_instance_with_data(
                numbers, Y, D, k, d, feature_selection="none"
            )
        )
        found["local_prediction"][k] = local[0]
        for feature, weight in pairs:
            found["coef"][feature, k] = weight
        pairs = base.explain_instance_with_data(
            numbers, Y, D, k, CHOSEN, feature_selection="forward_selection"
        )[1]
        found["chosen"][:, k] = sorted(feature for feature, _ in pairs)
    return {f"{kind}.{name}": array for name, array in found.items()}


def main():
    sys.path.insert(0, str(ROOT))
    from importlib.metadata import version

    from threadpoolctl import threadpool_limits

    arrays = {"version": np.array(f"lime {version('lime')}")}
    with threadpool_limits(1):  # with two, the last digits come out otherwise
        for kind, (n, d) in CASES.items():
            arrays |= compute(kind, n, d)
    size = save(FOLDER / "lime.npz", arrays)
    print(
        f"data/references/lime.npz: {len(arrays)} arrays, {size:,} bytes, "
        f"with {arrays['version']}"
    )


if __name__ == "__main__":
    main()
