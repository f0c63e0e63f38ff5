"""What stands around an exercise: its check, its blanks, and words for what went wrong.

A check cell of a notebook is one function. `exercise` runs it twice, with other
numbers, as often as the learner likes:

    @exercise("linear backward")
    def check_linear(rng):
        x = rng.normal(size=(5, 4))
        gradient_check(MyLinear(4, 3, rng=rng), x, rng=rng)

A blank does not stop the notebook: the cells below go on with the solution. A wrong
answer does, with a CheckFailed that says what it looks like.
"""

import ast
import contextlib
import io
import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from ._failures import BLANK, CheckFailed, explained, learners_place
from ._slips import Slip, slips

Check = TypeVar("Check", bound=Callable[[np.random.Generator], object])

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
SEEDS = (0, 1)  # a check runs once with each
SECONDS = 4  # of the processor, the longest that looking for the slip may take


def exercise(name: str) -> Callable[[Check], Check]:
    """Run this check of the exercise `name`, now: the decorator of a check cell.

    The check takes a generator and fails when the learner's functions and classes are
    wrong. What is blank is said, and the notebook's solution takes its place.

    Raises CheckFailed for everything that goes wrong, in one sentence.
    """

    def run(check: Check) -> Check:
        assert isinstance(check, FunctionType)
        learner = check.__globals__
        if blank := _still_ours(name, learner):
            print(f"still blank: {blank}")
            return check
        try:
            errors = [_error(check, seed, aloud=seed == SEEDS[0]) for seed in SEEDS]
        except NotImplementedError as error:
            _go_on_with_ours(name, learner, error)
            return check
        if any(errors):
            raise _diagnosed(name, check, errors) from None
        return check

    return run


# ----------------------------------------------------------------------------- running


def _error(check: FunctionType, seed: int, aloud: bool) -> CheckFailed | None:
    """What goes wrong with these numbers. Raises NotImplementedError for a blank."""
    silence = contextlib.redirect_stdout(io.StringIO())
    with contextlib.nullcontext() if aloud else silence, _nothing_in_empty_arrays():
        try:
            check(np.random.default_rng(seed))
        except NotImplementedError as error:
            if str(error).startswith(BLANK):
                raise
            return _failed(error)
        except Exception as error:
            return _failed(error)
    return None


def _failed(error: Exception) -> CheckFailed:
    if isinstance(error, CheckFailed):
        return error
    place = learners_place(error.__traceback__)
    where = place.frame.f_code.co_qualname if place else "the check"
    failure = CheckFailed(explained(where, error, {}))
    return failure.with_traceback(error.__traceback__)


@contextlib.contextmanager
def _nothing_in_empty_arrays() -> Iterator[None]:
    """Let np.empty give NaN, so that what is never filled in does not look right."""
    made = {name: getattr(np, name) for name in ("empty", "empty_like")}

    def spoilt(make: Callable[..., Any]) -> Callable[..., Any]:
        def spoil(*args: Any, **options: Any) -> Any:
            array = make(*args, **options)
            if array.dtype.kind == "f":
                array.fill(np.nan)
            return array

        return spoil

    for name, make in made.items():
        setattr(np, name, spoilt(make))
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        for name, make in made.items():
            setattr(np, name, make)


# ------------------------------------------------------------------------------ blanks


def _go_on_with_ours(name: str, learner: dict[str, Any], error: Exception) -> None:
    """Say what is blank, and put the solution's functions and classes in its place."""
    asked = str(error).removeprefix(BLANK)
    source = _solution(name)
    ours = _defined(source)
    blank = _owner(error)
    if ours and blank and blank not in ours:
        raise CheckFailed(
            f"{blank} is still blank: {asked}. Run its check, further up: it goes on "
            "with ours."
        ) from None
    print(f"still blank: {asked}")
    if ours:
        exec(compile(source, f"<our {name}>", "exec"), learner)
        for key in ours:
            learner[key].left_blank = name, asked
        print(f"left blank, going on with ours: {', '.join(ours)}")


