"""The same numbers as the `lime` package, given the same masks, distances and
predictions.
"""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml.lime import (
    explain_image,
    explain_tabular,
    explain_text,
    exponential_kernel,
    fit_surrogate,
    mask_distance,
    sample_masks,
    submodular_pick,
)

pytest.importorskip("lime")
pytest.importorskip("sklearn")

from lime.lime_base import LimeBase
from lime.lime_image import LimeImageExplainer
from lime.lime_tabular import LimeTabularExplainer
from lime.lime_text import IndexedString, LimeTextExplainer
from lime.submodular_pick import SubmodularPick
from sklearn.metrics import pairwise_distances

EXACT = {"rtol": 0, "atol": 1e-10}


def softmax(s):
    p = np.exp(s - s.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def theirs(width=0.25):
    return LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / width**2)), random_state=0)


def agree(fit, Z, Y, distances, label, features, select, width=0.25):
    """Compare one class with LimeBase; returns the largest difference."""
    Z = np.asarray(Z, float)
    intercept, pairs, r2, prediction = theirs(width).explain_instance_with_data(
        Z, Y, distances, label, features, feature_selection=select
    )
    coef = np.zeros(Z.shape[1])
    coef[[i for i, _ in pairs]] = [weight for _, weight in pairs]
    differences = [
        np.abs(coef - fit.coef[:, label]).max(),
        abs(intercept - fit.intercept[label]),
        abs(r2 - fit.r2[label]),
        abs(prediction[0] - fit.local_prediction[label]),
    ]
    assert max(differences) < 1e-10
    chosen = {i for i, _ in pairs}
    assert chosen == set(np.flatnonzero(fit.coef[:, label])), "the same features"
    order = [
        i for i in np.argsort(-np.abs(fit.coef[:, label]), kind="stable") if i in chosen
    ]
    assert order == [i for i, _ in pairs], "in the same order"
    return max(differences)


def problem(kind, d, n, seed, classes=3):
    rng = np.random.default_rng(seed)
    Z = sample_masks(n, d, rng=rng, kind=kind)
    return Z, softmax(
        Z @ rng.normal(size=(d, classes)) + rng.normal(size=(n, classes)) / 4
    )


@given(st.integers(0, 10**6), st.sampled_from(["image", "text"]))
def test_distances_and_weights(seed, kind):
    rng = np.random.default_rng(seed)
    Z = sample_masks(30, int(rng.integers(1, 20)), rng=rng, kind=kind)
    D = pairwise_distances(1.0 * Z, np.ones((1, Z.shape[1])), metric="cosine").ravel()
    assert np.allclose(mask_distance(Z), D, **EXACT)
    assert np.allclose(
        exponential_kernel(mask_distance(Z)), theirs().kernel_fn(D), **EXACT
    )


@pytest.mark.parametrize(
    "select, features",
    [
        ("none", 99),
        ("forward_selection", 1),
        ("forward_selection", 6),
        ("highest_weights", 1),
        ("highest_weights", 10),
        ("highest_weights", 99),
        ("auto", 4),
        ("auto", 7),
    ],
)
@pytest.mark.parametrize("kind, d, n", [("image", 20, 400), ("text", 35, 600)])
def test_the_same_surrogate(kind, d, n, select, features):
    Z, Y = problem(kind, d, n, features)
    D = mask_distance(Z)
    fit = fit_surrogate(Z, Y, exponential_kernel(D), features=features, select=select)
    for label in range(Y.shape[1]):
        agree(fit, Z, Y, D, label, features, select)


@pytest.mark.parametrize("d, n, kind", [(182, 1000, "image"), (150, 5000, "text")])
def test_the_same_surrogate_at_full_size(d, n, kind):
    Z, Y = problem(kind, d, n, 0)
    fit = fit_surrogate(Z, Y, exponential_kernel(mask_distance(Z)))
    for label in range(Y.shape[1]):
        agree(fit, Z, Y, mask_distance(Z), label, d, "none")


@given(st.integers(0, 10**6), st.integers(1, 6))
@settings(max_examples=25)
def test_forward_selection_picks_the_same_features(seed, features):
    Z, Y = problem("image", 9, 80, seed)
    D = mask_distance(Z)
    fit = fit_surrogate(
        Z, Y, exponential_kernel(D), features=features, select="forward_selection"
    )
    for label in range(3):
        agree(fit, Z, Y, D, label, features, "forward_selection")


