"""Our numbers are PyTorch's, scikit-learn's and lime's.

tools/references has the cases and froze their answers in data/references, so every
machine compares with them. Where the peers are installed (`make parity`), the frozen
answers are compared with fresh ones.
"""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
import usages

import references
import scratchml
from references import PATHS, ROOT, SUBJECTS, nn
from scratchml import (
    L2,
    SGD,
    CrossEntropyLoss,
    Flatten,
    Layer,
    Linear,
    Loss,
    Optimizer,
    Sequential,
    accuracy,
    datasets,
    train_step,
)

CASES = [
    pytest.param(subject, case, id=f"{subject}-{case.name}")
    for subject in SUBJECTS
    for case in references.cases(subject)
]
needs_peers = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the peers are not installed"
)
each_subject = pytest.mark.parametrize("subject", SUBJECTS)
each_case = pytest.mark.parametrize(("subject", "case"), CASES)


@each_case
def test_ours_are_theirs(subject, case):
    if case.ours is None:
        pytest.skip("compared in a test of its own")
    given, answers = references.frozen(subject, case)
    assert answers
    assert references.difference(case.ours(given), answers) <= case.bound


@needs_peers
@each_case
def test_the_peer_still_answers_the_same(subject, case):
    given, answers = references.frozen(subject, case)
    fresh = references.theirs(case, given)
    assert references.difference(fresh, answers) <= drift(subject, case)


def drift(subject, case):
    """How far a peer's answer may be from the frozen one, on another machine."""
    by_name = {
        "sklearn_logistic": 1e-6,  # where an iteration stopped
        "digits": 0.004,  # 2 digits of 500
    }
    if subject == "squeezenet" and case.name != "fire":
        return 1e-5  # float32
    return by_name.get(case.name, max(case.bound, PATHS))


@each_subject
def test_every_number_of_a_file_belongs_to_a_case(subject):
    arrays = references.answers(subject)
    expected = {"versions"}
    for group, given in references.inputs(subject).items():
        expected |= references.keyed(group, given).keys()
    for case in references.cases(subject):
        _, answers = references.frozen(subject, case)
        expected |= references.keyed(case.name, answers).keys()
    assert arrays.keys() == expected


@each_subject
def test_the_inputs_are_the_frozen_ones(subject):
    arrays = references.answers(subject)
    for group, given in references.inputs(subject).items():
        for name, value in references.keyed(group, given).items():
            np.testing.assert_allclose(value, arrays[name], rtol=1e-15, err_msg=name)


@each_subject
def test_a_file_is_small_and_says_who_answered(subject):
    path = references.FOLDER / f"{subject}.npz"
    assert path.stat().st_size < 300_000
    arrays = references.answers(subject)
    who = [line.split()[0] for line in arrays["versions"]]
    assert who == ["numpy", "torch", "scikit-learn", "lime"]
    assert all(a.dtype.kind in "biuUf" for a in arrays.values())


@each_subject
def test_saving_gives_the_same_bytes_and_leaves_nothing_beside(subject, tmp_path):
    arrays = references.answers(subject)
    for name in ("a.npz", "b.npz", "a.npz"):
        references.save(tmp_path / name, arrays)
    original = (references.FOLDER / f"{subject}.npz").read_bytes()
    assert (tmp_path / "a.npz").read_bytes() == original
    assert (tmp_path / "b.npz").read_bytes() == original
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_a_difference_is_seen():
    """Without this every test above might compare nothing."""
    answers = {"y": np.array([1.0, 100.0])}
    assert references.difference({"y": np.array([1.0, 100.0])}, answers) == 0
    assert references.difference({"y": np.array([2.0, 100.0])}, answers) == 0.01
    for wrong in ({}, {"y": np.ones(3)}, answers | {"dx": np.ones(2)}):
        with pytest.raises(AssertionError):
            references.difference(wrong, answers)


# ------------------------------------------------------------------- what is compared

ROWS = {case.row for subject in SUBJECTS for case in references.cases(subject)}


@pytest.mark.parametrize(
    "kind",
    [kind for base in (Layer, Loss, Optimizer) for kind in usages.exported(base)],
    ids=lambda kind: kind.__name__,
)
def test_what_pytorch_has_is_compared(kind):
    """Asked for politely: a new class has no reference yet, PyTorch may not have it."""
    compared = {name for row in ROWS for name in re.findall(r"`(\w+)`", row)}
    if kind.__name__ not in compared:
        pytest.skip(
            f"{kind.__name__} has no reference. If PyTorch has it too, please add a case "
            "to tools/references, and run `make references parity`"
        )


