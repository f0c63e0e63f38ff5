"""SqueezeNet of the course's own layers: the same scores as PyTorch's, the same names.

Frozen values (tools/reference.py) where PyTorch is not installed; where it
is, any Fire and any photograph besides.
"""

import importlib.util
import io
import json
import pickle
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import make_squeezenet
from references import squeezenet as reference
from scratchml import (
    CheckFailed,
    Sequential,
    datasets,
    explain_image,
    gradient_check,
    superpixels,
)
from scratchml.squeezenet import (
    Fire,
    preprocess,
    squeezenet,
    squeezenet_probabilities,
)

DATA = Path(__file__).resolve().parent.parent / "data"
FROZEN = datasets.references("squeezenet")
NAMES = datasets.imagenet_names()
TOP5 = {
    "cat": {"tabby", "Egyptian cat", "tiger cat", "lynx", "cheetah"},
    "coffee": {"espresso", "consomme", "soup bowl", "cup", "tray"},
    "rocket": {"drilling platform", "beacon", "pole", "missile", "crane (machine)"},
    "astronaut": {"barbell", "stethoscope", "drumstick", "reel", "acoustic guitar"},
}

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)


# The function of the same name stands in front of the module.
MODULE = sys.modules["scratchml.squeezenet"]


@pytest.fixture(scope="module")
def model():
    return squeezenet()


@pytest.fixture(scope="module")
def images():
    names = reference.PHOTOGRAPHS
    return np.concatenate([reference.photograph(name) for name in names])


def assert_close(mine, theirs):
    """Equal within 1e-12 of the largest number of the array."""
    assert mine.shape == theirs.shape
    assert mine.dtype == theirs.dtype == np.float64
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(mine / scale, theirs / scale, rtol=0, atol=1e-12)


# --------------------------------------------------------------------------------- Fire


def lively(*sizes, rng):
    """A Fire none of whose units is cut off everywhere: those have no gradient."""
    fire = Fire(*sizes, rng=rng)
    for name, p in fire.parameters().items():
        if name.endswith("b"):
            p[...] = 1
    return fire


@settings(max_examples=10)
@given(st.integers(1, 3), *[st.integers(2, 3)] * 3, st.integers(0, 2**32))
def test_fire_matches_finite_differences(c_in, squeeze, expand, n, seed):
    rng = np.random.default_rng(seed)
    fire = lively(c_in, squeeze, expand, rng=rng)
    gradient_check(fire, rng.standard_normal((n, c_in, 4, 3)), rng=rng)


def test_gradient_check_sees_a_branch_that_is_left_out():
    class HalfFire(Fire):
        def backward(self, dy):
            dsmall, dlarge = np.split(self.expand_relu.backward(dy), 2, axis=1)
            self.expand1x1.backward(dsmall)
            ds = self.expand3x3.backward(dlarge)
            return self.squeeze.backward(self.squeeze_relu.backward(ds))

    rng = np.random.default_rng(0)
    with pytest.raises(CheckFailed):
        gradient_check(
            HalfFire(3, 2, 4, rng=rng), rng.standard_normal((2, 3, 4, 4)), rng=rng
        )


def test_fire_equals_the_frozen_values():
    frozen = {
        key.removeprefix("fire."): array
        for key, array in FROZEN.items()
        if key.startswith("fire.")
    }
    rng = np.random.default_rng(1)
    fire = Fire(*reference.FIRE, rng=rng, dtype=np.float64)
    for name, p in fire.parameters().items():
        p[...] = frozen[name]
    assert_close(fire.forward(frozen["x"]), frozen["y"])
    assert_close(fire.backward(frozen["dy"]), frozen["dx"])
    gradients = fire.gradients()
    assert len(frozen) == 4 + 2 * len(gradients)
    for name, g in gradients.items():
        assert_close(g, frozen[f"d{name}"])


