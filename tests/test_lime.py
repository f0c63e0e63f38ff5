"""LIME against what must come out: oracles, intervals that cover, planted truths, bad
input.
"""

import dataclasses
import inspect
import itertools
import math
import pickle
import re
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scratchml import lime
from scratchml.faithfulness import deletion_insertion, recovery
from scratchml.lime import (
    blend,
    explain_image,
    explain_tabular,
    explain_text,
    exponential_kernel,
    fit_surrogate,
    grid_segments,
    mask_distance,
    sample_masks,
    submodular_pick,
    superpixels,
    words,
)

EXACT = {"rtol": 0, "atol": 1e-10}


def two(p):
    return np.column_stack([1 - p, p])


def sigmoid(s):
    return 1 / (1 + np.exp(-s))


def CONSTANT(batch):
    return two(np.full(len(batch), 0.3))


def enumerate_masks(d):
    """All 2^d masks, the one with everything on first."""
    return np.array(list(itertools.product([1, 0], repeat=d)), bool)


def silent(explain):
    def explained(*args, **options):
        return explain(*args, **{"progress": False} | options)

    return explained


explain_image, explain_text, explain_tabular = map(
    silent, (explain_image, explain_text, explain_tabular)
)


# --- masks -----------------------------------------------------------------------------------

DESIGNS = ["iid", "paired", "orthogonal"]


@given(
    st.integers(2, 40),
    st.integers(1, 20),
    st.sampled_from(["image", "text"]),
    st.sampled_from(DESIGNS),
    st.integers(0, 2**32),
)
def test_masks_have_their_shape_and_start_with_the_original(n, d, kind, design, seed):
    Z = sample_masks(n, d, rng=np.random.default_rng(seed), kind=kind, design=design)
    assert Z.shape == (n, d) and Z.dtype == bool and Z[0].all()
    if kind == "text":
        assert not Z[1:].all(axis=1).any(), "at least one word goes"
    again = sample_masks(
        n, d, rng=np.random.default_rng(seed), kind=kind, design=design
    )
    assert np.array_equal(Z, again)


@pytest.mark.parametrize("design", DESIGNS)
def test_every_design_draws_the_rows_of_lime(design):
    """Alone, each row is uniform over all masks (image), or uniform in size and choice
    (text).
    """
    d, n, repeats = 3, 9, 6000
    rng = np.random.default_rng(1)
    for kind in ("image", "text"):
        Z = np.stack(
            [
                sample_masks(n, d, rng=rng, kind=kind, design=design)
                for _ in range(repeats)
            ]
        )[:, 1:]
        code = Z @ [4, 2, 1]
        on = Z.sum(axis=2)
        for row in range(n - 1):
            found = np.bincount(code[:, row], minlength=8) / repeats
            size = np.bincount([bin(m).count("1") for m in range(8)])
            each = (
                [1 / 8] * 8
                if kind == "image"
                else [
                    0 if m == 7 else 1 / 3 / size[bin(m).count("1")] for m in range(8)
                ]
            )
            assert np.abs(found - each).max() < 0.025, (kind, row)
        assert on.max() == (3 if kind == "image" else 2)


@given(
    st.integers(1, 20), st.integers(1, 30), st.sampled_from(["paired", "orthogonal"])
)
def test_pairs_are_opposites(pairs, d, design):
    n = 2 * pairs + 1
    Z = sample_masks(n, d, rng=np.random.default_rng(pairs), design=design)
    assert np.array_equal(Z[1::2], ~Z[2::2])
    Z = sample_masks(n, d, rng=np.random.default_rng(pairs), kind="text", design=design)
    first, second = ~Z[1::2], ~Z[2::2]  # what is off
    assert np.array_equal(first.sum(axis=1) + second.sum(axis=1), np.full(pairs, d + 1))
    assert (first | second).all(), "the last d + 1 - k share one part with the first k"


@pytest.mark.parametrize("d", [1, 3, 7, 12, 31])
def test_orthogonal_blocks_are_balanced(d):
    size = 1 << d.bit_length()
    Z = sample_masks(
        2 * size + 1, d, rng=np.random.default_rng(0), design="orthogonal"
    )[1:]
    S = 2.0 * Z - 1
    for half in (S[::2], S[1::2]):  # before and after the opposites are taken
        assert (
            np.array_equal(half.T @ half, size * np.eye(d))
            and not half.sum(axis=0).any()
        )


@pytest.mark.parametrize(
    "wrong", [{"n": 1}, {"d": 0}, {"kind": "sound"}, {"design": "lucky"}]
)
def test_masks_refuse(wrong):
    with pytest.raises(ValueError, match="sample_masks"):
        sample_masks(**{"n": 5, "d": 3, "rng": np.random.default_rng(0)} | wrong)


def test_distance_and_kernel_are_the_formulas():
    Z = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert np.array_equal(mask_distance(Z), [0, 0.5, 1])
    D = np.linspace(0, 1, 7)
    assert np.allclose(
        exponential_kernel(D), np.sqrt(np.exp(-(D**2) / 0.25**2)), **EXACT
    )
    assert np.array_equal(exponential_kernel(D, np.inf), np.ones(7))
    with pytest.raises(ValueError, match="width above 0, got 0"):
        exponential_kernel(D, 0)


# --- the surrogate: oracles ------------------------------------------------------------------


def by_hand(Z, Y, w, alpha):
    """The ridge with an explicit, unpenalised column of ones: coefficients, intercept,
    hat matrix.

    The same equations written the long way round, to check the short way.
    """
    X = np.column_stack([np.ones(len(Z)), Z])
    A = X.T @ (w[:, None] * X) + alpha * np.diag([0.0] + [1.0] * Z.shape[1])
    theta = np.linalg.solve(A, X.T @ (w[:, None] * Y))
    hat = X @ np.linalg.solve(A, X.T * w)
    return theta[1:], theta[0], hat, X, A


def problem(seed, n=60, d=5, classes=3):
    rng = np.random.default_rng(seed)
    Z = sample_masks(n, d, rng=rng)
    return Z, rng.normal(size=(n, classes)), rng.random(n) + 0.05


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 1.0, 50.0]))
def test_surrogate_solves_the_normal_equations(seed, alpha):
    Z, Y, w = problem(seed)
    fit = fit_surrogate(Z, Y, w, alpha=alpha)
    coef, intercept, _, _, _ = by_hand(Z, Y, w, alpha)
    assert np.allclose(fit.coef, coef, **EXACT) and np.allclose(
        fit.intercept, intercept, **EXACT
    )
    assert np.allclose(fit.local_prediction, intercept + coef.sum(axis=0), **EXACT)
    assert fit.effective_samples == pytest.approx(w.sum() ** 2 / (w**2).sum())


@given(st.integers(0, 10**6))
def test_surrogate_agrees_with_a_generic_solver(seed):
    Z, Y, w = problem(seed)
    X = np.column_stack([Z, np.ones(len(Z))]) * np.sqrt(w)[:, None]
    theta = np.linalg.lstsq(X, Y * np.sqrt(w)[:, None])[0]
    assert np.allclose(fit_surrogate(Z, Y, w, alpha=0).coef, theta[:-1], **EXACT)


@given(st.integers(0, 10**6), st.integers(2, 5))
def test_surrogate_counts_a_weight_as_copies_and_ignores_the_order(seed, copies):
    Z, Y, w = problem(seed)
    fit = fit_surrogate(Z, Y, w)
    heavier = w.copy()
    heavier[3] *= copies
    repeated = [np.concatenate([a, *[a[3:4]] * (copies - 1)]) for a in (Z, Y, w)]
    assert np.allclose(
        fit_surrogate(*repeated).coef, fit_surrogate(Z, Y, heavier).coef, **EXACT
    )
    order = np.random.default_rng(seed).permutation(Z.shape[1])
    turned = fit_surrogate(Z[:, order], Y, w)
    assert np.allclose(turned.coef, fit.coef[order], **EXACT)
    assert np.allclose(turned.stderr, fit.stderr[order], **EXACT)
    assert np.allclose(fit_surrogate(Z, Y, 7 * w, alpha=7).stderr, fit.stderr, **EXACT)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_leave_one_out_is_what_leaving_one_out_gives(alpha):
    Z, Y, w = problem(5, n=40)
    left_out = np.empty_like(Y)
    for i in range(len(Z)):
        others = np.arange(len(Z)) != i
        coef, intercept, *_ = by_hand(Z[others], Y[others], w[others], alpha)
        left_out[i] = intercept + Z[i] @ coef
    mean = np.average(Y, axis=0, weights=w)
    total = w @ (Y - mean) ** 2
    fit = fit_surrogate(Z, Y, w, alpha=alpha)
    assert np.allclose(fit.r2_loo, 1 - w @ (Y - left_out) ** 2 / total, **EXACT)
    coef, intercept, *_ = by_hand(Z, Y, w, alpha)
    assert np.allclose(fit.r2, 1 - w @ (Y - intercept - Z @ coef) ** 2 / total, **EXACT)
    assert (fit.r2_loo < fit.r2).all()


@pytest.mark.parametrize("n", [60, 61])
@pytest.mark.parametrize("paired", [False, True])
def test_errors_are_the_sandwich(paired, n):
    Z, Y, w = problem(6, n=n)
    coef, intercept, hat, X, A = by_hand(Z, Y, w, 1.0)
    residual = (Y - intercept - Z @ coef) / np.sqrt(1 - hat.diagonal())[:, None]
    pairs = [
        [0],
        *([i, i + 1] for i in range(1, n - 1, 2)),
        *([[n - 1]] if n % 2 == 0 else []),
    ]
    for c in range(Y.shape[1]):
        score = X * (w * residual[:, c])[:, None]
        if paired:
            score = np.stack([score[pair].sum(axis=0) for pair in pairs])
        variance = np.linalg.solve(A, np.linalg.solve(A, score.T @ score).T).diagonal()[
            1:
        ]
        stderr = fit_surrogate(Z, Y, w, paired=paired).stderr[:, c]
        assert np.allclose(stderr, np.sqrt(variance), **EXACT)


@given(st.integers(2, 30), st.integers(0, 10**6), st.sampled_from(["image", "text"]))
def test_an_additive_model_is_recovered_exactly(d, seed, kind):
    rng = np.random.default_rng(seed)
    Z = sample_masks(20 * d + 20, d, rng=rng, kind=kind)
    truth, level = rng.normal(size=(d, 2)), rng.normal(size=2)
    fit = fit_surrogate(
        Z, level + Z @ truth, exponential_kernel(mask_distance(Z)), alpha=0
    )
    assert np.allclose(fit.coef, truth, **EXACT) and np.allclose(
        fit.intercept, level, **EXACT
    )
    assert np.allclose(fit.r2, 1, **EXACT) and np.allclose(fit.r2_loo, 1, **EXACT)


