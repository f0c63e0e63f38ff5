"""A data set explained: the same answers however the work is spread, nothing lost."""

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import scratchml._support
from scratchml import (
    ExplanationFailed,
    Flatten,
    Linear,
    Sequential,
    explain_image,
    explain_many,
    explain_text,
)

joblib = pytest.importorskip("joblib")

IMAGES = np.random.default_rng(0).random((7, 28, 28))


def predict(images):
    p = images[:, :14].mean(axis=(1, 2))
    return np.column_stack([1 - p, p])


EXPLAIN = partial(explain_image, predict, labels=1, n_samples=50, progress=False)


def coefficients(many):
    return np.array([told.coef for told in many])


@pytest.fixture(scope="module")
def alone():
    return coefficients(explain_many(EXPLAIN, IMAGES, n_jobs=1, progress=False))


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.parametrize("n_jobs", [2, 3])
def test_the_explanations_are_the_same_however_the_work_is_spread(
    alone, backend, n_jobs
):
    with joblib.parallel_config(backend=backend):
        many = explain_many(EXPLAIN, IMAGES, n_jobs=n_jobs, progress=False)
    assert np.array_equal(coefficients(many), alone)


def test_the_readmes_data_set_is_explained_as_it_stands():
    readme = Path(__file__).resolve().parents[1] / "README.md"
    text = readme.read_text(encoding="utf-8")
    _, code = re.findall(r"^```py\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    namespace = {"explain": EXPLAIN, "x": IMAGES[:, None]}
    exec(code, namespace)
    assert len(namespace["many"]) == len(IMAGES)
    assert len(set(namespace["examples"])) == 4


def test_the_number_of_jobs_may_come_from_around_the_call(alone):
    with joblib.parallel_config(n_jobs=2):
        pids = explain_many(lambda x, seed: os.getpid(), range(20), progress=False)
        many = explain_many(EXPLAIN, IMAGES, progress=False)
    assert os.getpid() not in pids
    assert np.array_equal(coefficients(many), alone)


def test_without_a_number_nothing_leaves_this_process():
    pids = explain_many(lambda x, seed: os.getpid(), range(3), progress=False)
    assert pids == [os.getpid()] * 3


def test_each_input_has_a_seed_of_its_own_that_follows_from_yours():
    def seeds(seed, n, **how):
        return explain_many(
            lambda x, seed: seed, range(n), seed=seed, progress=False, **how
        )

    assert len(set(seeds(0, 50))) == 50
    assert seeds(0, 5) == seeds(0, 50)[:5] == seeds(0, 5, n_jobs=2)
    assert not set(seeds(0, 50)) & set(seeds(1, 50))


def test_the_explanations_are_those_of_single_calls(alone):
    seeds = explain_many(lambda x, seed: seed, IMAGES, progress=False)
    single = [EXPLAIN(x, seed=s) for x, s in zip(IMAGES, seeds, strict=True)]
    assert np.array_equal(coefficients(single), alone)


def test_what_is_defined_in_a_notebook_travels():
    scale = 0.5

    def ask(texts):
        return np.array([[scale, 1 - scale] for _ in texts])

    explain = partial(explain_text, ask, n_samples=20, progress=False)
    many = explain_many(explain, ["a b", "c d e"], n_jobs=2, progress=False)
    assert [told.names for told in many] == [["a", "b"], ["c", "d", "e"]]
    assert many[1].perturb(np.eye(3, dtype=bool))[0].split() == ["c"]  # it came back


def test_a_model_travels_without_what_it_kept_for_its_backward():
    model = Sequential(Flatten(), Linear(784, 2, rng=np.random.default_rng(0)))
    before = len(pickle.dumps(model))
    model.forward(IMAGES.astype(np.float32))
    assert len(pickle.dumps(model)) == before


def test_any_iterable_and_none_at_all():
    def double(x, seed):
        return 2 * x

    assert explain_many(double, (x for x in range(4)), progress=False) == [0, 2, 4, 6]
    assert explain_many(double, [], n_jobs=2, progress=False) == []


def test_processes_use_one_thread_each():
    def threads(x, seed):
        return os.environ["OPENBLAS_NUM_THREADS"]

    assert explain_many(threads, range(4), n_jobs=2, progress=False) == ["1"] * 4


def fails_at_2(x, seed):
    if x == 2:
        raise KeyError("no such thing")
    return x


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failing_input_is_named(n_jobs):
    with pytest.raises(ExplanationFailed, match=r"input 2: KeyError") as caught:
        explain_many(fails_at_2, range(5), n_jobs=n_jobs, progress=False)
    assert caught.value.position == 2
    assert "in fails_at_2" in caught.value.details
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.position, str(again)) == (2, str(caught.value))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failing_input_does_not_lose_the_others(n_jobs):
    how = {"n_jobs": n_jobs, "progress": False, "errors": "return"}
    many = explain_many(fails_at_2, range(5), **how)
    assert [x for x in many if isinstance(x, int)] == [0, 1, 3, 4]
    assert isinstance(many[2], ExplanationFailed) and many[2].position == 2


