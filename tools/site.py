"""Build the site: pages, slides and the live page, from what is committed.

    python tools/site.py [folder] [--pyodide FOLDER]     build/site by default

Everything is copied into build/site-source first, as Sphinx wants it; links between
files of the repository become links between pages, or lead to the repository where
there is no page. No notebook runs. With --pyodide the live page takes its Python from
the site itself.
"""

import argparse
import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

import nbformat

import live
import slides
from course import (
    COURSE,
    ROOT,
    every_notebook,
    key,
    published,
    read,
    replace_folder,
)
from exercises import BEGIN, copy_of, regions
from links import binder, colab

MODULES = """layers losses optimizers training checks text recurrent convolution
squeezenet lime explanation many faithfulness datasets photos plots interactive
interop""".split()
SOURCE = ROOT / "build" / "site-source"
LINK = re.compile(r"""(\]\(|(?:src|href)=["'])([^)"'\s]+)""")
DERIVED = re.compile(r"notebooks/([\w/]+)\.ipynb`*,\s+sections?\s+\*([^*]+)\*")

# Files of the repository that are pages, and where.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "notebooks/README.md": "instructor/index.md",
    "data/README.md": "data.md",
    "benchmarks/results.md": "results/speed.md",
}


def pages() -> dict[Path, Path]:
    """Each file of the repository that becomes a page: where it stands in SOURCE."""
    found = {ROOT / name: SOURCE / page for name, page in PAGES.items()}
    for path in every_notebook():
        found[path] = SOURCE / path.relative_to(ROOT)
    for path in (ROOT / "docs").rglob("*.md"):
        found[path] = SOURCE / path.relative_to(ROOT / "docs")
    for path in (ROOT / "docs").glob("*.png"):
        found[path] = SOURCE / path.name
    return {path: page for path, page in found.items() if path.exists()}


def moved(text: str, path: Path, found: dict[Path, Path], home: str) -> str:
    """The text of `path` with every link leading where its target is on the site."""

    def one(match: re.Match[str]) -> str:
        target, mark, anchor = match[2].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        there = (path.parent / target).resolve()
        front = ROOT / "docs" / "index.md"
        guide = ROOT / "notebooks" / "README.md"  # speaks of commands that stand there
        if there == ROOT / "README.md" and path not in (front, guide):
            there = front
            mark = anchor = ""  # its sections are others
        if there in found:
            new = os.path.relpath(found[there], found[path].parent)
        else:
            kind = "tree" if there.is_dir() else "blob"
            new = f"{home.replace('/tree/', f'/{kind}/')}/{there.relative_to(ROOT)}"
        return match[1] + Path(new).as_posix().replace(":/", "://") + mark + anchor

    return LINK.sub(one, text)


# --------------------------------------------------------------------------- references


def anchors() -> dict[str, dict[str, str]]:
    """The HTML id of each section of each notebook, by its title without number."""
    from myst_parser.mdit_to_docutils.base import default_slugify

    found: dict[str, dict[str, str]] = {}
    for path in every_notebook():
        cells = [c.source for c in read(path).cells if c.cell_type == "markdown"]
        titles = re.findall(r"^#{1,4} +(.+?) *$", "\n".join(cells), re.MULTILINE)
        found[key(path)] = {
            re.sub(r"^\d+[.:]? +|,? *\(\d+ min\)$", "", title): default_slugify(title)
            for title in titles
        }
    return found


def derived() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """What each section derives: {(notebook, section): [(module, name), ...]}."""
    found = defaultdict(list)
    for module in MODULES:
        path = ROOT / "scratchml" / f"{module}.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                for notebook, section in DERIVED.findall(ast.get_docstring(node) or ""):
                    place = notebook, " ".join(section.split())
                    found[place].append((module, node.name))
    return found


# ------------------------------------------------------------------------------ staging


def stage_notebook(path: Path, found: dict[Path, Path], home: str, library) -> None:
    """A notebook with links that lead somewhere, alt texts, and what it derives."""
    notebook = read(path)
    cells = []
    waiting = ""  # what the section that is read at present derives
    for cell in notebook.cells:
        title = ""
        if cell.cell_type == "markdown":
            heading = re.search(r"^#{2,4} +(.+?) *$", cell.source, re.MULTILINE)
            title = heading[1] if heading else ""
            cell.source = moved(cell.source, path, found, home)
        else:
            describe(cell)
        if cell.get("id") == "setup":
            continue
        if title and waiting:
            cells.append(nbformat.v4.new_markdown_cell(waiting))
            waiting = ""
        section = re.sub(r"^\d+[.:]? +|,? *\(\d+ min\)$", "", title)
        if names := library.get((key(path), section)):
            links = ", ".join(
                f"{{py:obj}}`~scratchml.{module}.{name}`" for module, name in names
            )
            waiting = f":::{{seealso}}\nIn the library: {links}\n:::"
        cells.append(cell)
    if waiting:
        cells.append(nbformat.v4.new_markdown_cell(waiting))
    notebook.cells = cells
    found[path].parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, found[path])


