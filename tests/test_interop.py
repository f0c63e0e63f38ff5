"""The bridge to PyTorch keeps the network: its numbers, its training, and the way back.

Whole models that cross it take twenty steps beside PyTorch's with each optimizer in
tests/test_parity.py (tools/references/models.py).
"""

import copy
import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
import usages

from references import ROOT
from scratchml import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    AvgPool2d,
    BatchNorm,
    CharacterModel,
    Conv2d,
    CrossEntropyLoss,
    Dropout,
    Embedding,
    Fire,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    TextClassifier,
    explain_image,
    explain_tabular,
    explain_text,
    grid_segments,
    softmax,
    train_step,
)
from scratchml.interop import bridges, from_torch, to_torch

CELLS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
each_cell = pytest.mark.parametrize("cell", CELLS)
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)


def images(rng):
    return rng.standard_normal((4, 2, 9, 8))


def rows(rng):
    return rng.standard_normal((7, 3))


def ids(rng):
    return np.array(
        [[3, 1, 0, 2, 0], [0, 0, 0, 0, 0], [4, 0, 0, 0, 0], [1, 2, 3, 4, 1]]
    )


def sequences(rng):
    return rng.standard_normal((4, 5, 3))


LAYERS = {
    "Linear": (lambda rng: Linear(8, 3, rng=rng), images),
    "Sequential": (
        lambda rng: Sequential(
            Sequential(Linear(3, 4, rng=rng), Tanh()),
            Sequential(),
            Linear(4, 2, rng=rng),
        ),
        sequences,
    ),
    "Sigmoid": (lambda rng: Sigmoid(), images),
    "Tanh": (lambda rng: Tanh(), images),
    "ReLU": (lambda rng: ReLU(), images),
    "LeakyReLU": (lambda rng: LeakyReLU(0.3), images),
    "Softmax": (lambda rng: Softmax(), images),
    "Dropout": (lambda rng: Dropout(0.4, rng=rng), images),
    "Flatten": (lambda rng: Flatten(), images),
    "Embedding": (lambda rng: Embedding(5, 3, rng=rng), ids),
    "Embedding, padding": (lambda rng: Embedding(5, 3, rng=rng, padding=0), ids),
    **{
        cell: (lambda rng, kind=kind: kind(3, 4, rng=rng), sequences)
        for cell, kind in CELLS.items()
    },
    **{
        f"TextClassifier, {cell}, {pooling}": (
            lambda rng, cell=cell, pooling=pooling: TextClassifier(
                5, 3, embedding=3, hidden=4, cell=cell, pooling=pooling, rng=rng
            ),
            ids,
        )
        for cell in CELLS
        for pooling in ("mean", "last")
    },
    **{
        f"CharacterModel, {cell}": (
            lambda rng, cell=cell: CharacterModel(
                5, embedding=3, hidden=4, cell=cell, rng=rng
            ),
            ids,
        )
        for cell in CELLS
    },
    "Conv2d": (
        lambda rng: Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(2, 1), rng=rng),
        images,
    ),
    "MaxPool2d": (lambda rng: MaxPool2d((3, 2), stride=1, padding=1), images),
    "AvgPool2d": (lambda rng: AvgPool2d(2, padding=(1, 0)), images),
    "GlobalAvgPool2d": (lambda rng: GlobalAvgPool2d(), images),
    "BatchNorm": (lambda rng: BatchNorm(2, momentum=0.3, eps=1e-3), images),
    "BatchNorm, rows": (lambda rng: BatchNorm(3), rows),
    "Fire": (lambda rng: Fire(2, 3, 4, rng=rng), images),
}


def example(name, dtype=np.float64):
    """The layer in eval mode with random weights everywhere (no bias at 0), and its
    input.
    """
    make, inputs = LAYERS[name]
    rng = np.random.default_rng(5)
    layer, x = make(rng).astype(dtype).eval(), inputs(rng)
    for p in layer.parameters().values():
        p[...] = rng.standard_normal(p.shape) / 2
    for b in layer.buffers.values():
        b[...] = rng.uniform(0.5, 2, b.shape)
    return layer, x if x.dtype.kind == "i" else x.astype(dtype)


def output(module, x, *args):
    import torch

    args = [None if a is None else torch.tensor(a) for a in args]
    return module(torch.tensor(x), *args).detach().numpy()