@pytest.mark.parametrize("shape", [(24, 24, 3), (24, 24)])
def test_images_end_to_end(shape):
    """Their masks and their pictures, through our `perturb`, model and fit."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    segments = np.add.outer(np.arange(24) // 6 * 4, np.arange(24) // 6)
    W = rng.normal(size=(24 * 24, 3)) / 3000

    def predict(batch):
        batch = np.asarray(batch, float)
        grey = batch if batch.ndim == 3 else batch.mean(axis=-1)
        return softmax(grey.reshape(len(batch), -1) @ W)

    seen = []

    class Spy(LimeImageExplainer):
        def data_labels(self, *args, **options):
            seen.append(super().data_labels(*args, **options))
            return seen[-1]

    peer = Spy(random_state=1).explain_instance(
        image,
        predict,
        labels=(0, 1, 2),
        top_labels=None,
        num_samples=300,
        segmentation_fn=lambda _: segments,
    )
    Z, Y = seen[0]
    ours = explain_image(
        predict, image, segments=segments, n_samples=60, progress=False
    )
    assert np.allclose(predict(ours.perturb(Z)), Y, **EXACT)
    fit = fit_surrogate(Z, Y, exponential_kernel(mask_distance(Z)))
    for label in range(3):
        coef = np.zeros(16)
        coef[[i for i, _ in peer.local_exp[label]]] = [
            w for _, w in peer.local_exp[label]
        ]
        assert np.allclose(fit.coef[:, label], coef, **EXACT)
        assert np.allclose(fit.intercept[label], peer.intercept[label], **EXACT)
    assert np.allclose(fit.r2[2], peer.score, **EXACT)
    assert np.allclose(fit.local_prediction[2], peer.local_pred, **EXACT)
    agree(ours, ours.masks, ours.predictions, mask_distance(ours.masks), 1, 99, "none")


TEXT = "The film isn't bad, the film is good -- not bad at all, good film! (The end.)"


def bag(texts):
    score = np.array(
        [[t.count("good"), t.count("bad"), 2 * t.count("not bad")] for t in texts]
    )
    return softmax(score / 2)


@pytest.mark.parametrize("bag_of_words", [True, False])
@given(st.text("abAB .,'-\n", min_size=1, max_size=30), st.integers(0, 100))
def test_the_same_texts(bag_of_words, text, seed):
    """Words removed everywhere, or masked one by one, exactly as their IndexedString
    does it.
    """
    if not re.findall(r"\w+", text):
        return
    peer = IndexedString(text, split_expression=r"\W+", bow=bag_of_words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        ours = explain_text(
            bag,
            text,
            tokenizer=lambda t: re.findall(r"\w+", t),
            n_samples=12,
            bag_of_words=bag_of_words,
            seed=seed,
            progress=False,
            mask_token=None if bag_of_words else "UNKWORDZ",
        )
    assert len(ours.names) == peer.num_words()
    expected = [peer.inverse_removing(np.flatnonzero(~z)) for z in ours.masks]
    assert ours.perturb(ours.masks) == expected


@pytest.mark.parametrize("bag_of_words", [True, False])
@pytest.mark.parametrize("features", [3, 10])
def test_texts_end_to_end(bag_of_words, features):
    explainer = LimeTextExplainer(bow=bag_of_words, random_state=2)
    seen = []
    inside = "_LimeTextExplainer__data_labels_distances"
    original = getattr(explainer, inside)

    def spy(*args, **options):
        seen.append(original(*args, **options))
        return seen[-1]

    setattr(explainer, inside, spy)
    peer = explainer.explain_instance(
        TEXT, bag, labels=(0, 1, 2), num_features=features, num_samples=400
    )
    Z, Y, distances = seen[0]
    ours = explain_text(
        bag,
        TEXT,
        tokenizer=lambda t: re.findall(r"\w+", t),
        progress=False,
        n_samples=400,
        bag_of_words=bag_of_words,
        features=features,
        mask_token=None if bag_of_words else "UNKWORDZ",
    )
    assert np.allclose(bag(ours.perturb(Z)), Y, **EXACT)
    assert np.allclose(100 * mask_distance(Z), distances, **EXACT)
    fit = fit_surrogate(Z, Y, exponential_kernel(mask_distance(Z)), features=features)
    for label in range(3):
        for i, weight in peer.local_exp[label]:
            assert abs(fit.coef[i, label] - weight) < 1e-10
        assert len(peer.local_exp[label]) == min(
            features, np.count_nonzero(fit.coef[:, label])
        )
        assert abs(fit.intercept[label] - peer.intercept[label]) < 1e-10
    assert abs(fit.r2[2] - peer.score) < 1e-10
    agree(
        ours,
        ours.masks,
        ours.predictions,
        mask_distance(ours.masks),
        0,
        features,
        "auto",
    )


def test_tables():
    rng = np.random.default_rng(0)
    background = rng.normal(size=(200, 6)) * rng.uniform(0.1, 30, 6) + 3
    W = rng.normal(size=(6, 3)) / background.std(axis=0)[:, None]
    e = explain_tabular(
        lambda x: softmax(x @ W), background[0], background, progress=False
    )
    D = pairwise_distances(e.masks, e.masks[:1]).ravel()
    for label in range(3):
        agree(e, e.masks, e.predictions, D, label, 6, "none", width=0.75 * np.sqrt(6))
        some = fit_surrogate(
            e.masks, e.predictions, e.weights, features=3, select="highest_weights"
        )
        agree(
            some,
            e.masks,
            e.predictions,
            D,
            label,
            3,
            "highest_weights",
            width=0.75 * np.sqrt(6),
        )


@pytest.mark.parametrize("mode", ["classification", "regression"])
def test_tables_with_categories(mode):
    """Their samples through our fit; our features and distances in theirs."""
    rng = np.random.default_rng(1)
    background = rng.normal(size=(300, 4)) * [1, 5, 1, 0.2]
    background[:, 1] = rng.choice(3, 300, p=[0.6, 0.3, 0.1])
    background[:, 3] = rng.integers(0, 2, 300)

    def predict(x):
        score = x[:, 0] + 2.0 * (x[:, 1] == 1) - (x[:, 3] == 0) * x[:, 2]
        if mode == "regression":
            return 100 * score
        return softmax(np.column_stack([0 * score, score]))

    explainer = LimeTabularExplainer(
        background,
        mode=mode,
        categorical_features=[1, 3],
        discretize_continuous=False,
        random_state=0,
    )
    seen = []
    inside = "_LimeTabularExplainer__data_inverse"
    original = getattr(explainer, inside)

    def spy(*args, **options):
        seen.append(original(*args, **options))
        return seen[-1]

    setattr(explainer, inside, spy)
    row = background[np.argmax(background[:, 1] == 1)]
    peer = explainer.explain_instance(row, predict, num_features=4, num_samples=600)
    Z, inputs = seen[0]
    Z = (Z - explainer.scaler.mean_) / explainer.scaler.scale_
    D = np.linalg.norm(Z - Z[0], axis=1)
    Y = predict(inputs).reshape(600, -1)
    fit = fit_surrogate(Z, Y, exponential_kernel(D, 0.75 * np.sqrt(4)))
    label = Y.shape[1] - 1
    assert len(peer.local_exp[1]) == 4
    for i, weight in peer.local_exp[1]:
        assert abs(fit.coef[i, label] - weight) < 1e-10
    assert np.array_equal(Z[:, 1], inputs[:, 1] == 1)

    e = explain_tabular(
        predict, row, background, categorical=[1, 3], mode=mode, progress=False
    )
    D = pairwise_distances(e.masks, e.masks[:1]).ravel()
    agree(e, e.masks, e.predictions, D, label, 4, "none", width=0.75 * np.sqrt(4))


@pytest.mark.parametrize("seed", range(8))
def test_pick_chooses_as_they_do(seed):
    """Greedy choice on the same sparse weights; random weights leave no ties."""
    rng = np.random.default_rng(seed)
    alphabet = [f"w{i}" for i in range(12)]
    texts = [" ".join(rng.choice(alphabet, 5, replace=False)) for _ in range(7)]
    value = dict(zip(alphabet, rng.random(12), strict=True))

    def predict(batch):
        p = np.array([sum(value[w] for w in t.split()) / 12 for t in batch])
        return np.column_stack([1 - p, p])

    ours = [
        explain_text(predict, t, labels=1, features=3, n_samples=300, progress=False)
        for t in texts
    ]

    class Recorded:
        mode = "classification"

        def __init__(self, e):
            self.e = e

        def available_labels(self):
            return [1]

        def as_list(self, label=1):
            return [(x.name, x.weight) for x in self.e.top(label, 3)]

    class Explainer:
        def explain_instance(self, i, *_, **__):
            return Recorded(ours[i])

    peer = SubmodularPick(
        Explainer(),
        list(range(7)),
        None,
        method="full",
        num_exps_desired=3,
        num_features=3,
    )
    covered = {x.name for i in peer.V for x in ours[i].top()}
    assert covered == {x.name for i in submodular_pick(ours, 3) for x in ours[i].top()}
    if (
        len(covered) == 9
    ):  # no overlap, so no tie: the same explanations in the same order
        assert submodular_pick(ours, 3) == peer.V
