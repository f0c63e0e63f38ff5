"""Our numbers are PyTorch's and scikit-learn's.

`tools/references.py` froze their answers in data/references/nn.npz, so every machine
compares with them. Where PyTorch is installed (`make parity`), the frozen answers are
compared with fresh ones.
"""

import importlib.util
import subprocess
import sys

import examples
import numpy as np
import pytest

import references
import scratchml
from scratchml import (
    L1,
    L2,
    SGD,
    AdaGrad,
    Adam,
    BatchNorm,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    Loss,
    MSELoss,
    Optimizer,
    ReLU,
    RMSProp,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    accuracy,
    datasets,
    softmax,
    train_step,
)

# Relative: outputs and gradients; fifty steps one after the other.
VALUES = 1e-12
PATHS = 1e-10
rng = np.random.default_rng(0)  # only for shapes: every weight is replaced

LAYERS = {
    "linear_2d": lambda: Linear(4, 3, rng=rng, dtype=np.float64),
    "linear_3d": lambda: Linear(4, 3, rng=rng, dtype=np.float64),
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "softmax": Softmax,
    "softmax_3d": Softmax,
    "dropout_eval": lambda: Dropout(0.5, rng=rng).eval(),
    "flatten": Flatten,
    "batch_norm_1d": lambda: BatchNorm(4, dtype=np.float64),
    "batch_norm_2d": lambda: BatchNorm(2, dtype=np.float64),
}
LOSSES = {
    "mse": MSELoss,
    "mse_3d": MSELoss,
    "cross_entropy": CrossEntropyLoss,
    "cross_entropy_one_hot": CrossEntropyLoss,
    "cross_entropy_3d": CrossEntropyLoss,
    "cross_entropy_huge": CrossEntropyLoss,
    "bce": BCEWithLogitsLoss,
}
PENALTIES = {"l1": L1, "l2": L2}
OPTIMIZERS = {  # what makes it; the further arguments of train_step
    "sgd": (lambda: SGD(0.5), {}),
    "momentum": (lambda: SGD(0.1, momentum=0.9), {}),
    "nesterov": (lambda: SGD(0.1, momentum=0.9, nesterov=True), {}),
    "adagrad": (lambda: AdaGrad(0.3), {}),
    "rmsprop": (lambda: RMSProp(0.02), {}),
    "adam": (lambda: Adam(0.05), {}),
    "clip": (lambda: SGD(0.5), {"clip_norm": 0.1}),
    "weight_decay": (lambda: SGD(0.5), {"penalty": L2(0.05)}),
    "weight_decay_momentum": (lambda: SGD(0.1, momentum=0.9), {"penalty": L2(0.05)}),
}
# Compared in test_recurrent_parity, test_convolution_parity, test_interop, or as a network.
ELSEWHERE = {
    *("Sequential", "Embedding", "RNN", "LSTM", "GRU", "TextClassifier"),
    *("CharacterModel", "Conv2d", "MaxPool2d", "AvgPool2d", "GlobalAvgPool2d"),
}


@pytest.fixture(scope="session")
def frozen():
    return datasets.references("nn")


def difference(mine, theirs):
    """The largest difference, in parts of the largest number; shapes must agree."""
    mine = np.asarray(mine)
    theirs = np.asarray(theirs)
    assert mine.shape == theirs.shape
    return np.abs(mine - theirs).max() / np.abs(theirs).max()


def run_layer(case, given):
    """Our y, dx and parameter gradients on the frozen inputs."""
    layer = LAYERS[case]()
    for name, p in layer.params.items():
        p[...] = given[name]
    if layer.buffers:
        return run_steps(layer, given)
    return forth_and_back(layer, given["x"], given["dy"])


def forth_and_back(layer, x, dy):
    y = layer.forward(x)
    dx = layer.backward(dy)
    gradients = {f"d{name}": g for name, g in layer.gradients().items()}
    return {"y": y, "dx": dx} | gradients


def run_steps(layer, given):
    """Several batches in training mode, with the buffers after each; then eval mode."""
    steps = []
    for x, dy in zip(given["x"], given["dy"], strict=True):
        found = forth_and_back(layer, x, dy)
        steps.append(found | {name: b.copy() for name, b in layer.buffers.items()})
    last = forth_and_back(layer.eval(), given["x"][0], given["dy"][0])
    return {name: np.array([step[name] for step in steps]) for name in steps[0]} | {
        f"eval_{name}": a for name, a in last.items()
    }


def run_loss(case, given):
    """Our value and gradient on the frozen inputs."""
    if case in PENALTIES:
        loss = PENALTIES[case](given["strength"])
        return {"loss": loss.forward(given["W"]), "dW": loss.backward()}
    loss = LOSSES[case]()
    return {
        "loss": loss.forward(given["scores"], given["target"]),
        "ds": loss.backward(),
    }


