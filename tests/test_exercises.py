"""Every exercise of every notebook: blank it, solve it, and get it wrong in the usual
ways.

An exercise in notebooks/NN_name.ipynb is a code cell that starts with its name and
marks the attendee's lines (one region or several, see tools/exercises.py); the next
code cell, tagged `check`, tells whether they are right:

    # Exercise: bias gradient
    def linear_backward(dy, x, W):
        # Your turn: dW (n_in, n_out) and db (n_out,)
        ### BEGIN SOLUTION
        dW = x.T @ dy
        db = dy.sum(axis=0)
        ### END SOLUTION
        return dW, db

The answers that learners often give, and what the check must then say, stand in
tests/wrong_answers/NN_name.py, at least three for each exercise:

    WRONG = {
        "bias gradient": [
            # (the lines in place of the solution, a regular expression found in the
            # message)
            ("dW = x.T @ dy\\ndb = dy.sum()", r"db.*one number for all units"),
            (
                '''
                dW = dy.T @ x
                db = dy.sum(axis=0)
                ''',
                r"transposed",
            ),
            ...
        ],
    }

Indentation is taken care of. In a cell with several regions, the first element is a
dictionary {index of the region: lines}; the other regions keep their solution.

The cells of a notebook run once, in order, in this process. At each exercise the
variables are put back after each attempt (arrays, lists, dictionaries, generators and
the attributes of the notebook's and the library's objects among them), so an attempt
cannot spoil the next one. Cells tagged `slow` are left out: no exercise, and nothing an
exercise needs, may depend on one.
"""

import contextlib
import linecache
import os
import re
import runpy
import textwrap
import types
import warnings
from pathlib import Path

import nbformat
import numpy as np
import pytest

from course import notebooks
from exercises import BEGIN, blank, fill, regions

WRONG_ANSWERS = Path(__file__).parent / "wrong_answers"
AT_LEAST = 3


# ----------------------------------------------------------------------------- reading


class Exercise:
    """One exercise: where it stands, its cell, its check, and its known wrong
    answers.
    """

    def __init__(self, index, name, source, check, wrong):
        self.index, self.name, self.source, self.check, self.wrong = (
            index, name, source, check, wrong,
        )  # fmt: skip
        self.regions = len(regions(source))

    def attempts(self):
        """(what is tried, source of the exercise cell, expected exception, message
        pattern).
        """
        for region in range(self.regions):
            what = "blank" if self.regions == 1 else f"blank {region}"
            yield (
                what,
                blank(self.source, only=region),
                NotImplementedError,
                r"^your turn: \S",
            )
        for number, (lines, pattern) in enumerate(self.wrong):
            yield f"wrong {number}", answered(self.source, lines), Exception, pattern
        yield "solution", self.source, None, None


def answered(source, lines):
    """The cell with other lines in the place of its solution."""
    given = lines if isinstance(lines, dict) else {0: lines}

    def answer(index, region, solution):
        if index not in given:
            return solution
        dedented = textwrap.dedent(given[index].strip("\n")).rstrip()
        return textwrap.indent(dedented, region.indent).split("\n")

    return fill(source, answer)


def wrong_answers(stem, folder=WRONG_ANSWERS):
    path = folder / f"{stem}.py"
    return runpy.run_path(str(path))["WRONG"] if path.exists() else {}


def read_exercises(notebook, wrong):
    """The exercises of a notebook; ValueError where one breaks the rules."""
    found = {}
    cells = notebook.cells
    for index, cell in enumerate(cells):
        if cell.cell_type != "code" or BEGIN not in cell.source:
            continue
        where = f"cell {index + 1} (id {cell.get('id', '-')})"
        match = re.match(r"# Exercise: (\S.*)", cell.source)
        if match is None:
            raise ValueError(
                f"{where}: an exercise starts with a line '# Exercise: name'"
            )
        name = match[1].strip()
        if name in found:
            raise ValueError(f"{where}: there are two exercises named {name!r}")
        if "slow" in cell.metadata.get("tags", []):
            raise ValueError(f"{where}: the exercise {name!r} is tagged slow")
        check = next((c for c in cells[index + 1 :] if c.cell_type == "code"), None)
        if check is None or "check" not in check.metadata.get("tags", []):
            raise ValueError(
                f"{where}: the next code cell after {name!r} must be tagged 'check'"
            )
        if BEGIN in check.source:
            raise ValueError(
                f"{where}: the check of {name!r} contains a solution itself"
            )
        found[name] = Exercise(
            index, name, cell.source, check.source, wrong.get(name, [])
        )
    if unknown := wrong.keys() - found.keys():
        raise ValueError(
            f"wrong answers for exercises that do not exist: {sorted(unknown)}"
        )
    return found


