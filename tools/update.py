"""Fetch the newest course and keep what somebody has written: `make update`.

Running a notebook changes its file, and then git refuses to pull. So: what has only been
run is restored, what has been written in is set aside as 01_nn.mine1.ipynb, then git
pulls. A notebook that the pull leaves as it was comes back to its place, answers and all.
"""

import json
import subprocess
import sys
from pathlib import Path

from course import ROOT, every_notebook, shown
from exercises import set_aside


def git(root: Path, *arguments: str) -> str:
    """What git prints; SystemExit with its words when it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def sources(text: str) -> list[str]:
    """What the cells of a notebook say, whatever has been run."""
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


def changed(root: Path) -> list[Path]:
    """The notebooks of the course whose files differ from the last commit."""
    copies = (root / "notebooks" / "exercises").rglob("*.ipynb")
    ours = [*every_notebook(root), *copies]
    names = git(root, "diff", "--name-only", "HEAD").split("\n")
    return [path for path in ours if path.relative_to(root).as_posix() in names]


def written_in(path: Path, root: Path) -> bool:
    """Has somebody changed the words or the code, and not only run it?"""
    committed = git(root, "show", f"HEAD:{path.relative_to(root).as_posix()}")
    try:
        return sources(path.read_text(encoding="utf-8")) != sources(committed)
    except (ValueError, KeyError):
        return True  # not a notebook any more: keep it all the same


def main(root: Path = ROOT) -> int:
    before = git(root, "rev-parse", "HEAD").strip()
    aside = {}
    for path in changed(root):
        if written_in(path, root):
            aside[path] = set_aside(path)
        git(root, "checkout", "--", str(path))
    try:
        git(root, "pull", "--quiet", "--ff-only")
    finally:
        after = git(root, "rev-parse", "HEAD").strip()
        for path, mine in aside.items():
            name = path.relative_to(root).as_posix()
            if not git(root, "diff", "--name-only", before, after, "--", name):
                mine.replace(path)
                print(f"{shown(path, root)} keeps what you have written")
            else:
                print(f"{shown(path, root)} is new; yours is kept as {mine.name}")
    print("up to date" if before == after else "updated to the newest course")
    return 0


if __name__ == "__main__":
    sys.exit(main())
