"""Write the exercise copies of the notebooks: solutions blanked, outputs stripped.

    python tools/exercises.py            write notebooks/exercises/
    python tools/exercises.py --check    change nothing; exit 1 and name the copies that are stale

In a notebook, an exercise looks like this; several in one cell and any indentation will
do:

    # Your turn: the gradient of the bias, one number per unit
    ### BEGIN SOLUTION
    db = dy.sum(axis=0)
    ### END SOLUTION

In the copy the comment stays, and a line takes the place of the marked ones:

    # Your turn: the gradient of the bias, one number per unit
    raise NotImplementedError("your turn: the gradient of the bias, one number per unit")

Outside a function such a line would stop the notebook, so there `name = ...` stands for
each name that the solution assigns. scratchml/exercises.py lets the cells below go on.
"""

import argparse
import ast
import hashlib
import json
import posixpath
import re
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import nbformat

from course import ROOT, every_notebook, key, read, shown, text_of, write
from scratchml.exercises import BEGIN, END

TURN = "# Your turn:"
LINK = re.compile(r"""(\]\(|(?:src|href)=["'])([^)"'\s]+)""")


class Region(NamedTuple):
    """The lines `first` (the BEGIN marker) to `last` (the END marker) of a cell."""

    first: int
    last: int
    indent: str
    asked: str  # what the "Your turn" comment asks for


def regions(source: str, where: str = "cell") -> list[Region]:
    """Find the marked solutions of a cell; ValueError, starting with `where`, if
    malformed.
    """
    found: list[Region] = []
    lines = source.split("\n")
    begin = None
    for number, line in enumerate(lines):
        marker = line.strip()
        if marker == BEGIN:
            if begin is not None:
                raise ValueError(
                    f"{where}: a second {BEGIN!r} before the first has its {END!r}"
                )
            begin = number
        elif marker == END:
            if begin is None:
                raise ValueError(f"{where}: {END!r} without a {BEGIN!r} above it")
            indent = lines[begin][: -len(lines[begin].lstrip())]
            found.append(Region(begin, number, indent, _asked(lines[:begin], where)))
            begin = None
        elif re.match(r"#+\s*(BEGIN|END)\s+SOLUTION", marker, re.IGNORECASE):
            raise ValueError(
                f"{where}: {marker!r} is not quite a marker: {BEGIN!r} or {END!r}"
            )
    if begin is not None:
        raise ValueError(f"{where}: {BEGIN!r} without an {END!r} below it")
    return found


def _asked(above: list[str], where: str) -> str:
    """The text of the comment that ends right above the marker and begins `# Your
    turn:`.
    """
    words: list[str] = []
    for line in reversed(above):
        comment = line.strip()
        if not comment.startswith("#") or comment == END:
            break
        words.insert(0, comment.removeprefix(TURN).lstrip("# ").strip())
        if comment.startswith(TURN) and "".join(words):
            return " ".join(words)
    raise ValueError(
        f"{where}: a comment '{TURN} ...' must stand directly above {BEGIN!r}"
    )


def fill(
    source: str, answer: Callable[[int, Region, list[str]], list[str]], where="cell"
) -> str:
    """Replace each region, markers included, by `answer(index, region, solution
    lines)`.
    """
    lines = source.split("\n")
    found = regions(source, where)
    for index, region in reversed(list(enumerate(found))):
        solution = lines[region.first + 1 : region.last]
        lines[region.first : region.last + 1] = answer(index, region, solution)
    return "\n".join(lines)


def blank(source: str, only: int | None = None, where: str = "cell") -> str:
    """Blank all solutions of a cell, or the one with index `only`, keeping the
    others.
    """

    def answer(index: int, region: Region, solution: list[str]) -> list[str]:
        if only is not None and index != only:
            return solution
        if not region.indent:
            return [f"{name} = ..." for name in assigned(solution, where)]
        asked = f"your turn: {region.asked}"
        plain = not set("'\\") & set(asked)
        quoted = (
            f"'{asked}'"
            if '"' in asked and plain
            else json.dumps(asked, ensure_ascii=False)
        )
        return [f"{region.indent}raise NotImplementedError({quoted})"]

    return fill(source, answer, where)