# ----------------------------------------------------------------------------- running


class Snapshot:
    """The variables of a namespace and what they contain, to be put back later.

    Everything keeps its identity: functions of the notebook see the same globals, two
    names of one array still share it.
    """

    def __init__(self, namespace):
        self.restorers, self.seen = [], set()
        self.keep(namespace)

    def keep(self, value):
        if id(value) in self.seen:
            return
        self.seen.add(id(value))
        match value:
            case np.ndarray():
                if value.flags.writeable and value.dtype != object:
                    self.restorers.append((np.copyto, value, value.copy()))
            case np.random.Generator():
                bits = value.bit_generator
                self.restorers.append((setattr, bits, "state", bits.state))
            case dict():
                saved = dict(value)
                self.restorers.append(
                    (lambda d, s: (d.clear(), d.update(s)), value, saved)
                )
                for item in saved.values():
                    self.keep(item)
            case list():
                self.restorers.append(
                    (lambda a, s: a.__setitem__(slice(None), s), value, [*value])
                )
                for item in value:
                    self.keep(item)
            case tuple():
                for item in value:
                    self.keep(item)
            case types.ModuleType() | type() | types.FunctionType():
                pass
            case _ if type(value).__module__.split(".")[0] in ("__main__", "scratchml"):
                if hasattr(value, "__dict__"):
                    self.keep(vars(value))

    def restore(self):
        for function, *arguments in self.restorers:
            function(*arguments)


class Runner:
    """Runs a notebook's cells once and tries each exercise on the way."""

    def __init__(self, path, wrong):
        self.path = Path(path)
        self.notebook = nbformat.read(self.path, as_version=4)
        self.exercises = read_exercises(self.notebook, wrong)
        self.outcomes = (
            None  # {(exercise, attempt): error message, or None when all is well}
        )

    def outcome(self, exercise, attempt):
        if self.outcomes is None:
            self.outcomes = {}
            with self.surroundings():
                self.run_all()
        return self.outcomes[exercise, attempt]

    @contextlib.contextmanager
    def surroundings(self):
        """The notebook's own folder; no warnings, no windows, no figures left
        behind.
        """
        before = os.getcwd()
        os.chdir(self.path.parent)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                yield
        finally:
            os.chdir(before)
            with contextlib.suppress(ModuleNotFoundError):
                import matplotlib.pyplot as plt

                plt.close("all")

    def run_all(self):
        from IPython.display import display

        namespace = {"__name__": "__main__", "display": display}
        by_cell = {exercise.index: exercise for exercise in self.exercises.values()}
        trouble = None
        skipped = False
        for index, cell in enumerate(
            self.notebook.cells[: max(by_cell, default=-1) + 1]
        ):
            if cell.cell_type != "code" or cell.get("id") == "setup":
                continue
            if "slow" in cell.metadata.get("tags", []):
                skipped = True
                continue
            if index in by_cell:
                self.try_out(by_cell[index], namespace, trouble)
            if trouble is None:
                try:
                    self.execute(cell.source, namespace, f"cell {index + 1}")
                except Exception as error:
                    trouble = f"cell {index + 1} fails before it: {type(error).__name__}: {error}"
                    if skipped and isinstance(error, NameError):
                        trouble += (
                            " (does it need a cell tagged slow? Then tag it slow, too)"
                        )

    def try_out(self, exercise, namespace, trouble):
        for what, source, expected, pattern in exercise.attempts():
            if trouble is not None:
                self.outcomes[exercise.name, what] = trouble
                continue
            snapshot = Snapshot(namespace)
            try:
                self.outcomes[exercise.name, what] = self.attempt(
                    exercise, namespace, source, expected, pattern
                )
            finally:
                snapshot.restore()

    def attempt(self, exercise, namespace, source, expected, pattern):
        """None when the attempt ends as it should, otherwise what is the matter."""
        label = f"exercise {exercise.name}"
        try:
            compile(source, label, "exec")
        except SyntaxError as error:
            return f"these lines are not Python: {error}\n{source}"
        try:
            self.execute(source, namespace, label)
            self.execute(exercise.check, namespace, f"check of {exercise.name}")
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            if expected is None:
                return f"the solution fails its own check: {said}"
            if not isinstance(error, expected) or (
                isinstance(error, NotImplementedError)
                and expected is not NotImplementedError
            ):
                return f"expected {expected.__name__}, got {said}"
            if not re.search(pattern, str(error), re.DOTALL):
                return f"the message does not match {pattern!r}:\n{said}"
            return None
        if expected is None:
            return None
        return f"the check passes, but should fail:\n{source}"

    def execute(self, source, namespace, label):
        file = f"<{self.path.name}, {label}>"
        linecache.cache[file] = (
            len(source),
            None,
            source.splitlines(keepends=True),
            file,
        )
        exec(compile(source, file, "exec"), namespace)


