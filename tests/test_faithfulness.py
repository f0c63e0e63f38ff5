"""The judges, judged: on explanations whose quality is known."""

import dataclasses
import re

import numpy as np
import pytest

from scratchml.faithfulness import (
    _ranks,
    alone_and_without,
    as_large,
    deletion_insertion,
    masks_of,
    randomised_weights,
    recovery,
    shuffled_weights,
    stability,
)
from scratchml.lime import explain_image, explain_tabular, explain_text, grid_segments

IMAGE = np.random.default_rng(0).integers(60, 256, (28, 28)).astype(np.uint8)
SEGMENTS = grid_segments(IMAGE, 5)


def two(p):
    return np.column_stack([1 - p, p])


def model(weights):
    """A linear reader of the 25 segments' brightness, in probabilities."""
    masks = np.stack([SEGMENTS.ravel() == j for j in range(25)], axis=1)
    masks = masks / masks.sum(axis=0)

    def predict(batch):
        return two(
            1 / (1 + np.exp(-(batch.reshape(len(batch), -1) @ masks / 255) @ weights))
        )

    return predict


PLANTED = {3: 4.0, 17: -3.0, 24: 2.0}
WEIGHTS = np.array([PLANTED.get(j, 0.02) for j in range(25)])


def explain(predict=None, seed=0, **options):
    return explain_image(
        predict or model(WEIGHTS),
        IMAGE,
        segments=SEGMENTS,
        fill=0,
        labels=1,
        seed=seed,
        n_samples=400,
        progress=False,
        **options,
    )


def with_coef(explanation, coef):
    return dataclasses.replace(explanation, coef=np.column_stack([-coef, coef]))


def test_deletion_and_insertion_end_where_they_must():
    predict, e = model(WEIGHTS), explain()
    curves = deletion_insertion(e, predict)
    empty = predict(np.zeros((1, 28, 28)))[0, 1]
    for curve in (curves.deletion, *curves.random):
        assert len(curve) == 26
        assert curve[0] == pytest.approx(e.prediction[1]) and curve[
            -1
        ] == pytest.approx(empty)
    assert curves.insertion[0] == pytest.approx(empty)
    assert curves.insertion[-1] == pytest.approx(e.prediction[1])
    assert curves.random.shape == (20, 26)
    assert curves.deletion_area == pytest.approx(np.trapezoid(curves.deletion) / 25)


def test_deletion_and_insertion_follow_the_order():
    """The heaviest goes first, one feature a step: compare with switching them by
    hand.
    """
    predict, e = model(WEIGHTS), explain()
    curves = deletion_insertion(e, predict, orders=2)
    order = np.argsort(-e.coef[:, 1])
    off, on = np.ones((1, 25), bool), np.zeros((1, 25), bool)
    for step, j in enumerate(order, start=1):
        off[0, j], on[0, j] = False, True
        assert curves.deletion[step] == pytest.approx(predict(e.perturb(off))[0, 1])
        assert curves.insertion[step] == pytest.approx(predict(e.perturb(on))[0, 1])


def test_good_evidence_beats_random_orders_and_bad_evidence_loses():
    predict, e = model(WEIGHTS), explain()
    good = deletion_insertion(e, predict)
    assert good.deletion_area < good.random_area - 0.1 < good.insertion_area - 0.2
    bad = deletion_insertion(with_coef(e, -e.coef[:, 1]), predict)
    assert bad.deletion_area > bad.random_area > bad.insertion_area
    against = deletion_insertion(e, predict, label=0)
    assert against.deletion_area == pytest.approx(1 - good.insertion_area, abs=0.02)


def test_deletion_works_for_texts_and_tables():
    def predict(texts):
        return two(np.array([0.2 + 0.7 * ("good" in t) for t in texts]))

    text = explain_text(
        predict, "a good long text with a point", labels=1, progress=False
    )
    curves = deletion_insertion(text, predict)
    assert curves.deletion[1] == pytest.approx(0.2) and curves.insertion[
        1
    ] == pytest.approx(0.9)

    def rows(x):
        return two(1 / (1 + np.exp(-x @ [3, -1])))

    background = np.random.default_rng(0).normal(size=(100, 2))
    table = explain_tabular(rows, [2.0, -2.0], background, labels=1, progress=False)
    curves = deletion_insertion(table, rows)
    mean = background.mean(axis=0)
    assert curves.deletion[1] == pytest.approx(rows(np.array([[mean[0], -2]]))[0, 1])
    assert curves.deletion[2] == pytest.approx(rows(mean[None])[0, 1])


