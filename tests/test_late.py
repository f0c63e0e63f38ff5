"""What an instructor may skip when the class is late: nothing below needs it."""

import builtins
import re
import symtable

import pytest

import pace
from course import ROOT, read

ROW = re.compile(r"^\| (\d\d_\w+) \| \*(.+?)\* \| (\d+) min \|", re.MULTILINE)
PAGE = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
SKIPPED = ROW.findall(PAGE.partition("## When you are late")[2])


def code_by_section(path):
    """[(title of the section, source)] for each code cell."""
    section = None
    found = []
    for cell in read(path).cells:
        if cell.cell_type == "code":
            found.append((section, cell.source))
        elif heading := re.findall(r"^## (.+?)(?: \(.*\))?$", cell.source, re.M):
            section = heading[-1]
    return found


def names(source):
    """(names that a cell binds, names that it needs), as a module's globals."""
    table = symtable.symtable(source, "cell", "exec")
    bound = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported()
    }
    return bound, needed(table)


def needed(table):
    inside = table.get_type() != "module"
    found = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and not (inside and not symbol.is_global())
    }
    return found.union(*map(needed, table.get_children()))


def missed(cells, title):
    """What the other sections need, and only the section `title` binds, or a later one."""
    known = {*dir(builtins), "__name__"}
    gone = set()
    for section, source in cells:
        bound, used = names(source)
        if section != title:
            gone |= used - bound - known
            known |= bound
    return gone


def test_there_is_something_to_skip_in_each_notebook():
    assert len({notebook for notebook, _, _ in SKIPPED}) == 5


@pytest.mark.parametrize("notebook, title, minutes", SKIPPED)
def test_nothing_needs_what_is_skipped(notebook, title, minutes):
    path = ROOT / "notebooks" / f"{notebook}.ipynb"
    cells = code_by_section(path)
    assert title in {section for section, _ in cells}, f"{path.name} has no *{title}*"
    (section,) = (s for s in pace.late(path)[0] if s.title == title)
    assert abs(section.needed - int(minutes)) < 1, (
        f"*{title}* takes {section.needed:.1f} min"
    )
    # Names that a function of an earlier cell takes from a later one are no fault here.
    new = missed(cells, title) - missed(cells, "nothing")
    assert not new, f"without *{title}*, {notebook} lacks {sorted(new)}"


def test_a_needed_section_is_seen():
    cells = [("A", "x = 1"), ("B", "def f():\n    return x"), ("C", "f()")]
    assert missed(cells, "A") == {"x"} and missed(cells, "C") == set()