# --------------------------------------------------------------------------- the course

RUNNERS: dict[str, Runner] = {}


def every_attempt():
    """Collect all attempts of all notebooks; what breaks the rules becomes a failing
    test.
    """
    found = []
    for path in notebooks():
        try:
            runner = RUNNERS[path.stem] = Runner(path, wrong_answers(path.stem))
        except ValueError as error:
            found.append(
                pytest.param(path.stem, None, str(error), id=f"{path.stem}-malformed")
            )
            continue
        for exercise in runner.exercises.values():
            for what, *_ in exercise.attempts():
                label = f"{path.stem}-{exercise.name}-{what}"
                found.append(pytest.param(path.stem, exercise.name, what, id=label))
    return found


@pytest.mark.parametrize(("stem", "exercise", "attempt"), every_attempt())
def test_exercise(stem, exercise, attempt):
    if exercise is None:
        pytest.fail(f"notebooks/{stem}.ipynb, {attempt}")
    if outcome := RUNNERS[stem].outcome(exercise, attempt):
        pytest.fail(
            f"notebooks/{stem}.ipynb, exercise {exercise!r}, {attempt}: {outcome}"
        )


@pytest.mark.parametrize("stem", [path.stem for path in notebooks()])
def test_every_exercise_has_wrong_answers(stem):
    exercises = RUNNERS[stem].exercises.values() if stem in RUNNERS else ()
    missing = [
        exercise.name for exercise in exercises if len(exercise.wrong) < AT_LEAST
    ]
    assert not missing, (
        f"tests/wrong_answers/{stem}.py: at least {AT_LEAST} each for {missing}"
    )


def test_wrong_answers_belong_to_a_notebook():
    stems = {path.stem for path in notebooks()}
    assert {path.stem for path in WRONG_ANSWERS.glob("*.py")} <= stems


# ------------------------------------------------------------------- the harness itself

DOUBLE = """\
# Exercise: double
def double(a):
    # Your turn: twice the numbers, in a new array
    ### BEGIN SOLUTION
    return 2 * a
    ### END SOLUTION"""
CHECK = """\
before = data.copy()
result = double(data)
assert np.array_equal(data, before), "the input was changed in place"
assert np.array_equal(result, before + before), f"2 * a is not {result}"
draws.append(rng.random())
print("passed")"""
WRONG = {
    "double": [
        ("return a", r"2 \* a is not"),
        ("a *= 2\nreturn a", "in place"),
        ("\n    for _ in a:\n        a = a + 1\n    return a\n", "is not"),
    ]
}


def notebook_of(*cells):
    """A notebook from (source, tags ...) tuples."""
    nb = nbformat.v4.new_notebook()
    for number, (source, *tags) in enumerate(cells):
        cell = nbformat.v4.new_code_cell(
            source, metadata={"tags": tags} if tags else {}
        )
        cell["id"] = f"c{number}"
        nb.cells.append(cell)
    return nb


PRELUDE = "import numpy as np\ndata = np.arange(3)\nrng = np.random.default_rng(0)\ndraws = []"


def outcomes_of(tmp_path, wrong, *cells):
    path = tmp_path / "99_tiny.ipynb"
    nbformat.write(notebook_of(*cells), path)
    runner = Runner(path, wrong)
    return runner, {
        what: runner.outcome(exercise.name, what)
        for exercise in runner.exercises.values()
        for what, *_ in exercise.attempts()
    }


def test_harness_accepts_a_sound_exercise(tmp_path):
    last = (
        "# Exercise: last\n# Your turn: 1\n### BEGIN SOLUTION\na = 1\n### END SOLUTION",
    )
    # Five attempts ran the first check, yet each found the variables as they were.
    still = (
        "assert len(draws) == 1 and draws[0] == np.random.default_rng(0).random()",
        "check",
    )
    cells = (PRELUDE,), (DOUBLE,), (CHECK, "check"), last, still
    runner, outcomes = outcomes_of(tmp_path, WRONG, *cells)
    assert list(runner.exercises) == ["double", "last"]
    assert outcomes == dict.fromkeys(
        ["blank", "wrong 0", "wrong 1", "wrong 2", "solution"]
    )
    assert set(runner.outcomes.values()) == {None} and len(runner.outcomes) == 7