def test_stability_of_the_same_and_of_noise():
    same = stability(lambda seed: explain())
    assert same.jaccard == 1 and same.rank_correlation == pytest.approx(1)
    steady = stability(lambda seed: explain(seed=seed), k=3)
    assert steady.jaccard > 0.95 and steady.weights.shape == (10, 25)

    def noise(seed):
        return with_coef(explain(), np.random.default_rng(seed).normal(size=25))

    shaky = stability(noise, k=3)
    assert shaky.jaccard < 0.2 and abs(shaky.rank_correlation) < 0.15


def test_jaccard_is_shared_over_all():
    coefs = [np.array([3.0, 2, 1, 0]), np.array([3.0, -1, 2, 0])]
    e = explain_text(
        lambda t: two(np.full(len(t), 0.5)), "a b c d", labels=1, progress=False
    )
    found = stability(lambda seed: with_coef(e, coefs[seed]), seeds=range(2), k=2)
    assert found.jaccard == pytest.approx(1 / 3)


def test_rank_correlation_is_spearmans():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 6, (2, 15))
        assert np.array_equal(_ranks(a), stats.rankdata(a))
        assert np.corrcoef(_ranks(a), _ranks(b))[0, 1] == pytest.approx(
            stats.spearmanr(a, b)[0]
        )


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="at least two seeds, got 1"):
        stability(lambda seed: explain(), seeds=[1])
    with pytest.raises(ValueError, match="at least one broken model, got none"):
        randomised_weights(lambda predict: explain(), None, [])
    for orders in (0, -1):
        with pytest.raises(ValueError, match=f"at least 1, got {orders}"):
            deletion_insertion(explain(), model(WEIGHTS), orders=orders)
    assert deletion_insertion(explain(), model(WEIGHTS), orders=1).random.shape == (
        1,
        26,
    )


def test_the_five_heaviest_are_compared_by_default():
    def told(seed):
        return explain(seed=seed)

    options = {"seeds": range(4)}
    five = stability(told, **options, k=5).jaccard
    assert stability(told, **options).jaccard == five
    assert len({five, *(stability(told, **options, k=k).jaccard for k in (4, 6))}) == 3
    weights = {"W": np.random.default_rng(1).normal(size=25)}
    predict = model(weights["W"])

    def broken(**options):
        shuffled = shuffled_weights(predict, weights, rng=np.random.default_rng(0))
        return randomised_weights(explain, predict, shuffled, **options).jaccard

    assert broken() == broken(k=5)
    assert len({broken(k=k) for k in (4, 5, 6)}) == 3


def test_deletion_of_a_table_weighs_by_the_distance_from_the_mean():
    """Evidence is coefficient times value: a light column far away goes first."""

    def rows(x):
        return two(0.5 + 0.01 * x[:, 0] + 0.02 * x[:, 1])

    background = np.random.default_rng(0).normal(size=(100, 2))
    background = (background - background.mean(axis=0)) / background.std(axis=0)
    table = explain_tabular(rows, [9.0, 1.0], background, labels=1, progress=False)
    assert table.top(k=1)[0].name == 1
    curves = deletion_insertion(table, rows)
    assert curves.deletion == pytest.approx([0.61, 0.52, 0.5])


def test_orders_are_drawn_anew_for_another_seed():
    e, predict = explain(), model(WEIGHTS)
    first = deletion_insertion(e, predict, orders=3)
    assert np.array_equal(
        first.random, deletion_insertion(e, predict, orders=3, seed=0).random
    )
    other = deletion_insertion(e, predict, orders=3, seed=1)
    assert not np.array_equal(first.random, other.random)
    assert first.random_area == pytest.approx(
        np.trapezoid(first.random, dx=1 / 25).mean()
    )


def test_recovery_counts():
    e = with_coef(explain(), np.array([PLANTED.get(j, 0.0) for j in range(25)]))
    assert recovery(e, PLANTED) == (1, 1, [3, 17, 24])
    assert recovery(e, [3, 5]) == (0.5, 0.5, [3])
    assert recovery(e, [3, 17], k=3) == (pytest.approx(2 / 3), 1, [3, 17])
    assert recovery(e, [24], k=1) == (0, 0, [])
    assert recovery(explain(), PLANTED).recall == 1
    assert recovery(e, [3]) == (1, 1, [3])
    assert recovery(e, e.names).recall == 3 / 25
    nothing = with_coef(e, np.zeros(25))
    assert recovery(nothing, [3]) == (0, 0, [])
    for wrong in ([], [25], ["x"]):
        ten = re.escape("names out of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]...")
        with pytest.raises(ValueError, match=f"planted {ten}"):
            recovery(e, wrong)


