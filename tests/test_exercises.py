"""Every exercise of every notebook: blank it, solve it, and get it wrong in the usual
ways.

An exercise in notebooks/NN_name.ipynb, or in notebooks/deeper/, is a code cell that starts with its name and
marks the attendee's lines (one region or several, see tools/exercises.py); the next
code cell, tagged `check`, tells whether they are right:

    # Exercise (3 min): bias gradient
    def linear_backward(dy, x, W):
        # Your turn: dW (n_in, n_out) and db (n_out,)
        ### BEGIN SOLUTION
        dW = x.T @ dy
        db = dy.sum(axis=0)
        ### END SOLUTION
        return dW, db

The check runs as often as one likes, says what is still blank, and lets the cells below
go on with the solution (scratchml/exercises.py).

The answers that learners give, and what the check must then say, stand in
tests/wrong_answers/NN_name.py, at least three for each exercise; and beside them answers
that look otherwise than ours and are right:

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
    RIGHT = {"bias gradient": ["dW, db = x.T @ dy, np.ones(len(dy)) @ dy"]}

Indentation is taken care of. In a cell with several regions, the lines are a dictionary
{index of the region: lines}; the other regions keep their solution.

The cells of a notebook run once, in order, in this process, with every exercise left
blank: the cells below must go on with the solution. At each exercise the variables are
put back after each attempt (arrays, lists, dictionaries, generators and
the attributes of the notebook's and the library's objects among them), so an attempt
cannot spoil the next one. Cells tagged `slow` are left out: no exercise, and nothing an
exercise needs, may depend on one.
"""

import contextlib
import io
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

from course import every_notebook, key
from exercises import BEGIN, blank, fill, regions
from scratchml import CheckFailed

WRONG_ANSWERS = Path(__file__).parent / "wrong_answers"
AT_LEAST = 3
STILL_BLANK = r"still blank: \S"


# ----------------------------------------------------------------------------- reading


class Exercise:
    """One exercise: where it stands, its cell, its check, and the answers known."""

    def __init__(self, index, name, source, check, wrong, right):
        self.index = index
        self.name = name
        self.source = source
        self.check = check
        self.wrong = wrong
        self.right = right
        self.regions = len(regions(source))

    def attempts(self):
        """(what is tried, what the cell holds each time, what must come of it)."""
        for region in range(self.regions):
            what = "blank" if self.regions == 1 else f"blank {region}"
            yield what, [blank(self.source, only=region)], [STILL_BLANK]
        wrongs = [answered(self.source, lines) for lines, _ in self.wrong]
        for number, (source, (_, pattern)) in enumerate(
            zip(wrongs, self.wrong, strict=True)
        ):
            yield f"wrong {number}", [source], [pattern]
        for number, lines in enumerate(self.right):
            yield f"right {number}", [answered(self.source, lines)], [None]
        yield "solution", [self.source], [None]
        if self.wrong:
            pattern = self.wrong[0][1]
            sources = [wrongs[0], wrongs[0], self.source, self.source]
            yield "again", sources, [pattern, pattern, None, None]
            empty = blank(self.source)
            sources = [empty, empty, wrongs[0], self.source]
            yield "blank first", sources, [STILL_BLANK, STILL_BLANK, pattern, None]


def answered(source, lines):
    """The cell with other lines in the place of its solution."""
    given = lines if isinstance(lines, dict) else {0: lines}

    def answer(index, region, solution):
        if index not in given:
            return solution
        dedented = textwrap.dedent(given[index].strip("\n")).rstrip()
        return textwrap.indent(dedented, region.indent).split("\n")

    return fill(source, answer)


def known_answers(stem, folder=WRONG_ANSWERS):
    """WRONG and RIGHT of a notebook: {exercise: answers}."""
    path = folder / f"{stem}.py"
    known = runpy.run_path(str(path)) if path.exists() else {}
    return known.get("WRONG", {}), known.get("RIGHT", {})