def close(a, b, tolerance=1e-14):
    assert a.shape == b.shape and a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(np.abs(b).max(), 1))


# ----------------------------------------------------------------------- there and back


@needs_torch
@pytest.mark.parametrize("kind", usages.exported(Layer), ids=lambda k: k.__name__)
def test_every_exported_layer_crosses_the_bridge(kind):
    if kind not in {bridge.ours for bridge in bridges()}:
        pytest.skip(
            f"{kind.__name__} is not in interop.bridges. If PyTorch has it too, please "
            "add a row there, and to LAYERS above"
        )
    assert kind.__name__ in {name.partition(",")[0] for name in LAYERS}


@needs_torch
@pytest.mark.parametrize("name", LAYERS)
def test_layer_there_and_back(name):
    import torch

    layer, x = example(name)
    before = {key: p.copy() for key, p in layer.parameters().items()}
    torch.manual_seed(0)
    drawn = torch.random.get_rng_state()
    module = to_torch(layer)
    assert torch.equal(
        torch.random.get_rng_state(), drawn
    )  # no global random number used up
    assert isinstance(module, torch.nn.Module) and not module.training
    close(output(module, x), layer.forward(x))
    again = from_torch(module, rng=np.random.default_rng(0))
    assert type(again) is type(layer) and not again.training
    assert repr(again) == repr(layer) and list(again.parameters()) == list(
        layer.parameters()
    )
    close(again.forward(x), layer.forward(x))
    assert to_torch(layer.train()).training and from_torch(to_torch(layer)).training
    with torch.no_grad():
        for p in module.parameters():  # copies: nobody else's weights move
            p += 1
    for made in (layer, from_torch(to_torch(layer))):
        for key, p in made.parameters().items():
            padded = "padding" in name or key == "embedding.W"
            first = 1 if padded else 0  # the vector of the padding became 0
            np.testing.assert_array_equal(p[first:], before[key][first:])


@needs_torch
def test_float32_stays_float32():
    layer, x = example("Conv2d", np.float32)
    close(output(to_torch(layer), x), layer.forward(x), 1e-6)
    assert from_torch(to_torch(layer)).params["W"].dtype == np.float32


@needs_torch
@each_cell
def test_masks_with_holes_and_initial_states(cell):
    layer, x = example(cell)
    rng = np.random.default_rng(1)
    mask = rng.random(x.shape[:2]) < 0.6
    mask[0], mask[1] = False, [True, False, True, False, True]
    state = rng.standard_normal((layer.n_states, len(x), 4))
    module = to_torch(layer)
    for m, s in ((None, None), (mask, None), (None, state), (mask, state)):
        close(output(module, x, m, s), layer.forward(x, m, s))
        if m is None:
            close(module.state.numpy(), layer.state)


@needs_torch
@each_cell
def test_a_character_model_goes_on_where_it_stopped(cell):
    model, x = example(f"CharacterModel, {cell}")
    module = to_torch(model)
    whole = model.forward(x)
    close(output(module, x[:, :2]), whole[:, :2])
    close(output(module, x[:, 2:], module[1].state.numpy()), whole[:, 2:])


@needs_torch
def test_what_pytorch_users_write_comes_over():
    from torch import nn

    rng = np.random.default_rng(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(16, 3),
        nn.Softmax(dim=-1),
    ).eval()
    x = rng.standard_normal((5, 1, 8, 8)).astype(np.float32)
    close(from_torch(module, rng=rng).forward(x), output(module, x), 1e-6)
    for kind in (nn.RNN, nn.LSTM, nn.GRU):  # two biases, both at work
        cell = kind(3, 4, batch_first=True).double()
        x = rng.standard_normal((2, 5, 3))
        close(from_torch(cell).forward(x), output(lambda t, cell=cell: cell(t)[0], x))


