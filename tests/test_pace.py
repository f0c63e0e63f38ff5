"""The minutes of the headings are those that an attendee needs: tools/pace.py."""

import nbformat
import pytest

import pace
from course import COURSE, notebooks, read
from course import key as key_of

new = nbformat.v4


@pytest.mark.parametrize("path", notebooks(), ids=key_of)
def test_a_class_notebook_keeps_its_minutes(path):
    found, over = pace.late(path)
    assert not over, "\n" + pace.table(path, found)


@pytest.mark.parametrize("path", notebooks(), ids=key_of)
def test_every_exercise_says_its_minutes(path):
    for cell in read(path).cells:
        if cell.cell_type == "code" and pace.BEGIN in cell.source:
            assert pace.EXERCISE.match(cell.source), cell.source.split("\n")[0]


def test_the_class_takes_three_hours():
    assert sum(part.minutes for part in COURSE) == 180


def measured(*cells, **seconds):
    """Needed minutes of the section of a small notebook, and of its parts."""
    heading = new.new_markdown_cell("# T\n## First (2 min)")
    _, section = pace.sections(new.new_notebook(cells=[heading, *cells]), seconds)
    return section


def code(source, **metadata):
    return new.new_code_cell(source, metadata=metadata)


WORDS = "word " * 178  # with the two of the heading one minute


def test_prose_equations_and_figures_take_their_time():
    prose = measured(
        new.new_markdown_cell(WORDS + "[a link](http://x.y/long/way) $x^2$")
    )
    assert prose.prose == pytest.approx((178 + 2 + 1) / 180, abs=0.02)
    maths = measured(new.new_markdown_cell("$$a$$ and\n$$\nb\n$$\n![p](x.png)"))
    assert maths.equations == pytest.approx(40 / 60)
    assert maths.figures == pytest.approx(15 / 60)


def test_visible_lines_take_four_seconds_and_folded_ones_none():
    lines = "a = 1\n\nb = 2\nc = 3"
    assert measured(code(lines)).code == pytest.approx(12 / 60)
    assert measured(code(lines, jupyter={"source_hidden": True})).code == 0


def test_an_exercise_takes_its_minutes_and_not_the_lines_of_its_solution():
    source = "# Exercise (4 min): x\n# Your turn: y\n### BEGIN SOLUTION\na\nb\n### END SOLUTION"
    section = measured(code(source))
    assert section.exercises == 4
    assert section.code == pytest.approx(2 * 4 / 60)


def test_one_waits_for_what_runs_longer_than_two_seconds():
    cell = code("fit()")
    assert measured(cell, **{cell.id: 8.0}).waiting == pytest.approx(0.1)
    assert measured(cell, **{cell.id: 1.5}).waiting == 0


def test_a_section_over_its_minutes_is_found():
    assert pace.is_over(measured(new.new_markdown_cell(3 * WORDS)))
    assert not pace.is_over(measured(new.new_markdown_cell(WORDS)))