def read_exercises(notebook, wrong, right=()):
    """The exercises of a notebook; ValueError where one breaks the rules."""
    right = dict(right)
    found = {}
    cells = notebook.cells
    for index, cell in enumerate(cells):
        if cell.cell_type != "code" or BEGIN not in cell.source:
            continue
        where = f"cell {index + 1} (id {cell.get('id', '-')})"
        match = re.match(r"# Exercise(?: \([\d.]+ min\))?: (\S.*)", cell.source)
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
            index,
            name,
            cell.source,
            check.source,
            wrong.get(name, []),
            right.get(name, []),
        )
    if unknown := (wrong.keys() | right.keys()) - found.keys():
        raise ValueError(f"answers for exercises that do not exist: {sorted(unknown)}")
    return found


# ----------------------------------------------------------------------------- running


def own_style():
    """What a notebook sets for its figures is set for it alone."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return contextlib.nullcontext()
    return mpl.rc_context()


def refill(dictionary, saved):
    dictionary.clear()
    dictionary.update(saved)


def belongs_to_the_course(value):
    """Is it an object of a class of the notebook or of the library?"""
    if isinstance(value, types.ModuleType | type | types.FunctionType):
        return False
    root = type(value).__module__.split(".")[0]
    return root in ("__main__", "scratchml") and hasattr(value, "__dict__")


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
        if isinstance(value, np.ndarray):
            self.keep_array(value)
        elif isinstance(value, np.random.Generator):
            bits = value.bit_generator
            self.restorers.append((setattr, bits, "state", bits.state))
        elif isinstance(value, dict | list | tuple):
            self.keep_container(value)
        elif belongs_to_the_course(value):
            self.keep(vars(value))

    def keep_array(self, array):
        if array.flags.writeable and array.dtype != object:
            self.restorers.append((np.copyto, array, array.copy()))

    def keep_container(self, value):
        if isinstance(value, dict):
            self.restorers.append((refill, value, dict(value)))
            value = value.values()
        elif isinstance(value, list):
            self.restorers.append((list.__setitem__, value, slice(None), [*value]))
        for item in [*value]:
            self.keep(item)

    def restore(self):
        for function, *arguments in self.restorers:
            function(*arguments)


class Runner:
    """Runs a notebook's cells once and tries each exercise on the way."""

    def __init__(self, path, wrong, right=()):
        self.path = Path(path)
        self.notebook = nbformat.read(self.path, as_version=4)
        self.exercises = read_exercises(self.notebook, wrong, right)
        # {(exercise, attempt): error message, or None when all is well}
        self.outcomes = None

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
            with warnings.catch_warnings(), np.errstate(all="ignore"), own_style():
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
            source = cell.source
            if index in by_cell:
                self.try_out(by_cell[index], namespace, trouble)
                source = blank(source)
            if trouble is None:
                try:
                    self.execute(source, namespace, f"cell {index + 1}")
                except Exception as error:
                    trouble = f"cell {index + 1} fails before it: {type(error).__name__}: {error}"
                    if skipped and isinstance(error, NameError):
                        trouble += (
                            " (does it need a cell tagged slow? Then tag it slow, too)"
                        )

    def try_out(self, exercise, namespace, trouble):
        for what, sources, patterns in exercise.attempts():
            if trouble is not None:
                self.outcomes[exercise.name, what] = trouble
                continue
            snapshot = Snapshot(namespace)
            try:
                for source, pattern in zip(sources, patterns, strict=True):
                    fault = self.attempt(exercise, namespace, source, pattern)
                    self.outcomes[exercise.name, what] = fault
                    if fault is not None:
                        break
            finally:
                snapshot.restore()

    def attempt(self, exercise, namespace, source, pattern):
        """None when the attempt ends as it should, otherwise what is the matter."""
        label = f"exercise {exercise.name}"
        try:
            compile(source, label, "exec")
        except SyntaxError as error:
            return f"these lines are not Python: {error}\n{source}"
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                self.execute(source, namespace, label)
                self.execute(exercise.check, namespace, f"check of {exercise.name}")
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            if pattern is None:
                return f"a right answer fails its check: {message}\n{source}"
            if pattern is STILL_BLANK:
                return f"a blank stops the notebook: {message}"
            if not isinstance(error, CheckFailed):
                return f"not a CheckFailed: {message}"
            if not re.search(pattern, str(error), re.DOTALL):
                return f"the message does not match {pattern!r}:\n{message}"
            return None
        if pattern is STILL_BLANK:
            return None if re.search(pattern, said.getvalue()) else "nobody says so"
        if pattern is None:
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
    for path in every_notebook():
        name = key(path)
        try:
            runner = RUNNERS[name] = Runner(path, *known_answers(name))
        except ValueError as error:
            found.append(pytest.param(name, None, str(error), id=f"{name}-malformed"))
            continue
        for exercise in runner.exercises.values():
            for what, *_ in exercise.attempts():
                label = f"{name}-{exercise.name}-{what}"
                found.append(pytest.param(name, exercise.name, what, id=label))
    return found