@needs_torch
@settings(max_examples=20)
@given(*[st.integers(1, 5)] * 6, st.integers(0, 2**32))
def test_fire_equals_pytorchs(c_in, squeeze, expand, n, height, width, seed):
    import torch

    rng = np.random.default_rng(seed)
    ours = Fire(c_in, squeeze, expand, rng=rng, dtype=np.float64)
    theirs = reference.torch_fire(c_in, squeeze, expand).double()
    reference.copy_weights(ours.parameters(), theirs)
    x = rng.standard_normal((n, c_in, height, width))
    given_x = torch.tensor(x, requires_grad=True)
    y = theirs(given_x)
    dy = rng.standard_normal(tuple(y.shape))
    y.backward(torch.tensor(dy))
    np.testing.assert_allclose(ours.forward(x), y.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(ours.backward(dy), given_x.grad.numpy(), atol=1e-12)
    for name, layer in theirs.named_children():
        for letter, p in (("W", layer.weight), ("b", layer.bias)):
            mine = ours.gradients()[f"{name}.{letter}"]
            np.testing.assert_allclose(mine, p.grad.numpy(), atol=1e-11)


def test_fire_names_its_parameters_as_pytorch_does():
    fire = Fire(3, 2, 4, rng=np.random.default_rng(0))
    layers = {name.split(".")[0] for name in fire.parameters()}
    assert layers == {"squeeze", "expand1x1", "expand3x3"}
    assert repr(fire) == "Fire(3 -> 2 -> 4 + 4)"


def test_fire_refuses_other_channels():
    fire = Fire(3, 2, 4, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"expects \(N, 3, H, W\), got \(1, 4, 5, 5\)"):
        fire.forward(np.zeros((1, 4, 5, 5), np.float32))
    with pytest.raises(RuntimeError, match="needs a forward before it"):
        fire.backward(np.zeros((1, 8, 5, 5), np.float32))


# -------------------------------------------------------------------- the whole network


def test_the_network_has_the_papers_weights(model):
    parameters = model.parameters()
    assert sum(p.size for p in parameters.values()) == 1_235_496
    assert {p.dtype for p in parameters.values()} == {np.dtype(np.float32)}
    assert sum(isinstance(layer, Fire) for layer in model.layers) == 8


@pytest.mark.parametrize("i", range(4))
def test_scores_equal_pytorchs(model, images, i):
    name = reference.PHOTOGRAPHS[i]
    pixels = zlib.crc32(images[i].tobytes())
    assert pixels == FROZEN[f"{name}.pixels"], "the photograph is cut differently"
    scores = model.forward(preprocess(images[i : i + 1]))[0]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, FROZEN[f"{name}.scores"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("i", range(4))
def test_five_likeliest_classes(model, images, i):
    name = reference.PHOTOGRAPHS[i]
    p = squeezenet_probabilities(model, images[i : i + 1])[0]
    assert {NAMES[c] for c in p.argsort()[-5:]} == TOP5[name]


def test_what_the_lesson_says_about_the_four(model, images):
    p = squeezenet_probabilities(model, images)
    cat, coffee, rocket, astronaut = p
    cats = [NAMES.index(name) for name in ("tabby", "tiger cat", "Egyptian cat")]
    assert cat[cats].sum() > 0.99
    assert cat.max() < 0.5  # no single one is sure
    assert coffee[NAMES.index("espresso")] > 0.97
    assert NAMES[rocket.argmax()] == "drilling platform" and rocket.max() < 0.25
    assert NAMES[astronaut.argmax()] == "barbell" and astronaut.max() > 0.5


@needs_torch
@pytest.mark.parametrize("size", [31, 64, 99, 227])
def test_any_photograph_gives_pytorchs_scores(model, size):
    import torch

    rng = np.random.default_rng(size)
    x = preprocess(rng.integers(0, 256, (2, size, size + 5, 3), np.uint8))
    with torch.no_grad():
        theirs = reference.torch_squeezenet()(torch.tensor(x.copy()))
    np.testing.assert_allclose(model.forward(x), theirs.numpy(), rtol=0, atol=1e-4)


@needs_torch
def test_at_224_pixels_rounding_up_is_the_same(model):
    import torch

    theirs = reference.torch_squeezenet()
    for layer in theirs:
        if isinstance(layer, torch.nn.MaxPool2d):
            layer.ceil_mode = True
    rng = np.random.default_rng(0)
    for size, same in ((224, True), (227, False)):
        x = preprocess(rng.integers(0, 256, (1, size, size, 3), np.uint8))
        with torch.no_grad():
            scores = theirs(torch.tensor(x.copy())).numpy()
        assert np.allclose(model.forward(x), scores, rtol=0, atol=1e-4) == same


def test_scores_are_never_negative(model):
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    assert model.forward(preprocess(noise)).min() >= 0


def test_untrained_network_draws_its_weights(model):
    first, again = (squeezenet(rng=np.random.default_rng(5)) for _ in range(2))
    for name, p in first.parameters().items():
        assert np.array_equal(p, again.parameters()[name])
        assert p.shape == model.parameters()[name].shape
        assert name.endswith("b") or p.std() > 0
    assert not np.array_equal(first.layers[0].params["W"], model.layers[0].params["W"])


# ---------------------------------------------------------------------- file of weights


def damage(content, how):
    if how == "truncated":
        return content[: len(content) // 2]
    if how == "flipped":
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    if how == "empty":
        return b""
    file = io.BytesIO()
    if how == "pickled":
        np.savez(file, **{"0.W": np.array([{}], object)})
    else:
        np.savez(file, **{"0.W": np.zeros((3, 3), np.float16)})
    return file.getvalue()


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty", "pickled", "other"])
def test_damaged_weights_are_refused(tmp_path, monkeypatch, how):
    path = tmp_path / "squeezenet.npz"
    path.write_bytes(damage((DATA / "squeezenet.npz").read_bytes(), how))
    monkeypatch.setattr(MODULE, "data_folder", lambda: tmp_path)
    says = r"squeezenet\.npz( is not a weights file|: .* cannot load)"
    with pytest.raises(ValueError, match=says):
        squeezenet()


def test_missing_weights_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(MODULE, "data_folder", lambda: tmp_path)
    with pytest.raises(ValueError, match=r"squeezenet\.npz is missing: install"):
        squeezenet()


def test_weights_are_small_floats_written_by_savez():
    content = (DATA / "squeezenet.npz").read_bytes()
    assert len(content) < 2_600_000
    arrays = dict(np.load(io.BytesIO(content), allow_pickle=False))
    assert {a.dtype for a in arrays.values()} == {np.dtype(np.float16)}
    again = io.BytesIO()
    np.savez(again, **arrays)
    # Windows marks the archive otherwise.
    if zipfile.ZipFile(io.BytesIO(content)).infolist()[0].create_system == 3:
        assert again.getvalue() == content


# --------------------------------------------------------- preprocessing, probabilities


def test_preprocess_turns_the_colours_round():
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[..., 0] = 255
    blue, green, red = preprocess(image)[0, :, 0, 0]
    np.testing.assert_allclose(
        [blue, green, red], [-103.939, -116.779, 255 - 123.68], rtol=1e-6
    )


def test_preprocess_takes_integers_and_floats(images):
    found = preprocess(images)
    assert found.dtype == np.float32 and found.shape == (4, 3, 227, 227)
    for dtype in (np.float32, np.float64):
        np.testing.assert_allclose(
            preprocess(images.astype(dtype) / 255), found, atol=1e-4
        )
    assert np.array_equal(preprocess(images.astype(np.int64)), found)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (np.zeros((5, 5, 3), np.uint8), r"for a single one: image\[None\]"),
        (np.zeros((1, 3, 5, 5), np.uint8), r"expects images \(N, H, W, 3\), got"),
        (np.full((1, 5, 5, 3), 200.0), r"floats up to 1"),
        (np.full((1, 5, 5, 3), -1), r"in 0\.\.255"),
        (np.full((1, 5, 5, 3), np.nan), r"floats up to 1"),
    ],
)
def test_preprocess_refuses_what_it_would_misread(images, says):
    with pytest.raises(ValueError, match=says):
        preprocess(images)


def test_probabilities_do_not_depend_on_the_batches(model, images):
    small = images[:, :99, :99]
    before = small.copy()
    one = squeezenet_probabilities(model, small, batch_size=1)
    all_at_once = squeezenet_probabilities(model, small)
    assert one.shape == (4, 1000)
    np.testing.assert_allclose(one.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(one, all_at_once, atol=1e-5)
    assert np.array_equal(small, before)


def test_probabilities_restore_the_mode(model, images):
    model.train()
    squeezenet_probabilities(model, images[:1, :64, :64])
    assert model.training


def test_probabilities_of_nothing_are_refused(model):
    with pytest.raises(ValueError, match="at least one image"):
        squeezenet_probabilities(model, np.zeros((0, 99, 99, 3), np.uint8))


# --------------------------------------------------------------------- LIME through it


@pytest.mark.parametrize(
    ("i", "classes"),
    [(0, ("tabby", "tiger cat", "Egyptian cat")), (1, ("espresso",))],
    ids=["cat", "coffee"],
)
def test_few_parts_alone_keep_the_answer(model, images, i, classes):
    """Eight are most of the image, and random ones often do; four seldom do."""
    columns = [NAMES.index(name) for name in classes]

    def predict(batch):
        p = squeezenet_probabilities(model, batch)[:, columns].sum(axis=1)
        return np.column_stack([p, 1 - p])

    segments = superpixels(images[i], n_segments=20)
    explanation = explain_image(
        predict, images[i], segments=segments, n_samples=300, labels=0, progress=False
    )
    strongest = np.argsort(-explanation.coef[:, 0])
    for k in (4, 8):
        alone = np.isin(np.arange(len(strongest)), strongest[:k])
        masks = np.stack([np.ones_like(alone), alone, ~alone])
        whole, kept, left = predict(explanation.perturb(masks))[:, 0]
        assert kept >= whole / 2
        assert left <= whole / 10
    assert explanation.r2[0] > 0.8


# ------------------------------------------------------------------- the tool and names


def test_names_are_a_thousand_different_ones():
    assert len(NAMES) == len(set(NAMES)) == 1000
    known = {0: "tench", 281: "tabby", 285: "Egyptian cat", 967: "espresso"}
    assert {i: NAMES[i] for i in known} == known
    assert all(name == name.strip() != "" for name in NAMES)


@pytest.mark.parametrize("content", [b"", b"cat\n" * 1000, b"\xff\n" * 1000])
def test_damaged_names_are_refused(tmp_path, monkeypatch, content):
    (tmp_path / "imagenet_names.txt").write_bytes(content)
    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
    with pytest.raises(ValueError, match=r"imagenet_names\.txt is missing or damaged"):
        datasets.imagenet_names()


def test_names_are_the_first_synonyms_told_apart():
    synonyms = {str(i): f"thing {i}, same" for i in range(1000)}
    synonyms |= {"134": "crane", "517": "crane"}
    names = make_squeezenet.names(json.dumps(synonyms))
    assert names[0] == "thing 0"
    assert names[134] == "crane (bird)"
    assert names[517] == "crane (machine)"
    with pytest.raises(SystemExit, match="same name"):
        make_squeezenet.names(json.dumps(synonyms | {"1": "thing 0"}))


def test_the_tool_names_all_parameters_of_the_network(model):
    names = make_squeezenet.our_names().values()
    assert {f"{name}.{p}" for name in names for p in "Wb"} == set(model.parameters())


def test_convert_lays_kernels_out_as_ours():
    weights = {
        theirs: [np.full((3, 2, 5, 4), i, np.float32), np.full(4, i, np.float32)]
        for i, theirs in enumerate(make_squeezenet.our_names())
    }
    # Protocol 3 as in the package; numpy 2 calls its inner module otherwise.
    content = pickle.dumps(weights, protocol=3).replace(
        b"numpy._core.multiarray", b"numpy.core.multiarray"
    )
    arrays = make_squeezenet.convert(content)
    assert arrays["3.squeeze.W"].shape == (4, 5, 3, 2)
    assert arrays["13.b"].dtype == np.float16
    assert list(arrays)[:4] == ["0.W", "0.b", "3.squeeze.W", "3.squeeze.b"]


class Bomb:
    def __reduce__(self):
        return print, ("boom",)


@pytest.mark.parametrize("thing", [Bomb(), np.array([Bomb()], object), np.load])
def test_unpickler_admits_arrays_alone(thing, capsys):
    with pytest.raises(pickle.UnpicklingError, match="refused: "):
        make_squeezenet.convert(pickle.dumps({"conv1": thing}))
    assert not capsys.readouterr().out


@pytest.mark.parametrize("kind", ["tar", "wheel"])
def test_checksum_of_the_member_is_tested(tmp_path, kind):
    path = tmp_path / "archive"
    if kind == "tar":
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("a/b")
            member.size = 5
            archive.addfile(member, io.BytesIO(b"hello"))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/b", b"hello")
    right = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert make_squeezenet.read_member(path, "a/b", right) == b"hello"
    with pytest.raises(SystemExit, match=f"a/b: expected sha256 0, found {right}"):
        make_squeezenet.read_member(path, "a/b", "0")


def test_sequential_takes_a_fire_as_any_layer():
    rng = np.random.default_rng(0)
    model = Sequential(lively(2, 2, 2, rng=rng), lively(4, 2, 1, rng=rng))
    gradient_check(model, rng.standard_normal((2, 2, 4, 4)), rng=rng)
