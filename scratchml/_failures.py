"""How a check fails: with one sentence, and the line of the learner that it is about.

An exception in the learner's own lines fails a check too. `learner_code` turns it into
that line, one sentence and the shapes at hand, without a frame of the library:

    with learner_code("my_step", x=x, h=h):
        answer = my_step(x.copy(), h.copy())
"""

import contextlib
import difflib
import linecache
import re
import sys
import sysconfig
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple

import numpy as np

WIDTH = 88
BLANK = "your turn: "
LIBRARY = (str(Path(__file__).parent), *set(sysconfig.get_paths().values()))


class CheckFailed(AssertionError):
    """A check found a mistake: where, how large, and what it looks like."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the learner's line and the message."""
        place = learners_place(self.__traceback__)
        lines = [f"line {place.number}: {place.line}"] if place else []
        return lines + wrapped(self._said())

    def _said(self) -> str:
        return f"CheckFailed: {self}"


class WrongNumber(CheckFailed):
    """Everything is there, but a number differs.

    `head` is the message without its hint; so is `unnamed`, where the hint names no
    mistake. `fingerprint` is all of the numbers in one: the same mistake has the same.
    """

    def __init__(self, head: str, hint: str, named: bool, mine: np.ndarray) -> None:
        super().__init__(f"{head} {hint}")
        ramp = np.sqrt(np.arange(1, mine.size + 1))
        self.fingerprint = f"{float(mine.ravel() @ ramp):.7g}"
        self.head = head
        self.hint = hint
        if not named:
            self.unnamed = head


class StillBlank(CheckFailed, NotImplementedError):
    """The learner's lines are not written yet."""

    def _said(self) -> str:
        return f"still blank: {str(self).removeprefix(BLANK)}"


@contextlib.contextmanager
def learner_code(what: str, **arrays: object) -> Iterator[None]:
    """Run the learner's lines: turn what they raise into CheckFailed.

    `what` begins the message, for example "MyLinear: backward". `arrays` are what the
    lines were given: their shapes are shown where the line itself names none. A blank
    ("your turn: ...") becomes StillBlank.
    """
    try:
        yield
    except CheckFailed:
        raise
    except NotImplementedError as error:
        blank = str(error).startswith(BLANK)
        raise (StillBlank(str(error)) if blank else CheckFailed(str(error))) from None
    except Exception as error:
        raise CheckFailed(explained(what, error, arrays)) from None


def explained(what: str, error: Exception, arrays: dict[str, object]) -> str:
    """The line that raised it, one sentence, the shapes at hand, what to look at."""
    place = learners_place(error.__traceback__)
    line = place.line if place else ""
    where = f" stops at line {place.number}, `{line}`" if place and line else " stops"
    frame = place.frame if place else None
    parts = [f"{what}{where}: {sentence(error)}"]
    if shapes := shapes_at_hand(frame, line, arrays):
        parts.append(f"Shapes here: {shapes}.")
    if meant := names_meant(error, frame):
        parts.append(meant)
    said = f"{type(error).__name__}: {error}"
    parts += [advice for symptom, advice in ADVICE if re.search(symptom, said)][:1]
    return " ".join(parts)


def sentence(error: Exception) -> str:
    """What Python or numpy says, in one sentence and without numpy's inner words."""
    said = " ".join(str(error).split())
    sizes = re.search(r"core dimension.*\(size (\d+) is different from (\d+)\)", said)
    if sizes:
        said = f"matmul of sizes that do not fit, {sizes[1]} and {sizes[2]}"
    kind = type(error).__name__
    told = f"{kind}: {said}" if said else kind
    return told if told.endswith((".", "?", "!")) else f"{told}."


class Place(NamedTuple):
    """A line of the learner that was under way."""

    frame: FrameType
    number: int
    line: str


def learners_place(trace: TracebackType | None) -> Place | None:
    """The deepest line that belongs neither to the library nor to Python or numpy."""
    found = None
    for frame, number in traceback.walk_tb(trace):
        name = frame.f_code.co_filename
        if not name.startswith(LIBRARY) and not name.endswith(".pyx"):
            line = linecache.getline(name, number, frame.f_globals)
            found = Place(frame, number, line.strip())
    return found


def shapes_at_hand(
    frame: FrameType | None, line: str, arrays: dict[str, object]
) -> str:
    """The arrays that the line names, else those that were handed in: `dy (5, 3)`."""
    near = arrays_of(frame) if frame else {}
    words = re.findall(r"\w+", line)
    named = {name: near[name] for name in dict.fromkeys(words) if name in near}
    shown = named or {k: a for k, a in arrays.items() if isinstance(a, np.ndarray)}
    return ", ".join(f"{name} {a.shape}" for name, a in shown.items())


