"""The live page: its Python, which runs here as it does in a browser, and its build."""

import ast
import hashlib
import io
import json
import re
import zipfile

import numpy as np
import pytest
from strokes import DIGITS, ink

import live
import live_weights
from course import ROOT
from scratchml import datasets

page = live.page_module()
HTML = (live.SOURCE / "index.html").read_text("utf-8")
SCRIPT = (live.SOURCE / "live.js").read_text("utf-8")
WORKER = (live.SOURCE / "worker.js").read_text("utf-8")


@pytest.fixture(scope="module")
def models():
    return page.networks(ROOT / "data")


@pytest.fixture
def desk():
    return page.Page(ROOT / "data")


@pytest.fixture
def four():
    return page.as_mnist(ink(DIGITS[4]))


# ------------------------------------------------------------------ digits as MNIST has


def centre_of_mass(picture):
    middle = np.arange(28) + 0.5
    return (
        picture.sum(axis=1) @ middle / picture.sum(),
        picture.sum(axis=0) @ middle / picture.sum(),
    )


@pytest.mark.parametrize("digit", DIGITS)
def test_a_drawing_is_scaled_and_centred(digit):
    picture = page.as_mnist(ink(DIGITS[digit]))
    assert picture.shape == (28, 28) and picture.dtype == np.float32
    assert 0 <= picture.min() and 0.9 < picture.max() <= 1 + 1e-6
    assert centre_of_mass(picture) == pytest.approx((14, 14), abs=0.05)
    longer = max(np.ptp(np.flatnonzero(picture.max(axis=a) > 0.3)) + 1 for a in (0, 1))
    assert 19 <= longer <= 21


def test_place_and_size_of_a_drawing_do_not_matter():
    here = [[(0.2, 0.2), (0.2, 0.6), (0.4, 0.6)]]
    there = [[(x + 0.4, y + 0.3) for x, y in here[0]]]
    larger = [[(1.5 * x - 0.1, 1.5 * y - 0.1) for x, y in here[0]]]
    first = page.as_mnist(ink(here))
    assert np.allclose(page.as_mnist(ink(there)), first, atol=0.02)
    assert np.abs(page.as_mnist(ink(larger, pen=36)) - first).mean() < 0.02


def test_ink_is_neither_lost_nor_made():
    drawn = ink(DIGITS[0])
    rows = np.flatnonzero(drawn.max(axis=1) > 25)
    scale = (np.ptp(rows) + 1) / 20  # the zero is taller than wide
    assert page.as_mnist(drawn).sum() == pytest.approx(
        drawn.sum() / 255 / scale**2, 1e-4
    )


def test_nothing_and_a_dot():
    assert not page.as_mnist(np.zeros((280, 280), np.uint8)).any()
    dot = page.as_mnist(ink([[(0.8, 0.1), (0.8, 0.1)]]))
    assert centre_of_mass(dot) == pytest.approx((14, 14), abs=0.05)
    assert dot.sum() < 60  # no disc of 20 pixels across: that would be 314


# ---------------------------------------------------------------------------- networks


def test_the_networks_read_the_test_digits(models):
    x, y = datasets.mnist(full=False).test
    for name, least in (("nn", 0.95), ("lenet", 0.96)):
        p = page.probabilities(models[name], x[:, 0])
        assert (p.argmax(axis=1) == y).mean() >= least, name


@pytest.mark.parametrize("pen", [18, 24, 32])
def test_drawn_digits_are_read(models, pen):
    drawn = np.array([page.as_mnist(ink(d, pen=pen)) for d in DIGITS.values()])
    for model in models.values():
        read = page.probabilities(model, drawn).argmax(axis=1)
        assert (read == list(DIGITS)).sum() >= 9


def test_the_weights_are_trained_with_the_layers_of_the_page(tmp_path, models):
    live_weights.main(["--output", str(tmp_path), "--epochs", "1"])
    for name in live.WEIGHTS:
        with np.load(tmp_path / name) as made, np.load(ROOT / "data" / name) as kept:
            assert made.files == kept.files
            assert all(made[k].shape == kept[k].shape for k in made)
            assert all(made[k].dtype == np.float16 for k in made)
    assert page.networks(tmp_path).keys() == models.keys()


