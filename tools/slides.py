"""Make a deck of slides from each class notebook: build/site/slides/NN_name.html.

What is on a slide, the notebooks say themselves, in the `slideshow` metadata that
JupyterLab's property panel edits. Here long prose moves to the speaker's notes, a
solution waits behind a key, and the clock of its section stands in a corner.
"""

import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter
from pygments.formatters import HtmlFormatter

from course import ROOT, chromium, notebooks, read
from exercises import BEGIN, blank, regions

LINES = 18  # of code and of text beside it, at 24 pixels
WORDS = 45  # of prose, the most that one reads while somebody speaks
TEMPLATES = ROOT / "docs" / "slides"
HEADING = re.compile(r"^(#{1,4}) +(.+?)(?: \((\d+) min\))? *$", re.MULTILINE)
PROSE = re.compile(r"^(?!#|\$\$|[-*|>] |\d+\. |!\[|<|\*\*|:::|```)")


def slide_type(cell: nbformat.NotebookNode) -> str:
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def with_type(cell: nbformat.NotebookNode, kind: str) -> nbformat.NotebookNode:
    cell.metadata["slideshow"] = {"slide_type": kind}
    return cell


def note(source: str) -> nbformat.NotebookNode:
    return with_type(nbformat.v4.new_markdown_cell(source), "notes")


def blocks(source: str) -> list[str]:
    """Paragraphs; an equation, a fold or a listing stays in one piece."""
    whole = r"(\$\$.*?\$\$|<details>.*?</details>|```.*?```)"
    pieces = re.split(whole, source, flags=re.DOTALL)
    found = []
    for number, piece in enumerate(pieces):
        found += [piece] if number % 2 else re.split(r"\n\s*\n", piece)
    return [piece.strip() for piece in found if piece.strip()]


def words(source: str) -> int:
    plain = re.sub(
        r"\$\$.*?\$\$|\$[^$]+\$|\]\([^)]*\)|<[^>]+>", " ", source, flags=re.DOTALL
    )
    return len(re.findall(r"\w[\w'’-]*", plain))


def condensed(source: str) -> str:
    """What a slide shows of a markdown cell: of prose the first sentence alone."""
    if words(source) <= WORDS:
        return source
    shown = []
    room = WORDS
    for block in blocks(source):
        lead = re.match(r"\*\*.+?\*\*", block, re.DOTALL)
        if PROSE.match(block) or (lead and words(block) > room):
            block = re.match(r".+?[.?!:](?=\s|$)|.+", block, re.DOTALL)[0]
            if words(block) > room:
                continue
            room -= words(block)
        shown.append(block)
    return "\n\n".join(shown)


def answer_on_a_key(source: str) -> str:
    """`<details>` has nobody to click it: its text appears with the next key."""
    return re.sub(
        r"<details>\s*<summary>.*?</summary>(.*?)</details>",
        r'<div class="fragment">\1</div>',
        source,
        flags=re.DOTALL,
    )