def _still_ours(name: str, learner: dict[str, Any]) -> str:
    """What was asked, where the solution still stands in for the learner's lines."""
    for key, thing in learner.items():
        # Under another name it may stay after the learner has written one.
        if isinstance(thing, type | FunctionType) and thing.__name__ == key:
            blank, asked = vars(thing).get("left_blank", ("", ""))
            if blank == name:
                return asked
    return ""


def _owner(error: BaseException) -> str:
    """The function or class whose line says that it is blank."""
    place = learners_place((error.__context__ or error).__traceback__)
    return place.frame.f_code.co_qualname.partition(".")[0] if place else ""


def _defined(source: str) -> list[str]:
    """The functions and classes of a cell."""
    body = ast.parse(source).body
    return [
        node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]


def _solution(name: str) -> str:
    """The exercise's cell as the notebook has it; empty where there is no notebook."""
    for path in sorted(NOTEBOOKS.rglob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            found = re.match(r"# Exercise(?: \([\d.]+ min\))?: (.+)", source)
            if found and found[1].strip() == name and BEGIN in source:
                return source
    return ""


# --------------------------------------------------------------------------- diagnoses


def _diagnosed(
    name: str, check: FunctionType, errors: list[CheckFailed | None]
) -> CheckFailed:
    """The first error; with the words of a slip, if one fails in the very same way."""
    first = next(error for error in errors if error)
    head = getattr(first, "head", "")
    if not head:
        return first
    said = [_symptom(error) for error in errors]
    vague = hasattr(first, "unnamed") or "a constant factor is off" in str(first)
    for words in _same_slips(name, check, said, only_listed=not vague):
        named = CheckFailed(f"{head} It looks like this slip: {words}.")
        return named.with_traceback(first.__traceback__)
    return first


def _symptom(error: CheckFailed | None) -> str:
    """The message without hints that take time to find, and all numbers in one."""
    head = getattr(error, "head", None) or str(error)
    return f"{head} {getattr(error, 'fingerprint', '')}"


def _same_slips(
    name: str, check: FunctionType, said: list[str], only_listed: bool
) -> Iterator[str]:
    end = time.process_time() + SECONDS
    for slip in _slips(name, only_listed):
        if time.process_time() > end:
            return
        if _tried(slip.source, check, said) == said:
            yield slip.words


def _slips(name: str, only_listed: bool) -> Iterator[Slip]:
    source = _solution(name)
    for words, answer in _listed().get(name, {}).items():
        yield Slip(words, filled(source, answer))
    if not only_listed:
        for first, last in regions(source.split("\n")):
            yield from slips(source, first + 1, last + 1)


def _tried(source: str, check: FunctionType, said: list[str]) -> list[str]:
    """What the check says to this answer, as long as it says the same."""
    answered = dict(check.__globals__)
    again = FunctionType(check.__code__, answered, closure=check.__closure__)
    found: list[str] = []
    try:
        exec(compile(source, "<a slip>", "exec"), answered)
        for seed, expected in zip(SEEDS, said, strict=True):
            found.append(_symptom(_error(again, seed, aloud=False)))
            if found[-1] != expected:
                break
    except Exception:
        return []
    return found


def _listed() -> dict[str, dict[str, Any]]:
    """The slips of notebooks/slips.toml: {exercise: {words: lines}}."""
    path = NOTEBOOKS / "slips.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def regions(lines: list[str]) -> list[tuple[int, int]]:
    """The places of the BEGIN and END markers, counted from 0."""
    marks = [line.strip() for line in lines]
    begins = [i for i, mark in enumerate(marks) if mark == BEGIN]
    ends = [i for i, mark in enumerate(marks) if mark == END]
    return list(zip(begins, ends, strict=True))


def filled(source: str, answer: str | dict[str, str]) -> str:
    """The cell with other lines in the place of its solution, or of solution `"1"`."""
    answers = answer if isinstance(answer, dict) else {"0": answer}
    lines = source.split("\n")
    for number, (first, last) in reversed(list(enumerate(regions(lines)))):
        if str(number) in answers:
            indent = lines[first][: -len(lines[first].lstrip())]
            given = answers[str(number)].strip("\n").split("\n")
            lines[first : last + 1] = [indent + line for line in given]
    return "\n".join(lines)
