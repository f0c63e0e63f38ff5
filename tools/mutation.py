"""Change one token of the library and see whether a unit test notices; again and again.

    python tools/mutation.py [--seed 1] [--size 150] [text lime ...]     all modules by default

cosmic-ray finds the changes and makes them, in a copy of the repository: + becomes -,
< becomes <=, 3 becomes 4, a loop runs zero times, an error is not caught. The seed draws
places, at random, and at each place one change. It meets every unit test that runs its
line; tests that run notebooks are left out. What no test noticed is printed. A run that
was stopped goes on where it was; remove build/mutation/SEED to begin anew.
"""

import argparse
import ast
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

# What tests import is imported once, here: each change is tried in a fork of this process.
import coverage
import hypothesis  # noqa: F401
import lime.lime_text  # noqa: F401
import matplotlib.pyplot  # noqa: F401
import pytest
import skimage.segmentation  # noqa: F401
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parent.parent
MODULES = """layers losses optimizers training recurrent convolution text lime explanation
faithfulness many datasets checks _compare _diagnoses""".split()
# Tests of what is not the library, and those that run notebooks.
LEFT_OUT = re.compile(
    "test_(notebooks|exercises|interactive.*|live|slides|pace|make|gallery|update|tools|house"
    "|data_parallel)"
)
SECONDS = 300  # for the tests of one change
# Only what may go unnoticed: where + becomes a shift, the first test to come by fails.
NEAR = re.compile(
    r"/(ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|Div_FloorDiv|FloorDiv_Mul"
    r"|Mod_Mul|Pow_Mul|BitOr_BitAnd|BitAnd_BitOr)"
    r"|ReplaceComparisonOperator_(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Lt_Gt|Gt_Lt|LtE_GtE|GtE_LtE"
    r"|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is)"
    r"|ReplaceUnaryOperator_(USub_UAdd|Delete_Not|Delete_Invert)"
    r"|(?!Replace(Binary|Comparison|Unary)Operator)\w+)$"
)


def hints(source):
    """The places (line, column) inside type annotations."""
    for node in ast.walk(ast.parse(source)):
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if hint is not None:
                for line in range(hint.lineno, hint.end_lineno + 1):
                    first = hint.col_offset if line == hint.lineno else 0
                    last = hint.end_col_offset if line == hint.end_lineno else 200
                    yield from ((line, column) for column in range(first, last))


def changes(source):
    """Each change: its place, the operator that makes it, which of its occurrences."""
    tree = get_ast(source)
    without_effect = set(hints(source))
    for name in filter(NEAR.search, operator_names()):
        operator = get_operator(name)
        if operator.arguments():
            continue
        places = (
            start
            for node in ast_nodes(tree)
            for start, _ in operator().mutation_positions(node)
        )
        for occurrence, place in enumerate(places):
            if place not in without_effect:
                yield place, name, occurrence


def draw(library, modules, seed, size):
    """Places from all modules, so that a larger one has more; for each place one change."""
    at = {}
    for module in modules:
        source = (library / f"{module}.py").read_text(encoding="utf-8")
        for place, name, occurrence in changes(source):
            at.setdefault((module, place), []).append((name, occurrence))
    rng = random.Random(seed)
    places = rng.sample(sorted(at), min(size, len(at)))
    drawn = [
        (module, place, *rng.choice(at[module, place])) for module, place in places
    ]
    return [change for change in drawn if is_python(mutated(library, change))]


def mutated(library, change):
    """The text of the module with this change."""
    module, _, operator, occurrence = change
    source = (library / f"{module}.py").read_text(encoding="utf-8")
    return mutate_code(source, get_operator(operator)(), occurrence)


def is_python(text):
    """Not so `if not x := 1:`, which cosmic-ray makes too."""
    try:
        compile(text, "changed", "exec")
    except SyntaxError:
        return False
    return True


