"""The notebooks keep the rules that make them run, and read, the same everywhere.

What they compute is compared by nbval and tests/test_exercises.py; here it is their
form.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import nbformat
import pytest

from course import COURSE, METADATA, ROOT, Part, every_notebook, key, notebooks, read

TAGS = {"nbval-ignore-output", "check", "slow"}
LINES = 25  # of code in a cell, however the formatter breaks them; comments are free
MEGABYTES = 4
UNTIMED = {"Sources"}  # sections that cost no minutes


def headings(notebook):
    """(level, text) of the headings, code fences left out."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            prose = re.sub(
                r"^(```|~~~).*?^\1", "", cell.source, flags=re.DOTALL | re.MULTILINE
            )
            found += re.findall(r"^(#+) +(.+?) *#*$", prose, flags=re.MULTILINE)
    return [(len(marks), text) for marks, text in found]


def title(heading):
    """A heading without its number and its minutes, as docstrings cite it."""
    return re.sub(r"^\d+(\.\d+)*[.:]? +|,? *\(\d+ min\)$", "", heading)


def text_outputs(cell):
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        for mime, content in output.get("data", {}).items():
            if mime.startswith("text/"):
                yield content


def faults(notebook, part, folder):
    """What is wrong with a notebook, one sentence each; an empty list when nothing
    is.
    """
    found = []
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernel is not python3")
    ids = [cell.get("id") for cell in notebook.cells]
    if len(set(ids)) < len(ids) or None in ids:
        found.append("cells need ids, each its own")
    level_2 = [text for level, text in headings(notebook) if level == 2]
    minutes = [re.search(r"\((\d+) min\)$", text) for text in level_2]
    untimed = {t for t, m in zip(level_2, minutes, strict=True) if m is None} - UNTIMED
    found += [
        f"the section {text!r} does not end in its minutes '(7 min)'"
        for text in untimed
    ]
    total = sum(int(match[1]) for match in minutes if match)
    if part is None:
        found.append("tools/course.py does not list it")
    elif part.minutes and total > part.minutes and not untimed:
        found.append(f"the sections take {total} minutes, the notebook {part.minutes}")
    if not headings(notebook) or headings(notebook)[0][0] != 1:
        found.append("the first heading is not of level 1")

    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not codes or codes[0].get("id") != "setup":
        found.append("the first code cell is not the setup cell: run `make links`")
    counts = [cell.execution_count for cell in codes]
    if counts != list(range(1, len(codes) + 1)):
        found.append("not run from top to bottom: run `make render`")
    if extra := sorted(notebook.metadata.keys() - METADATA.keys()):
        found.append(f"has metadata {extra}, such as sliders: run `make render`")
    for index, cell in enumerate(notebook.cells, start=1):
        where = f"cell {index} (id {cell.get('id')})"
        if cell.cell_type == "code":
            found += [f"{where} {fault}" for fault in cell_faults(cell)]
        elif cell.cell_type == "markdown":
            for target in re.findall(
                r"""(?:\]\(|(?:src|href)=["'])([^)"'\s]+)""", cell.source
            ):
                local = target.partition("#")[0]
                if (
                    local
                    and "://" not in local
                    and not re.match(r"(mailto|attachment|data):", local)
                ):
                    if not (folder / local).exists():
                        found.append(f"{where} links to {target}, which does not exist")
    return found


