"""Time each notebook and its peak memory, on one thread: does it fit a small machine?

    python tools/measure.py [notebooks/01_nn.ipynb ...]     all of them by default

The numbers go to tools/measured.json, and from there to the README by `make links`.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from course import MEASURED, execute, notebooks, read, shown, write


def one(path: Path) -> dict[str, float]:
    """Seconds, and megabytes at the peak of the kernel and its children."""
    start = time.perf_counter()
    execute(read(path), path.parent)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return {"seconds": time.perf_counter() - start, "megabytes": peak / unit}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--one"]:
        print(json.dumps(one(Path(arguments[1]))))
        return 0
    measured = json.loads(MEASURED.read_text())
    for path in [Path(name).resolve() for name in arguments] or notebooks():
        # A process for each: the peak of one must not hide that of the next.
        command = [sys.executable, __file__, "--one", str(path)]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        found = {what: round(value) for what, value in json.loads(out.stdout).items()}
        print(
            f"{shown(path)}: {found['seconds']} s, {found['megabytes']} MB", flush=True
        )
        measured[path.stem] = found
        write(MEASURED, json.dumps(measured, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