def test_training_writes_the_checksum_into_the_table():
    text = f"| `a.npz` | what | `made.py` | `{'0' * 64}` |\n"
    assert live_weights.with_checksum(text, "a.npz", "1" * 64) == text.replace("0", "1")
    with pytest.raises(SystemExit, match=r"one row for b\.npz, has 0"):
        live_weights.with_checksum(text, "b.npz", "1" * 64)


# ------------------------------------------------------------------------- what it does


def test_changes(four):
    assert (page.shifted(four, 2, -3) == np.roll(four, (2, -3), (0, 1))).all()
    assert not page.shifted(four, 28, 0).any()
    corner = np.zeros((28, 28), np.float32)
    corner[0, 0] = 1
    assert page.thickened(corner).sum() == 3
    assert page.shifted(page.shifted(corner, -1, 0), 1, 0).sum() == 0
    noisy = page.noisy(four, np.random.default_rng(0))
    assert noisy.dtype == np.float32 and 0 <= noisy.min() and noisy.max() <= 1
    assert page.erased(np.ones((28, 28)), 0, 27).sum() == 784 - 4
    assert page.erased(np.ones((28, 28)), 14, 14).sum() == 784 - 9
    assert four.any()  # none of them changed what it was given


@pytest.mark.parametrize("name", ["nn", "lenet"])
def test_the_input_gradient_is_the_slope(models, name, four):
    model = models[name].astype(np.float64)
    picture = 0.1 + 0.8 * four.astype(np.float64)
    dx = page.input_gradient(model, picture, 4)
    i = np.unravel_index(np.abs(dx).argmax(), dx.shape)
    losses = []
    for h in (-1e-5, 1e-5):
        moved = picture.copy()
        moved[i] += h
        losses.append(-np.log(page.probabilities(model, moved[None])[0, 4]))
    assert dx[i] == pytest.approx((losses[1] - losses[0]) / 2e-5, rel=1e-4)
    model.astype(np.float32)


@pytest.mark.parametrize("name", ["nn", "lenet"])
def test_fooling_finds_the_smallest_step(models, name, four):
    model = models[name]
    eps, picture, sign, lucky = page.fool(model, four, np.random.default_rng(0))
    assert 0 < eps < 0.3 and picture.dtype == np.float32
    assert page.probabilities(model, picture[None]).argmax() != 4
    less = np.clip(four + np.float32(eps - 0.01) * sign, 0, 1)
    assert page.probabilities(model, less[None]).argmax() == 4
    assert np.abs(picture - four).max() <= eps + 1e-6 and lucky <= 2


def test_evidence_is_for_the_answer_and_its_runner_up(desk, four):
    desk.take(four)
    p = page.probabilities(desk.models["lenet"], four[None])[0]
    shown = desk.why("lenet", samples=300)
    assert [e["label"] for e in shown["evidence"]] == np.argsort(-p)[:2].tolist()
    assert "asked 300 times" in shown["told"] and "For 4" in shown["told"]
    for e in shown["evidence"]:
        assert e["pixels"].shape == (3136,) and e["pixels"].dtype == np.uint8
        assert re.fullmatch(r"R² -?\d\.\d\d, strongest \d\.\d{3}", e["fit"])


def test_parts_without_ink_are_one(four):
    cells = page.parts(four)
    blank = cells == 49
    assert blank.any() and not four[blank].any()
    assert all(four[cells == cell].any() for cell in np.unique(cells[~blank]))