def staged(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook as the template wants it."""
    cells = []
    clock = Clock()
    for cell in notebook.cells:
        kind = "skip" if cell.get("id") == "setup" else slide_type(cell)
        spoken = []
        level = 9
        if cell.cell_type == "markdown":
            level = clock.read(cell.source)
            whole = cell.source = HEADING.sub(r"\1 \2", cell.source)
            if kind not in ("notes", "skip"):
                cell.source = answer_on_a_key(condensed(whole))
                spoken = [note(whole)] if words(whole) > WORDS else []
        elif kind not in ("notes", "skip"):
            spoken = behind(cell)
        if kind == "slide" and level > 2:
            kind = "subslide"  # so that one key skips a section
        cell.metadata["clock"] = clock.shown
        for number, added in enumerate(spoken):  # the same name each time
            added["id"] = f"{cell.get('id', 'cell')}-{number}"
        cells += [with_type(cell, kind), *spoken]
    notebook.cells = cells
    return notebook


class Clock:
    """The minutes of the section that is being shown: "9–15 min"."""

    def __init__(self) -> None:
        self.minutes = 0
        self.shown = ""

    def read(self, source: str) -> int:
        """Go on to the sections that begin here; return the highest heading's level."""
        found = HEADING.findall(source)
        for _, _, minutes in found:
            if minutes:
                end = self.minutes + int(minutes)
                self.shown = f"{self.minutes}–{end} min"
                self.minutes = end
        return min((len(marks) for marks, _, _ in found), default=9)


def behind(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """What follows a code cell: its solution behind a key, its folded lines as notes.

    Where code and output do not fit on one slide, the output gets its own.
    """
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        return [note(f"```python\n{cell.source}\n```")]
    following = []
    if BEGIN in cell.source:
        lines = cell.source.split("\n")
        found = [lines[r.first + 1 : r.last] for r in regions(cell.source)]
        asked = r"raise NotImplementedError\(.*\)"
        cell.source = re.sub(asked, "...  # your turn", blank(cell.source))
        solution = "\n".join(line for part in found for line in part)
        shown = nbformat.v4.new_code_cell(solution, metadata={"tags": ["solution"]})
        fits = lines_of(cell.source) + lines_of(solution) < LINES
        following.append(with_type(shown, "fragment" if fits else "subslide"))
    pictures, printed = drawn(cell), said(cell)
    beside = 7 if pictures else LINES - printed
    if (pictures or printed) and lines_of(cell.source) > beside:
        output = nbformat.v4.new_code_cell("", outputs=cell.outputs)
        output.metadata["jupyter"] = {"source_hidden": True}
        cell.outputs = []
        following.append(with_type(output, "subslide"))
    return following


def lines_of(source: str) -> int:
    return source.rstrip().count("\n") + 1


def drawn(cell: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def said(cell: nbformat.NotebookNode) -> int:
    """How many lines of text a cell prints."""
    return sum(lines_of(output.get("text", "")) for output in cell.outputs)


def deck(path: Path) -> str:
    """The HTML of one notebook's slides."""
    notebook = read(path)
    title = notebook.cells[0].source.split("\n")[0].lstrip("# ")
    exporter = SlidesExporter(
        template_name="course", extra_template_basedirs=[str(TEMPLATES)]
    )
    resources = {"course": {"title": title}}
    return exporter.from_notebook_node(staged(notebook), resources)[0]


def print_pdfs(folder: Path) -> None:
    """A PDF beside each deck; only a sentence where no Chromium can print one."""
    browser = chromium()
    if browser is None:
        print("no Chromium, so no PDFs of the slides: install it, or set CHROMIUM")
        return
    pages = sorted(folder.glob("*.html"))
    with ThreadPoolExecutor() as pool:  # each waits for its formulas
        list(pool.map(lambda page: print_pdf(browser, page), pages))


def print_pdf(browser: str, page: Path) -> None:
    output = page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser,
                *("--headless", "--no-sandbox", "--no-pdf-header-footer"),
                f"--user-data-dir={profile}",
                "--virtual-time-budget=60000",
                f"--print-to-pdf={output}",
                f"{page.resolve().as_uri()}?print-pdf",
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    if not output.exists():
        raise SystemExit(f"{browser} did not print {page.name}")


def build(folder: Path) -> None:
    """All decks, with the scripts and styles they need."""
    import sphinx_revealjs

    folder.mkdir(parents=True)
    package = Path(sphinx_revealjs.__file__).parent / "_static" / "revealjs"
    (folder / "reveal").mkdir()
    for name in ("dist/reveal.js", "dist/reveal.css", "plugin/notes/notes.js"):
        shutil.copy(package / name, folder / "reveal")
    shutil.copy(TEMPLATES / "slides.css", folder)
    colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    (folder / "pygments.css").write_text(colours)
    for path in notebooks():
        (folder / f"{path.stem}.html").write_text(deck(path), encoding="utf-8")