def limit_of_conjunction(d, planted, width):
    """Closed form for `f(z) = prod of z_j over planted`, by derivation.

    Let S be the number of parts on, s of d with probability C(d, s) / 2^d, and psi(s)
    the kernel weight. With `a_p = E[psi z_1 ... z_p] = 2^-d sum_s C(d - p, s - p)
    psi(s)` the normal equations of the intercept b0 and the coefficients b read, for p
    planted parts J,

        a_0 b0 + a_1 sum_k b_k                           = E[psi f]     = a_p
        a_1 b0 + (a_1 - a_2) b_j + a_2 sum_k b_k         = E[psi z_j f] = a_p (j in J), a_p+1 (else)

    Summing the second over j and eliminating b0 gives T = sum_k b_k, then each b_j: the
    limit explanation of Garreau and Mardaoui (2021), for a conjunction of superpixels.
    """

    def psi(s):
        return math.exp(-((1 - math.sqrt(s / d)) ** 2) / (2 * width**2))

    def a(p):
        return sum(math.comb(d - p, s - p) * psi(s) for s in range(p, d + 1)) / 2**d

    p = len(planted)
    inside, outside = a(p), a(p + 1) if p < d else 0.0
    both = p * inside + (d - p) * outside
    # a_1 b0 d + (a_1 + (d - 1) a_2) T = both,  with b0 = (a_p - a_1 T) / a_0
    T = (both - d * a(1) * a(p) / a(0)) / (a(1) + (d - 1) * a(2) - d * a(1) ** 2 / a(0))
    b0 = (a(p) - a(1) * T) / a(0)
    b = np.array(
        [
            ((inside if j in planted else outside) - a(1) * b0 - a(2) * T)
            / (a(1) - a(2))
            for j in range(d)
        ]
    )
    return b, b0


def garreau_mardaoui(d, planted, width):
    """The same limit in the paper's form: `b_j = (s1 E[wf] + s2 E[w z_j f] + s3 sum
    ...) / c`.
    """
    Z = enumerate_masks(d)
    w = exponential_kernel(mask_distance(Z), width)
    f = Z[:, sorted(planted)].all(axis=1)
    a0, a1, a2 = (
        w.mean(),
        (w * Z[:, 0]).mean(),
        (w * Z[:, 0] * Z[:, min(1, d - 1)]).mean(),
    )
    c = (d - 1) * a0 * a2 - d * a1**2 + a0 * a1
    s1 = -a1
    s2 = ((d - 2) * a0 * a2 - (d - 1) * a1**2 + a0 * a1) / (a1 - a2)
    s3 = (a1**2 - a0 * a2) / (a1 - a2)
    each = (w * f) @ Z / len(Z)
    return (s1 * (w * f).mean() + s2 * each + s3 * (each.sum() - each)) / c


@pytest.mark.parametrize("width", [0.1, 0.25, 2.0])
@pytest.mark.parametrize("d", [2, 3, 5, 8, 12])
def test_enumeration_gives_the_closed_form(d, width):
    Z = enumerate_masks(d)
    w = exponential_kernel(mask_distance(Z), width)
    for planted in ({0}, {d - 1, 0}, set(range(d))):
        fit = fit_surrogate(Z, two(Z[:, sorted(planted)].all(axis=1)), w, alpha=0)
        coef, intercept = limit_of_conjunction(d, planted, width)
        assert np.allclose(fit.coef[:, 1], coef, **EXACT)
        assert np.allclose(fit.intercept[1], intercept, **EXACT)
        assert np.allclose(fit.coef[:, 1], garreau_mardaoui(d, planted, width), **EXACT)


@pytest.mark.parametrize("design", DESIGNS)
def test_samples_converge_to_the_enumeration(design):
    d = 10
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=d), rng.normal(size=(d, d)) / 3

    def f(Z):
        return two(
            sigmoid(Z @ a + np.einsum("ni,ij,nj->n", 1.0 * Z, b, 1.0 * Z) - a.sum() / 2)
        )

    def fit(Z):
        return fit_surrogate(
            Z, f(Z), exponential_kernel(mask_distance(Z)), alpha=0
        ).coef[:, 1]

    truth = fit(enumerate_masks(d))
    error = [
        np.abs(fit(sample_masks(n, d, rng=rng, design=design)) - truth).max()
        for n in (200, 20_000, 200_000)
    ]
    assert error[1] < error[0] / 3 and error[2] < 0.005


@pytest.mark.parametrize("d", [3, 6, 10])
def test_the_shap_kernel_gives_shapley_values(d):
    """Lundberg, Lee (2017): LIME with the SHAP kernel `(d - 1) / (C(d, s) s (d - s))`.

    The weights of the empty and the full mask are infinite: the fit must pass through
    both. That constraint only moves the free solution along the all-ones direction,
    because every part looks alike to the kernel: spread what is missing evenly.
    """
    rng = np.random.default_rng(d)
    Z = enumerate_masks(d)
    value = rng.normal(size=2**d)
    v = {row.tobytes(): x for row, x in zip(Z, value, strict=True)}
    s = Z[1:-1].sum(axis=1)
    kernel = np.array([(d - 1) / (math.comb(d, k) * k * (d - k)) for k in s.tolist()])
    free = fit_surrogate(Z[1:-1], value[1:-1, None], kernel, alpha=0).coef[:, 0]
    shap = free + (value[0] - value[-1] - free.sum()) / d

    shapley = np.zeros(d)
    for i, row in itertools.product(range(d), Z):
        if not row[i]:
            k, joined = int(row.sum()), row.copy()
            joined[i] = True
            weight = math.factorial(k) * math.factorial(d - k - 1) / math.factorial(d)
            shapley[i] += weight * (v[joined.tobytes()] - v[row.tobytes()])
    assert np.allclose(shap, shapley, **EXACT)


def test_constant_answers_explain_nothing():
    Z = sample_masks(50, 4, rng=np.random.default_rng(0))
    fit = fit_surrogate(Z, np.full((50, 2), 0.5), np.ones(50))
    assert not fit.coef.any() and np.allclose(fit.intercept, 0.5, **EXACT)
    assert np.isnan(fit.r2).all() and np.isnan(fit.r2_loo).all()


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_the_last_digit_of_an_answer_explains_nothing(size):
    Z = sample_masks(50, 4, rng=np.random.default_rng(0))
    Y = np.where(Z[:, :1], size, np.nextafter(size, 0))
    assert np.ptp(Y) > 0 and not fit_surrogate(Z, Y, np.ones(50)).coef.any()


def test_one_answer_is_enough_to_say_it_again():
    fit = fit_surrogate(np.ones((1, 3)), np.full((1, 2), 0.3), np.ones(1))
    assert not fit.coef.any() and np.allclose(fit.intercept, 0.3, **EXACT)


def test_what_decides_its_own_fit_has_no_error():
    Z = np.array([[1, 1], [1, 0], [0, 1]])
    fit = fit_surrogate(Z, np.array([[1.0], [2.0], [4.0]]), np.ones(3), alpha=0)
    assert np.allclose(fit.coef[:, 0], [-3, -1], **EXACT)
    assert np.isnan(fit.stderr).all() and np.isnan(fit.r2_loo).all()


@pytest.mark.parametrize(
    "Z",
    [
        np.ones((6, 2)),
        [[1, 1], [0, 0], [1, 1]],
        np.eye(3),
        np.column_stack([np.arange(9) % 2, np.arange(9) % 2]),
    ],
)
def test_singular_systems_are_named(Z):
    Z = np.asarray(Z, float)
    Y, w = np.arange(len(Z))[:, None], np.ones(len(Z))
    message = f"{len(Z)} samples do not determine {Z.shape[1]} features"
    with pytest.raises(ValueError, match=message):
        fit_surrogate(Z, Y, w, alpha=0)
    assert np.isfinite(fit_surrogate(Z, Y, w).coef).all(), "a penalty makes it solvable"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"Z": np.ones(5)}, r"Z \(n, d\)"),
        ({"Y": np.ones(5)}, "Y"),
        ({"weights": np.ones(4)}, r"\(4,\)"),
        ({"weights": -np.ones(5)}, "all >= 0"),
        ({"weights": np.zeros(5)}, "not all 0"),
        ({"Y": np.full((5, 2), np.nan)}, "finite"),
        ({"alpha": -1}, "alpha >= 0"),
        ({"features": 0}, "features >= 1"),
        ({"features": 1, "select": "best"}, "'best'"),
    ],
)
def test_surrogate_refuses(change, message):
    Z = np.array([[1, 1], [1, 0], [0, 1], [0, 0], [1, 0]])
    with pytest.raises(ValueError, match=message):
        fit_surrogate(**{"Z": Z, "Y": np.ones((5, 2)), "weights": np.ones(5)} | change)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_more_features_than_samples(alpha, paired):
    """n x n instead of d x d: the same numbers, written the long way round."""
    Z, Y, w = problem(8, n=30, d=70)
    fit = fit_surrogate(Z, Y, w, alpha=alpha, paired=paired)
    coef, intercept, hat, X, A = by_hand(Z, Y, w, alpha)
    assert np.allclose(fit.coef, coef, **EXACT)
    assert np.allclose(fit.intercept, intercept, **EXACT)
    residual = (Y - intercept - Z @ coef) / np.sqrt(1 - hat.diagonal())[:, None]
    for c in range(3):
        score = X * (w * residual[:, c])[:, None]
        if paired:
            score = np.vstack([score[:1], score[1:-1:2] + score[2::2], score[29:]])
        variance = np.linalg.solve(A, np.linalg.solve(A, score.T @ score).T)
        assert np.allclose(fit.stderr[:, c], np.sqrt(variance.diagonal()[1:]), **EXACT)
    some = fit_surrogate(Z, Y, w, features=10)
    size = np.abs(by_hand(Z, Y, w, 0.01)[0])
    for c in range(3):
        assert set(np.flatnonzero(some.coef[:, c])) == {*np.argsort(-size[:, c])[:10]}
    with pytest.raises(ValueError, match="30 samples do not determine 70 features"):
        fit_surrogate(Z, Y, w, alpha=0)


@pytest.mark.parametrize("features", [None, 4, 10])
def test_many_words_need_no_matrix_of_all_pairs(features):
    n, d = 60, 4000
    Z, Y, w = problem(1, n=n, d=d, classes=2)
    tracemalloc.start()
    fit_surrogate(Z, Y, w, features=features)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n * d * 8 < d * d * 8 / 8, "eight arrays of n x d"


