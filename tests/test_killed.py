"""Killed in the middle, with SIGKILL or by the system: nothing half written is read.

What a tool writes is the old or the new, and a second run succeeds; the processes that
it has started end by themselves.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

import course
from course import ROOT

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="looks at processes as Linux does"
)


def until(true, what, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what}: not within {seconds} seconds"
        time.sleep(0.05)


def runs(pid):
    return Path(f"/proc/{pid}").exists()


# ------------------------------------------------------------------------ single files

# Each writer runs in a process of its own, which the system kills (SIGXFSZ) when a file
# reaches 100 bytes: in the middle of writing.
WRITERS = """
import os, resource, signal, sys
from pathlib import Path

import numpy as np

import course, gallery, live, make_mnist, make_posts, scratchml

folder = Path(sys.argv[1])
model = scratchml.Linear(30, 30, rng=np.random.default_rng(0))
sys.argv = ["gallery.py"]
gallery.ROOT = folder
gallery.PICTURES = {"picture": ()}
gallery.picture = lambda: bytes(1000)
live.PINS = folder / "pins.json"
live.pin = lambda _: {"files": ["a" * 1000]}
make_posts.make = lambda: [{"text": "a" * 1000}]
noise = np.random.default_rng(0).random(1000)
writers = {
    "weights.npz": lambda path: scratchml.save_weights(model, path),
    "notebook.ipynb": lambda path: course.write(path, "a" * 1000),
    "mnist.npz": lambda path: make_mnist.save(path, {"x": noise}),
    "posts.jsonl": lambda path: make_posts.main(["--output", str(path)]),
    "docs/picture.png": lambda path: gallery.main(),
    "pins.json": lambda path: live.main(["--pin", "."]),
}
(folder / "docs").mkdir()
for name, write in writers.items():
    path = folder / name
    path.write_text("old")
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        write(path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXFSZ
    kept = path.read_bytes() == b"old"
    write(path)
    print("@", name, "killed" if killed else "not killed", "kept" if kept else "lost",
          "written" if path.stat().st_size > 100 else "not written")
"""


def test_a_file_is_the_old_or_the_new(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WRITERS, tmp_path],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("@")]
    assert done.returncode == 0 and len(told) == 6, done.stderr
    wrong = [line for line in told if not line.endswith(" killed kept written")]
    assert not wrong


# ----------------------------------------------------------------------- whole folders


def folder_of(path, word):
    path.mkdir()
    for name in ("a", "b", "c"):
        (path / name).write_text(word)
    return path


def content(path):
    return {file.name: file.read_text() for file in path.iterdir()}


class Killed(BaseException):
    """Nothing that this is raised through may tidy up: so may SIGKILL."""


@pytest.mark.parametrize("moment", range(5))
def test_a_folder_is_the_old_or_the_new(tmp_path, monkeypatch, moment):
    target = folder_of(tmp_path / "site", "old")
    part = folder_of(tmp_path / ".site.part", "new")
    left = [moment]

    def killed_at(step):
        def run(*arguments, **options):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return step(*arguments, **options)

        return run

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed_at(Path.rename))
        patch.setattr(os, "unlink", killed_at(os.unlink))
        with pytest.raises(Killed):
            course.replace_folder(part, target)
    whole = [dict.fromkeys("abc", word) for word in ("old", "new")]
    assert not target.exists() or content(target) in whole
    if not part.exists():
        folder_of(part, "new")
    course.replace_folder(part, target)
    assert content(target) == whole[1]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


# ------------------------------------------------------------------------- make render

WAITS = """\
import os, pathlib, time

pathlib.Path("started").write_text(str(os.getpid()))
while not pathlib.Path("go").exists():
    time.sleep(0.05)
print("done")"""


@pytest.fixture
def copy(tmp_path):
    """A repository with the tools and one notebook, which waits until it may go on."""
    shutil.copytree(
        ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "scratchml").symlink_to(ROOT / "scratchml")
    notebook = nbformat.v4.new_notebook()
    for number, source in enumerate(["print('first')", WAITS]):
        notebook.cells.append(nbformat.v4.new_code_cell(source, id=f"c{number}"))
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks" / "01_nn.ipynb")
    return tmp_path


def test_render_killed_while_a_cell_runs(copy):
    command = [sys.executable, copy / "tools" / "render.py"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    path = copy / "notebooks" / "01_nn.ipynb"
    before = path.read_bytes()
    started = path.with_name("started")
    run = subprocess.Popen(command, cwd=copy, **options)
    try:
        until(lambda: started.exists() and started.read_text(), "the kernel")
    finally:
        run.kill()
    run.communicate()
    kernel = int(started.read_text())
    assert path.read_bytes() == before
    until(lambda: not runs(kernel), "the end of the kernel", 10)

    path.with_name("go").touch()
    done = subprocess.run(command, cwd=copy, check=False, **options)
    assert done.returncode == 0 and "rewritten" in done.stdout, done.stderr
    printed = [cell.outputs[0].text for cell in course.read(path).cells]
    assert printed == ["first\n", "done\n"]
    names = {file.name for file in path.parent.iterdir()}
    assert names == {"01_nn.ipynb", "started", "go"}


# ------------------------------------------------------------------------ explain_many

MANY = """
import os, time
import numpy as np
from scratchml import explain_many

large = np.zeros(1_000_000)

def slow(x, seed):
    open(f"{os.environ['SEEN']}/{os.getpid()}", "w").close()
    time.sleep(60 if x > 3 else 0.01)
    return large.sum()

explain_many(slow, range(1000), n_jobs=2, progress=False)
"""


def test_explain_many_killed_leaves_no_process_and_no_file(tmp_path):
    pytest.importorskip("joblib")
    seen = tmp_path / "seen"
    arrays = tmp_path / "arrays"
    seen.mkdir()
    arrays.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-c", MANY],
        cwd=ROOT,
        env=os.environ | {"SEEN": str(seen), "JOBLIB_TEMP_FOLDER": str(arrays)},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: len([*seen.iterdir()]) >= 2, "two processes")
        assert [*arrays.iterdir()]
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    for worker in seen.iterdir():
        until(lambda pid=worker.name: not runs(pid), "the end of a process", 10)
    until(lambda: not [*arrays.iterdir()], "the end of its files", 10)
    locks = Path("/dev/shm").glob(f"sem.loky-{run.pid}-*")
    until(lambda: not [*locks], "the end of its locks", 10)