def test_colours_say_for_and_against():
    weight = np.zeros((28, 28))
    weight[0, 0], weight[0, 1] = 1, -1
    shown = page.as_bytes(np.zeros((28, 28)), weight).reshape(28, 28, 4)
    assert shown[0, 0, 2] > shown[0, 0, 0] + 100  # blue
    assert shown[0, 1, 0] > shown[0, 1, 2] + 100  # vermilion
    assert (shown[1:] == 255).all()
    assert page.spoken(weight) == (
        "most for it at the top left, most against it at the top left"
    )
    assert page.spoken(np.roll(weight, (12, 24), (0, 1))).startswith(
        "most for it at the middle right"
    )


def test_a_page_from_the_first_stroke_to_the_last(desk):
    for nothing in (desk.reset(), desk.fool("nn"), desk.why("lenet"), desk.thicken()):
        assert nothing["answers"] == {} and nothing["told"] == "Nothing drawn."
    pixels = np.zeros((280, 280, 4), np.uint8)
    pixels[..., 3] = ink(DIGITS[4])
    shown = desk.draw(pixels.ravel(), 280)
    assert shown["answers"]["lenet"]["best"] == shown["answers"]["nn"]["best"] == 4
    assert sum(shown["answers"]["nn"]["p"]) == pytest.approx(1, abs=1e-5)
    assert "LeNet says 4" in shown["told"]
    drawn = shown["picture"]
    for change in (
        desk.thicken,
        desk.noise,
        lambda: desk.erase(14, 14),
        lambda: desk.shift(1, 0),
    ):
        assert (change()["picture"] != drawn).any()
        assert (desk.reset()["picture"] == drawn).all()
    told = desk.fool("lenet")
    assert "is enough: LeNet said 4" in told["told"]
    assert told["answers"]["lenet"]["best"] != 4 and len(told["added"]) == 3136
    desk.warm_up()
    assert not desk.picture.any()


# ---------------------------------------------------------------------------- the build


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "live"
    live.build(folder)
    return folder


def inlined(folder, name):
    html = (folder / "index.html").read_text("utf-8")
    (text,) = re.findall(rf'id="{name}">(.*?)</script>', html, re.DOTALL)
    return json.loads(text)


def test_everything_that_the_page_names_is_there(built):
    config = inlined(built, "config")
    local = [f for f in config["files"] if "://" not in f["url"]]
    assert {f["name"] for f in local} == {"scratchml.zip", "page.py", *live.WEIGHTS}
    for file in local:
        content = (built / file["url"].partition("?")[0]).read_bytes()
        assert live.integrity(content) == file["integrity"]
        assert len(content) == file["bytes"]
    assert (built / config["worker"].partition("?")[0]).exists()
    html = (built / "index.html").read_text("utf-8")
    for name in re.findall(r'(?:src|href)="([\w.]+)\?v=', html):
        assert (built / name).exists()
    example = inlined(built, "example")
    assert example["answers"]["lenet"]["best"] == 3
    assert [e["label"] for e in example["evidence"]] == [3, 5]


def test_the_library_is_unchanged_and_weights_are_float16(built):
    with zipfile.ZipFile(built / "scratchml.zip") as packed:
        for path in (ROOT / "scratchml").glob("*.py"):
            assert packed.read(f"scratchml/{path.name}") == path.read_bytes()
    assert live.library() == live.library()
    with np.load(built / "live_nn.npz") as stored:
        assert {stored[name].dtype for name in stored} == {np.dtype(np.float16)}


def test_pyodide_comes_from_the_network_with_hashes(built):
    pins = json.loads(live.PINS.read_text("utf-8"))
    outside = [f for f in inlined(built, "config")["files"] if "://" in f["url"]]
    assert outside == pins["files"] and not (built / "pyodide").exists()
    for file in outside:
        assert file["url"].startswith("https://cdn.jsdelivr.net/")
        assert pins["version"] in file["url"] and file["url"].endswith(file["name"])
        assert re.fullmatch(r"sha384-[\w+/]{64}", file["integrity"])