@pytest.mark.parametrize("select", ["forward_selection", "highest_weights"])
def test_selection_keeps_that_many_per_class(select):
    rng = np.random.default_rng(0)
    Z = sample_masks(300, 12, rng=rng)
    Y = 1.0 * Z[:, :3] @ [[3, 0], [2, 0], [1, 0]] + 1.0 * Z[:, 7:9] @ [[0, 2], [0, 1]]
    fit = fit_surrogate(Z, Y, np.ones(300), features=2, select=select)
    assert [set(np.flatnonzero(c)) for c in fit.coef.T] == [{0, 1}, {7, 8}]
    everything = fit_surrogate(Z, Y, np.ones(300), features=99, select=select)
    assert np.allclose(everything.coef, fit_surrogate(Z, Y, np.ones(300)).coef, **EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_forward_selection_is_the_greedy_one(seed):
    """At each step a regression for every candidate, the long way round."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(60, 8)) @ rng.normal(size=(8, 8))  # correlated
    Y = Z @ rng.normal(size=(8, 2)) + rng.normal(size=(60, 2))
    w = rng.random(60) + 0.1
    for c in range(2):
        y = Y[:, [c]]
        chosen = []
        for features in range(1, 7):
            r2 = {
                j: fit_surrogate(Z[:, [*chosen, j]], y, w, alpha=0).r2[0]
                for j in range(8)
                if j not in chosen
            }
            chosen.append(max(r2, key=r2.get))
            fit = fit_surrogate(Z, y, w, features=features, select="forward_selection")
            assert set(np.flatnonzero(fit.coef)) == set(chosen)


def test_up_to_six_features_are_selected_forward():
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(80, 12)) @ rng.normal(size=(12, 12))
    Y = Z @ rng.normal(size=(12, 1)) + rng.normal(size=(80, 1))
    for features in (6, 7):
        auto, forward, heavy = (
            fit_surrogate(Z, Y, np.ones(80), features=features, select=select).coef
            for select in ("auto", "forward_selection", "highest_weights")
        )
        assert np.array_equal(auto, forward if features == 6 else heavy)
        assert not np.array_equal(forward, heavy)


def test_forward_selection_takes_no_twin_before_something_new():
    """In a factorial design everything is exact: the twin has 0 / 0 left to explain."""
    grid = enumerate_masks(3)
    fit = fit_surrogate(
        grid[:, [0, 0, 1, 2]],
        1.0 * grid @ [[4.0], [0], [1]],
        np.ones(8),
        features=2,
        select="forward_selection",
    )
    assert np.flatnonzero(fit.coef).tolist() == [0, 3]


def test_forward_selection_survives_twins_and_constants():
    Z = sample_masks(100, 4, rng=np.random.default_rng(0)) | [True, False, False, False]
    fit = fit_surrogate(
        Z,
        1.0 * Z @ [[9.0], [1], [0.1], [2]],
        np.ones(100),
        features=2,
        select="forward_selection",
    )
    assert np.flatnonzero(fit.coef).tolist() == [1, 3]
    Z = np.repeat(sample_masks(100, 3, rng=np.random.default_rng(0)), 2, axis=1)
    Y = 1.0 * Z @ [[3.0], [0], [2], [0], [1], [0]]
    fit = fit_surrogate(Z, Y, np.ones(100), features=5, select="forward_selection")
    chosen = np.flatnonzero(fit.coef)
    assert np.isfinite(fit.coef).all() and len(chosen) == 5 and {0, 2, 4} <= set(chosen)


# --- intervals -------------------------------------------------------------------------------


def coverage(design, kind, repeats, n=400, d=8, alpha=0.0):
    """Share of 95 % intervals that contain the population's coefficients, a curved
    model's.

    The truth is the weighted least squares over all 2^d masks, each with its
    probability (and the share of the penalty that falls on one sample).
    """
    rng = np.random.default_rng(11)
    a, b = 2 * rng.normal(size=d), rng.normal(size=(d, d))

    def f(Z):
        return two(
            sigmoid((Z - 0.5) @ a + np.einsum("ni,ij,nj->n", Z - 0.5, b, Z - 0.5))
        )

    Z = enumerate_masks(d)
    off = d - Z.sum(axis=1)
    chance = (
        np.full(2**d, 2.0**-d)
        if kind == "image"
        else np.array([1 / d / math.comb(d, k) if k else 0 for k in off.tolist()])
    )
    w = exponential_kernel(mask_distance(Z))
    truth = fit_surrogate(Z, f(Z), n * chance * w, alpha=alpha).coef[:, 1]
    hits = []
    for _ in range(repeats):
        Z = sample_masks(n, d, rng=rng, kind=kind, design=design)
        w = exponential_kernel(mask_distance(Z))
        low, high = fit_surrogate(
            Z, f(Z), w, alpha=alpha, paired=design != "iid"
        ).interval[..., 1]
        hits.append((low < truth) & (truth < high))
    return np.mean(hits)


@pytest.mark.parametrize(
    "design, kind, alpha",
    [
        ("iid", "image", 0.0),
        ("iid", "text", 0.0),
        ("iid", "image", 1.0),
        ("iid", "text", 1.0),
        ("paired", "image", 0.0),
        ("paired", "text", 0.0),
        ("orthogonal", "text", 0.0),
    ],
)
def test_intervals_cover(design, kind, alpha):
    assert 0.93 <= coverage(design, kind, 500, alpha=alpha) <= 0.97


def test_intervals_cover_noise_that_is_not_constant():
    """A linear truth, noise that depends on the mask: where a textbook error would be
    wrong.
    """
    rng = np.random.default_rng(2)
    d, n, truth = 6, 300, np.array([[1.0, -2, 0, 0.5, 3, 0]]).T
    hits = []
    for _ in range(600):
        Z = sample_masks(n, d, rng=rng)
        noise = rng.normal(size=(n, 1)) * (0.2 + 2 * Z[:, :1])
        low, high = fit_surrogate(Z, Z @ truth + noise, np.ones(n), alpha=0).interval
        hits.append((low < truth) & (truth < high))
    assert 0.93 <= np.mean(hits) <= 0.97


# --- images ----------------------------------------------------------------------------------


DTYPES = [np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64]


@given(
    hnp.arrays(
        st.sampled_from(DTYPES), hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)
    ),
    st.booleans(),
    st.integers(0, 1000),
)
def test_blending_is_where(image, colour, seed):
    rng = np.random.default_rng(seed)
    if colour:
        image = np.stack([image, image[::-1], image[:, ::-1]], axis=-1)
    segments = rng.integers(0, 5, image.shape[:2])
    hidden = rng.permutation(image.ravel()).reshape(image.shape)
    Z = rng.random((7, 5)) < 0.5
    on = Z[:, segments][..., None] if colour else Z[:, segments]
    expected = np.where(on, image, hidden)
    assert blend(image, hidden, segments, Z).tobytes() == expected.tobytes(), (
        "NaN, -0 and all"
    )
    out = np.empty((9, *image.shape), image.dtype)
    again = blend(image, hidden, segments, Z, out)
    assert again.base is out and again.tobytes() == expected.tobytes()


def detector(segments, planted, total=None):
    """A `predict` that reads the planted segments' brightness, and nothing else."""
    masks = np.stack([segments == name for name in planted])
    share = 1 / len(planted)

    def predict(batch):
        grey = (
            np.asarray(batch, float)
            .reshape(len(batch), *segments.shape, -1)
            .mean(axis=-1)
        )
        lit = np.stack([grey[:, m].mean(axis=1) for m in masks], axis=1) / 255
        return two((lit * share).sum(axis=1))

    return predict


@pytest.mark.parametrize("shape", [(24, 24), (24, 30, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_image_batches_are_what_was_promised(shape, dtype):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, shape).astype(dtype)
    before, seen, memory = image.copy(), [], []

    def predict(batch):
        assert batch.dtype == dtype and batch.shape[1:] == shape and len(batch) <= 7
        seen.append(batch.copy())
        memory.append(batch)  # kept, so that its place is not free for another
        batch[...] = 0  # a predict may do what it likes with its batch
        return two(np.full(len(batch), 0.5))

    explanation = explain_image(predict, image, n_samples=60, batch_size=7)
    assert np.array_equal(image, before) and np.array_equal(seen[0][0], image)
    everything = np.concatenate(seen)
    assert len({batch.ctypes.data for batch in memory}) == 1, (
        "one batch, used again and again"
    )
    assert len(everything) == 60 and len(seen) == 9
    assert np.array_equal(everything, explanation.perturb(explanation.masks))
    assert explanation.segments.shape == shape[:2] and len(explanation.names) == 49


def test_mean_fill_is_the_segments_mean():
    rng = np.random.default_rng(0)
    for image in (
        rng.random((12, 12, 3)),
        rng.random((12, 12)),
        rng.integers(0, 256, (12, 12)),
    ):
        e = explain_image(lambda b: two(np.full(len(b), 0.5)), image, n_samples=60)
        hidden = e.perturb(np.zeros((1, 49), bool))[0]
        for j in range(49):
            here = e.segments == j
            mean = image[here].mean(axis=0)
            assert np.allclose(
                hidden[here], mean if image.dtype == float else np.trunc(mean)
            )


@pytest.mark.parametrize(
    "fill, expected",
    [
        (0, (0, 0, 0)),
        (255, (255,) * 3),
        ((10, 20, 30), (10, 20, 30)),
        ([9.0, 9, 9], (9,) * 3),
    ],
)
def test_fill_with_a_colour(fill, expected):
    image = np.full((8, 8, 3), 100, np.uint8)
    e = explain_image(
        lambda b: two(np.full(len(b), 0.5)), image, fill=fill, n_samples=60
    )
    hidden = e.perturb(np.zeros((1, len(e.names)), bool))
    assert hidden.dtype == np.uint8 and (hidden == expected).all()


@pytest.mark.filterwarnings("error")  # numpy has nothing to say before we do
@pytest.mark.parametrize(
    "fill",
    [300, -1, 0.5, np.nan, np.inf, 1e300, "grey", (1, 2), np.zeros((4, 4)), None],
)
def test_fill_refuses_what_is_no_colour(fill):
    with pytest.raises(ValueError, match="fill to be 'mean', a colour"):
        explain_image(
            lambda b: two(np.full(len(b), 0.5)), np.ones((8, 8, 3), np.uint8), fill=fill
        )


@pytest.mark.parametrize("cut", [superpixels, grid_segments])
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 70, 70)),
        np.zeros((70, 70, 4)),
        np.zeros((0, 70)),
        np.zeros(9),
        np.full((70, 70), np.nan),
        np.zeros((70, 70), "O"),
    ],
)
def test_only_images_are_cut(cut, image):
    with pytest.raises(
        ValueError, match=rf"{cut.__name__} expects \(H, W\) or \(H, W, 3\) finite"
    ):
        cut(image)