@pytest.mark.parametrize(
    ("wrong", "check", "attempt", "complaint"),
    [
        (
            {"double": [("return 2 * a", ".")]},
            CHECK,
            "wrong 0",
            "passes, but should fail",
        ),
        (
            {"double": [("return a", "transposed")]},
            CHECK,
            "wrong 0",
            "does not match 'transposed'",
        ),
        ({"double": [("return (a", ".")]}, CHECK, "wrong 0", "not Python"),
        (
            {"double": [("raise NotImplementedError", "")]},
            CHECK,
            "wrong 0",
            "expected Exception",
        ),
        ({}, "print('I look at nothing')", "blank", "passes, but should fail"),
        (
            {},
            "double(data)\nassert False, 'never right'",
            "solution",
            "fails its own check",
        ),
        ({}, "undefined", "blank", "expected NotImplementedError, got NameError"),
    ],
)
def test_harness_notices(tmp_path, wrong, check, attempt, complaint):
    _, outcomes = outcomes_of(tmp_path, wrong, (PRELUDE,), (DOUBLE,), (check, "check"))
    assert complaint in outcomes[attempt]


def test_harness_handles_several_regions(tmp_path):
    source = (
        "# Exercise: both\n# Your turn: one\n### BEGIN SOLUTION\na = 1\n### END SOLUTION\n"
        "if a:\n    # Your turn: two\n    ### BEGIN SOLUTION\n    b = 2\n    ### END SOLUTION"
    )
    wrong = {
        "both": [
            ({0: "a = 3"}, "a"),
            ({1: "b = 3"}, "b"),
            ({0: "a = 4", 1: "b = 4"}, "a"),
        ]
    }
    check = "assert a == 1, 'a'\nassert b == 2, 'b'"
    _, outcomes = outcomes_of(tmp_path, wrong, (source,), (check, "check"))
    assert outcomes == dict.fromkeys(
        ["blank 0", "blank 1", "wrong 0", "wrong 1", "wrong 2", "solution"]
    )


def test_harness_leaves_slow_cells_out_and_says_when_one_is_needed(tmp_path):
    slow = ("trained = 1 / 0", "slow")
    _, outcomes = outcomes_of(
        tmp_path, WRONG, (PRELUDE,), slow, (DOUBLE,), (CHECK, "check")
    )
    assert set(outcomes.values()) == {None}
    _, outcomes = outcomes_of(
        tmp_path, WRONG, (PRELUDE,), slow, ("trained + 1",), (DOUBLE,), (CHECK, "check")
    )
    assert "tag it slow, too" in outcomes["solution"]


@pytest.mark.parametrize(
    ("cells", "wrong", "complaint"),
    [
        (
            [(DOUBLE.replace("Exercise", "exercise"),), (CHECK, "check")],
            {},
            "starts with a line",
        ),
        ([(DOUBLE,), (CHECK,)], {}, "tagged 'check'"),
        ([(DOUBLE,)], {}, "tagged 'check'"),
        ([(DOUBLE, "slow"), (CHECK, "check")], {}, "tagged slow"),
        ([(DOUBLE,), (CHECK, "check")] * 2, {}, "two exercises named 'double'"),
        ([(DOUBLE,), (CHECK, "check")], {"triple": []}, r"do not exist: \['triple'\]"),
    ],
)
def test_harness_refuses_malformed_exercises(cells, wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_exercises(notebook_of(*cells), wrong)


def test_snapshot_puts_everything_back():
    class Model:
        def __init__(self):
            self.params = {"W": np.zeros(2)}

    Model.__module__ = "__main__"
    model, rng, names = Model(), np.random.default_rng(1), ["a"]
    namespace = {
        "model": model,
        "rng": rng,
        "names": names,
        "pair": (model.params["W"], 1),
    }
    expected = np.random.default_rng(1).random()
    snapshot = Snapshot(namespace)
    model.params["W"] += 1
    model.grads = {}
    rng.random()
    names.append("b")
    namespace["model"] = namespace["new"] = None
    snapshot.restore()
    assert namespace["model"] is model and "new" not in namespace
    assert not hasattr(model, "grads") and not model.params["W"].any()
    assert names == ["a"] and rng.random() == expected