@pytest.mark.parametrize(("stem", "exercise", "attempt"), every_attempt())
def test_exercise(stem, exercise, attempt):
    if exercise is None:
        pytest.fail(f"notebooks/{stem}.ipynb, {attempt}")
    if outcome := RUNNERS[stem].outcome(exercise, attempt):
        pytest.fail(
            f"notebooks/{stem}.ipynb, exercise {exercise!r}, {attempt}: {outcome}"
        )


@pytest.mark.parametrize("stem", map(key, every_notebook()))
def test_every_exercise_has_wrong_answers(stem):
    exercises = RUNNERS[stem].exercises.values() if stem in RUNNERS else ()
    missing = [
        exercise.name for exercise in exercises if len(exercise.wrong) < AT_LEAST
    ]
    assert not missing, (
        f"tests/wrong_answers/{stem}.py: at least {AT_LEAST} each for {missing}"
    )


def test_wrong_answers_belong_to_a_notebook():
    known = WRONG_ANSWERS.rglob("*.py")
    names = {p.relative_to(WRONG_ANSWERS).with_suffix("").as_posix() for p in known}
    assert names <= set(map(key, every_notebook()))


def test_no_two_exercises_have_the_same_name():
    names = [name for runner in RUNNERS.values() for name in runner.exercises]
    assert len(set(names)) == len(names)


# ------------------------------------------------------------------- the harness itself

DOUBLE = """\
# Exercise: double
def double(a):
    # Your turn: twice the numbers, in a new array
    ### BEGIN SOLUTION
    return 2 * a
    ### END SOLUTION"""