def test_an_error_that_cannot_travel_is_told_in_words():
    class Odd(Exception):
        def __init__(self, a, b):
            super().__init__(a)

    def fails(x, seed):
        raise Odd("odd", 2)

    (told,) = explain_many(fails, [0], n_jobs=2, progress=False, errors="return")
    assert str(told) == "input 0: Odd: odd"


def test_other_ways_with_errors_are_refused():
    with pytest.raises(ValueError, match="'raise' or 'return', got 'ignore'"):
        explain_many(fails_at_2, [0], errors="ignore")


def test_the_bar_counts_every_input(monkeypatch):
    moved = []

    class Bar(scratchml._support._SilentBar):
        def update(self):
            moved.append(1)

    bars = []
    monkeypatch.setattr(
        "scratchml.many.progress_bar", lambda *how: bars.append(how) or Bar()
    )
    explain_many(lambda x, seed: x, range(6), n_jobs=2)
    assert bars == [(6, True)] and len(moved) == 6


def test_a_process_that_is_killed_is_no_silent_loss():
    def dies(x, seed):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(Exception, match="terminated"):
        explain_many(dies, range(2), n_jobs=2, progress=False)


SLOW = """
import os, time
from scratchml import explain_many
def slow(x, seed):
    open(f"{os.environ['SEEN']}/{os.getpid()}", "w").close()
    time.sleep(0.2)
try:
    explain_many(slow, range(1000), n_jobs=2, progress=False)
except KeyboardInterrupt:
    print("stopped")
"""


def test_ctrl_c_stops_all_processes(tmp_path):
    script = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        env=os.environ | {"SEEN": str(tmp_path)},
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _until(lambda: len(list(tmp_path.iterdir())) >= 2)
        os.killpg(script.pid, signal.SIGINT)  # as a terminal does
        out, err = script.communicate(timeout=60)
    finally:
        script.kill()
    assert (out, script.returncode) == ("stopped\n", 0)
    # On a busy machine joblib may warn at the very end of a semaphore already gone.
    late = ("resource_tracker", "warnings.warn")
    assert not [line for line in err.splitlines() if not any(w in line for w in late)]
    assert not list(Path("/dev/shm").glob(f"sem.loky-{script.pid}-*"))
    workers = [Path(f"/proc/{path.name}") for path in tmp_path.iterdir()]
    _until(lambda: not any(worker.exists() for worker in workers))


def _until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_inputs_are_no_arguments_of_their_own(monkeypatch):
    given = []
    monkeypatch.setattr(
        "scratchml.many._in_order",
        lambda tasks, n_jobs: given.extend(tasks) or iter([]),
    )
    explain_many(EXPLAIN, IMAGES, progress=False)
    assert len(given) == len(IMAGES)
    assert all(isinstance(a, partial) for _, args, _ in given for a in args)


DASK = """
import os, signal, sys, threading, time
from functools import partial

import joblib
import numpy as np
from distributed import Client, LocalCluster

from scratchml import explain_image, explain_many


def predict(images):
    p = images[:, :14].mean(axis=(1, 2))
    return np.column_stack([1 - p, p])


if __name__ == "__main__":
    explain = partial(explain_image, predict, n_samples=50, progress=False)

    def slowly(x, seed):
        time.sleep(0.1)
        return explain(x, seed=seed)

    images = np.random.default_rng(0).random((60, 28, 28))
    alone = explain_many(explain, images, progress=False)
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**how) as cluster, Client(cluster) as client:
        pid, _ = client.run(os.getpid).values()
        threading.Timer(2, os.kill, (pid, signal.SIGKILL)).start()
        with joblib.parallel_config(backend="dask"):
            many = explain_many(slowly, images, progress=False)
        assert pid not in client.run(os.getpid).values()
    pairs = zip(alone, many, strict=True)
    print(all(np.array_equal(a.coef, b.coef) for a, b in pairs))
"""


def test_on_a_dask_cluster_nothing_is_lost_with_a_worker(tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "cluster.py").write_text(DASK)
    done = subprocess.run(
        [sys.executable, "cluster.py"],
        cwd=tmp_path,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr[-2000:]
