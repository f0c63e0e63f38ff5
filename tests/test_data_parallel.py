"""Two processes of PyTorch on half a batch each take the step that we take on the whole.

`examples/data_parallel.py` trains through PyTorch's DistributedDataParallel; here its
processes talk over the loopback (gloo). It runs where PyTorch is: in `make parity`.
Judged is what each process has learned. Its exit code is not: gloo's threads outlive
`destroy_process_group` after DistributedDataParallel (PyTorch 2.13), and one run in fifty
of a busy machine ends in "terminate called without an active exception".
"""

import runpy
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scratchml as s

torch = pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "data_parallel.py"
STEPS = 3


def network(rng):
    first, last = s.Linear(12, 8, rng=rng), s.Linear(8, 3, rng=rng)
    return s.Sequential(s.Flatten(), first, s.Tanh(), last), rng.normal(
        size=(192, 3, 4)
    )


def convolutional(rng):
    convolution = s.Conv2d(1, 3, 3, rng=rng)
    last = s.Linear(27, 3, rng=rng)
    layers = convolution, s.ReLU(), s.MaxPool2d(2), s.Flatten(), last
    return s.Sequential(*layers), rng.normal(size=(192, 1, 8, 8))


def reader(rng):
    model = s.TextClassifier(9, 3, embedding=4, hidden=5, cell="LSTM", rng=rng)
    model.embedding.params["W"][0] = 0  # padding, which PyTorch keeps at zero
    return model, rng.integers(1, 9, size=(192, 6))


def prepared(kind):
    rng = np.random.default_rng(0)
    model, x = {"nn": network, "cnn": convolutional, "text": reader}[kind](rng)
    return model.astype(np.float64), x, rng.integers(0, 3, size=192)


def one_process(rank, port, kind, queue):
    """What each of the two does: the example's own function on the same model."""
    import torch.distributed as dist

    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    train = runpy.run_path(str(EXAMPLE))["train"]
    trained = train(*prepared(kind), steps=STEPS)
    queue.put({name: p.copy() for name, p in trained.parameters().items()})
    dist.barrier()
    dist.destroy_process_group()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(autouse=True)
def loopback(monkeypatch):
    """Two cores, and a machine whose own name may lead nowhere."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")


@pytest.mark.parametrize("kind", ["nn", "cnn", "text"])
def test_two_processes_take_the_step_of_one(kind):
    port = free_port()
    context = torch.multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [
        context.Process(target=one_process, args=(rank, port, kind, queue))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    both = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(60)
    model, x, y = prepared(kind)
    before = {name: p.copy() for name, p in model.parameters().items()}
    loss, optimizer = s.CrossEntropyLoss(), s.SGD(0.1)
    for step in range(STEPS):
        batch = slice(64 * step, 64 * (step + 1))
        s.train_step(model, loss, optimizer, x[batch], y[batch])
    for name, p in model.parameters().items():
        for found in both:
            assert np.abs(found[name] - p).max() < 1e-9, name
        assert np.abs(p - before[name]).max() > 1e-6, f"{name} did not move"


def test_the_example_runs_as_its_first_lines_say():
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    out = subprocess.run(
        [*command, "--master-port", str(free_port()), EXAMPLE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "% of the training digits" in out.stdout, out.stderr