def run_path(case, given):
    """Fifty-one positions of all parameters, step by step."""
    make, settings = OPTIMIZERS[case]
    model, optimizer = Linear(4, 3, rng=rng, dtype=np.float64), make()
    for name, p in model.parameters().items():
        p[...] = given[name]
    path = []
    for step in range(references.STEPS + 1):
        path.append(np.concatenate([p.ravel() for p in model.parameters().values()]))
        if step < references.STEPS:
            train_step(
                model, CrossEntropyLoss(), optimizer, given["x"], given["y"], **settings
            )
    return {"path": np.array(path)}


def network(given, *layers):
    """A float64 network with the frozen initial weights."""
    model = Sequential(*layers).astype(np.float64)
    for name, p in model.parameters().items():
        p[...] = given["start_" + name.replace(".", "_")]
    return model


def run_network(given):
    """Twenty Adam steps on mini-batches: the losses, the scores and the weights at the
    end.
    """
    model = network(
        given,
        Linear(12, 8, rng=rng),
        Tanh(),
        Linear(8, 6, rng=rng),
        LeakyReLU(),
        Linear(6, 3, rng=rng),
    )
    optimizer, losses = Adam(0.02), []
    for step in range(20):
        rows = slice(step % 3 * 10, step % 3 * 10 + 10)
        losses.append(
            train_step(
                model, CrossEntropyLoss(), optimizer, given["x"][rows], given["y"][rows]
            )[0]
        )
    weights = {name.replace(".", "_"): p for name, p in model.parameters().items()}
    return {"losses": np.array(losses), "scores": model.forward(given["x"])} | weights


def run_mlp(given):
    """scikit-learn's MLPClassifier: twenty full-batch steps; its alpha is divided by
    N.
    """
    model = network(given, Linear(5, 7, rng=rng), ReLU(), Linear(7, 3, rng=rng))
    optimizer, losses = SGD(0.3), []
    for _ in range(20):
        losses.append(
            train_step(
                model,
                CrossEntropyLoss(),
                optimizer,
                given["x"],
                given["y"],
                penalty=L2(0.1 / 40),
            )[0]
        )
    return {
        "losses": np.array(losses),
        "probabilities": softmax(model.forward(given["x"])),
    }


def ours(frozen):
    """Everything above: (case, tolerance, our numbers)."""
    runs = [
        (LAYERS, run_layer, VALUES),
        (LOSSES | PENALTIES, run_loss, VALUES),
        (OPTIMIZERS, run_path, PATHS),
    ]
    for cases, run, tolerance in runs:
        for case in cases:
            given = references.of(frozen, "path" if run is run_path else case)
            yield case, tolerance, run(case, given)
    yield "network", PATHS, run_network(references.of(frozen, "network"))
    yield "sklearn_mlp", PATHS, run_mlp(references.of(frozen, "sklearn_mlp"))


CASES = [*LAYERS, *LOSSES, *PENALTIES, *OPTIMIZERS, "network", "sklearn_mlp"]


@pytest.fixture(scope="session")
def computed(frozen):
    return {case: (tolerance, found) for case, tolerance, found in ours(frozen)}


@pytest.mark.parametrize("case", CASES)
def test_ours_are_theirs(case, frozen, computed):
    tolerance, found = computed[case]
    for name, value in found.items():
        assert difference(value, frozen[f"{case}.{name}"]) <= tolerance, name
    # Nothing that they answered is left out.
    answers = (
        references.of(frozen, case).keys()
        - references.of(references.inputs(), case).keys()
    )
    assert answers == found.keys()


def test_every_frozen_case_is_compared(frozen):
    cases = {name.split(".")[0] for name in frozen} - {"versions", "path", "digits"}
    assert cases == {*CASES, "sklearn_logistic"}


@pytest.mark.parametrize(
    "kind",
    [kind for base in (Layer, Loss, Optimizer) for kind in examples.exported(base)],
    ids=lambda kind: kind.__name__,
)
def test_what_pytorch_has_is_compared(kind):
    """Asked for politely: a new class has no reference yet, and PyTorch may not have it."""
    compared = {type(make()) for make in (*LAYERS.values(), *LOSSES.values())}
    compared |= {type(make()) for make, _ in OPTIMIZERS.values()}
    if kind not in compared and kind.__name__ not in ELSEWHERE:
        pytest.skip(
            f"{kind.__name__} has no reference. If PyTorch has it too, please add it to "
            "tools/references.py and to this file, and run `make references parity`"
        )