def assigned(solution: list[str], where: str) -> list[str]:
    """The names that these lines of a cell assign."""
    names = [
        node.id
        for node in ast.walk(ast.parse("\n".join(solution)))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    if not names:
        raise ValueError(f"{where}: a solution outside a function must assign a name")
    return list(dict.fromkeys(names))


def led_from_copy(match: re.Match[str], name: str) -> str:
    """A link of the notebook `name`, as it must be in its exercise copy."""
    target, mark, anchor = match[2].partition("#")
    if not target or re.match("[a-z]+:", target):
        return match[0]
    here = PurePosixPath("notebooks/exercises", name).parent
    there = posixpath.join("notebooks", PurePosixPath(name).parent, target)
    return match[1] + posixpath.relpath(there, here) + mark + anchor


def exercise_copy(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """The attendee's version of the notebook `name`, "01_nn" or "deeper/01_nn".

    Lines are blanked, outputs stripped, a note stands on top.
    """
    up = "../" * (name.count("/") + 1)
    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    asked = sum(BEGIN in cell.source for cell in copy.cells)
    count = 0
    for number, cell in enumerate(copy.cells, start=1):
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(lambda m: led_from_copy(m, name), cell.source)
        elif cell.cell_type == "code":
            where = f"{name}.ipynb, cell {number} (id {cell.get('id', '-')})"
            if BEGIN in cell.source:
                count += 1
                numbered = f"# Exercise {count} of {asked}"
                cell.source = cell.source.replace("# Exercise", numbered, 1)
            cell.source = blank(cell.source, where=where)
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("execution", None)
    note = nbformat.v4.new_markdown_cell(
        "> **This is the exercise copy.** Where a cell says *your turn*, put your own lines in\n"
        "> the place of `raise NotImplementedError(...)` and run the cell; the check below tells\n"
        "> you what is right, and what is not. What you leave blank stops nothing: the cells\n"
        "> below go on with our solution. Restarted? Select your cell, and *Run > Run All Above\n"
        "> Selected Cell*. Stuck? The solutions stand in\n"
        f"> [{name}.ipynb]({up}{name}.ipynb), where everything has been run."
    )
    note["id"] = "exercise-note"
    copy.cells.insert(0, note)
    copy.metadata["exercise_copy"] = fingerprint(copy)
    return copy


def fingerprint(notebook: nbformat.NotebookNode) -> str:
    """What the cells say, whatever has been run; Jupyter keeps it through running and
    saving.
    """
    sources = json.dumps([cell.source for cell in notebook.cells])
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def worked_in(path: Path) -> bool:
    """Has somebody changed this copy since it was written? Then it holds their
    answers.
    """
    if not path.exists():
        return False
    notebook = read(path)
    return notebook.metadata.get("exercise_copy") != fingerprint(notebook)


def set_aside(path: Path) -> Path:
    """Move an attendee's copy out of the way, never over another one."""
    number = 1
    while (mine := path.with_name(f"{path.stem}.mine{number}.ipynb")).exists():
        number += 1
    return path.rename(mine)


def copy_of(path: Path, root: Path = ROOT) -> Path:
    """The file of a notebook's exercise copy."""
    return root / "notebooks" / "exercises" / f"{key(path, root)}_your_turn.ipynb"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description="Write the exercise copies of the notebooks."
    )
    parser.add_argument(
        "--check", action="store_true", help="only say which copies are stale"
    )
    check = parser.parse_args(arguments).check

    try:
        wanted = {
            copy_of(path, root): text_of(exercise_copy(read(path), key(path, root)))
            for path in every_notebook(root)
        }
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    stale = [
        p
        for p in wanted
        if not p.exists() or p.read_text(encoding="utf-8") != wanted[p]
    ]
    if check:
        orphans = set(
            (root / "notebooks" / "exercises").rglob("[0-9][0-9]_*.ipynb")
        ) - set(wanted)
        orphans = {path for path in orphans if ".mine" not in path.name}
        for path in stale:
            answers = ", which keeps the answers in it aside" if worked_in(path) else ""
            print(
                f"{shown(path, root)} is stale: run `make exercises`{answers}",
                file=sys.stderr,
            )
        for path in sorted(orphans):
            print(f"{shown(path, root)} has no notebook: remove it", file=sys.stderr)
        return 1 if stale or orphans else 0
    for path in stale:
        if worked_in(path):
            print(f"{shown(path, root)} holds answers: kept as {set_aside(path).name}")
        write(path, wanted[path])
        print(f"wrote {shown(path, root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
