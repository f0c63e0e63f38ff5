"""RNN, LSTM, GRU, Embedding and whole models have PyTorch's numbers.

`tools/references_rnn.py` froze its answers in data/references/rnn.npz, so every machine
compares with them. Where PyTorch is installed, the frozen answers are compared with
fresh ones.
"""

import numpy as np
import pytest

import references_rnn
from references import FOLDER, of, save
from references_rnn import (
    BLOCKS,
    CASES,
    CHARACTERS,
    CLASSES,
    CUT,
    RATE,
    STEPS,
    WORDS,
    D,
    H,
)
from scratchml import SGD, CrossEntropyLoss, datasets, train_step
from scratchml.recurrent import (
    GRU,
    LSTM,
    RNN,
    CharacterModel,
    Embedding,
    TextClassifier,
)

VALUES, PATHS = (
    1e-12,
    1e-10,
)  # relative: outputs and gradients; ten steps one after the other
CELLS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
SIZES = dict(embedding=D, hidden=H, dtype=np.float64)
each_cell = pytest.mark.parametrize("cell", CELLS)


@pytest.fixture(scope="module")
def frozen():
    return datasets.references("rnn")


@pytest.fixture
def rng():
    return np.random.default_rng(0)  # only for shapes: every weight is replaced


def agree(mine, theirs, tolerance=VALUES):
    """Every frozen answer of a case has a number of ours, and the two are the same."""
    assert theirs and theirs.keys() <= mine.keys(), theirs.keys() - mine.keys()
    for name, expected in theirs.items():
        got = np.asarray(mine[name], float)
        assert got.shape == expected.shape, name
        difference = np.abs(got - expected).max() / np.abs(expected).max()
        assert difference <= tolerance, f"{name}: {difference:.2g}"


def fill(layer, given):
    """Our layer or model with the frozen weights."""
    for name, p in layer.parameters().items():
        p[...] = given[name]
    return layer


def gradients(model):
    """The gradients by the names of the file: `dW_xh`, `d1.W_xh`."""
    return {f"d{name}": g for name, g in model.gradients().items()}


def run(cell, case, given, rng):
    """Ours of one case: y, final state, and every gradient."""
    layer = fill(CELLS[cell](D, H, rng=rng, dtype=np.float64), given)
    if case == "truncated":
        return run_truncated(layer, given)
    mask = {
        "packed": np.arange(given["x"].shape[1]) < given["lengths"][:, None],
        "mask": given["mask"],
    }.get(case)
    plain = case == "plain"
    y = layer.forward(given["x"], mask, None if plain else given["state"])
    dy = given["dy"]
    if (
        case == "packed"
    ):  # PyTorch shows zeros where nothing was read, we the state carried over
        y, dy = y * mask[:, :, None], dy * mask[:, :, None]
    found = {"y": y, "final": layer.state}
    found["dx"] = layer.backward(dy, None if plain else given["dstate"])
    return found | {"dinitial": layer.dstate} | gradients(layer)


def run_truncated(layer, given):
    """Two pieces through a layer that carries its state; the gradients add up."""
    layer.stateful, state = True, given["state"]
    ys, dxs, total = [], [], {}
    for piece in (np.s_[:, :CUT], np.s_[:, CUT:]):
        ys.append(layer.forward(given["x"][piece], None, state))
        last = state is None
        dxs.append(
            layer.backward(given["dy"][piece], given["dstate"] if last else None)
        )
        if not last:
            dinitial = layer.dstate
        for name, g in gradients(layer).items():
            total[name] = total.get(name, 0) + g
        state = None  # from here on the layer carries it
    return {
        "y": np.concatenate(ys, axis=1),
        "dx": np.concatenate(dxs, axis=1),
        "final": layer.state,
        "dinitial": dinitial,
    } | total


@each_cell
@pytest.mark.parametrize("case", CASES)
def test_cell_is_pytorchs(cell, case, frozen, rng):
    given = of(frozen, cell)
    theirs = of(frozen, f"{cell}.{case}")
    assert len(theirs) >= 6 + (case != "plain") + (cell == "GRU")
    agree(run(cell, case, given, rng), theirs)


def test_embedding_is_pytorchs(frozen, rng):
    given = of(frozen, "embedding")
    layer = fill(Embedding(WORDS, D, rng=rng, padding=0, dtype=np.float64), given)
    y = layer.forward(given["ids"])
    layer.backward(given["dy"])
    agree({"y": y} | gradients(layer), {name: given[name] for name in ("y", "dW")})


@each_cell
def test_text_classifier_is_pytorchs(cell, frozen, rng):
    given = of(frozen, f"classifier.{cell}")
    model = fill(TextClassifier(WORDS, CLASSES, cell=cell, rng=rng, **SIZES), given)
    optimizer, losses = SGD(RATE), []
    for step in range(STEPS):
        value, scores, _ = train_step(
            model, CrossEntropyLoss(), optimizer, given["ids"], given["y"]
        )
        losses.append(value)
        if step == 0:
            first = {"scores": scores} | gradients(model)
            agree(
                first,
                {name: given[name] for name in given if name[0] == "d"}
                | {"scores": given["scores"]},
            )
    agree({"losses": losses}, {"losses": given["losses"]}, PATHS)
    assert losses[-1] < losses[0] / 3


@each_cell
def test_character_model_is_pytorchs(cell, frozen, rng):
    given = of(frozen, f"characters.{cell}")
    model = fill(CharacterModel(CHARACTERS, cell=cell, rng=rng, **SIZES), given)
    loss = CrossEntropyLoss()
    scores = model.forward(given["ids"], given["state"])
    value = loss.forward(scores, given["y"])
    model.backward(loss.backward())
    agree(
        {"scores": scores, "loss": value, "final": model.state} | gradients(model),
        {
            name: given[name]
            for name in given
            if name[0] == "d" or name in ("scores", "loss", "final")
        },
    )


def test_the_references_cover_every_cell_and_are_small(frozen):
    assert set(BLOCKS) == set(CELLS)
    assert (FOLDER / "rnn.npz").stat().st_size < 300_000
    for (
        name,
        a,
    ) in references_rnn.inputs().items():  # the same generator, the same numbers
        np.testing.assert_array_equal(frozen[name], a)
    for cell in CELLS:
        for name in CELLS[cell](D, H, rng=np.random.default_rng(0)).params:
            assert (
                np.abs(frozen[f"{cell}.{name}"]).min() > 0
            )  # no bias that hides in a zero


def test_pytorch_still_answers_the_same(frozen):
    pytest.importorskip("torch")
    fresh = references_rnn.compute()
    assert fresh.keys() == frozen.keys() - {"versions"}
    agree(fresh, {name: frozen[name] for name in fresh if frozen[name].any()}, PATHS)


def test_saving_gives_the_same_bytes(tmp_path, frozen):
    save(tmp_path / "rnn.npz", frozen)
    assert (tmp_path / "rnn.npz").read_bytes() == (FOLDER / "rnn.npz").read_bytes()