def logical_lines(source):
    """How many lines of code, a call that is broken over several counting as one."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return sum(token.type == tokenize.NEWLINE for token in tokens)


def cell_faults(cell):
    if not cell.source.strip():
        yield "is empty"
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        yield f"is not plain Python ({error}): no magics, no shell commands"
        return
    tags = set(cell.metadata.get("tags", []))
    if tags - TAGS:
        yield f"has unknown tags {sorted(tags - TAGS)}, known are {sorted(TAGS)}"
    if "nbval-ignore-output" in tags and not any(
        isinstance(n, ast.Assert) for n in ast.walk(tree)
    ):
        yield "is tagged nbval-ignore-output, but contains no assert"
    lines = logical_lines(cell.source)
    if lines > LINES:
        yield f"has {lines} lines of code, at most {LINES}"
    if re.search(r"""["']\.\.?/""", cell.source):
        yield "has a relative path: it breaks in the exercise copy, use scratchml.datasets"
    kinds = {mime for output in cell.outputs for mime in output.get("data", {})}
    if (
        any(kind.startswith("image/") for kind in kinds)
        and "plt.show()" not in cell.source
        and "interactive." not in cell.source
    ):
        yield "draws a figure without plt.show()"
    if any("widget" in kind for kind in kinds):
        yield "saved a widget (a progress bar?): run `make render`"
    for output in cell.outputs:
        if output.output_type == "error":
            yield f"ends in an error: {output.ename}: {output.evalue}"
        elif output.get("name") == "stderr":
            yield f"writes to stderr: {output.text.strip()[:80]!r}"
    for text in text_outputs(cell):
        if re.search(r"\d%\||\dit/s|\ds/it", text):
            yield "saved a progress bar: run `make render`"
        if re.match(r"\W*(matplotlib\.|Axes|Text\()", text):
            yield "shows the value of a plotting call: end the figure with plt.show()"
        if re.search(r"\bat 0x[0-9a-f]{6,}", text):
            yield "prints a memory address, another one each time"
        if match := re.search(
            r"(?<![\w.])(/(home|Users|root|tmp|private|var)/|[A-Z]:\\)\S*", text
        ):
            yield f"prints a path of this machine: {match[0]}"


@pytest.mark.parametrize("path", every_notebook(), ids=key)
def test_notebook_keeps_the_rules(path):
    notebook = read(path)
    nbformat.validate(notebook)
    part = next((part for part in COURSE if part.name == path.stem), None)
    if path not in notebooks():  # at home nobody looks at the clock
        part = Part(path.stem, 0, "")
    found = faults(notebook, part, path.parent)
    if path.stat().st_size > MEGABYTES * 2**20:
        found.append(
            f"the file is larger than {MEGABYTES} MB: fewer or smaller figures"
        )
    assert not found, "\n" + "\n".join(f"{path.name}: {fault}" for fault in found)


def references():
    """(file, notebook, section) for each "Derived in" or "See" of the library."""
    for path in sorted((ROOT / "scratchml").glob("*.py")):
        text = re.sub(r"\s+#?\s*", " ", path.read_text(encoding="utf-8"))
        for match in re.finditer(r"Derived in|See `*notebooks/", text):
            rest = text[match.start() : match.start() + 200]
            form = re.match(
                r"(?:Derived in|See) `*notebooks/([\w/]+\.ipynb)`*, "
                r"sections? ((?:\*[^*]+\*(?:, | and )?)+)",
                rest,
            )
            if form is None:
                yield path.name, None, rest[:80]
                continue
            for section in re.findall(r"\*([^*]+)\*", form[2]):
                yield path.name, form[1], section


@pytest.mark.parametrize(
    ("file", "notebook", "section"), sorted(set(references()), key=str)
)
def test_derived_in_leads_somewhere(file, notebook, section):
    assert notebook, (
        f"scratchml/{file}: {section!r} is not of the form "
        "'Derived in notebooks/01_nn.ipynb, section *Title*'"
    )
    path = ROOT / "notebooks" / notebook
    assert path.exists(), (
        f"scratchml/{file} refers to notebooks/{notebook}, which does not exist"
    )
    titles = [title(text) for level, text in headings(read(path)) if level > 1]
    assert section in titles, (
        f"scratchml/{file}: {notebook} has no section {section!r}: {titles}"
    )


