"""How fast is the library, against its peers and against the machine? `make bench` runs
this.

One table: milliseconds of ours and of the peer, their ratio, the bound it must stay
under, and the share of the machine's own rate of matrix products (measured here, with a
large float32 one). It is printed and written to `benchmarks/results.md`.

A row is a dictionary with the keys of COLUMNS. `rows()` below makes those of the
networks; any file `benchmarks/*_rows.py` with a function `rows()` adds its own, and may
use `paired` and `threads`:

    from run import paired, threads
"""

import importlib
import os
import platform
import statistics
import sys
import time
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import scratchml
from scratchml import (
    SGD,
    CrossEntropyLoss,
    Flatten,
    Linear,
    ReLU,
    Sequential,
    batches,
    train_step,
)
from scratchml._support import replace_file

HERE = Path(__file__).resolve().parent
COLUMNS = {  # key of a row: (heading, how to write it)
    "feature": ("feature", "{}"),
    "peer": ("peer", "{}"),
    "threads": ("threads", "{}"),
    "ours_ms": ("ours, ms", "{:.1f}"),
    "peer_ms": ("peer, ms", "{:.1f}"),
    "ratio": ("ratio", "{:.2f}"),
    "bound": ("bound", "{:.2f}"),
    "share": ("share of sgemm rate", "{:.0%}"),
    "note": ("note", "{}"),
}

RESULTS = """# Speed

Made by `make bench`; medians of pairs measured in turn.
{conditions}

{table}

The ratio is ours over the peer's: below 1 we are faster. The share is the rate of our matrix
products over that of one large float32 product on the same threads. *Its products alone* is what a
loop of bare matrix products of these shapes takes, over the peer's time: no numpy code gets below.

With two threads only our matrix products get faster. PyTorch also shares out its element-wise work,
which numpy does on one thread: so most ratios rise. These rows have no bound.

Through a convolution two processes gain less than through 784-128-10: a process that joblib starts asks
the system for memory again and again (counted apart: 2,000 to 4,000 pages an explanation; with n_jobs=1
none).

{missed}

## How time grows

![Milliseconds of one step against batch, width, sequence length and image size](../docs/growth.png)

{growth}
"""


# ---------------------------------------------------------------------------- measuring


def paired(ours, peer, *, pairs=21, pause=0.1):
    """(ours in ms, peer in ms, ratio), medians over pairs measured in turn.

    Before each measurement comes a pause and a run that does not count. Without them
    the numbers lie: the threads of a matrix library keep spinning for a while after
    their work, and on few cores they take the time of whoever comes next.
    """
    taken = []
    for i in range(pairs):
        pair = {}
        for run in (ours, peer) if i % 2 else (peer, ours):
            time.sleep(pause)
            run()
            pair[run] = milliseconds(run)
        taken.append((pair[ours], pair[peer], pair[ours] / pair[peer]))
    return tuple(statistics.median(column) for column in zip(*taken, strict=True))


def milliseconds(run, at_least=0.1):
    """The mean over a tenth of a second of runs, one after the other as in training."""
    runs = 0
    start = time.perf_counter()
    while time.perf_counter() < start + at_least:
        run()
        runs += 1
    return 1e3 * (time.perf_counter() - start) / runs


@contextmanager
def threads(number):
    """The same number of threads for numpy and, where it is installed, PyTorch."""
    with threadpool_limits(number):
        torch = sys.modules.get("torch")
        before = torch.get_num_threads() if torch else None
        try:
            if torch:
                torch.set_num_threads(number)
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def sgemm_rate(n=1536, repeats=9):
    """Floating-point operations a second in the best of several large float32
    products.
    """
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((n, n), dtype=np.float32) for _ in range(2))
    out, best = np.empty_like(a), np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        np.matmul(a, b, out=out)
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best


# --------------------------------------------------------------------------------- rows


def rows():
    """One epoch of 784-128-10 over the embedded digits, shuffled, in batches of 64,
    float32.

    The bound holds with one thread each. With more the table only tells: a library may
    hand out its element-wise work too, numpy does not.
    """
    import torch  # first, so that `threads` finds it

    x, y = scratchml.datasets.mnist(full=False).train
    # The products that cannot be avoided: y, dW for both layers, dx for the second.
    operations = 2 * len(x) * (2 * 784 * 128 + 3 * 128 * 10)
    found = []
    for number in sorted({1, os.cpu_count() or 1}):
        with threads(number):
            rate = sgemm_rate()
            ours_ms, peer_ms, ratio = paired(our_epoch(x, y), torch_epoch(torch, x, y))
        found.append(
            {
                "feature": "one epoch of 784-128-10, batch 64, float32",
                "peer": f"PyTorch {torch.__version__.partition('+')[0]}",
                "threads": number,
                "ours_ms": ours_ms,
                "peer_ms": peer_ms,
                "ratio": ratio,
                "bound": 0.65 if number == 1 else None,
                "share": operations / (ours_ms / 1e3) / rate,
            }
        )
    return found


def our_epoch(x, y):
    rng = np.random.default_rng(0)
    first = Linear(784, 128, rng=rng)
    first.needs_input_grad = (
        False  # autograd does not compute the gradient of the data either
    )
    model = Sequential(Flatten(), first, ReLU(), Linear(128, 10, rng=rng))
    loss, optimizer = CrossEntropyLoss(), SGD(0.1)

    def epoch():
        total = 0.0
        for xb, yb in batches(x, y, 64, rng):
            total += train_step(model, loss, optimizer, xb, yb)[0]
        return total

    return epoch


def torch_epoch(torch, x, y):
    """The leanest loop PyTorch offers; its DataLoader would take much longer."""
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    loss, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), 0.1)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def epoch():
        total, order = 0.0, torch.randperm(len(x))
        for start in range(0, len(x), 64):
            chosen = order[start : start + 64]
            optimizer.zero_grad()
            value = loss(model(x[chosen]), y[chosen])
            value.backward()
            optimizer.step()
            total += value.item()
        return total

    return epoch


# -------------------------------------------------------------------------------- table


def table(found):
    """The rows as a Markdown table whose columns line up."""
    lines = [[heading for heading, _ in COLUMNS.values()]]
    for row in found:
        lines.append(
            [
                "" if row.get(key) is None else form.format(row[key])
                for key, (_, form) in COLUMNS.items()
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines
    )


def missed(found):
    """The rows over their bound."""
    return [
        row
        for row in found
        if row.get("bound") is not None and row["ratio"] > row["bound"]
    ]


def conditions():
    """One line on the machine and the versions."""
    packages = []
    for name in ("numpy", "torch", "lime", "scikit-learn"):
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), "
        f"Python {platform.python_version()}, {', '.join(packages)}."
    )


def main():
    found = rows()
    for path in sorted(HERE.glob("*_rows.py")):
        found += importlib.import_module(path.stem).rows()
    text = table(found)
    print(text)
    over = (
        "\n".join(
            f"- over its bound: {row['feature']}, {row['ratio']:.2f} > {row['bound']:.2f}"
            for row in missed(found)
        )
        or "All rows are within their bounds."
    )
    print(over)
    growth = "\n".join(f"- {line}" for line in importlib.import_module("growth").draw())
    print(growth)
    page = RESULTS.format(
        conditions=conditions(), table=text, missed=over, growth=growth
    )
    replace_file(HERE / "results.md", lambda file: file.write(page.encode()))
    return 1 if missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