@needs_torch
def test_what_ours_cannot_do_is_refused():
    """Each by the name of the option."""
    from torch import nn

    first = {"batch_first": True}
    refused = {
        "no bias": [
            nn.Linear(2, 2, bias=False),
            nn.Conv2d(2, 2, 1, bias=False),
        ],
        "bias=False": [nn.GRU(2, 2, bias=False, **first)],
        "batch_first=False": [nn.LSTM(2, 2)],
        "num_layers=2": [nn.LSTM(2, 2, 2, **first)],
        "bidirectional=True": [nn.LSTM(2, 2, bidirectional=True, **first)],
        "nonlinearity='relu'": [nn.RNN(2, 2, nonlinearity="relu", **first)],
        "proj_size=2": [nn.LSTM(2, 3, proj_size=2, **first)],
        "groups=2": [nn.Conv2d(2, 2, 3, groups=2)],
        "dilation=": [nn.Conv2d(1, 1, 3, dilation=2), nn.MaxPool2d(2, dilation=2)],
        "padding='same'": [nn.Conv2d(1, 1, 3, padding="same")],
        "padding_mode='circular'": [nn.Conv2d(1, 1, 3, padding_mode="circular")],
        "ceil_mode=True": [
            nn.MaxPool2d(2, ceil_mode=True),
            nn.AvgPool2d(2, ceil_mode=True),
        ],
        "return_indices=True": [nn.MaxPool2d(2, return_indices=True)],
        "count_include_pad=False": [
            nn.AvgPool2d(3, padding=1, count_include_pad=False)
        ],
        "divisor_override=2": [nn.AvgPool2d(3, divisor_override=2)],
        "dim=1": [nn.Softmax(dim=1)],
        "start_dim=0": [nn.Flatten(0)],
        "end_dim=2": [nn.Flatten(1, 2)],
        "max_norm=1.0": [nn.Embedding(3, 2, max_norm=1.0)],
        "affine=False": [nn.BatchNorm1d(3, affine=False)],
        "track_running_stats=False": [nn.BatchNorm2d(3, track_running_stats=False)],
        "all batches": [nn.BatchNorm2d(3, momentum=None)],
        "a vector for its padding": [
            nn.Embedding.from_pretrained(torch_ones(3, 2), padding_idx=1)
        ],
    }
    for option, modules in refused.items():
        for module in modules:
            message = f"from_torch: .*{re.escape(option)}.*ours"
            with pytest.raises(ValueError, match=message):
                from_torch(nn.Sequential(module))


def torch_ones(*shape):
    import torch

    return torch.ones(shape)


@needs_torch
def test_a_module_in_two_places_comes_twice_but_its_weights_must_not():
    from torch import nn

    relu = nn.ReLU()
    first = nn.Linear(3, 3)
    module = nn.Sequential(first, relu, nn.Linear(3, 3), relu)
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    ours = from_torch(module)
    assert len(ours.layers) == 4 and ours.layers[1] is not ours.layers[3]
    close(ours.forward(x), output(module, x), 1e-6)
    with pytest.raises(ValueError, match="the same weights in two places, ours cannot"):
        from_torch(nn.Sequential(first, relu, first))


@needs_torch
@pytest.mark.parametrize("shape", [(3, 6, 4), (3, 5, 4, 3, 2)], ids=["rows", "images"])
def test_batch_norm_remembers_on_both_sides(shape):
    """What is remembered while training crosses, and moves on in the same way."""
    import torch
    from torch import nn

    x = np.random.default_rng(0).standard_normal(shape)
    kind = nn.BatchNorm1d if len(shape) == 3 else nn.BatchNorm2d
    theirs = kind(4, momentum=0.2, eps=1e-3).double()
    ours = from_torch(theirs)
    again = to_torch(ours)
    for batch in x:
        y = output(theirs.train(), batch)
        close(ours.train().forward(batch), y)
        close(output(again.train(), batch), y)
    for name in ("running_mean", "running_var"):
        close(ours.buffers[name], getattr(theirs, name).numpy())
        close(ours.buffers[name], getattr(again, name).numpy())
    close(ours.eval().forward(x[0]), output(theirs.eval(), x[0]))
    close(from_torch(theirs).forward(x[0]), output(theirs, x[0]))
    with pytest.raises(ValueError, match=r"expected \(N, D\) or \(N, D, H, W\)"):
        again(torch.ones(2, 4, 3).double())


@needs_torch
def test_modules_can_be_saved_whole(tmp_path):
    import torch

    for name in ("TextClassifier, GRU, mean", "CharacterModel, LSTM", "Fire"):
        layer, x = example(name)
        module = to_torch(layer)
        torch.save(module, tmp_path / "m.pt")
        again = torch.load(tmp_path / "m.pt", weights_only=False)
        close(output(again, x), layer.forward(x))


