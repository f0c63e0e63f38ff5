"""What tools/slides.py makes of a notebook, and what every notebook must give it."""

import nbformat
import pytest

import slides
from course import every_notebook, key, notebooks, read

new = nbformat.v4
LONG = "This is the first sentence. " + "Many more words follow it here. " * 20


def cell(source, kind, *, code=False, **metadata):
    made = (new.new_code_cell if code else new.new_markdown_cell)(source)
    made.metadata.update(metadata, slideshow={"slide_type": kind})
    return made


def staged(*cells):
    return slides.staged(new.new_notebook(cells=list(cells))).cells


def kinds(cells):
    return [slides.slide_type(cell) for cell in cells]


def test_long_prose_is_spoken_and_its_first_sentence_shown():
    shown, spoken = staged(cell(f"## Loss (9 min)\n\n{LONG}\n\n$$a = b$$", "slide"))
    assert "first sentence" in shown.source and "Many more" not in shown.source
    assert "$$a = b$$" in shown.source and "## Loss" in shown.source
    assert "(9 min)" not in shown.source
    assert slides.slide_type(spoken) == "notes" and "Many more" in spoken.source


def test_the_clock_runs_through_the_sections():
    cells = staged(
        cell("# T", "slide"),
        cell("## A (4 min)", "slide"),
        cell("x", "subslide"),
        cell("## B (3 min)", "slide"),
    )
    assert [c.metadata["clock"] for c in cells] == ["", "0–4 min", "0–4 min", "4–7 min"]


def test_one_key_skips_a_section():
    found = staged(cell("## A (1 min)", "slide"), cell("text", "slide"))
    assert kinds(found) == ["slide", "subslide"]


EXERCISE = """\
# Exercise (2 min): add
def add(a, b):
    # Your turn: their sum
    ### BEGIN SOLUTION
    return a + b
    ### END SOLUTION"""


def test_a_solution_waits_behind_a_key():
    asked, solution = staged(cell(EXERCISE, "subslide", code=True))
    assert "return a + b" not in asked.source and "...  # your turn" in asked.source
    assert solution.source.strip() == "return a + b"
    assert kinds([solution]) == ["fragment"]


def test_what_does_not_fit_beside_its_code_gets_its_own_slide():
    long = cell("\n".join(f"a{i} = {i}" for i in range(15)), "slide", code=True)
    long.outputs = [new.new_output("stream", name="stdout", text="b\n" * 6)]
    code, output = staged(long)
    assert not code.outputs and output.outputs and kinds([output]) == ["subslide"]
    short = cell("a = 1", "slide", code=True)
    short.outputs = [new.new_output("stream", name="stdout", text="b\n" * 6)]
    assert len(staged(short)) == 1


def test_folded_lines_are_spoken():
    folded = cell("draw()", "slide", code=True, jupyter={"source_hidden": True})
    _, spoken = staged(folded)
    assert "draw()" in spoken.source and kinds([spoken]) == ["notes"]


def test_an_answer_appears_with_a_key():
    source = "Guess.\n\n<details><summary>Answer</summary>\n\n42\n\n</details>"
    (shown,) = staged(cell(source, "slide"))
    assert '<div class="fragment">' in shown.source and "summary" not in shown.source


@pytest.mark.parametrize("path", notebooks(), ids=key)
def test_every_deck_is_made(path):
    html = slides.deck(path)
    assert html.count("<section data-cell") >= 8
    assert "http" not in html.partition("<body>")[0]  # nothing comes from elsewhere


@pytest.mark.parametrize("path", every_notebook(), ids=key)
def test_every_figure_says_in_words_what_it_shows(path):
    told = [
        (c.id, output.metadata.get("image/png", {}).get("alt", ""))
        for c in read(path).cells
        if c.cell_type == "code"
        for output in c.outputs
        if "image/png" in output.get("data", {})
    ]
    silent = [id for id, alt in told if len(alt) < 10]
    assert not silent, f"no title, no label: {silent}"


def test_a_deck_is_the_same_each_time():
    path = notebooks()[0]
    assert slides.deck(path) == slides.deck(path)