def copy_to(folder):
    """The files of the repository as they are now; they pass, and leave who ran which line."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    flags = "-q -p no:cacheprovider --cov=scratchml --cov-context=test --cov-report=".split()
    subprocess.run(
        [sys.executable, "-m", "pytest", *flags, *unit_tests(folder)],
        cwd=folder,
        check=True,
    )


def unit_tests(folder):
    """The files of tests that count."""
    return [
        f"tests/{path.name}"
        for path in sorted((folder / "tests").glob("test_*.py"))
        if not LEFT_OUT.fullmatch(path.stem)
    ]


def tests_by_line(folder):
    """For each module: line -> the tests that run it, "" for an import."""
    data = coverage.CoverageData(str(folder / ".coverage"))
    data.read()

    def name(context):
        return context.rpartition("|")[0]

    return {
        Path(file).stem: {
            line: {name(context) for context in contexts}
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }


class Only:
    """A plugin of pytest: these tests and no others; a file stands for all of its own."""

    def __init__(self, names):
        self.names = names

    def pytest_collection_modifyitems(self, items):
        items[:] = [
            item
            for item in items
            if {item.nodeid, item.nodeid.partition("::")[0]} & self.names
        ]


def run(folder, tests, said):
    """In a fork: run these tests of the copy, and end."""
    os.setsid()
    os.dup2(said.fileno(), 1)
    os.dup2(said.fileno(), 2)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    files = sorted({name.partition("::")[0] for name in tests})
    flags = "-x -q --tb=line -p no:cacheprovider -p no:cov -p no:faulthandler".split()
    code = pytest.main([*flags, *files], plugins=[Only(tests)])
    where = Path(getattr(sys.modules.get("scratchml"), "__file__", folder))
    sys.stdout.flush()
    os._exit(code if where.is_relative_to(folder) else 99)


def noticed(folder, tests):
    """Which test fails, or how the tests end; nothing if all pass."""
    if not tests:
        return ""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            run(folder, tests, said)
        status = os.waitpid(child, 0)[1]
        try:
            os.killpg(child, signal.SIGKILL)  # what the tests have left running
        except ProcessLookupError:
            pass
        said.seek(0)
        text = said.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    if code == 99:
        raise SystemExit(f"The tests imported a scratchml from outside {folder}")
    if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (.*)", text, re.MULTILINE)
    return found[1] if found else f"exit code {code}: {text[-300:]}"


def statement(source, line):
    """The lines of the statement at a line; of a compound one, those of its head."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno
            if node.lineno <= line <= max(node.lineno, last):
                return range(node.lineno, max(node.lineno, last) + 1)
    return [line]


def tried(folder, change, lines):
    """Make a change, run the tests that run its line, unmake it; what came of it."""
    module, (line, _), *_ = change
    path = folder / "scratchml" / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    changed = mutated(folder / "scratchml", change)
    both = zip(source.splitlines(), changed.splitlines(), strict=False)
    before, after = next((a.strip(), b.strip()) for a, b in both if a != b)
    tests = set().union(*(lines[module].get(i, set()) for i in statement(source, line)))
    if "" in tests:  # run by the import, so seen by whoever looks
        tests = set(unit_tests(folder))
    own = {
        name for name in tests if name.startswith(f"tests/test_{module.strip('_')}.py")
    }
    try:
        path.write_text(changed, encoding="utf-8")
        why = noticed(folder, own) or noticed(folder, tests - own)
    finally:
        path.write_text(source, encoding="utf-8")
    return {
        "module": module,
        "line": line,
        "before": before,
        "after": after,
        "noticed": why,
    }


def table(rows):
    """Changes and how many were noticed, for each module."""
    all_, seen = Counter(), Counter()
    for row in rows:
        for key in (row["module"], "all"):
            all_[key] += 1
            seen[key] += bool(row["noticed"])
    return "\n".join(f"{key:<14} {seen[key]:>4} of {all_[key]:>4}" for key in all_)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=150)
    given = parser.parse_args()
    # Whoever stops this gets the copy back unchanged. And tests press Ctrl-C, which a
    # process started in the background ignores, with those that it starts.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    home = ROOT / "build" / "mutation" / str(given.seed)
    folder = home / "copy"
    # The tests, and the processes they start, import the copy. No compiled file is kept:
    # two changes within a second look alike to Python.
    sys.path[:] = [str(folder), *(p for p in sys.path if Path(p).parent != ROOT and p)]
    os.environ.update(PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True
    if not (folder / ".coverage").exists():
        copy_to(folder)
    os.chdir(folder)
    lines = tests_by_line(folder)
    log = home / "changes.jsonl"
    log.touch()
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    drawn = draw(folder / "scratchml", given.modules, given.seed, given.size)
    for change in drawn[len(rows) :]:
        rows.append(tried(folder, change, lines))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        if not rows[-1]["noticed"]:
            print(
                "{module}.py:{line}  {before}  ->  {after}".format(**rows[-1]),
                flush=True,
            )
    print(f"\nNoticed:\n{table(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