def test_the_table_has_every_row_within_its_bound():
    page = (ROOT / "docs" / "results" / "parity.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- parity\b.*?<!-- end of parity -->", page, re.DOTALL)[0]
    rows = re.findall(
        r"^\| (.+?) \| (\w[\w-]*) \| ([\d.e-]+) \| (\de-\d+) \|$", block, re.MULTILINE
    )
    assert len(rows) == block.count("\n| ") - 1  # every line but the head
    assert str(len(rows)) in re.search(r"\*\*(\d+) comparisons", block)[1]
    for text, _, largest, bound in rows:
        assert 0 <= float(largest) <= float(bound) <= 1e-9, text
    assert {text for text, *_ in rows} == ROWS - {""}, "run `make parity`"
    assert {peer for _, peer, *_ in rows} == {"PyTorch", "scikit-learn", "lime"}


def test_every_gradient_moves_something():
    """A path that stood still would agree with anything that stands still."""
    arrays = references.answers("nn")
    ends = [arrays[f"{case}.path"][-1] for case in nn.WALKS]
    for i, end in enumerate(ends):
        assert np.abs(end - arrays["sgd.path"][0]).max() > 0.1
        assert all(np.abs(end - other).max() > 1e-3 for other in ends[:i])
    for case in references.cases("models"):
        given, answers = references.frozen("models", case)
        for name, end in answers.items():
            if name.startswith("end.") and "running" not in name:
                start = given[name.replace("end.", "start.")]
                assert np.abs(end - start).max() > 1e-3, f"{case.name}: {name}"
        losses = answers["losses"]
        assert losses[-3:].mean() < losses[:3].mean(), case.name


def test_no_bias_hides_in_a_zero():
    for subject in ("nn", "rnn", "cnn"):
        for group, given in references.inputs(subject).items():
            for name in given.keys() & {"b", "b_hn", "beta"}:
                assert np.abs(given[name]).min() > 0, f"{group}.{name}"


# ------------------------------------------------------------------- in other ways


def test_logistic_regression_has_our_minimum():
    """Where scikit-learn stops, our gradient of loss and L2 is 0; C = 1 / (strength N)."""
    given = references.of(references.answers("nn"), "sklearn_logistic")
    model = nn.fill(Linear(4, 3, rng=references.RNG), given)
    loss = CrossEntropyLoss()
    penalty = L2(1 / (given["C"] * len(given["x"])))
    loss.forward(model.forward(given["x"]), given["y"])
    model.backward(loss.backward())
    penalty.forward(model.params["W"])
    assert np.abs(model.grads["b"]).max() < 1e-7
    assert np.abs(model.grads["W"] + penalty.backward()).max() < 1e-7


def test_our_softmax_regression_reads_digits_as_well():
    """The same model and data, another way down: within two points of each other."""
    (x, y), _, (test_x, test_y) = datasets.mnist(full=False)
    model = Sequential(Flatten(), Linear(784, 10, rng=np.random.default_rng(0)))
    optimizer = SGD(0.3, momentum=0.9)
    for _ in range(100):
        train_step(model, CrossEntropyLoss(), optimizer, x, y)
    found = accuracy(model.forward(test_x), test_y)
    theirs = references.answers("nn")["digits.logistic_test_accuracy"]
    assert abs(found - theirs) <= 0.02


def test_clipping_is_pytorchs_up_to_its_epsilon():
    """clip_grad_norm_ divides by norm + 1e-6; ours by the norm."""
    torch = pytest.importorskip("torch")
    g = references.inputs("nn")["path"]["W"]
    p = torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64))
    p.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_([p], 0.5).item()
    model = Layer()
    model.params = {"W": 0 * g}
    model.grads = {"W": g.copy()}
    assert scratchml.clip_gradients(model, 0.5) == pytest.approx(norm, rel=1e-14)
    np.testing.assert_allclose(model.grads["W"], p.grad.numpy(), rtol=2e-6 / norm)


def test_scratchml_imports_none_of_them():
    found = subprocess.run(
        [sys.executable, "-c", "import sys, scratchml; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    peers = {"torch", "sklearn", "scipy", "lime"}
    heavy = {"matplotlib", "skimage", "pooch", "tqdm"}
    assert not (peers | heavy) & set(found)
    assert "numpy" in found