def test_a_broken_model_is_explained_differently():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=25)
    parameters, before = {"W": weights}, weights.copy()
    predict = model(weights)
    check = randomised_weights(
        explain, predict, shuffled_weights(predict, parameters, rng=rng, repeats=6), k=3
    )
    steady = stability(lambda seed: explain(predict, seed), seeds=range(4), k=3)
    assert check.jaccard < 0.5 < steady.jaccard
    assert check.rank_correlation < 0.5 < steady.rank_correlation
    assert check.weights.shape == (7, 25)
    assert np.array_equal(weights, before), "restored"


def test_an_explanation_that_ignores_the_model_is_caught():
    e = explain()
    check = randomised_weights(lambda predict: e, None, [None] * 3)
    assert check.jaccard == 1 and check.rank_correlation == pytest.approx(1)


def test_each_broken_model_is_compared_with_the_true_one():
    e = explain()
    other = with_coef(e, -e.coef[::-1, 1])
    check = randomised_weights(lambda predict: predict, e, [other] * 3, k=2)
    assert check.jaccard == 0 and check.rank_correlation < 0.5


def test_shuffled_weights_are_restored_whatever_happens():
    W, b = np.arange(12.0).reshape(3, 4), np.arange(3.0)
    parameters = {"W": W, "b": b}
    seen = []
    for predict in shuffled_weights(
        "model", parameters, rng=np.random.default_rng(0), repeats=3
    ):
        assert predict == "model"
        seen.append(W.copy())
        assert sorted(W.ravel()) == list(range(12)) and sorted(b) == [0, 1, 2]
    assert len({w.tobytes() for w in seen}) == 3
    assert np.array_equal(W, np.arange(12.0).reshape(3, 4)) and np.array_equal(
        b, [0, 1, 2]
    )

    broken = shuffled_weights("model", parameters, rng=np.random.default_rng(0))
    next(broken)
    broken.close()
    assert np.array_equal(W, np.arange(12.0).reshape(3, 4))


# ------------------------------------------------------------------ alone and without


def test_masks_of_choices():
    assert masks_of(3, [[0, 2], [], [1, 1]]).tolist() == [
        [True, False, True],
        [False, False, False],
        [False, True, False],
    ]
    assert masks_of(3, []).shape == (0, 3)
    assert masks_of(3, iter([np.array([2])])).tolist() == [[False, False, True]]


@pytest.mark.parametrize("choice", [[3], [-1], [0, 7]])
def test_masks_of_unknown_features(choice):
    with pytest.raises(ValueError, match=r"features in 0\.\.2"):
        masks_of(3, [choice])


def test_as_large_stops_as_soon_as_the_area_is_reached():
    area = [0.1, 0.2, 0.3, 0.4]
    assert as_large([3, 2, 1, 0], area, 0.4).tolist() == [3]
    assert as_large([3, 2, 1, 0], area, 0.41).tolist() == [3, 2]
    assert as_large([0, 1, 2, 3], area, 0.6).tolist() == [0, 1, 2]
    assert as_large([0, 1, 2, 3], area, 5).tolist() == [0, 1, 2, 3]
    # The sum of the very same parts is never beyond itself.
    rng = np.random.default_rng(0)
    for _ in range(50):
        area = rng.random(20)
        chosen = rng.permutation(20)[:7]
        wanted = area[rng.permutation(chosen)].sum()
        assert as_large(chosen, area, wanted).tolist() == chosen.tolist()


def test_alone_and_without_of_a_known_model():
    predict = model(WEIGHTS)
    told = explain(predict)
    for_it = [3, 24]
    alone, without = alone_and_without(told, predict, [for_it, [17], []])
    hidden = np.zeros_like(IMAGE)
    seen = np.where(np.isin(SEGMENTS, for_it), IMAGE, 0)
    rest = np.where(np.isin(SEGMENTS, for_it), 0, IMAGE)
    p = predict(np.stack([seen, hidden, rest, IMAGE]))[:, 1]
    np.testing.assert_allclose([alone[0], alone[2]], p[:2], rtol=1e-12)
    np.testing.assert_allclose([without[0], without[2]], p[2:], rtol=1e-12)
    assert alone[1] < p[1] < alone[0] and without[0] < p[3] < without[1]
    other, _ = alone_and_without(told, predict, [for_it], label=0)
    np.testing.assert_allclose(other, 1 - alone[:1], rtol=1e-12)


def test_alone_and_without_in_batches_and_with_unknown_labels():
    predict = model(WEIGHTS)
    told = explain(predict)
    choices = [[j] for j in range(25)]
    whole = alone_and_without(told, predict, choices)
    parts = alone_and_without(told, predict, choices, batch_size=7)
    np.testing.assert_allclose(whole, parts, rtol=1e-12)
    with pytest.raises(ValueError, match="label"):
        alone_and_without(told, predict, choices, label=2)
    with pytest.raises(ValueError, match=r"features in 0\.\.24"):
        alone_and_without(told, predict, [[25]])