CHECK = """\
from scratchml import CheckFailed
from scratchml.exercises import exercise

@exercise("double")
def check(generator):
    before = data.copy()
    result = double(data)
    if not np.array_equal(data, before):
        raise CheckFailed("the input was changed in place")
    if not np.array_equal(result, before + before):
        raise CheckFailed(f"2 * a is not {result}")
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


def outcomes_of(tmp_path, wrong, *cells, right=()):
    path = tmp_path / "99_tiny.ipynb"
    nbformat.write(notebook_of(*cells), path)
    runner = Runner(path, wrong, right)
    return runner, {
        what: runner.outcome(exercise.name, what)
        for exercise in runner.exercises.values()
        for what, *_ in exercise.attempts()
    }


def test_harness_accepts_a_sound_exercise(tmp_path):
    last = (
        "# Exercise: last\n# Your turn: 1\n### BEGIN SOLUTION\na = 1\n### END SOLUTION",
    )
    # Eight attempts ran the first check and drew numbers in it, yet all is as it was;
    # the cells below go on with the exercise left blank, whose check draws nothing.
    still = (
        "if a is ...: raise NotImplementedError('your turn: 1')\n"
        "fresh = np.random.default_rng(0).bit_generator.state\n"
        "assert not draws and rng.bit_generator.state == fresh"
    )
    still = f"from scratchml.exercises import exercise\n@exercise('last')\ndef _(_):\n{textwrap.indent(still, '    ')}"
    cells = (PRELUDE,), (DOUBLE,), (CHECK, "check"), last, (still, "check")
    right = {"double": ["return a + a"]}
    runner, outcomes = outcomes_of(tmp_path, WRONG, *cells, right=right)
    assert list(runner.exercises) == ["double", "last"]
    wrongs = ["wrong 0", "wrong 1", "wrong 2"]
    assert outcomes == dict.fromkeys(
        ["blank", *wrongs, "right 0", "solution", "again", "blank first"]
    )
    assert set(runner.outcomes.values()) == {None} and len(runner.outcomes) == 10


def test_an_answer_counts_though_a_cell_keeps_our_solution(monkeypatch):
    monkeypatch.setattr("scratchml.exercises._solution", lambda name: DOUBLE)
    learner = {"__name__": "__main__"}
    exec(PRELUDE, learner)
    exec("def double(a):\n    raise NotImplementedError('your turn: twice')", learner)
    exec(CHECK, learner)
    exec("for make in [double]: pass", learner)
    exec("def double(a):\n    return a", learner)
    with pytest.raises(CheckFailed, match=r"2 \* a is not"):
        exec(CHECK, learner)


ONCE = CHECK.replace(
    "    before =", "    assert not draws, 'it works once'\n    before ="
)


@pytest.mark.parametrize(
    ("wrong", "right", "check", "attempt", "complaint"),
    [
        ("return 2 * a", "", CHECK, "wrong 0", "passes, but should fail"),
        ("return a", "", CHECK, "wrong 0", "does not match"),
        ("return (a", "", CHECK, "wrong 0", "not Python"),
        ("return a", "return 3 * a", CHECK, "right 0", "a right answer fails"),
        ("return a", "", "print('I look at nothing')", "blank", "nobody says so"),
        ("return a", "", "double(data)", "blank", "a blank stops the notebook"),
        ("return a", "", "assert double(data)[1] == 2", "wrong 0", "not a CheckFailed"),
        ("return a", "", "assert False, 'never right'", "solution", "never right"),
        ("return a", "", "undefined", "blank", "stops the notebook: NameError"),
        ("return a", "", ONCE, "again", "it works once"),
    ],
)
def test_harness_notices(tmp_path, wrong, right, check, attempt, complaint):
    cells = (PRELUDE,), (DOUBLE,), (check, "check")
    pattern = "transposed" if complaint == "does not match" else "is not"
    wrong = {"double": [(wrong, pattern)]}
    right = {"double": [right]} if right else {}
    _, outcomes = outcomes_of(tmp_path, wrong, *cells, right=right)
    assert complaint in outcomes[attempt]


def test_harness_handles_several_regions(tmp_path):
    source = (
        "# Exercise: both\n# Your turn: one\n### BEGIN SOLUTION\na = 1\n### END SOLUTION\n"
        "def f():\n    # Your turn: two\n    ### BEGIN SOLUTION\n    return 2\n    ### END SOLUTION"
    )
    wrong = {
        "both": [
            ({0: "a = 3"}, "a"),
            ({1: "return 3"}, "b"),
            ({0: "a = 4", 1: "return 4"}, "a"),
        ]
    }
    check = (
        "from scratchml.exercises import exercise\n"
        "@exercise('both')\ndef _(_):\n"
        "    if a is ...: raise NotImplementedError('your turn: a')\n"
        "    assert a == 1, 'a'\n    assert f() == 2, 'b'"
    )
    _, outcomes = outcomes_of(tmp_path, wrong, (source,), (check, "check"))
    assert set(outcomes.values()) == {None}
    assert outcomes.keys() >= {"blank 0", "blank 1", "wrong 2", "solution", "again"}


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