def arrays_of(frame: FrameType) -> dict[str, np.ndarray]:
    """Every array that the line can reach: on self, in its params, in a variable."""
    owner = frame.f_locals.get("self")
    attributes = getattr(owner, "__dict__", {})
    params = attributes.get("params")
    reach = dict(params) if isinstance(params, dict) else {}
    reach |= attributes
    reach |= frame.f_locals
    return {name: a for name, a in reach.items() if isinstance(a, np.ndarray)}


def names_meant(error: Exception, frame: FrameType | None) -> str:
    """Which name may be meant by one that does not exist."""
    if not isinstance(error, NameError | AttributeError) or not error.name:
        return ""
    if isinstance(error, AttributeError):
        known = {name: name for name in dir(error.obj) if not name.startswith("_")}
        if isinstance(error.obj, np.ndarray) and hasattr(np, error.name):
            return f"For an array write np.{error.name}(...)."
    else:
        known = names_at_hand(frame)
        if error.name in sys.stdlib_module_names:
            return f"Write `import {error.name}` first."
    near = difflib.get_close_matches(error.name, known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {known[near[0]]}?"
    if isinstance(error, NameError) and known:
        return f"At hand are {', '.join(known.values())}."
    return ""


def names_at_hand(frame: FrameType | None) -> dict[str, str]:
    """The variables of a function and what its self keeps, each as one writes it."""
    if frame is None:
        return {}
    owner = frame.f_locals.get("self")
    kept = vars(owner) if hasattr(owner, "__dict__") else {}
    names = {name: f"self.{name}" for name in kept if not name.startswith("_")}
    params = kept.get("params")
    names |= {name: f'self.params["{name}"]' for name in params or ()}
    return names | {name: name for name in frame.f_locals if name != "self"}


def wrapped(text: str) -> list[str]:
    """The lines of a message, at most 88 columns wide, words unbroken."""
    lines = []
    for paragraph in text.split("\n"):
        lines += textwrap.wrap(
            paragraph, WIDTH, break_long_words=False, break_on_hyphens=False
        ) or [""]
    return lines


ADVICE = (  # what Python or numpy says, and what to look at
    (
        r"core dimension|shapes .* not aligned",
        "The inner sizes of a matrix product must agree: which factor needs .T, or "
        "another place?",
    ),
    (
        r"could not be broadcast|could not broadcast|non-broadcastable",
        "Shapes are matched from the right, and each pair must be equal or 1: is an "
        "index, an axis ([:, None]) or a .T missing, or does a slice end too early?",
    ),
    (
        r"truth value of an array",
        "An array is not one True or False, so `if` cannot ask it: use "
        "np.where(condition, there, elsewhere), or multiply by the mask.",
    ),
    (
        r"out of bounds",
        "The index is too large, or it stands on another axis: which axis is which?",
    ),
    (r"too many indices", "There are more indices than axes: look at the shape."),
    (
        r"only integer|indices must be integers|arrays used as indices",
        "An index is an integer, a slice, or an array of integers or booleans.",
    ),
    (r"boolean index did not match", "A mask has the shape of what it picks from."),
    (
        r"equal division",
        "np.split wants equal parts: slice instead, for start in "
        "range(0, len(x), batch_size).",
    ),
    (
        r"unpack",
        "The number of names on the left is not the number of things on the right.",
    ),
    (
        r"'NoneType'",
        "Something is None: never assigned, or from a function without return.",
    ),
    (
        r"KeyError",
        "The dictionary has no such key yet: assign with `=` before you add with `+=`.",
    ),
    (
        r"mappingproxy",
        "Assign the whole dictionary: self.grads = {...}.",
    ),
    (r"UnboundLocalError", "The name gets no value on the way to this line."),
    (
        r"missing \d+ required|positional argument",
        "It is called with other arguments than it is written for.",
    ),
    (
        r"only .*(0-dim|length-1|size-1)|setting an array element with a sequence",
        "One number belongs there, and an array stands there: index it, or add it up.",
    ),
    (
        r"[Cc]annot cast|casting rule|subtract, the `-` operator",
        "The array holds integers or True and False: make it floats, .astype(float).",
    ),
    (
        r"read-only|not support item assignment",
        "It cannot be changed in place: work on a copy.",
    ),
    (r"Probabilities|probabilities", "Probabilities are at least 0 and sum to 1."),
)