@needs_torch
def test_dropout_gets_the_generator():
    rng = np.random.default_rng(3)
    block = Sequential(Sequential(Dropout(0.5, rng=rng)), Dropout(0.5, rng=rng))
    mine = np.random.default_rng(4)
    back = from_torch(to_torch(block), rng=mine)
    assert back.layers[1].rng is back.layers[0].layers[0].rng is mine
    assert from_torch(to_torch(block)).layers[1].rng is not mine


class Scale(Layer):
    """A learner's layer."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return self._keep(self.factor * x, None)


class Residual(Layer):
    """A learner's block, with layers inside."""

    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return x + self.inner.forward(x)


class MyLinear(Linear):
    """May compute anything: a subclass is not taken for its parent."""


@needs_torch
def test_unknown_layers_are_named_and_can_be_taught():
    from torch import nn

    class Twice(nn.Module):
        def forward(self, x):
            return 2 * x

    rng = np.random.default_rng(0)
    model = Sequential(Linear(3, 3, rng=rng), Scale(2))
    with pytest.raises(
        TypeError, match=r"to_torch does not know Scale\(\): .*extra=\{Scale: "
    ):
        to_torch(model)
    with pytest.raises(TypeError, match=r"to_torch does not know MyLinear"):
        to_torch(MyLinear(3, 3, rng=rng))
    module = to_torch(model, extra={Scale: lambda layer: Twice()})
    x = rng.standard_normal((4, 3)).astype(np.float32)
    close(output(module, x), model.forward(x), 1e-6)
    with pytest.raises(
        TypeError, match=r"from_torch does not know Twice\(\): .*extra=\{Twice: "
    ):
        from_torch(module)
    back = from_torch(module, extra={Twice: lambda module: Scale(2)})
    np.testing.assert_array_equal(back.forward(x), model.forward(x))


@needs_torch
def test_a_learners_block_gets_its_children_converted():
    from torch import nn

    class TorchResidual(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return x + self.inner(x)

    rng = np.random.default_rng(0)
    model = Sequential(Residual(Sequential(Linear(3, 3, rng=rng), Tanh())), ReLU())
    x = rng.standard_normal((4, 3)).astype(np.float32)
    there = {Residual: lambda layer, inner: TorchResidual(inner)}
    back = {TorchResidual: lambda module, inner: Residual(inner)}
    module = to_torch(model, extra=there)
    close(output(module, x), model.forward(x), 1e-6)
    again = from_torch(module, extra=back)
    assert list(again.parameters()) == list(model.parameters())
    close(again.forward(x), model.forward(x), 1e-6)


@needs_torch
def test_a_copied_gru_learns_as_the_first():
    """The part of PyTorch's second bias that ours does not have stays 0, in a copy
    too.
    """
    import torch

    module = to_torch(example("GRU")[0].train())
    x = torch.tensor(example("GRU")[1])
    for made in (module, copy.deepcopy(module)):
        optimizer = torch.optim.Adam(made.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (made(x) ** 2).sum().backward()
            optimizer.step()
        b_hh = made.bias_hh_l0.detach().numpy()
        assert (b_hh[:8] == 0).all() and b_hh[8:].all()


def test_importing_it_does_not_import_pytorch():
    code = "import sys, scratchml; from scratchml import interop; print('torch' in sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"


# ------------------------------------------------------------ scikit-learn, side by side


@pytest.mark.parametrize(
    ("options", "walk"),
    [
        (
            dict(solver="sgd", learning_rate_init=0.05, momentum=0.9),
            SGD(0.05, 0.9, nesterov=True),
        ),
        (
            dict(solver="adam", learning_rate_init=0.01, epsilon=1e-300),
            Adam(0.01, eps=1e-300),
        ),
    ],
)
def test_scikit_learns_mlp_follows_the_same_curve_in_mini_batches(options, walk):
    """Full batches and L2 are in test_parity; here batches of ten, ten epochs.

    Adam's eps is not divided by the bias correction there, so it is made too small to
    see.
    """
    sklearn = pytest.importorskip("sklearn.neural_network")
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((40, 5)), np.arange(40) % 3
    peer = sklearn.MLPClassifier(
        (7,),
        alpha=0,
        batch_size=10,
        shuffle=False,
        activation="tanh",
        random_state=0,
        **options,
    )
    start = copy.deepcopy(peer).partial_fit(
        x, y, classes=[0, 1, 2]
    )  # only for its shapes
    model = Sequential(Linear(5, 7, rng=rng), Tanh(), Linear(7, 3, rng=rng)).astype(
        np.float64
    )
    weights = list(model.parameters().values())

    class Started(sklearn.MLPClassifier):
        """The same initial weights; scikit-learn has no argument for them."""

        def _init_coef(self, *args):
            i = len(self.coefs_)
            return weights[2 * i].copy(), weights[2 * i + 1].copy()

    peer = Started(**start.get_params())
    losses = []
    for _ in range(10):
        peer.partial_fit(x, y, classes=[0, 1, 2])
        values = [
            train_step(model, CrossEntropyLoss(), walk, x[i : i + 10], y[i : i + 10])[0]
            for i in range(0, 40, 10)
        ]
        losses.append(np.mean(values))
    np.testing.assert_allclose(losses, peer.loss_curve_, rtol=1e-10)
    np.testing.assert_allclose(
        softmax(model.forward(x)), peer.predict_proba(x), rtol=1e-9
    )


# ------------------------------------------------------------------------- the README


def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


@needs_torch
def test_the_readmes_bridge_works_as_it_stands():
    bridge, _ = re.findall(r"^```py\n(.*?)^```", readme(), re.DOTALL | re.MULTILINE)
    namespace = {"model": example("Conv2d")[0]}
    exec(bridge, namespace)
    assert repr(namespace["model"]) == repr(example("Conv2d")[0])


# -------------------------------------------------- models of others, explained by LIME


def test_a_scikit_learn_model_is_explained():
    """A logistic regression's explanation has the order and the signs of its
    coefficients.
    """
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4)) * [1, 10, 0.1, 1]
    y = (x @ [1.0, -0.05, 5.0, 0.0] + 0.1 * rng.standard_normal(300) > 0).astype(int)
    model = linear.LogisticRegression().fit(x, y)
    found = explain_tabular(model.predict_proba, x[0], x, labels=1, progress=False)
    truth = model.coef_[0] * x.std(axis=0)
    mine = found.coef[:, 1]
    order = np.argsort(-np.abs(truth))
    assert [e.index for e in found.top(1)][:3] == order[:3].tolist()
    assert (np.sign(mine) == np.sign(truth))[order[:3]].all()