@pytest.mark.parametrize("Z", [np.ones((4, 3, 2)), np.ones(3), np.ones((4, 0))])
def test_only_masks_have_a_distance(Z):
    with pytest.raises(ValueError, match=r"mask_distance expects \(n, d\), got"):
        mask_distance(Z)


def test_fill_with_another_image():
    image, other = np.ones((8, 8), np.float32), np.random.default_rng(0).random((8, 8))
    e = explain_image(
        lambda b: two(np.full(len(b), 0.5)), image, fill=other, n_samples=60
    )
    assert np.array_equal(
        e.perturb(np.zeros((1, 49), bool))[0], other.astype(np.float32)
    )


@pytest.mark.parametrize("first", [0, 1, -3, 100])
def test_segment_numbers_start_anywhere_and_the_last_counts(first):
    """The reference package silently loses the last of segments numbered from 1."""
    image = np.random.default_rng(0).integers(100, 256, (30, 30), dtype=np.uint8)
    segments = grid_segments(image, 5) * 2 + first  # with holes in the numbering
    last = int(segments.max())
    e = explain_image(
        detector(segments, [last]), image, segments=segments, labels=1, fill=0
    )
    assert e.names == np.unique(segments).tolist()
    top = e.top(k=1)[0]
    assert top.name == last and top.index == 24 and top.low > 0
    assert np.array_equal(e.segments, grid_segments(image, 5))


def test_planted_features_are_found():
    """50 seeded cases: digits-sized, photos, texts, tables; k of them planted, signs
    mixed.
    """
    recalls, precisions = [], []
    for case in range(50):
        rng = np.random.default_rng(case)
        if (
            case % 5 < 3
        ):  # segmentations numbered from 1, the last segment always planted
            colour = case % 2
            image = rng.integers(
                0, 256, (32, 32, 3) if colour else (28, 28), dtype=np.uint8
            )
            segments = 1 + grid_segments(image, 6)
            others = rng.choice(np.arange(1, 36), rng.integers(1, 4), replace=False)
            planted = [36, *others.tolist()]
            signs = rng.choice([-1, 1], len(planted))
            masks = [segments == name for name in planted]

            def predict(batch, masks=masks, signs=signs, image=image):
                same = np.stack(
                    [
                        (batch == image)[:, m].reshape(len(batch), -1).mean(axis=1)
                        for m in masks
                    ],
                    axis=1,
                )
                return two(sigmoid(2 * same @ signs))

            e = explain_image(
                predict,
                image,
                segments=segments,
                labels=1,
                seed=case,
                fill=0,
                design=DESIGNS[case % 3],
            )
        elif case % 5 == 3:
            names = [f"w{i}" for i in range(40)]
            text = " ".join(rng.choice(names, 120)) + " last-word"
            others = rng.choice(sorted(set(text.split()[:-1])), 3, replace=False)
            planted = ["last", *others.tolist()]
            signs = rng.choice([-1, 1], 4)

            def predict(texts, planted=planted, signs=signs):
                there = np.array(
                    [[name in words(t) for name in planted] for t in texts]
                )
                return two(sigmoid(2 * there @ signs))

            e = explain_text(predict, text, labels=1, n_samples=1000, seed=case)
        else:
            background = rng.normal(size=(200, 15)) * rng.uniform(0.1, 50, 15)
            planted = [14, *rng.choice(14, 2, replace=False).tolist()]
            slope = rng.choice([-1, 1], 3) / background.std(axis=0)[planted]

            def predict(rows, planted=planted, slope=slope):
                return two(sigmoid(rows[:, planted] @ slope))

            e = explain_tabular(predict, background[0], background, labels=1, seed=case)
        found = recovery(e, planted)
        recalls.append(found.recall)
        precisions.append(found.precision)
    assert np.mean(recalls) >= 0.95 and np.mean(precisions) >= 0.9


def test_the_same_call_gives_the_same_bits():
    image = np.random.default_rng(0).random((28, 28)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(784, 3))

    def predict(batch):
        s = np.exp(batch.reshape(len(batch), -1) @ weights / 10)
        return s / s.sum(axis=1, keepdims=True)

    def explanations(seed):
        yield explain_image(predict, image, seed=seed)
        yield explain_image(predict, image, seed=seed, design="orthogonal", features=5)
        yield explain_text(
            lambda t: two(np.array([len(s) / 99 for s in t])), "a b c", seed=seed
        )
        yield explain_tabular(
            lambda x: two(sigmoid(x[:, 0])), [1, 2], np.eye(2), seed=seed
        )

    np.random.seed(4)  # noqa: NPY002  (global state must not matter)
    first = list(explanations(3))
    np.random.seed(5)  # noqa: NPY002
    for a, b, other in zip(first, explanations(3), explanations(4), strict=True):
        for name in (
            "coef",
            "stderr",
            "intercept",
            "r2",
            "r2_loo",
            "predictions",
            "masks",
        ):
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name
        assert a.coef.tobytes() != other.coef.tobytes()


def test_a_later_change_of_the_image_does_not_reach_the_explanation():
    image = np.random.default_rng(0).random((8, 8))
    e = explain_image(CONSTANT, image, n_samples=60)
    before, pictures = e.image.copy(), e.perturb(e.masks)
    image[...] = 0
    assert np.array_equal(e.image, before) and np.array_equal(
        e.perturb(e.masks), pictures
    )


@pytest.mark.parametrize("design", DESIGNS)
def test_errors_know_the_design(design):
    e = explain_text(opinion, "good film, bad end", design=design)
    fit = fit_surrogate(e.masks, e.predictions, e.weights, paired=design != "iid")
    assert np.array_equal(e.stderr, fit.stderr)


def test_a_large_image_needs_little_memory():
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    segments = grid_segments(image, 8)
    tracemalloc.start()
    explain_image(
        lambda b: two(np.full(len(b), 0.5)), image, segments=segments, n_samples=200
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_superpixels():
    y, x = np.mgrid[:96, :128] / 20
    small, large = (
        np.zeros((28, 28)),
        np.stack([np.sin(y) * np.cos(x), np.sin(x), y / 5], axis=-1),
    )
    assert len(np.unique(superpixels(small))) == 49
    assert 30 <= len(np.unique(superpixels(large))) <= 70
    assert 30 <= len(np.unique(superpixels(large[..., 0]))) <= 70
    for image in (large, large[..., 0]):
        assert not np.array_equal(superpixels(image), grid_segments(image))
        assert len(np.unique(superpixels(image, 20))) < 30
        assert superpixels(image).min() == 0
    for shape in ((63, 90, 3), (90, 63)):
        image = np.resize(large, shape)
        assert np.array_equal(superpixels(image), grid_segments(image))
    smallest = large[16:80, 32:96]  # 64 x 64
    assert not np.array_equal(superpixels(smallest), grid_segments(smallest))
    noise = np.random.default_rng(0).random((96, 96, 3))
    assert np.array_equal(superpixels(noise), grid_segments(noise)), (
        "slic sees one segment"
    )
    assert np.unique(grid_segments(np.zeros((3, 50)), 7)).tolist() == list(range(21))
    assert np.bincount(grid_segments(small).ravel()).tolist() == [16] * 49


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((1, 28, 28)), r"image\[0\]"),
        (np.zeros(5), r"\(5,\)"),
        (np.zeros((0, 4)), r"\(0, 4\)"),
        (np.zeros((4, 4, 4)), r"\(4, 4, 4\)"),
        (np.full((8, 8), np.nan), "finite numbers, got float64"),
        (np.array([[np.inf, 0], [0, 0]]), "finite numbers"),
        (np.zeros((4, 4), bool), "bool"),
        (np.zeros((4, 4), complex), "complex"),
    ],
)
def test_images_that_are_none(image, message):
    with pytest.raises(ValueError, match=message):
        explain_image(CONSTANT, image)


@pytest.mark.parametrize("segments", [np.zeros((3, 3), int), np.zeros((4, 4)), "slic"])
def test_segments_that_do_not_fit(segments):
    with pytest.raises(ValueError, match=r"integer segments \(4, 4\)"):
        explain_image(CONSTANT, np.zeros((4, 4)), segments=segments)


def test_one_segment_says_all_or_nothing():
    image = np.full((8, 8), 200, np.uint8)
    e = explain_image(
        lambda b: two(b[:, 0, 0] / 255),
        image,
        segments=np.full((8, 8), 5),
        fill=0,
        labels=1,
        alpha=0,
    )
    (only,) = e.top()
    assert only.name == 5 and only.weight == pytest.approx(200 / 255)


def test_constant_predictions_are_said_to_be():
    e = explain_image(CONSTANT, np.zeros((8, 8)), n_samples=60)
    assert e.top() == [] and "nothing matters" in e.summary()
    assert "nothing matters" in explain_text(CONSTANT, "a b")._repr_html_()


def test_fewer_samples_than_features_warns():
    with pytest.warns(UserWarning, match="40 samples for 49 features"):
        e = explain_image(
            lambda b: two(b.mean(axis=(1, 2)) ** 2), np.eye(28), n_samples=40, fill=1
        )
    assert np.isfinite(e.coef).all() and (e.r2_loo < e.r2).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="do not determine"):
            explain_image(
                lambda b: two(b.mean(axis=(1, 2))), np.eye(28), n_samples=40, alpha=0
            )


# --- predict ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "predict, message",
    [
        (lambda b: np.full(len(b), 0.5), r"\(10, classes\), got \(10,\).*column_stack"),
        (lambda b: np.full((len(b) + 1, 2), 0.5), r"\(11, 2\)"),
        (lambda b: np.full((len(b), 2, 1), 0.5), r"\(10, 2, 1\)"),
        (
            lambda b: np.full((len(b), 3), 0.5),
            r"sum to 1.*row 0: \[0.5 0.5 0.5\]; apply softmax",
        ),
        (lambda b: np.tile([-0.5, 1.5], (len(b), 1)), r"\[0, 1\]"),
        (lambda b: np.zeros((len(b), 0)), "sum to 1"),
        (lambda b: np.full((len(b), 2), np.nan), r"row 0: \[nan nan\]"),
        (lambda b: 0.5, r"got \(\)"),
    ],
)
def test_predict_must_return_probabilities(predict, message):
    with pytest.raises(ValueError, match=message):
        explain_image(predict, np.eye(8), batch_size=10, n_samples=60)
    with pytest.raises(ValueError, match=message):
        explain_text(predict, "a b c", batch_size=10, n_samples=60)


