"""Carry the repository's address from pyproject.toml to every place that shows it.

    python tools/links.py            rewrite them
    python tools/links.py --check    change nothing; exit 1 and name the files that are stale

The places: the generated blocks of README.md (badges, how to fetch the course, the course
table with its Binder and Colab links), the citation, and the setup cell of each notebook.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import nbformat

import pace
from course import (
    COURSE,
    MEASURED,
    ROOT,
    every_notebook,
    key,
    notebooks,
    published,
    read,
    runs_in,
    shown,
    text_of,
    write,
)
from scratchml import datasets

SETUP = """\
# Setup: in Google Colab this fetches the course; elsewhere it does nothing.
import os
import sys

if "google.colab" in sys.modules:
    url = "https://github.com/{slug}"
    clone = f"git clone -q --depth=1 -b {branch} {{url}} course"
    os.system(f"cd /content; test -d course || {{clone}}")
    sys.path.insert(0, "/content/course")"""


def binder(slug: str, branch: str, path: str) -> str:
    return f"https://mybinder.org/v2/gh/{slug}/{branch}?urlpath=lab/tree/{path}"


def colab(slug: str, branch: str, path: str) -> str:
    return f"https://colab.research.google.com/github/{slug}/blob/{branch}/{path}"


def badges(slug: str, branch: str) -> str:
    """Where one can try the course at once."""
    owner, name = slug.split("/")
    image = "https://mybinder.org/badge_logo.svg"
    open_it = binder(slug, branch, "notebooks/00_intro.ipynb")
    page = f"https://{owner}.github.io/{name}"
    return (
        f"[![Open on Binder: nothing to install]({image})]({open_it}) · "
        f"[the site]({page}) · [**draw a digit**]({page}/live/)"
    )


def course_table(root: Path, slug: str, branch: str) -> str:
    """The README's table: one row for each notebook there is."""
    present = {path.stem for path in notebooks(root)}
    rows = [
        "| notebook | minutes | after it, you can | runs in | read | your turn | at home |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in COURSE:
        if part.name not in present:
            continue
        path = f"notebooks/{part.name}.ipynb"
        exercise = f"notebooks/exercises/{part.name}_your_turn.ipynb"
        online = " · ".join(
            f"[{where}]({link(slug, branch, target)})"
            for target in (path, exercise)
            for where, link in (("Binder", binder), ("Colab", colab))
        ).split(" · ")
        rows.append(
            f"| [{part.name}]({path}) | {part.minutes} | {part.able} "
            f"| {runs_in(part.name)} "
            f"| {online[0]} · {online[1]} | [here]({exercise}) · {online[2]} · {online[3]} "
            f"| {at_home(part.name, root)} |"
        )
    to_come = [
        f"{p.name} ({p.minutes} minutes)" for p in COURSE if p.name not in present
    ]
    if to_come:
        rows += ["", "To come: " + ", ".join(to_come) + "."]
    return "\n".join(rows)


def results_table(root: Path) -> str:
    """What each notebook collected in its `results` when it was last measured."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    rows = ["| notebook | measured | value |", "|---|---|--:|"]
    for path in every_notebook(root):
        for what, value in measured.get(key(path, root), {}).get("results", {}).items():
            shown_as = f"{value:.3g}" if isinstance(value, float) else value
            rows.append(f"| {key(path, root)} | {what} | {shown_as} |")
    return "\n".join(rows)


def news_table() -> str:
    """Accuracies on real posts: mean over the starts, lowest and highest."""
    kinds = ["RNN", "bag of words", "1..1-grams", "1..2-grams", "1..3-grams"]
    rows = [
        f"| groups | part | {' | '.join(kinds)} |",
        "|---|---|" + "--:|" * len(kinds),
    ]
    for (_, part), network in datasets.news_networks().items():
        found = [100 * network.measured[f"accuracy/{kind}"] for kind in kinds]
        cells = [f"{a.mean():.1f} ({a.min():.1f} to {a.max():.1f})" for a in found]
        rows.append(f"| {', '.join(network.groups)} | {part} | {' | '.join(cells)} |")
    return "\n".join(rows)


def at_home(name: str, root: Path) -> str:
    path = f"notebooks/deeper/{name}.ipynb"
    return f"[deeper]({path})" if (root / path).exists() else ""


def with_block(text: str, name: str, content: str, where: str) -> str:
    """Replace what stands between `<!-- name: ... -->` and `<!-- end of name -->`."""
    pattern = rf"(<!-- {name}\b[^\n]*-->\n).*?(<!-- end of {name} -->)"
    new, count = re.subn(
        pattern, lambda m: m[1] + content + "\n" + m[2], text, flags=re.DOTALL
    )
    if count != 1:
        raise SystemExit(
            f"{where}: expected one block '<!-- {name}: ... -->' to '<!-- end of {name} -->', "
            f"found {count}"
        )
    return new


def with_setup(
    notebook: nbformat.NotebookNode, slug: str, branch: str
) -> nbformat.NotebookNode:
    """Make the first code cell the setup cell; insert it where there is none."""
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not codes or (
        codes[0].get("id") != "setup" and not codes[0].source.startswith("# Setup:")
    ):
        cell = nbformat.v4.new_code_cell()
        first = notebook.cells.index(codes[0]) if codes else len(notebook.cells)
        notebook.cells.insert(first, cell)
        codes.insert(0, cell)
    codes[0]["id"] = "setup"
    codes[0].source = SETUP.format(slug=slug, branch=branch)
    return notebook


def with_turn(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """Let the first cell say where one writes: in the exercise copy."""
    up = "../" * name.count("/")
    line = f"> **Your turn**: write it yourself in [the exercise copy]({up}exercises/"
    first = notebook.cells[0]
    kept = first.source.split("\n\n> **Your turn**")[0].rstrip()
    first.source = f"{kept}\n\n{line}{name}_your_turn.ipynb)."
    return notebook


def wanted_texts(root: Path = ROOT) -> dict[Path, str]:
    """What each file should contain."""
    slug, branch = published(root)
    readme, citation = root / "README.md", root / "CITATION.cff"
    text = readme.read_text(encoding="utf-8")
    clone = (
        f"```sh\ngit clone https://github.com/{slug} && cd {slug.split('/')[1]}\n```"
    )
    text = with_block(text, "clone", clone, "README.md")
    text = with_block(text, "badges", badges(slug, branch), "README.md")
    text = with_block(text, "course", course_table(root, slug, branch), "README.md")
    wanted = {readme: text}
    line = f'repository-code: "https://github.com/{slug}"'
    wanted[citation] = re.sub(
        r"^repository-code:.*$",
        line,
        citation.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    page = root / "docs" / "results" / "measured.md"
    if page.exists():
        old = page.read_text(encoding="utf-8")
        old = with_block(old, "news", news_table(), page.name)
        wanted[page] = with_block(old, "results", results_table(root), page.name)
    teaching = root / "notebooks" / "README.md"
    if teaching.exists():
        old = teaching.read_text(encoding="utf-8")
        table = pace.schedule(root)
        wanted[teaching] = with_block(old, "schedule", table, "notebooks/README.md")
    for path in every_notebook(root):
        notebook = with_setup(read(path), slug, branch)
        wanted[path] = text_of(with_turn(notebook, key(path, root)))
    return wanted


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description="Carry the repository's address around."
    )
    parser.add_argument(
        "--check", action="store_true", help="only say which files are stale"
    )
    check = parser.parse_args(arguments).check
    stale = False
    for path, text in wanted_texts(root).items():
        if check and path.read_text(encoding="utf-8") != text:
            print(f"{shown(path, root)} is stale: run `make links`", file=sys.stderr)
            stale = True
        elif not check and write(path, text):
            print(f"wrote {shown(path, root)}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