@pytest.fixture
def pyodide(tmp_path, monkeypatch):
    """A folder with files that stand for Pyodide's, and their list."""
    folder = tmp_path / "pyodide"
    folder.mkdir()
    wheel = b"numpy"
    lock = {
        "info": {"version": "1.2.3"},
        "packages": {
            "numpy": {
                "file_name": "numpy.whl",
                "version": "2.0",
                "sha256": hashlib.sha256(wheel).hexdigest(),
            }
        },
    }
    for name in live.CORE:
        (folder / name).write_bytes(name.encode())
    (folder / "numpy.whl").write_bytes(wheel)
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    monkeypatch.setattr(live, "PINS", tmp_path / "pins.json")
    live.main(["--pin", str(folder)])
    return folder


def test_pyodide_is_copied_when_a_folder_is_given(tmp_path, pyodide):
    target = tmp_path / "site" / "live"
    live.build(target, pyodide)
    files = inlined(target, "config")["files"]
    assert not [f for f in files if "://" in f["url"]]
    for name in (*live.CORE, "numpy.whl"):
        assert (target / "pyodide" / name).read_bytes() == (pyodide / name).read_bytes()
    live.build(target)  # again, without: nothing old stays
    assert not (target / "pyodide").exists()
    assert [path.name for path in target.parent.iterdir()] == ["live"]


def test_a_wrong_or_missing_file_is_refused_and_the_old_page_stays(tmp_path, pyodide):
    target = tmp_path / "live"
    live.build(target, pyodide)
    (pyodide / "pyodide.js").write_text("other")
    with pytest.raises(SystemExit, match=r"pyodide\.js is not the file of Pyodide 1\."):
        live.build(target, pyodide)
    (pyodide / "pyodide.js").unlink()
    with pytest.raises(SystemExit, match=r"pyodide\.js is missing"):
        live.build(target, pyodide)
    assert (target / "pyodide" / "pyodide.js").read_text() == "pyodide.js"
    (pyodide / "numpy.whl").write_text("other")
    with pytest.raises(SystemExit, match=r"numpy\.whl is not the one in"):
        live.pin(pyodide)


def test_what_is_inlined_cannot_end_the_script():
    html = '<script type="application/json" id="a">{}</script>'
    shown = live.filled(html, "a", {"b": "</script><script>"})
    assert shown.count("<") == 2 and "\\u003c/script>" in shown
    with pytest.raises(SystemExit, match="needs one"):
        live.filled(html, "b", {})


# ------------------------------------------------------------------- the parts together


def test_buttons_and_scripts_name_what_exists():
    methods = {name for name in vars(page.Page) if not name.startswith("_")}
    tasks = set(re.findall(r'data-do="(\w+)"', HTML))
    tasks |= set(re.findall(r'\bask\("(\w+)"', SCRIPT))
    assert tasks == methods - {"take", "warm_up"}
    ids = set(re.findall(r'\bid="([\w-]+)"', HTML))
    assert set(re.findall(r'\$\("([\w-]+)"\)', SCRIPT)) <= ids
    described = re.findall(r'aria-(?:labelledby|describedby)="([\w-]+)"', HTML)
    assert described and set(described) <= ids
    assert set(re.findall(r'say\("(\w+)"', WORKER)) == set(
        re.findall(r"^  (\w+)\(.*\) \{$", SCRIPT.partition("const heard")[2], re.M)
    ) & {"progress", "starting", "ready", "failed", "wrong", "done"}


def test_the_page_itself_asks_nobody():
    for text in (HTML, SCRIPT, WORKER, (live.SOURCE / "style.css").read_text()):
        assert not re.search(r"https?://|//cdn", text)
    assert "default-src 'self'" in HTML


def test_the_browser_needs_numpy_and_scratchml_alone():
    tree = ast.parse((live.SOURCE / "page.py").read_text("utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    assert found == {"numpy", "scratchml"}


def test_bytes_become_text():
    found = json.loads(live.as_text({"a": np.array([1, 2], np.uint8)}))
    assert found == {"a": "AQI="}
    stored = io.BytesIO()
    np.savez(stored, a=np.zeros(2))
    assert live.integrity(stored.getvalue()).startswith("sha384-")
