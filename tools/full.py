"""Run the notebooks on the complete data sets and print one table of what they
measured.

    SCRATCHML_FULL=1 python tools/full.py [notebooks/01_nn.ipynb ...]     all of them by default

The executed notebooks land in build/full/, never among the committed ones. Each
notebook collects its numbers in a dictionary `results`, name -> value; the table shows
them.
"""

import json
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError

from course import ROOT, every_notebook, execute, key, read, shown, text_of, write

MARK = "results of this notebook: "
ASK = f"""
import json
print({MARK!r} + json.dumps({{str(k): v for k, v in globals().get("results", {{}}).items()}},
                            default=lambda v: v.item() if hasattr(v, "item") else str(v)))
"""


def run(path: Path, folder: Path) -> dict[str, object]:
    """Execute one notebook, save it in `folder`, return its `results`."""
    notebook = read(path)
    notebook.cells.append(nbformat.v4.new_code_cell(ASK))
    codes = sum(cell.cell_type == "code" for cell in notebook.cells) - 1

    def progress(cell, cell_index):
        done = sum(c.cell_type == "code" for c in notebook.cells[:cell_index])
        if cell.cell_type == "code" and sys.stderr.isatty():
            print(f"\r{key(path)}: cell {done} of {codes} ", end="", file=sys.stderr)

    try:
        execute(notebook, path.parent, progress)
        answer = notebook.cells[-1].outputs[-1].text
        return json.loads(answer.partition(MARK)[2])
    finally:  # a notebook that fails is saved too, as far as it came
        notebook.cells.pop()
        write(folder / f"{key(path)}.ipynb", text_of(notebook))


def table(rows: list[tuple[str, str, object]]) -> str:
    """One line per number: notebook, what was measured, value."""
    cells = [
        (name, what, f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, what, value in rows
    ]
    cells.insert(0, ("notebook", "measured", "value"))
    wide = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}" for a, b, c in cells]
    lines.insert(1, "  ".join("-" * width for width in wide))
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    os.environ["SCRATCHML_FULL"] = "1"
    rows: list[tuple[str, str, object]] = []
    failed = 0
    for path in [Path(name).resolve() for name in arguments] or every_notebook():
        start = time.perf_counter()
        try:
            results = run(path, ROOT / "build" / "full")
        except CellExecutionError as error:
            print(f"\n{shown(path)} failed:\n{error}", file=sys.stderr)
            results, failed = {"failed": "see above"}, failed + 1
        rows += [(key(path), what, value) for what, value in results.items()]
        rows.append((key(path), "seconds", round(time.perf_counter() - start)))
        print(f"\r{key(path)}: done, saved in build/full", file=sys.stderr)
    print(table(rows))
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