def test_a_scikit_learn_pipeline_of_texts_is_explained():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    good, bad = (
        ["a fine and good film", "good fun", "so good"],
        ["a dull film", "dull, too long"],
    )
    model = make_pipeline(text.CountVectorizer(), LogisticRegression()).fit(
        good + bad, [1] * 3 + [0] * 2
    )
    found = explain_text(
        model.predict_proba,
        "a good film but dull",
        labels=1,
        n_samples=500,
        progress=False,
    )
    weight = {e.name: e.weight for e in found.top()}
    assert weight["good"] > 0.05 and weight["dull"] < -0.05
    assert {e.name for e in found.top(k=2)} == {"good", "dull"}


@needs_torch
def test_a_pytorch_model_is_explained():
    """A network whose score is the light in one corner: the evidence lies there."""
    import torch
    from torch import nn

    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 2)).eval()
    with torch.no_grad():
        model[1].weight[...] = 0
        model[1].weight.view(2, 28, 28)[1, :8, :8] = 0.2
        model[1].bias[...] = torch.tensor([3.0, 0.0])

    def predict(batch):
        with torch.no_grad():
            return torch.softmax(model(torch.tensor(batch)), dim=-1).numpy()

    image = np.random.default_rng(0).random((28, 28), dtype=np.float32)
    found = explain_image(
        predict,
        image,
        segments=grid_segments(image),
        fill=0.0,
        labels=1,
        progress=False,
    )
    assert {e.name for e in found.top(k=4)} == {0, 1, 7, 8}
    assert all(e.weight > 0 for e in found.top(k=4))
    # And the same explanation through our own network.
    ours = from_torch(model)
    again = explain_image(
        lambda batch: softmax(ours.forward(batch)),
        image,
        fill=0.0,
        labels=1,
        segments=grid_segments(image),
        progress=False,
    )
    np.testing.assert_allclose(again.coef, found.coef, atol=1e-6)