# ---------------------------------------------------------------------- each rule bites

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def sound():
    """A small notebook without faults."""
    new = nbformat.v4
    image = new.new_output(
        "display_data", {"image/png": "", "text/plain": "<Figure size 1x1>"}
    )
    cells = [
        new.new_markdown_cell(
            "# Tiny\n```python\n## not a heading\n```\n[data](../data)"
        ),
        new.new_code_cell("import sys", execution_count=1),
        new.new_markdown_cell(
            "## 1. First things (2 min)\n## Then (3 min)\n## Sources"
        ),
        new.new_code_cell(
            "plt.plot([1])\nplt.show()", execution_count=2, outputs=[image]
        ),
        new.new_code_cell(
            "print(score)\nassert score > 0.9",
            execution_count=3,
            outputs=[
                new.new_output("stream", name="stdout", text="0.93, and 100 % sure\n")
            ],
            metadata={"tags": ["nbval-ignore-output"]},
        ),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = "setup" if number == 1 else f"c{number}"
    return new.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


PART = COURSE[0]._replace(minutes=5)
FOLDER = Path(__file__).parent


def test_the_rules_accept_a_sound_notebook():
    assert faults(sound(), PART, FOLDER) == []


def stream(text, name="stdout"):
    return [nbformat.v4.new_output("stream", name=name, text=text)]


@pytest.mark.parametrize(
    ("complaint", "spoil"),
    [
        ("kernel", lambda nb: nb.metadata.pop("kernelspec")),
        ("sliders", lambda nb: nb.metadata.update(widgets={})),
        ("ids", lambda nb: nb.cells[3].update(id="c2")),
        ("'Then'", lambda nb: nb.cells[2].update(source="## Then\n## First (5 min)")),
        ("take 6 minutes", lambda nb: nb.cells[2].update(source="## Then (6 min)")),
        ("level 1", lambda nb: nb.cells[0].update(source="no title")),
        ("setup cell", lambda nb: nb.cells[1].update(id="c1")),
        ("top to bottom", lambda nb: nb.cells[3].update(execution_count=7)),
        ("top to bottom", lambda nb: nb.cells[3].update(execution_count=None)),
        ("does not exist", lambda nb: nb.cells[0].update(source="# T\n![a](../docs/no.png)")),
        ("is empty", lambda nb: nb.cells[1].update(source=" ")),
        ("no magics", lambda nb: nb.cells[1].update(source="%matplotlib inline")),
        ("unknown tags", lambda nb: nb.cells[4].metadata.update(tags=["nbval-ignore"])),
        ("no assert", lambda nb: nb.cells[4].update(source="print('assert')")),
        ("26 lines", lambda nb: nb.cells[1].update(source="\n".join(["a = 1"] * 26))),
        ("relative path", lambda nb: nb.cells[1].update(source="open('../data/a.npz')")),
        ("plt.show()", lambda nb: nb.cells[3].update(source="plt.plot([1]);")),
        ("plotting call", lambda nb: nb.cells[1].update(outputs=stream("[<matplotlib.lines"))),
        ("plotting call", lambda nb: nb.cells[1].update(outputs=stream("<Axes: >"))),
        ("in an error", lambda nb: nb.cells[1].update(
            outputs=[nbformat.v4.new_output("error", ename="E", evalue="v")])),
        ("stderr", lambda nb: nb.cells[1].update(outputs=stream("Warning", "stderr"))),
        ("progress bar", lambda nb: nb.cells[1].update(outputs=stream("40%|####  | 3/7"))),
        ("widget", lambda nb: nb.cells[1].update(outputs=[nbformat.v4.new_output(
            "display_data", {"application/vnd.jupyter.widget-view+json": {}})])),
        ("memory address", lambda nb: nb.cells[1].update(outputs=stream("<A at 0x7fd45c468200>"))),
        ("path of this machine", lambda nb: nb.cells[1].update(outputs=stream("in /Users/me/x"))),
    ],
)  # fmt: skip
def test_the_rules_notice(complaint, spoil):
    notebook = sound()
    spoil(notebook)
    assert any(complaint in fault for fault in faults(notebook, PART, FOLDER))


def test_titles_are_cited_without_number_and_minutes():
    assert [title(text) for _, text in headings(sound())] == [
        "Tiny",
        "First things",
        "Then",
        "Sources",
    ]
