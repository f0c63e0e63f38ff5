"""The real images: faces, photographs, and that held-out regions never touch the
training ones.
"""

import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import make_photo_cnn
from scratchml import (
    Adam,
    Conv2d,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    accuracy,
    datasets,
    fit,
    load_weights,
    local_probabilities,
    photos,
    predict,
    softmax,
)

PARTS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Everything here comes with scikit-image: whoever asks the network has a
    mistake.
    """

    def refuse(*args, **kwargs):
        raise AssertionError("a data set of this file asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def photographs():
    return photos.photographs()


@pytest.fixture(scope="module")
def patches():
    return photos.patches()


# -------------------------------------------------------------------------------- faces


def test_faces_are_all_there_and_half_of_them_faces():
    from skimage.data import lfw_subset

    faces = datasets.faces()
    assert isinstance(faces, datasets.Dataset)
    assert [len(y) for _, y in faces] == [120, 20, 60]
    for x, y in faces:
        assert (x.shape, x.dtype, y.dtype) == (
            (len(y), 1, 25, 25),
            np.float32,
            np.int64,
        )
        assert 0 <= x.min() < 0.1 < 0.9 < x.max() <= 1
        assert y.sum() * 2 == len(y)
        assert np.diff(y).all()  # in turns
    every = np.concatenate([x for x, _ in faces])
    assert len(np.unique(every.reshape(200, -1), axis=0)) == 200
    original = lfw_subset().astype(np.float32)
    for x, y in faces:
        for image, label in zip(x, y, strict=True):
            number = np.flatnonzero((original == image[0]).all(axis=(1, 2)))
            assert (number < 100) == label


def test_a_small_network_tells_faces_from_the_rest():
    rng, data = np.random.default_rng(0), datasets.faces()
    model = Sequential(
        Conv2d(1, 8, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(8, 16, 3, rng=rng),
        ReLU(),
        GlobalAvgPool2d(),
        Linear(16, 2, rng=rng),
    )
    fit(
        model,
        CrossEntropyLoss(),
        Adam(0.01),
        data.train,
        epochs=25,
        batch_size=20,
        rng=rng,
        progress=False,
    )
    assert accuracy(predict(model, data.test[0]), data.test[1]) >= 0.95


# -------------------------------------------------------------------------- photographs


def test_photographs_come_in_colour(photographs):
    assert (*photographs, "blank") == photos.CLASSES
    assert len(photographs) >= 5
    for name, image in photographs.items():
        assert image.dtype == np.uint8
        assert image.shape[2] == 3 and min(image.shape[:2]) >= 256
        assert np.ptp(image) > 100
        grey = (image == image[..., :1]).all()
        assert grey == (name in ("brick", "grass"))


def test_patches_have_their_shapes_and_classes(patches):
    assert isinstance(patches, datasets.Dataset)
    assert [len(y) for _, y in patches] == [4200, 420, 714]
    for x, y in patches:
        assert (x.shape, x.dtype, y.dtype) == (
            (len(y), 3, 32, 32),
            np.float32,
            np.int64,
        )
        assert 0 <= x.min() and x.max() <= 1
        counts = np.bincount(y)
        assert len(counts) == len(photos.CLASSES)
        assert len(set(counts)) == 1


def test_no_patch_occurs_in_two_parts(patches):
    every = [x[y < 6].reshape(-1, 3 * 32 * 32) for x, y in patches]
    together = np.concatenate(every)
    assert len(np.unique(together, axis=0)) == len(together)


def test_loading_is_quick_and_always_the_same(patches):
    start = time.process_time()
    again = photos.patches()
    assert time.process_time() - start < 5
    for (x, y), (x_again, y_again) in zip(patches, again, strict=True):
        np.testing.assert_array_equal(x, x_again)
        np.testing.assert_array_equal(y, y_again)
    for (x, _), (x_again, _) in zip(datasets.faces(), datasets.faces(), strict=True):
        np.testing.assert_array_equal(x, x_again)


@pytest.mark.parametrize("part", range(3), ids=PARTS)
def test_parts_share_no_pixel(part, photographs, patches, monkeypatch):
    """Shuffle all pixels of one part of each photograph: only the patches of that part
    change.
    """
    rng, mixed = np.random.default_rng(0), {}
    for name, image in photographs.items():
        mixed[name] = image.copy()
        inside = photos.regions(*image.shape[:2]) == part
        mixed[name][inside] = rng.permutation(image[inside])
    monkeypatch.setattr(photos, "photographs", lambda: mixed)
    for i, (found, expected) in enumerate(zip(photos.patches(), patches, strict=True)):
        np.testing.assert_array_equal(found[1], expected[1])
        changed = (found[0] != expected[0]).any(axis=(1, 2, 3))
        if i == part:
            assert changed[expected[1] < 6].all()
        else:
            assert not changed.any()


@given(st.integers(150, 600), st.floats(1, 2.5))
def test_regions_are_squares_apart(height, aspect):
    width = int(height * aspect)
    regions = photos.regions(height, width)
    assert regions.shape == (height, width)
    columns = round(4 * width / height)
    centre_rows = (np.arange(4) * 2 + 1) * height // 8
    centre_columns = (np.arange(columns) * 2 + 1) * width // (2 * columns)
    squares = regions[centre_rows][:, centre_columns]
    for row, column in np.ndindex(squares.shape):
        square = regions[
            (height * row + 3) // 4 : height * (row + 1) // 4,
            -(-width * column // columns) : width * (column + 1) // columns,
        ]
        assert (square == squares[row, column]).all()
    for part in (1, 2):
        there = squares == part
        assert 0.1 < there.mean() < 0.3
        assert not (there[1:] & there[:-1]).any()
        assert not (there[:, 1:] & there[:, :-1]).any()
    assert 0.5 < (squares == 0).mean() < 0.7


def test_patches_are_cut_from_their_own_photograph(patches, photographs):
    """The first training patch of each photograph is found in it, pixel for pixel."""
    x, y = patches.train
    for label, image in enumerate(photographs.values()):
        small = photos.shrink(image, 160).transpose(2, 0, 1)
        patch = np.rint(255 * x[y == label][0]).astype(np.uint8)
        views = np.lib.stride_tricks.sliding_window_view(small, (32, 32), axis=(1, 2))
        ((row, column),) = np.argwhere(
            (views == patch[:, None, None]).all(axis=(0, 3, 4))
        )
        regions = photos.regions(*small.shape[1:])
        assert not regions[row : row + 32, column : column + 32].any()


def test_blank_patches_show_at_most_four_colours(patches):
    for x, y in patches:
        pixels = x[y == 6].transpose(0, 2, 3, 1).reshape(-1, 32 * 32, 3)
        colours = np.array([len(np.unique(p, axis=0)) for p in pixels])
        assert colours.max() <= 4 and 0.5 < (colours > 1).mean() < 0.8


def test_the_saved_network_knows_held_out_patches(patches):
    model = make_photo_cnn.photo_network(np.random.default_rng(1))
    load_weights(model, datasets.data_folder() / "photo_cnn.npz")
    x, y = patches.test
    scores = predict(model, x)
    assert accuracy(scores[y < 6], y[y < 6]) >= 0.85


def test_the_script_saves_what_it_trained(tmp_path, capsys):
    path = tmp_path / "weights.npz"
    make_photo_cnn.main(["--output", str(path), "--epochs", "0"])
    load_weights(make_photo_cnn.photo_network(np.random.default_rng(1)), path)
    assert "of the test patches are right" in capsys.readouterr().out


# ------------------------------------------------------------------------- augmentation


def test_vary_photos_keeps_shape_dtype_and_range_and_its_input(patches):
    x = patches.train[0][::40]
    before = x.copy()
    found = photos.augment(x, np.random.default_rng(0))
    np.testing.assert_array_equal(x, before)
    assert (found.shape, found.dtype) == (x.shape, x.dtype)
    assert not np.shares_memory(found, x)
    assert found.min() >= 0 and found.max() <= 1
    np.testing.assert_array_equal(found, photos.augment(x, np.random.default_rng(0)))
    other = photos.augment(x, np.random.default_rng(1))
    assert (found != other).any(axis=(1, 2, 3)).mean() > 0.9
    assert photos.augment(x[:0], np.random.default_rng(0)).shape == (0, 3, 32, 32)


def test_vary_photos_mirrors_brightens_and_hides():
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.2, 0.6, 32, dtype=np.float32)
    x = (
        np.broadcast_to(ramp, (400, 3, 32, 32))
        * np.float32([1, 0.8, 0.6])[:, None, None]
    )
    found = photos.augment(x, rng)
    whole = (np.diff(found, axis=2) == 0).all(
        axis=(1, 2, 3)
    )  # every row alike: nothing is hidden
    assert 0.45 < whole.mean() < 0.75
    rising = found[whole, 0, 0, -1] > found[whole, 0, 0, 0]
    assert 0.35 < rising.mean() < 0.65
    brightness = found[whole].mean(axis=(1, 2, 3)) / x[0].mean()
    assert 0.74 < brightness.min() < 0.85 and 1.15 < brightness.max() < 1.26


@settings(max_examples=30)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]), st.booleans()
)
def test_hidden_parts_show_their_mean_colour(seed, dtype, everything):
    rng = np.random.default_rng(seed)
    x = rng.random((12, 3, 20, 24)).astype(dtype)
    before = x.copy()
    found = photos.hide_parts(x, rng, everything)
    np.testing.assert_array_equal(x, before)
    assert (found.shape, found.dtype) == (x.shape, dtype)
    for image, cover in zip(x, found, strict=True):
        changed = (image != cover).any(axis=0)
        colours, part = np.unique(cover[:, changed], axis=1, return_inverse=True)
        assert colours.shape[1] <= (4 if everything else 3)
        assert (
            changed.mean() > 0.9 or not everything
        )  # a part of one pixel keeps its colour
        for k, colour in enumerate(colours.T):
            mean = image[:, changed][:, part.ravel() == k].mean(axis=1)
            assert np.allclose(colour, mean, rtol=1e-4) or (colour == 0.5).all()


def test_one_part_is_never_hidden():
    found = photos.hide_parts(
        np.random.default_rng(0).random((500, 3, 32, 32)), np.random.default_rng(1)
    )
    original = np.random.default_rng(0).random((500, 3, 32, 32))
    left = (found == original).all(axis=1).mean(axis=(1, 2))
    assert 0.5 < left.mean() < 0.75
    assert (left == 0).mean() < 0.05  # two lines may leave an empty corner


# -------------------------------------------------------------------- whole photographs


def test_collage_shows_the_middle_of_both(photographs):
    cat, coffee = photographs["cat"], photographs["coffee"]
    found = photos.collage(cat, coffee, height=128)
    assert (found.shape, found.dtype) == ((128, 192, 3), np.uint8)
    for image, half in ((cat, found[:, :96]), (coffee, found[:, 96:])):
        small = photos.shrink(image, 128)
        start = (small.shape[1] - 96) // 2
        np.testing.assert_array_equal(half, small[:, start : start + 96])
    assert photos.shrink(cat, 150).shape == (150, round(451 * 150 / 300), 3)


@pytest.fixture
def local():
    """A network for 12 x 12 patches: scores of one position, then of all positions."""
    rng = np.random.default_rng(0)
    model = Sequential(
        Conv2d(3, 5, 3, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Dropout(0.5, rng=rng),
        Conv2d(5, 4, 5, rng=rng),
        Flatten(),
    )
    return model, Sequential(*model.layers[:-1])


def test_local_probabilities_are_the_mean_over_all_patches(local):
    model, everywhere = local
    images = np.random.default_rng(1).integers(0, 256, (3, 19, 22, 3), dtype=np.uint8)
    found = local_probabilities(everywhere, images)
    x = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    patches = [
        x[:, :, r : r + 12, c : c + 12] for r in range(0, 8, 2) for c in range(0, 11, 2)
    ]
    expected = np.mean([softmax(predict(model, patch)) for patch in patches], axis=0)
    assert found.shape == (3, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_local_probabilities_take_any_batch_and_leave_the_mode(local):
    _, everywhere = local
    images = np.random.default_rng(1).integers(0, 256, (5, 16, 14, 3), dtype=np.uint8)
    before = images.copy()
    expected = local_probabilities(everywhere.train(), images)
    assert everywhere.training
    assert all(layer.training for layer in everywhere.layers)
    np.testing.assert_array_equal(images, before)
    for batch_size in (None, 1, 2, 5, 50):
        found = local_probabilities(everywhere, images, batch_size=batch_size)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    as_floats = local_probabilities(everywhere, images.astype(np.float32) / 255)
    np.testing.assert_allclose(as_floats, expected, rtol=1e-5)


def test_large_photographs_go_one_by_one(local, monkeypatch):
    _, everywhere = local
    seen = []
    forward = everywhere.forward
    monkeypatch.setattr(
        everywhere, "forward", lambda x: seen.append(len(x)) or forward(x)
    )
    local_probabilities(everywhere, np.zeros((3, 640, 600, 3), np.uint8))
    local_probabilities(everywhere, np.zeros((3, 20, 30, 3), np.uint8))
    assert seen == [1, 1, 1, 3]


def test_local_probabilities_want_scores_for_each_position(local):
    model, _ = local
    with pytest.raises(
        ValueError, match=r"\(N, classes, h, w\).* gives \(2, 4\): leave out its"
    ):
        local_probabilities(model, np.zeros((2, 12, 12, 3), np.uint8))


# ------------------------------------------------------------------------ what it needs


@pytest.mark.parametrize("load", [datasets.faces, photos.photographs, photos.patches])
def test_without_scikit_image_the_error_says_so(load, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "skimage"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ImportError, match="skimage"):
        load()


def test_importing_the_package_imports_no_image_library():
    code = (
        "import sys, scratchml; "
        "print([m for m in sys.modules if m in ('skimage', 'scipy', 'PIL', 'pooch')])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"