def test_the_optimizers_go_somewhere(frozen):
    """A path that stood still would agree with anything that stands still."""
    ends = [frozen[f"{case}.path"][-1] for case in OPTIMIZERS]
    for i, end in enumerate(ends):
        assert np.abs(end - frozen["sgd.path"][0]).max() > 0.1
        assert all(np.abs(end - other).max() > 1e-3 for other in ends[:i])


def test_logistic_regression_has_our_minimum(frozen):
    """Where scikit-learn stops, our gradient of mean loss + L2 is zero; C is 1 /
    (strength N).
    """
    given = references.of(frozen, "sklearn_logistic")
    model = Linear(4, 3, rng=rng, dtype=np.float64)
    for name, p in model.parameters().items():
        p[...] = given[name]
    loss, penalty = CrossEntropyLoss(), L2(1 / (given["C"] * len(given["x"])))
    loss.forward(model.forward(given["x"]), given["y"])
    model.backward(loss.backward())
    penalty.forward(model.params["W"])
    assert np.abs(model.grads["b"]).max() < 1e-7
    assert np.abs(model.grads["W"] + penalty.backward()).max() < 1e-7


def test_our_softmax_regression_reads_digits_as_well(frozen):
    """The same model, the same data, another way down: within two points of each
    other.
    """
    (x, y), _, (test_x, test_y) = datasets.mnist(full=False)
    model = Sequential(Flatten(), Linear(784, 10, rng=np.random.default_rng(0)))
    optimizer = SGD(0.3, momentum=0.9)
    for _ in range(100):
        train_step(model, CrossEntropyLoss(), optimizer, x, y)
    found = accuracy(model.forward(test_x), test_y)
    assert abs(found - frozen["digits.logistic_test_accuracy"]) <= 0.02


def test_the_inputs_are_the_frozen_ones(frozen):
    for name, value in references.inputs().items():
        np.testing.assert_allclose(value, frozen[name], rtol=1e-15, err_msg=name)


def test_the_file_is_small_and_says_who_computed_it(frozen):
    path = references.FOLDER / "nn.npz"
    assert path.stat().st_size < 200_000
    assert [line.split()[0] for line in frozen["versions"]] == [
        "numpy",
        "torch",
        "sklearn",
    ]
    assert all(a.dtype.kind in "fiU" for a in frozen.values())


def test_saving_gives_the_same_bytes_and_leaves_nothing_beside(tmp_path, frozen):
    for name in ("a.npz", "b.npz", "a.npz"):
        references.save(tmp_path / name, frozen)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert (tmp_path / "a.npz").read_bytes() == (
        references.FOLDER / "nn.npz"
    ).read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.npz", "b.npz"]


@pytest.mark.parametrize(
    "part", ["layers", "batch_norms", "losses", "paths", "network"]
)
def test_pytorch_still_answers_the_same(part, frozen):
    pytest.importorskip("torch")
    recomputed = references.compute(getattr(references, part))
    assert recomputed.keys() > references.inputs().keys()
    for name, value in recomputed.items():
        tolerance = PATHS if part in ("paths", "network") else VALUES
        assert difference(value, frozen[name]) <= tolerance, name


def test_scikit_learn_still_answers_the_same(frozen):
    pytest.importorskip("sklearn")
    recomputed = references.compute(references.scikit_learn)
    for name in ("sklearn_mlp.losses", "sklearn_mlp.probabilities"):
        assert difference(recomputed[name], frozen[name]) <= PATHS
    for name in ("sklearn_logistic.W", "sklearn_logistic.b"):
        assert (
            difference(recomputed[name], frozen[name]) <= 1e-6
        )  # where an iteration stopped


def test_scikit_learn_still_reads_digits_as_well(frozen):
    pytest.importorskip("torch")  # slow, so in `make parity` alone
    name = "digits.logistic_test_accuracy"
    assert (
        abs(references.compute(references.digits)[name] - frozen[name]) <= 0.004
    )  # 2 of 500


def test_clipping_is_pytorchs_up_to_its_epsilon(frozen):
    """clip_grad_norm_ divides by norm + 1e-6; ours by the norm."""
    torch = pytest.importorskip("torch")
    g = references.inputs()["path.W"]
    p = torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64))
    p.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_([p], 0.5).item()
    model = Layer()
    model.params, model.grads = {"W": 0 * g}, {"W": g.copy()}
    assert scratchml.clip_gradients(model, 0.5) == pytest.approx(norm, rel=1e-14)
    np.testing.assert_allclose(model.grads["W"], p.grad.numpy(), rtol=2e-6 / norm)


def test_scratchml_imports_none_of_them():
    found = subprocess.run(
        [sys.executable, "-c", "import sys, scratchml; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {
        "torch",
        "sklearn",
        "scipy",
        "matplotlib",
        "skimage",
        "lime",
        "pooch",
        "tqdm",
    }
    assert not heavy & set(found)
    assert importlib.util.find_spec("numpy")