def test_predict_must_keep_its_classes():
    def predict(batch):
        return np.full((len(batch), 2 + (len(batch) < 10)), 1 / (2 + (len(batch) < 10)))

    message = r"2 classes at first, then 3 for rows 20 to 24"
    with pytest.raises(ValueError, match=message):
        explain_text(predict, "a b c", batch_size=10, n_samples=25)


def test_a_nan_is_located():
    def predict(texts):
        return two(np.array([np.nan if t == " b " else 0.5 for t in texts]))

    with pytest.raises(ValueError, match=r"row \d+: \[nan nan\]") as caught:
        explain_text(predict, "a b c", batch_size=4)
    Z = explain_text(CONSTANT, "a b c").masks
    first = (Z == [False, True, False]).all(axis=1).argmax()
    assert f"row {first}:" in str(caught.value)


def test_what_predict_raises_comes_through():
    class Broken(RuntimeError):
        pass

    def predict(batch):
        if len(batch) < 10:
            raise Broken("no more")
        return two(np.full(len(batch), 0.5))

    with pytest.raises(Broken, match="no more"):
        explain_text(predict, "a b c", batch_size=10, n_samples=25)


def test_unknown_labels_are_refused_before_the_rest_is_asked_for():
    calls, names = [], ("cat", "fish", "hen")
    message = r"unknown label .*expected 0 to 2 or one of \['cat', 'fish', 'hen'\]"

    def predict(batch):
        calls.append(len(batch))
        return np.full((len(batch), 3), 1 / 3)

    for label in (3, -1, "dog", 1.5):
        calls.clear()
        with pytest.raises(ValueError, match=message):
            explain_text(predict, "a b", labels=label, class_names=names, batch_size=5)
        assert calls == [5]
    with pytest.raises(ValueError, match="2 class_names for a predict of 3 classes"):
        explain_text(predict, "a b", class_names=["cat", "fish"])
    e = explain_text(predict, "a b", labels=["hen", 0], class_names=np.array(names))
    assert e.labels == [2, 0] and e.label("fish") == 1 and e.label(np.int64(2)) == 2
    with pytest.raises(ValueError, match="unknown label 7"):
        e.top(7)


def never(batch):
    raise AssertionError("asked")


EXPLAIN = {
    "explain_image": (explain_image, [np.eye(8)]),
    "explain_text": (explain_text, ["a b"]),
    "explain_tabular": (explain_tabular, [[1.0, 2], np.eye(2)]),
}


@pytest.mark.parametrize("name", EXPLAIN)
@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"n_sample": 9}, TypeError, r"{name}\(\) got an unexpected .*'n_sample'"),
        ({"design": "lucky"}, ValueError, "'lucky'"),
        ({"batch_size": 0}, ValueError, "batch_size of at least 1, got 0"),
        ({"batch_size": -1}, ValueError, "batch_size of at least 1, got -1"),
        ({"width": 0}, ValueError, "width above 0, got 0"),
        ({"labels": []}, ValueError, "labels is empty"),
        ({"class_names": "ab"}, ValueError, "list of names, got the string 'ab'"),
        ({"mode": "ranking"}, ValueError, "'regression'.*got 'ranking'"),
        ({"alpha": -1}, ValueError, "alpha >= 0, got -1"),
        ({"features": 0}, ValueError, "features >= 1"),
        ({"select": "best"}, ValueError, "'best'"),
        ({"kernel": lambda D: D[:3]}, ValueError, r"kernel .*got \(3,\)"),
        ({"kernel": lambda D: D - 1}, ValueError, "all >= 0"),
        ({"kernel": lambda D: 0 * D}, ValueError, "not all 0"),
        ({"kernel": lambda D: D * np.nan}, ValueError, "finite weights"),
    ],
)
def test_options_are_refused_before_anything_is_asked(name, options, error, message):
    explain, rest = EXPLAIN[name]
    with pytest.raises(error, match=message.format(name=name)):
        explain(never, *rest, **options)


@pytest.mark.parametrize("name", EXPLAIN)
def test_the_options_are_in_the_signature(name):
    """What a reader finds with help(): every option has a name and a default."""
    parameters = inspect.signature(getattr(lime, name)).parameters.values()
    assert not any(p.kind == p.VAR_KEYWORD for p in parameters)
    shared = "labels class_names mode kernel width alpha features select progress seed"
    assert {*shared.split(), "design", "n_samples"} <= {p.name for p in parameters}


def test_a_number_that_is_a_name_must_mean_the_same():
    def predict(texts):
        return np.tile([0.1, 0.2, 0.7], (len(texts), 1))

    for label in (1, 2):
        with pytest.raises(ValueError, match=f"label {label} is ambiguous"):
            explain_text(predict, "a b", labels=label, class_names=[1, 2, 3])
    e = explain_text(predict, "a b", labels=[3, 0], class_names=[1, 2, 3])
    assert e.labels == [2, 0]
    with pytest.raises(ValueError, match="label 1 is ambiguous"):
        e.top(1)
    same = explain_text(predict, "a b", labels=1, class_names=[0, 1, 2])
    assert same.labels == [1] and same.label(2) == 2


@pytest.mark.parametrize("name", EXPLAIN)
def test_a_kernel_of_ones_own(name):
    explain, rest = EXPLAIN[name]
    seen = []

    def triangle(D):
        seen.append(D.copy())
        return np.maximum(1 - D / 3, 0)

    e = explain(CONSTANT, *rest, n_samples=70, kernel=triangle)
    assert seen[0][0] == 0 and (seen[0][1:] > 0).all() and len(seen[0]) == 70
    assert np.array_equal(e.weights, np.maximum(1 - seen[0] / 3, 0))
    default = explain(CONSTANT, *rest, n_samples=70, width=0.5)
    assert np.array_equal(default.weights, exponential_kernel(seen[0], 0.5))
    same = explain(
        CONSTANT, *rest, n_samples=70, kernel=lambda D: exponential_kernel(D, 0.5)
    )
    assert np.array_equal(same.weights, default.weights)


# --- what predict returns


def test_answers_that_live_in_the_batch_are_copied():
    """The next batch overwrites them: once that gave wrong weights without a word."""
    image = np.array([[0.3, 0.7], [5.0, 5.0]])
    options = {
        "segments": np.array([[0, 0], [1, 2]]),
        "fill": np.array([[0.9, 0.1], [0, 0]]),
        "batch_size": 256,
    }
    view = explain_image(lambda batch: batch[:, 0], image, **options)
    copy = explain_image(lambda batch: batch[:, 0].copy(), image, **options)
    assert np.array_equal(view.predictions, copy.predictions)
    assert view.top() == copy.top() and abs(view.top()[0].weight) > 0.5
    kept = np.empty((256, 2))

    def predict(texts):  # one that reuses its own memory
        kept[: len(texts), 1] = [t.count("a") / 4 for t in texts]
        kept[: len(texts), 0] = 1 - kept[: len(texts), 1]
        return kept[: len(texts)]

    told = explain_text(predict, "a b a c", labels=1)
    assert told.coef[0, 1] == pytest.approx(0.5, abs=0.01)


def test_a_single_column_is_no_distribution():
    advice = {
        "softmax over one column": lambda b: np.ones((len(b), 1)),
        "probability p of one of two classes, .*column_stack.*mode='regression'": (
            lambda b: np.linspace(0, 1, len(b))[:, None]
        ),
        "pass predict_proba instead": lambda b: np.arange(len(b)),
        "regressor, pass mode='regression'; for a score": (
            lambda b: np.linspace(-3, 3, len(b))
        ),
    }
    for message, predict in advice.items():
        with pytest.raises(ValueError, match=message):
            explain_text(predict, "a b", n_samples=9)
    p = np.linspace(0.1, 0.9, 9)
    for shape in ((9,), (9, 1)):  # the advice works for both
        mine = p.reshape(shape)
        told = explain_text(
            lambda b, mine=mine: np.column_stack([1 - mine, mine])[: len(b)],
            "a b",
            n_samples=9,
        )
        assert np.array_equal(told.predictions[:, 1], p)


def test_multi_label_and_not_a_number_are_named():
    with pytest.raises(ValueError, match=r"multi-label .*1 - p\[:, k\], p\[:, k\]"):
        explain_text(lambda b: np.tile([0.9, 0.8], (len(b), 1)), "a b")
    with pytest.raises(ValueError, match=r"softmax to scores$"):
        explain_text(lambda b: np.tile([9.0, 8.0], (len(b), 1)), "a b")
    with pytest.raises(ValueError, match=r"NaN or infinity in row 0: \[inf nan\]"):
        explain_text(lambda b: np.tile([np.inf, np.nan], (len(b), 1)), "a b")


class Sparse:
    """As scipy's matrices look from outside."""

    def toarray(self):
        return np.full((9, 2), 0.5)


@pytest.mark.parametrize(
    "returned, message",
    [
        (Sparse(), r"got Sparse: call its toarray\(\)"),
        ({"yes": [0.5] * 9}, "got dict"),
        ([[0.5, 0.5]] * 8 + [[1.0]], "got list"),
        (["yes"] * 9, "got list"),
    ],
)
def test_answers_that_are_no_arrays_are_named(returned, message):
    with pytest.raises(ValueError, match=rf"predict must return an array.*{message}"):
        explain_text(lambda b: returned, "a b", n_samples=9)


def test_a_forgotten_return_is_named():
    with pytest.raises(ValueError, match="returned nothing: end it with return"):
        explain_text(lambda b: None, "a b")


# --- regression


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_a_regressor_is_explained(shape):
    def price(texts):
        value = [1000.0 + 300 * ("garden" in t) - 50 * ("noisy" in t) for t in texts]
        return np.array(value).reshape(shape)

    text = "noisy flat with garden"
    e = explain_text(price, text, mode="regression", alpha=0, class_names=["euros"])
    weight = {x.name: x.weight for x in e.top()}
    assert weight["garden"] == pytest.approx(300) and e.mode == "regression"
    assert weight["noisy"] == pytest.approx(-50)
    assert e.labels == [0] and e.prediction == [1250] and e.coef.shape == (4, 1)
    assert e.headline().startswith("value (euros): model 1250.000")
    assert e.label("euros") == 0 and "garden" in e._repr_html_()
    with pytest.raises(ValueError, match="unknown label 1"):
        e.top(1)
    curves = deletion_insertion(e, price, orders=3)
    assert curves.deletion.tolist()[:2] == [1250, 950]
    assert curves.insertion.tolist() == [1000, 1300, 1300, 1300, 1250]
    assert explain_text(CONSTANT, "a b").mode == "classification"


