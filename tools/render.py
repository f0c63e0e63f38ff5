"""Run the notebooks in place, so that their saved outputs are what the code gives
today.

    python tools/render.py [notebooks/01_nn.ipynb ...]     all of them by default

Run twice, the files stay the same, byte for byte. A notebook that fails is left as it
was.
"""

import os
import sys
import time
from pathlib import Path

from nbclient.exceptions import CellExecutionError

from course import every_notebook, execute, read, shown, text_of, write

# Whoever starts this: no progress bar and no slider is saved.
QUIET = {"TQDM_DISABLE": "1", "SCRATCHML_STILL": "1", "OPENBLAS_NUM_THREADS": "1"}


def main(arguments: list[str]) -> int:
    os.environ.update(QUIET)
    failed = 0
    for path in [Path(name).resolve() for name in arguments] or every_notebook():
        notebook, start = read(path), time.perf_counter()
        try:
            execute(notebook, path.parent)
        except CellExecutionError as error:
            print(
                f"{shown(path)} failed and stays as it was:\n{error}", file=sys.stderr
            )
            failed += 1
            continue
        state = "rewritten" if write(path, text_of(notebook)) else "unchanged"
        print(f"{shown(path)} {state}, {time.perf_counter() - start:.0f} s", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
