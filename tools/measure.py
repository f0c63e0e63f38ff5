"""Time each notebook and its peak memory, on one thread: does it fit a small machine?

    python tools/measure.py [notebooks/01_nn.ipynb ...]     all of them by default

The numbers, and the `results` of each notebook, go to tools/measured.json, and from
there to the README and docs/results by `make links`, and to `tools/pace.py`, which wants
the seconds of each cell that one has to wait for.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat

from course import MEASURED, every_notebook, execute, key, read, shown, write
from full import ASK, MARK

NOTICED = 1  # seconds; a shorter cell is not listed


def one(path: Path) -> dict[str, Any]:
    """Seconds, and megabytes at the peak of the kernel and its children."""
    starts = []  # (cell, when it began)
    begin = time.perf_counter()
    notebook = read(path)
    notebook.cells.append(nbformat.v4.new_code_cell(ASK))
    execute(
        notebook,
        path.parent,
        lambda cell, cell_index: starts.append((cell.id, time.perf_counter())),
    )
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1e6 if sys.platform == "darwin" else 1e3
    ends = [when for _, when in starts[1:]] + [end]
    answer = notebook.cells[-1].outputs[-1].text
    cells = {id: b - a for (id, a), b in zip(starts, ends, strict=True)}
    return {
        "seconds": round(end - begin),
        "megabytes": round(peak / unit),
        "cells": {id: round(s, 1) for id, s in cells.items() if s > NOTICED},
        "results": json.loads(answer.partition(MARK)[2]),
    }


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--one"]:
        print(json.dumps(one(Path(arguments[1]))))
        return 0
    measured = json.loads(MEASURED.read_text())
    for path in [Path(name).resolve() for name in arguments] or every_notebook():
        # A process for each: the peak of one must not hide that of the next.
        command = [sys.executable, __file__, "--one", str(path)]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        found = json.loads(out.stdout)
        print(
            f"{shown(path)}: {found['seconds']} s, {found['megabytes']} MB", flush=True
        )
        measured[key(path)] = found
        write(MEASURED, json.dumps(measured, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