def test_regression_of_images_and_tables():
    image = np.ones((8, 8))
    e = explain_image(lambda b: 7 * b[:, 0, 0], image, fill=0, mode="regression")
    assert e.top(k=1)[0].name == 0 and e.prediction == [7]
    rng = np.random.default_rng(0)
    table = rng.normal(size=(100, 3)) * [1, 2, 3]
    e = explain_tabular(lambda X: X @ [5, 0, 1], table[0], table, mode="regression")
    spread = table.std(axis=0)
    assert np.allclose(e.coef[:, 0], spread * [5, 0, 1], atol=0.01)


@pytest.mark.parametrize(
    "returned, message",
    [
        (np.ones((9, 2)), r"one number for each input, \(9,\) .*got \(9, 2\)"),
        (np.ones(8), r"got \(8,\)"),
        (np.full(9, np.nan), "NaN or infinity in row 0"),
        ({}, "got dict"),
    ],
)
def test_regression_refuses(returned, message):
    with pytest.raises(ValueError, match=message):
        explain_text(lambda b: returned, "a b", n_samples=9, mode="regression")


def test_the_predicted_class_is_explained():
    e = explain_text(lambda t: np.tile([0.1, 0.2, 0.7], (len(t), 1)), "a b")
    assert e.labels == [2] and np.array_equal(e.prediction, [0.1, 0.2, 0.7])


