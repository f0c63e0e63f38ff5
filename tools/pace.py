"""How many minutes does an attendee need? Each section against its heading.

    python tools/pace.py                             the class notebooks
    python tools/pace.py notebooks/deeper/*.ipynb    others

The model: prose at 180 words a minute; 20 seconds for a displayed equation, 4 for a
visible line of code, 15 for a figure; an exercise takes the minutes that its first line
says (`# Exercise (4 min): linear backward`); and of a cell's run time, what is over 2
seconds. Folded cells (`source_hidden`) and *Sources* take nothing. Exit code 1: a
section or a notebook takes longer than its heading says.
"""

import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from course import COURSE, MEASURED, ROOT, key, notebooks, read, shown
from exercises import BEGIN, regions

WORDS_A_MINUTE = 180
EQUATION = 20
LINE = 4
FIGURE = 15
PATIENCE = 2  # seconds of running that nobody notices

DISPLAY = re.compile(r"\$\$.*?\$\$|\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.DOTALL)
PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)|<(?:img|svg)\b.*?>", re.DOTALL)
HEADING = re.compile(r"^## +(.*?)(?: *\((\d+) min\))?$", re.MULTILINE)
EXERCISE = re.compile(r"# Exercise \((\d+(?:\.\d+)?) min\)")


@dataclass
class Section:
    """What a section promises and what it takes, in minutes."""

    title: str
    promised: float | None
    prose: float = 0
    equations: float = 0
    code: float = 0
    figures: float = 0
    exercises: float = 0
    waiting: float = 0

    @property
    def needed(self) -> float:
        parts = self.prose, self.equations, self.code, self.figures
        return sum(parts) + self.exercises + self.waiting


def read_prose(section: Section, source: str) -> None:
    """Add the time of one markdown cell."""
    section.equations += len(DISPLAY.findall(source)) * EQUATION / 60
    section.figures += len(PICTURE.findall(source)) * FIGURE / 60
    text = PICTURE.sub(" ", DISPLAY.sub(" ", source))
    fenced = re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE)
    section.code += sum(len(block.splitlines()) - 2 for block in fenced) * LINE / 60
    text = re.sub(r"^```.*?^```", " ", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<[^>]+>|\]\([^)]*\)", " ", text)
    text = re.sub(r"\$[^$]+\$", " formula ", text)
    section.prose += len(re.findall(r"[\w’'-]*\w[\w’'-]*", text)) / WORDS_A_MINUTE


def read_code(section: Section, cell, seconds: float) -> None:
    """Add the time of one code cell and of its figures."""
    for output in cell.outputs:
        kinds = output.get("data", {})
        if any(kind.startswith("image/") for kind in kinds):
            section.figures += FIGURE / 60
    section.waiting += max(0, seconds - PATIENCE) / 60
    if cell.metadata.get("jupyter", {}).get("source_hidden") or cell.id == "setup":
        return
    lines = cell.source.split("\n")
    if BEGIN in cell.source:
        match = EXERCISE.match(cell.source)
        if match is not None:
            section.exercises += float(match[1])
            for region in reversed(regions(cell.source)):
                del lines[region.first : region.last + 1]
    visible = [line for line in lines if line.strip()]
    section.code += len(visible) * LINE / 60


def sections(notebook, seconds: dict[str, float]) -> list[Section]:
    """The sections of a notebook; what stands before the first counts as one."""
    found = [Section("(opening)", None)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            read_code(found[-1], cell, seconds.get(cell.id, 0))
        if cell.cell_type != "markdown":
            continue
        start = 0
        for match in HEADING.finditer(cell.source):
            read_prose(found[-1], cell.source[start : match.start()])
            promised = float(match[2]) if match[2] else None
            found.append(Section(match[1], promised))
            start = match.end()
        read_prose(found[-1], cell.source[start:])
    return [section for section in found if not section.title.startswith("Sources")]


def cell_seconds(name: str) -> dict[str, float]:
    """The cells that take long, as `make measure` found them."""
    return json.loads(MEASURED.read_text()).get(name, {}).get("cells", {})


def table(path: Path, found: list[Section]) -> str:
    columns = "prose equations code figures exercises waiting needed".split()
    rows = [
        f"{shown(path)}\n  {'section':<38}{'says':>5}  "
        + "".join(f"{c:>10}" for c in columns)
    ]
    for section in found:
        says = "" if section.promised is None else f"{section.promised:.0f}"
        numbers = "".join(f"{getattr(section, c):>10.1f}" for c in columns)
        over = "  <- over" if is_over(section) else ""
        rows.append(f"  {section.title[:37]:<38}{says:>5}  {numbers}{over}")
    total = sum(section.needed for section in found)
    rows.append(f"  {'all':<38}{promised_by(path, found):>5.0f}  {total:>70.1f}")
    return "\n".join(rows)


def is_over(section: Section) -> bool:
    return section.promised is not None and section.needed > section.promised


def promised_by(path: Path, found: list[Section]) -> float:
    """The minutes of the course table, or the sum of the headings."""
    for part in COURSE:
        if part.name == path.stem and path.parent.name == "notebooks":
            return part.minutes
    return sum(section.promised or 0 for section in found)


def late(path: Path) -> tuple[list[Section], bool]:
    """The sections of a notebook, and whether any, or all together, take too long."""
    found = sections(read(path), cell_seconds(key(path)))
    total = sum(section.needed for section in found)
    return found, any(map(is_over, found)) or total > promised_by(path, found)


BREAK = 10  # minutes of coffee, after notebook 02
ROOM = {  # what the room sees
    "00_intro": "you show it; everybody runs the first three cells and writes one line",
    "01_nn": "everybody writes three gradients, the five curves are voted on",
    "02_rnn": "everybody writes the loop over time, then its network writes",
    "03_cnn": "everybody writes a convolution's gradient, then reads photographs",
    "04_lime": "everybody writes LIME, and explains all that came before",
}


def schedule(root: Path = ROOT) -> str:
    """The instructor's table: each section with its clock, its minutes and exercises."""
    rows = ["| clock | minutes | section | your turn |", "|---|--:|---|---|"]
    clock = 0.0
    for path in notebooks(root):
        found = sections(read(path), cell_seconds(key(path, root)))
        needed = math.ceil(sum(section.needed for section in found))
        name = f"[{path.stem}]({path.name}), {ROOM.get(path.stem, '')}"
        rows.append(f"| **{_hours(clock)}** | **{needed}** | **{name}** | |")
        begin = clock
        for section in found:
            if section.promised is not None:
                turns = f"{section.exercises:g} min" if section.exercises else ""
                minutes = f"{section.needed:.0f}" if section.needed >= 0.5 else "½"
                rows.append(
                    f"| {_hours(begin)} | {minutes} | {section.title} | {turns} |"
                )
            begin += section.needed
        clock += needed
        if path.stem == "02_rnn":
            rows.append(f"| **{_hours(clock)}** | **{BREAK}** | **coffee** | |")
            clock += BREAK
    left = sum(part.minutes for part in COURSE) - clock
    rows.append(f"| **{_hours(clock)}** | **{left:.0f}** | **questions** | |")
    return "\n".join(rows)


def _hours(minutes: float) -> str:
    whole = int(minutes)
    return f"{whole // 60}:{whole % 60:02}"


def main(arguments: list[str]) -> int:
    too_long = False
    for path in [Path(name).resolve() for name in arguments] or notebooks():
        found, over = late(path)
        print(table(path, found))
        too_long |= over
    return int(too_long)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