def describe(cell: nbformat.NotebookNode) -> None:
    """Hand the alt texts of a cell's figures to myst-nb, and hide what is folded."""
    told = [
        output.metadata.get("image/png", {}).get("alt", "")
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    if told:
        cell.metadata["mystnb"] = {"image": {"alt": " ".join(told) or "A figure"}}
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        cell.metadata.setdefault("tags", []).append("hide-input")


def stage(home: str) -> None:
    """Fill SOURCE."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(
        ROOT / "docs", SOURCE, ignore=shutil.ignore_patterns("live", "slides", "*.md")
    )
    found = pages()
    library = derived()
    for path, page in found.items():
        page.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            stage_notebook(path, found, home, library)
        elif path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            page.write_text(moved(text, path, found, home), encoding="utf-8")
        else:
            shutil.copy(path, page)
    stage_generated()
    repository, branch = home.split("/tree/")
    told = {"repository": repository, "branch": branch, "anchors": anchors()}
    (SOURCE / "course.json").write_text(json.dumps(told))
    scripts = SOURCE / "_static" / "mathjax"
    scripts.mkdir(parents=True)
    shutil.copy(
        packaged("sphinx-mathjax-offline", "static/mathjax/tex-svg.js"), scripts
    )
    (SOURCE / "extra" / "exercises").mkdir(parents=True)
    for path in every_notebook():
        target = SOURCE / "extra" / "exercises" / copy_name(path)
        shutil.copy(copy_of(path), target)


def copy_name(path: Path) -> str:
    return key(copy_of(path)).removeprefix("exercises/").replace("/", "-") + ".ipynb"


def packaged(package: str, name: str) -> Path:
    """A file that an installed package carries."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: run `make site`")
    return Path(found.submodule_search_locations[0]) / name


def stage_generated() -> None:
    """The pages that are made from lists: the API, and the exercises to open."""
    folder = SOURCE / "api"
    folder.mkdir()
    for module in MODULES:
        (folder / f"{module}.md").write_text(
            f"# scratchml.{module}\n\n```{{eval-rst}}\n"
            f".. automodule:: scratchml.{module}\n   :members:\n"
            "   :exclude-members: params, grads, buffers, training\n```\n"
        )
    listed = "\n".join(MODULES)
    (folder / "index.md").write_text(
        "# The library\n\nWhat you have written by the end, finished; in the order of "
        f"the course.\n\n```{{toctree}}\n:maxdepth: 1\n{listed}\n```\n"
    )
    rows = ["| notebook | open | take home |", "|---|---|---|"]
    slug, branch = published()
    for path in every_notebook():
        target = copy_of(path).relative_to(ROOT).as_posix()
        rows.append(
            f"| [{key(path)}]({path.relative_to(ROOT).as_posix()}) "
            f"| [Binder]({binder(slug, branch, target)}) "
            f"· [Colab]({colab(slug, branch, target)}) "
            f"| <a href='exercises/{copy_name(path)}' download>download</a> |"
        )
    with (SOURCE / "instructor" / "index.md").open("a", encoding="utf-8") as index:
        index.write("\n```{toctree}\n:hidden:\n:glob:\n*\n```\n")
    (SOURCE / "instructor" / "answers.md").write_text(answer_sheet(), encoding="utf-8")
    (SOURCE / "exercises.md").write_text(
        "# Your turn\n\nEach notebook with the lines that matter left out: you write "
        "them, and the check below tells you at once whether they are right, and if "
        "not, what they look like.\n\n" + "\n".join(rows) + "\n"
    )


def answer_sheet() -> str:
    """Every exercise with its solution, in the order of the course."""
    lines = ["# Answers", "", "What the exercises ask for, and what answers them."]
    for path in every_notebook():
        lines += ["", f"## {key(path)}"]
        for cell in read(path).cells:
            if cell.cell_type != "code" or BEGIN not in cell.source:
                continue
            name = cell.source.split("\n")[0].rpartition(": ")[2]
            lines += ["", f"**{name}**"]
            source = cell.source.split("\n")
            for region in regions(cell.source):
                solution = textwrap.dedent(
                    "\n".join(source[region.first + 1 : region.last])
                )
                asked = region.asked.replace("*", "\\*")
                lines += ["", asked, "", "```python", solution, "```"]
    return "\n".join(lines) + "\n"


# ----------------------------------------------------------------------------- building


def build(target: Path, pyodide: Path | None = None) -> None:
    """The whole site in `target`; SystemExit where Sphinx warns of anything."""
    slug, branch = published()
    stage(f"https://github.com/{slug}/tree/{branch}")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    done = subprocess.run(
        [*command, "-d", str(SOURCE.with_name("site-doctrees")), SOURCE, part],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    if done.returncode:
        raise SystemExit("the site is not built: see the warnings above")
    slides.build(part / "slides")
    live.build(part / "live", pyodide)
    (part / ".nojekyll").touch()
    for path in part.rglob("*.map"):  # of the theme's scripts, for its own developers
        path.unlink()
    slides.print_pdfs(part / "slides")
    replace_folder(part, target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target}: {len(COURSE)} decks, {size / 1e6:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--pyodide", type=Path)
    arguments = parser.parse_args()
    build(arguments.target.resolve(), arguments.pyodide)


if __name__ == "__main__":
    main()