# --- texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Don't stop, it's o’clock!", ["Don't", "stop", "it's", "o’clock"]),
        ("'quoted' words' end", ["quoted", "words", "end"]),
        ("ภาษาไทยสวยมาก ที่สุด", ["ภาษาไทยสวยมาก", "ที่สุด"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("Straße ΑΒΓ עברית 日本", ["Straße", "ΑΒΓ", "עברית", "日本"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("great😍👍🏽 so ❤️ 👩‍👩‍👧", ["great", "😍👍🏽", "so", "❤️", "👩‍👩‍👧"]),
        ("x_1 = 3.14; ]^-[", ["x_1", "3", "14"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("", []),
        ("?!… -- '", []),
    ],
)
def test_words_of_every_alphabet(text, expected):
    assert words(text) == expected


def test_a_text_without_words_is_quoted_by_its_first_forty_characters():
    with pytest.raises(ValueError, match=rf"the text '{re.escape('.' * 40)}' has no"):
        explain_text(CONSTANT, "." * 50)


@given(st.text(max_size=60), st.booleans(), st.sampled_from([None, "UNK"]))
@settings(max_examples=200)
def test_any_text_is_put_together_again(text, bag_of_words, mask_token):
    found = words(text)
    if not found:
        with pytest.raises(ValueError, match="no words to leave out"):
            explain_text(CONSTANT, text)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        e = explain_text(
            CONSTANT,
            text,
            n_samples=9,
            bag_of_words=bag_of_words,
            mask_token=mask_token,
        )
    assert len(e.names) == (len(set(found)) if bag_of_words else len(found))
    for mask, perturbed in zip(e.masks, e.perturb(e.masks), strict=True):
        expected, end = "", 0
        for place, word in enumerate(found):
            start = text.index(word, end)
            on = mask[list(dict.fromkeys(found)).index(word) if bag_of_words else place]
            expected += text[end:start] + (word if on else mask_token or "")
            end = start + len(word)
        assert perturbed == expected + text[end:]
    assert e.perturb(e.masks[:1]) == [text]


@pytest.mark.parametrize("text", ["", "   ", "?! ... --", "'"])
def test_texts_without_words(text):
    with pytest.raises(ValueError, match="no words to leave out"):
        explain_text(CONSTANT, text)


def test_text_must_be_one_string():
    with pytest.raises(ValueError, match="one string, got list"):
        explain_text(CONSTANT, ["a", "b"])


def test_one_word():
    e = explain_text(
        lambda t: two(np.array([0.9 if s == "yes" else 0.2 for s in t])), "yes", alpha=0
    )
    (only,) = e.top()
    assert only.name == "yes" and only.weight == pytest.approx(0.7) and e.labels == [1]


def test_bag_of_words_or_places():
    def predict(texts):  # "not" only matters in front of "good"
        return two(np.array([0.1 if "not good" in t else 0.9 for t in texts]))

    text = "not good but not bad"
    bag = explain_text(predict, text, labels=0)
    assert bag.names == ["not", "good", "but", "bad"]
    place = explain_text(predict, text, labels=0, bag_of_words=False)
    assert place.names == ["not [1]", "good [2]", "but [3]", "not [4]", "bad [5]"]
    assert {e.name for e in place.top(k=2)} == {"not [1]", "good [2]"}
    assert abs(place.coef[3, 0]) < 0.05
    masked = explain_text(
        predict, text, labels=0, bag_of_words=False, mask_token="[MASK]"
    )
    assert masked.perturb(np.array([[1, 0, 1, 0, 1]])) == ["not [MASK] but [MASK] bad"]


def test_tokenizers():
    e = explain_text(
        CONSTANT,
        "The cat. the Cat!",
        tokenizer=lambda t: t.lower().replace(".", "").replace("!", "").split(),
    )
    assert e.names == ["the", "cat"] and e.perturb([[0, 1]]) == [" cat.  Cat!"]
    e = explain_text(CONSTANT, "The the", tokenizer=str.split)
    assert e.names == ["The", "the"]
    for wrong in (["dog"], ["cat", "The"]):
        with pytest.raises(ValueError, match="is not in the text"):
            explain_text(CONSTANT, "The cat", tokenizer=lambda _, wrong=wrong: wrong)


def test_tokens_are_whole_words():
    """scikit-learn's analyzer drops stop words: "use" was once found in "because"."""

    def predict(texts):
        return two(np.array([0.1 + 0.8 * ("use" in t.split()) for t in texts]))

    text = "because I use it"
    e = explain_text(predict, text, tokenizer=lambda _: ["use"], labels=1, alpha=0)
    assert e.pieces == [("because I ", "use", 0), (" it", "", -1)]
    assert e.top()[0].weight == pytest.approx(0.8)
    e = explain_text(
        predict, "used, misused and reuse: use", tokenizer=lambda _: ["use"]
    )
    assert e.pieces[0][0] == "used, misused and reuse: "


@pytest.mark.parametrize(
    "text, tokens, gaps",
    [
        ("I don't", ["I", "do", "n't"], ["", " ", "", ""]),
        ("unhappy un happy", ["un", "happy", "un", "happy"], ["", "", " ", " ", ""]),
        ("be because be cause", ["be", "cause"], ["", " because be ", ""]),
        ("because be cause", ["be", "cause"], ["", "", " be cause"]),
        ("because be good", ["be", "good"], ["because ", " ", ""]),
        ("今天天气", list("今天天气"), [""] * 5),
        ("今天天气, 好", ["今天", "天气", "好"], ["", "", ", ", ""]),
        ("aa aaa", ["aaa"], ["aa ", ""]),
        ("(x) x", ["(x)", "x"], ["", " ", ""]),
        ("a\nb", ["a", "\n", "b"], [""] * 4),
    ],
)
def test_the_pieces_of_a_word_fill_it(text, tokens, gaps):
    e = explain_text(
        CONSTANT, text, tokenizer=lambda _: tokens, bag_of_words=False, n_samples=20
    )
    assert [gap for gap, _, _ in e.pieces] == gaps
    assert [word for _, word, _ in e.pieces[:-1]] == tokens
    assert e.perturb(np.ones((1, len(tokens)), bool)) == [text]


@pytest.mark.parametrize(
    "text, tokens, word",
    [
        ("because", ["use"], "use"),
        ("running late", ["run", "late"], "run"),  # a stem
        ("unhappy end", ["un", "end"], "un"),  # a piece is missing
        ("Because", ["use"], "use"),
    ],
)
def test_parts_of_words_are_refused(text, tokens, word):
    message = rf"word '{word}' is only a part of a word .*between two word boundaries"
    with pytest.raises(ValueError, match=message):
        explain_text(CONSTANT, text, tokenizer=lambda _: tokens)


def test_tokens_may_be_in_lower_case():
    e = explain_text(
        CONSTANT, "İstanbul, my ΟΔΟΣ", tokenizer=lambda t: t.lower().split()
    )
    assert e.names == ["i\u0307stanbul,", "my", "οδος"]
    assert [word for _, word, _ in e.pieces] == ["İstanbul,", "my", "ΟΔΟΣ", ""]
    # Words as they stand are looked for first.
    e = explain_text(CONSTANT, "USE it, use", tokenizer=lambda _: ["use"])
    assert e.pieces[0][0] == "USE it, "
    e = explain_text(CONSTANT, "USE it, use", tokenizer=lambda _: ["use", "use"])
    assert e.pieces[0][:2] == ("", "USE")


def test_tokenizers_of_all_kinds():
    for tokenizer in (
        lambda t: (word for word in t.split()),  # a generator
        lambda t: np.array(t.split()),
        re.compile(r"\w+").findall,
        lambda t: [*re.split(r"(\W)", t)[::2], ""],  # an empty token
    ):
        e = explain_text(CONSTANT, "one two", tokenizer=tokenizer)
        assert e.names == ["one", "two"]
    with pytest.raises(ValueError, match="no words to leave out"):
        explain_text(CONSTANT, "one", tokenizer=lambda t: ["", ""])
    with pytest.raises(ValueError, match=r"re\.compile\(\.\.\.\)\.findall"):
        explain_text(CONSTANT, "one", tokenizer=r"\w+")
    with pytest.raises(ValueError, match="must return strings, got 7"):
        explain_text(CONSTANT, "one", tokenizer=lambda t: [7])


def test_scikit_learns_analyzer_is_a_tokenizer():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    post = "Because İstanbul is lovely, I use it: THE USE of because"
    analyzer = text.CountVectorizer(stop_words="english").build_analyzer()
    e = explain_text(CONSTANT, post, tokenizer=analyzer)
    assert e.names == ["stanbul", "lovely", "use"]
    assert [word for _, word, _ in e.pieces] == ["stanbul", "lovely", "use", "USE", ""]


@pytest.mark.parametrize(
    "text", ["今天天气很好", "ภาษาไทยสวยมาก", "きょうはいい天気です"]
)
def test_scripts_without_spaces_get_a_hint(text):
    with pytest.warns(UserWarning, match="tokenizer=list") as caught:
        e = explain_text(CONSTANT, text)
    assert e.names == [text] and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(explain_text(CONSTANT, text, tokenizer=list).names) >= 5
        explain_text(CONSTANT, "北京 and 日本語 and a longlonglongword")


def test_half_a_character_stops_neither_page_nor_picture():
    from matplotlib import pyplot as plt

    text = "good \ud83dbad \udc00"
    e = explain_text(opinion, text, tokenizer=str.split, class_names=["\ud800", "b"])
    assert e.names == ["good", "\ud83dbad", "\udc00"]
    for made in (e._repr_html_(), e.summary(), repr(e)):
        made.encode()
    e.plot().figure.canvas.draw()
    plt.close("all")


# --- tables ----------------------------------------------------------------------------------


def test_tabular_recovers_a_linear_model():
    rng = np.random.default_rng(0)
    background = rng.normal(size=(500, 4)) * [1, 10, 0.1, 0] + [0, 5, 1, 7]
    slope = np.array([0.01, 0.002, -0.1, 0.3])

    def predict(rows):
        assert (rows[:, 3] == 7).all(), "a column that never varies stays"
        return two(0.5 + (rows - background.mean(axis=0)) @ slope)

    e = explain_tabular(
        predict,
        background[0],
        background,
        labels=1,
        alpha=1e-5,
        names=["a", "b", "c", "d"],
    )
    assert np.allclose(
        e.coef[:, 1], slope * background.std(axis=0) * [1, 1, 1, 0], atol=1e-6
    )
    noise = np.random.default_rng(0).standard_normal((5000, 4))
    noise[0] = 0
    rows = background[0] + background.std(axis=0) * noise
    assert np.allclose(e.perturb(e.masks), rows)
    assert [x.name for x in e.top(k=9)] == ["b", "a", "c"]
    assert np.array_equal(e.weights[:1], [1.0])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": np.ones((1, 3))}, r"\(1, 3\)"),
        ({"background": np.ones((5, 2))}, r"\(5, 2\)"),
        ({"x": np.array([1, 2, np.nan])}, "finite"),
        ({"names": ["a"]}, "1 names"),
        ({"n_samples": 1}, ">= 2"),
        ({"background": np.ones((0, 3))}, "neither empty"),
        ({"background": np.array([[1.0, 1, 1e300], [1, 1, -1e300]])}, "finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_tables_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        explain_tabular(CONSTANT, **{"x": np.ones(3), "background": np.eye(3)} | change)


def test_one_batch_is_enough_for_a_table():
    """A forest with several jobs pays for every call."""
    calls = []

    def predict(rows):
        calls.append(len(rows))
        return two(sigmoid(rows[:, 0]))

    background = np.random.default_rng(0).normal(size=(50, 3))
    explain_tabular(predict, background[0], background)
    assert calls == [5000]
    calls.clear()
    explain_tabular(predict, background[0], background, n_samples=50, batch_size=20)
    assert calls == [20, 20, 10]


@pytest.mark.parametrize("n", [6, 7, 40])
def test_designs_of_tables(n):
    d = 3
    background = np.random.default_rng(0).normal(size=(50, d + 1)) * [1, 5, 0.2, 0]
    x = background[0]
    for design in ("paired", "orthogonal"):
        e = explain_tabular(CONSTANT, x, background, n_samples=n, design=design)
        noise = e.masks - e.masks[0]
        pairs = (n - 1) // 2
        assert np.allclose(noise[1 : 2 * pairs : 2], -noise[2 : 2 * pairs + 1 : 2])
        assert not noise[:, d].any() and noise[1:, :d].all()
        if design == "orthogonal":
            first = noise[1::2, :d]
            for start in range(0, len(first), d):
                block = first[start : start + d]
                product = block @ block.T
                assert np.allclose(product, np.diag(product.diagonal()), atol=1e-12)
        fit = fit_surrogate(e.masks, e.predictions, e.weights, paired=True)
        assert np.array_equal(e.stderr, fit.stderr)


def test_noise_of_every_design_is_standard_normal():
    background = np.random.default_rng(0).normal(size=(50, 4))
    for design in DESIGNS:
        e = explain_tabular(CONSTANT, background[0], background, design=design)
        noise = (e.masks - e.masks[0])[1:]
        assert np.abs(noise.mean(axis=0)).max() < 0.05
        assert np.abs(np.cov(noise.T) - np.eye(4)).max() < 0.08
        assert np.abs((noise**4).mean(axis=0) - 3).max() < 0.5


def test_designs_help_with_tables():
    """Pairs cancel what is even in the noise."""
    background = np.random.default_rng(0).normal(size=(100, 6))
    x = np.zeros(6)

    def predict(rows):
        curved = np.tanh((rows**2).sum(axis=1) / 10)
        return two(0.1 + 0.1 * sigmoid(rows[:, 0]) + 0.8 * curved)

    def spread(design):
        told = [
            explain_tabular(
                predict, x, background, n_samples=200, design=design, labels=1, seed=s
            ).coef[:, 1]
            for s in range(30)
        ]
        return np.std(told, axis=0).mean()

    assert spread("paired") < 0.8 * spread("iid")
    assert spread("orthogonal") < 0.8 * spread("iid")


# --- categorical columns

COLOURS_AND_SIZES = np.array(
    [[0, 1.0], [0, 2], [0, 4], [1, 3], [1, 5], [2, 2]] * 5
)  # colour 0: 1/2, 1: 1/3, 2: 1/6


def red(rows):
    """The model looks at colour 1, and nothing else."""
    return two(0.2 + 0.6 * (rows[:, 0] == 1))


@pytest.mark.parametrize("categorical", [["colour"], [0], (np.int64(0),)])
def test_categorical_columns_are_drawn_from_the_background(categorical):
    rows = []

    def predict(batch):
        rows.append(batch.copy())
        return red(batch)

    table = COLOURS_AND_SIZES
    e = explain_tabular(
        predict,
        table[3],
        table,
        names=["colour", "size"],
        categorical=categorical,
        labels=1,
        alpha=0,
    )
    (asked,) = rows
    assert asked.dtype == np.float64 and np.allclose(asked[0], table[3])
    found = [np.mean(asked[1:, 0] == c) for c in (0, 1, 2)]
    assert np.allclose(found, [1 / 2, 1 / 3, 1 / 6], atol=0.03)
    same = asked[:, 0] == 1
    assert np.array_equal(e.masks[:, 0], same) and e.masks[0, 0] == 1
    assert e.coef[0, 1] == pytest.approx(0.6) and abs(e.coef[1, 1]) < 1e-9
    noise = e.masks[:, 1] - e.masks[0, 1]
    D = np.sqrt(noise**2 + (1 - same))
    assert np.allclose(e.weights, exponential_kernel(D, 0.75 * np.sqrt(2)))
    assert np.allclose(asked[:, 1], table[3, 1] + noise * table[:, 1].std())


def test_what_is_off_in_a_table_shows_the_most_frequent_other_value():
    table = COLOURS_AND_SIZES
    names = ["colour", "size"]
    for x, other in ((table[3], 0), (table[0], 1)):
        e = explain_tabular(
            red, x, table, names=names, categorical=["colour"], labels=1
        )
        off, on = e.perturb(np.array([[0, 0.0], e.masks[0]]))
        assert np.allclose(off, [other, table[:, 1].mean()])
        assert np.allclose(on, x)
    curves = deletion_insertion(e, red)
    assert curves.deletion == pytest.approx([0.2, 0.2, 0.8], abs=0.01) or (
        curves.deletion == pytest.approx([0.2, 0.8, 0.8], abs=0.01)
    )
    one = np.array([[7.0, 1], [7, 2]])
    e = explain_tabular(CONSTANT, one[0], one, categorical=[0])
    assert (e.masks[:, 0] == 1).all() and e.perturb(np.zeros((1, 2)))[0, 0] == 7


class Frame:
    """What `explain_tabular` sees of a DataFrame."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows

    def __array__(self, dtype=None, copy=None):
        return np.array(self.rows, dtype or object)


def test_text_in_categorical_columns_and_names_from_a_frame():
    rows = [
        ["red", 1, True],
        ["blue", 2.5, False],
        ["red", 3, True],
        ["green", 4, True],
    ]
    frame = Frame(["colour", "size", "new"], rows)

    def predict(batch):
        assert batch.dtype == object and set(batch[:, 0]) <= {"red", "blue", "green"}
        assert all(isinstance(value, float) for value in batch[:, 1])
        return two(0.1 + 0.8 * (batch[:, 0] == "red"))

    e = explain_tabular(
        predict, rows[0], frame, categorical=["colour", "new"], labels=1
    )
    assert e.names == ["colour", "size", "new"] and e.top(k=1)[0].name == "colour"
    assert e.perturb(np.zeros((1, 3))).tolist() == [["blue", 2.625, False]]
    numbers = Frame(["size", "new"], [row[1:] for row in rows])

    def count(batch):
        assert batch.dtype == np.float64
        return CONSTANT(batch)

    explain_tabular(count, rows[0][1:], numbers, categorical=["new"])
    strings = np.array(rows, str)
    e = explain_tabular(predict, strings[0], strings, categorical=[0, 2], labels=1)
    assert e.names == [0, 1, 2] and e.top(k=1)[0].name == 0


@pytest.mark.parametrize(
    "change, message",
    [
        ({"categorical": ["shade"]}, r"unknown column 'shade': .*\['colour', 'size'\]"),
        ({"categorical": [2]}, "unknown column 2: expected 0 to 1"),
        ({"categorical": "colour"}, "list of columns, got the string 'colour'"),
        ({"x": [9, 1.0], "categorical": [0]}, "no row with .*9.* column 'colour'"),
        ({"x": ["red", 1.0]}, "categorical does not list: could not convert .*'red'"),
        ({"x": [None, 1.0]}, "finite numbers in x"),
        ({"x": [1j, 1.0]}, "categorical does not list"),
        ({"design": "lucky"}, "design in .*'lucky'"),
    ],
)
def test_tables_refuse(change, message):
    table = COLOURS_AND_SIZES
    options = {"x": table[0], "background": table, "names": ["colour", "size"]}
    with pytest.raises(ValueError, match=message):
        explain_tabular(never, **options | change)


def test_an_explanation_of_a_table_can_be_pickled():
    table = COLOURS_AND_SIZES
    e = explain_tabular(CONSTANT, table[0], table, categorical=[0])
    again = pickle.loads(pickle.dumps(e))
    assert np.array_equal(again.perturb(e.masks), e.perturb(e.masks))


# --- explanations ----------------------------------------------------------------------------


def opinion(texts):
    score = np.array(
        [t.count("good") - t.count("bad") - 0.5 * t.count("awful") for t in texts]
    )
    return two(sigmoid(score))


def test_top_and_summary():
    e = explain_text(opinion, "good good film, bad end, awful title", labels=1)
    assert [x.name for x in e.top(k=3)] == ["good", "bad", "awful"]
    best = e.top(k=1)[0]
    assert best.weight == e.coef[best.index, 1] and best.low < best.weight < best.high
    assert e.top(0, 1)[0].weight == pytest.approx(-best.weight)
    text = e.summary(k=2)
    assert text.startswith("class 1: model 0.622, surrogate 0.") and "film" not in text
    assert "good" in text and "leave-one-out" in text and "5000 samples worth" in text
    assert repr(e).startswith("<Explanation of 6 features, class 1")
    named = explain_text(opinion, "good", labels="nice", class_names=["nasty", "nice"])
    assert named.headline().startswith("class 1 (nice)")


def test_html_is_escaped_static_and_small():
    text = "<script>alert('x')</script> & \"good\" <b>bad</b> " + "good film <i>  " * 20
    page = explain_text(opinion, text, class_names=["<nasty>", "&nice"])._repr_html_()
    assert "<script" not in page and "<b>bad" not in page and "&lt;" in page
    assert "<nasty>" not in page and "&amp;nice" in page
    for forbidden in ("<style", "javascript", "onload", "http", "class=", "id="):
        assert forbidden not in page
    for tag in ("div", "span", "small", "p", "b"):
        assert len(re.findall(f"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"word{i % 170}" for i in range(300)),
        " ".join(f"ภาษาไทย{i}" for i in range(1200)),
        "good" * 20_000 + " bad",
        "good" + "<" * 50_000 + "bad",
        "good " * 10_000,
    ],
)
def test_html_is_at_most_20_kB(text):
    def predict(texts):
        return two(np.array([len(t) / (2 * len(text)) for t in texts]))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        e = explain_text(
            predict, text, n_samples=200, labels=[0, 1], class_names=["<" * 500] * 2
        )
    assert len(e._repr_html_().encode()) <= 20_000


def test_html_shows_the_first_label_and_colours_what_is_sure():
    text = "good film, bad end, " + " ".join(f"filler{i}" for i in range(40))
    e = explain_text(opinion, text, labels=[1, 0], n_samples=500)
    page = e._repr_html_()
    assert page.count("<b>class 1") == 1 and "<b>class 0" not in page
    low, high = e.interval[..., 1]
    sure = sum((low > 0) | (high < 0))
    coloured = re.findall(r'<span style="background:#\w{8}">([^<]*)</span>', page)
    assert {"good", "bad"} <= set(coloured) and len(coloured) == sure < 10


@pytest.mark.parametrize(("n", "shown"), [(25, "x" * 25), (26, "x" * 24 + "…")])
def test_a_bar_has_room_for_25_characters(n, shown):
    page = explain_text(opinion, f"good {'x' * n}", n_samples=50)._repr_html_()
    assert f'16em">{shown}</span>' in page


def test_html_says_where_it_leaves_off():
    for n in (300, 301):
        e = explain_text(opinion, " ".join(["good"] * n), n_samples=9)
        assert (" …</p>" in e._repr_html_()) == (n > 300)


def test_pictures():
    from matplotlib import pyplot as plt

    image = np.random.default_rng(0).random((28, 28))
    e = explain_image(lambda b: two(b[:, :16].mean(axis=(1, 2))), image, fill=0)
    ax = e.plot()
    assert len(ax.images) == 2 and e.plot(1, ax=ax) is ax
    alpha = ax.images[1].get_array()[..., 3]
    low, high = e.interval[..., e.labels[0]]
    sure = (low > 0) | (high < 0)
    assert np.array_equal(alpha > 0, sure[e.segments]) and 15 < sure.sum() < 40
    assert '<img src="data:image/png;base64,' in e._repr_html_()
    text = explain_text(opinion, "good film, bad end")
    plt.close("all")
    strongest = e.plot(top=5)
    assert len(strongest.images) == 1
    shown = (np.asarray(strongest.images[0].get_array()) != 0.72).any(axis=-1)
    best = [x.index for x in e.top(k=49) if x.low > 0][:5]
    assert np.array_equal(shown, np.isin(e.segments, best))
    assert len(text.plot(top=2).patches) == 2
    with pytest.raises(ValueError, match="top of at least 1, got 0"):
        e.plot(top=0)
    for explanation in (
        text,
        explain_tabular(lambda r: two(sigmoid(r[:, 0])), [1, 2], np.eye(2)),
    ):
        _, ax = plt.subplots()
        assert explanation.plot(ax=ax, k=3) is ax and len(ax.patches) <= 3
        assert ax.get_yticklabels()[0].get_text() == str(explanation.top()[0].name)
    plt.close("all")


def test_import_needs_numpy_alone():
    import subprocess
    import sys

    code = (
        "import sys, scratchml.lime, scratchml.faithfulness; print([m for m in "
        "('matplotlib', 'skimage', 'tqdm', 'scipy', 'lime') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# --- submodular_pick ------------------------------------------------------------------------------------


def about(*chosen):
    """An explanation of a text in which exactly the chosen words matter."""

    def predict(texts):
        return two(np.array([np.mean([w in words(t) for w in chosen]) for t in texts]))

    return explain_text(predict, " ".join(chosen), labels=1, n_samples=200)


def test_pick_covers_what_matters_most():
    explanations = [
        about("a", "b"),
        about("a"),
        about("c", "d", "e"),
        about("b"),
        about("f"),
    ]
    picked = submodular_pick(explanations, 3)
    assert len(set(picked)) == 3 and {2, 4} <= set(picked)
    assert submodular_pick(explanations, 99)[:3] == picked and sorted(
        submodular_pick(explanations, 99)
    ) == list(range(5))
    assert submodular_pick([about("a"), about("a", "b")], 1) == [1]


@pytest.mark.parametrize("seed", range(20))
def test_pick_is_greedy_in_the_papers_coverage(seed):
    rng = np.random.default_rng(seed)
    W = rng.exponential(size=(7, 9)) ** 3 * (rng.random((7, 9)) < 0.3)
    blank = explain_text(CONSTANT, "a b c d e f g h i", labels=1)
    explanations = [
        dataclasses.replace(blank, coef=np.column_stack([0 * w, w])) for w in W
    ]
    importance = np.sqrt(W.sum(axis=0))

    def coverage(chosen):
        return importance[(W[chosen] > 0).any(axis=0)].sum()

    greedy = []
    for _ in range(3):
        greedy.append(
            max(
                (i for i in range(7) if i not in greedy),
                key=lambda i, chosen=tuple(greedy): coverage([*chosen, i]),
            )
        )
    best = max(coverage(list(some)) for some in itertools.combinations(range(7), 3))
    picked = submodular_pick(explanations, 3)
    assert coverage(picked) == pytest.approx(coverage(greedy))
    assert coverage(picked) >= (1 - 1 / np.e) * best


def test_pick_prefers_two_features_to_one_a_little_heavier():
    """By hand: importances sqrt(1), sqrt(1) and sqrt(2.5); the first two together are
    more.
    """
    blank = explain_text(CONSTANT, "a b c", labels=1)
    explanations = [
        dataclasses.replace(blank, coef=np.array([[0.0, w] for w in row]))
        for row in ([0, 0, 2.5], [-1, 1, 0])
    ]
    assert submodular_pick(explanations, 1) == [1]


def test_pick_refuses():
    with pytest.raises(ValueError, match="budget"):
        submodular_pick([], 2)
    with pytest.raises(ValueError, match="budget"):
        submodular_pick([about("a")], 0)
    image = np.random.default_rng(0).random((8, 8))
    cut = [
        explain_image(CONSTANT, image, segments=grid_segments(image, c), n_samples=60)
        for c in (2, 3)
    ]
    with pytest.raises(ValueError, match="same segments"):
        submodular_pick(cut, 1)
    assert submodular_pick([cut[0], cut[0]], 1) == [0]


def test_every_public_name_says_where_it_comes_from():
    for name, thing in vars(lime).items():
        if getattr(thing, "__module__", "") == "scratchml.lime" and name[0] != "_":
            assert thing.__doc__, name


@pytest.mark.parametrize("kind", ["image", "text", "table"])
def test_left_alone_the_options_are_those_of_lime(kind):
    """The kernel's width and ridge regression's alpha as lime has them; and seed 0."""
    rng = np.random.default_rng(1)
    photo, rows = rng.random((9, 9)), rng.standard_normal((50, 4))

    def predict(batch):
        if kind == "text":
            return two(np.array([sigmoid(len(text) % 7 - 3) for text in batch]))
        numbers = np.reshape(batch, (len(batch), -1))
        return two(sigmoid(2 * numbers[:, 0] * numbers[:, -1] + numbers[:, 1]))

    def coef(**options):
        if kind == "image":
            cut = grid_segments(photo, 3)
            told = explain_image(predict, photo, segments=cut, n_samples=40, **options)
        elif kind == "text":
            told = explain_text(predict, "one two three four", n_samples=40, **options)
        else:
            told = explain_tabular(predict, rows[0], rows, n_samples=40, **options)
        return told.coef

    width = {"image": 0.25, "text": 0.25, "table": 0.75 * math.sqrt(4)}[kind]
    usual = coef()
    np.testing.assert_array_equal(usual, coef(seed=0, width=width, alpha=1.0))
    for other in ({"seed": 1}, {"width": 1.1 * width}, {"alpha": 1.5}):
        assert not np.array_equal(usual, coef(**other)), other


def test_a_small_image_is_asked_in_batches_of_256():
    sizes = []

    def predict(batch):
        sizes.append(len(batch))
        return CONSTANT(batch)

    explain_image(predict, np.random.default_rng(0).random((8, 8)), n_samples=600)
    assert sizes == [256, 256, 88]


def test_a_narrow_image_is_cut_into_rectangles():
    """Below 64 pixels either way there is too little for superpixels."""
    y, x = np.mgrid[:80, :80]
    image = np.stack([np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)], axis=-1)
    image = (image + 1) / 2
    assert not np.array_equal(superpixels(image), grid_segments(image))
    for narrow in (image[:, :63], image[:63]):
        assert np.array_equal(superpixels(narrow), grid_segments(narrow))
    for enough in (image[:, :64], image[:64]):
        assert not np.array_equal(superpixels(enough), grid_segments(enough))


def test_the_page_shows_so_much_of_a_long_name():
    names = ["no", "y" * 500]
    page = explain_text(CONSTANT, "a b", labels=1, class_names=names)._repr_html_()
    headline = re.search("<b>(.*?)</b>", page)[1]
    assert len(headline) == 200 and headline.endswith("y…")
