"""The scripts behind the Makefile: exercise copies, links, safe writing."""

import os
import subprocess
import sys

import nbformat
import pytest

import course
import exercises
import full
import links

SOLVED = """\
# Exercise: bias gradient
def backward(dy):
    # Your turn: one number per unit,
    # summed over the batch, "as derived"
    ### BEGIN SOLUTION
    db = dy.sum(axis=0)

    ### END SOLUTION
    return db"""
BLANKED = """\
# Exercise: bias gradient
def backward(dy):
    # Your turn: one number per unit,
    # summed over the batch, "as derived"
    raise NotImplementedError('your turn: one number per unit, summed over the batch, "as derived"')
    return db"""
TWO = """\
# Your turn: one
### BEGIN SOLUTION
a = 1
### END SOLUTION
if a:
\t# Your turn: two
\t### BEGIN SOLUTION
\tb = 2
\t### END SOLUTION"""


def test_blanking_keeps_the_comment_and_the_indentation():
    assert exercises.blank(SOLVED) == BLANKED
    with pytest.raises(
        NotImplementedError, match=r'^your turn: one number .* "as derived"$'
    ):
        namespace = {}
        exec(BLANKED, namespace)
        namespace["backward"](None)


def test_blanking_quotes_whatever_is_asked():
    for asked in ("W", 'the "W"', "W's", 'W\'s "b"', "W\\ and b", "σ × µ"):
        source = (
            f"def f():\n    # Your turn: {asked}\n"
            "    ### BEGIN SOLUTION\n    ### END SOLUTION"
        )
        namespace = {}
        exec(exercises.blank(source), namespace)
        with pytest.raises(NotImplementedError) as error:
            namespace["f"]()
        assert str(error.value) == f"your turn: {asked}"


def test_blanking_one_of_several_keeps_the_other_solutions():
    assert exercises.blank(TWO).count("NotImplementedError") == 1
    assert "\na = ...\n" in exercises.blank(TWO)  # outside a function nothing stops
    assert "\ta = 1" not in exercises.blank(TWO, only=0)
    assert exercises.blank(TWO, only=0).endswith("\t# Your turn: two\n\tb = 2")
    assert '\traise NotImplementedError("your turn: two")' in exercises.blank(
        TWO, only=1
    )


def test_cells_without_solutions_stay_as_they_are():
    assert (
        exercises.blank("a = 1\n# Your turn: nothing\n")
        == "a = 1\n# Your turn: nothing\n"
    )


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (SOLVED.replace("    ### END SOLUTION\n", ""), "without an '### END SOLUTION'"),
        (
            SOLVED.replace("    ### BEGIN SOLUTION\n", ""),
            "without a '### BEGIN SOLUTION'",
        ),
        (TWO.replace("### END SOLUTION\nif", "if"), "a second '### BEGIN SOLUTION'"),
        (TWO.replace("# Your turn: one\n", ""), "must stand directly above"),
        (
            TWO.replace("# Your turn: one\n", "# Your turn: one\n\n"),
            "must stand directly above",
        ),
        (TWO.replace("# Your turn: one", "# Your turn:"), "must stand directly above"),
        (SOLVED.replace("### BEGIN", "## BEGIN"), "not quite a marker"),
        (SOLVED.replace("END SOLUTION", "END SOLUTIONS"), "not quite a marker"),
    ],
)
def test_malformed_markers_are_named(tmp_path, capsys, source, complaint):
    with pytest.raises(ValueError, match=complaint):
        exercises.regions(source)
    site(tmp_path, source)
    assert exercises.main([], tmp_path) == 1
    message = capsys.readouterr().err
    assert "01_nn.ipynb, cell 3 (id c2)" in message and complaint in message
    assert not (tmp_path / "notebooks" / "exercises").exists()


KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def site(folder, *sources):
    """A little course in a folder: pyproject, README, citation, one executed
    notebook.
    """
    new = nbformat.v4
    notebook = new.new_notebook(metadata={"kernelspec": KERNEL})
    notebook.cells.append(
        new.new_markdown_cell("# NN\n![a](../docs/a.png) [00](00_intro.ipynb)")
    )
    for number, source in enumerate(("x = 1", *sources), start=1):
        output = new.new_output("stream", name="stdout", text="1\n")
        notebook.cells.append(
            new.new_code_cell(source, execution_count=number, outputs=[output])
        )
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number}"
    (folder / "notebooks").mkdir(exist_ok=True)
    path = folder / "notebooks" / "01_nn.ipynb"
    nbformat.write(notebook, path)
    (folder / "README.md").write_text(
        "a\n<!-- badges: generated -->\nold\n<!-- end of badges -->\n"
        "<!-- clone: generated -->\nold\n<!-- end of clone -->\nb\n"
        "<!-- course: generated -->\n\n<!-- end of course -->\nc\n"
    )
    (folder / "CITATION.cff").write_text('title: x\nrepository-code: "old"\n')
    address(folder, "ada/course", "v1.0")
    return path


def address(folder, slug, branch):
    (folder / "pyproject.toml").write_text(
        f'[project.urls]\nSource = "https://github.com/{slug}/tree/{branch}"\n'
    )


def test_exercise_copy(tmp_path):
    path = site(tmp_path, SOLVED)
    before = path.read_bytes()
    assert exercises.main(["--check"], tmp_path) == 1  # there is none yet
    assert exercises.main([], tmp_path) == 0
    assert path.read_bytes() == before
    copy_path = tmp_path / "notebooks" / "exercises" / "01_nn_your_turn.ipynb"
    copy = course.read(copy_path)
    nbformat.validate(copy)
    note, title, first, exercise = copy.cells
    assert "exercise copy" in note.source and "(../01_nn.ipynb)" in note.source
    assert (
        "](../../docs/a.png)" in title.source and "](../00_intro.ipynb)" in title.source
    )
    assert exercise.source == BLANKED.replace("Exercise", "Exercise 1 of 1", 1)
    assert all(
        cell.outputs == [] and cell.execution_count is None
        for cell in (first, exercise)
    )
    assert [cell.id for cell in copy.cells] == ["exercise-note", "c0", "c1", "c2"]
    written = copy_path.read_bytes()
    assert exercises.main([], tmp_path) == 0 and copy_path.read_bytes() == written
    assert exercises.main(["--check"], tmp_path) == 0
    assert os.listdir(copy_path.parent) == ["01_nn_your_turn.ipynb"]


def test_check_names_stale_copies_and_orphans(tmp_path, capsys):
    site(tmp_path, SOLVED)
    exercises.main([], tmp_path)
    site(tmp_path, SOLVED, "print('new')")
    orphan = tmp_path / "notebooks" / "exercises" / "07_gone.ipynb"
    orphan.write_text("{}")
    assert exercises.main(["--check"], tmp_path) == 1
    message = capsys.readouterr().err
    assert "notebooks/exercises/01_nn_your_turn.ipynb is stale" in message
    assert "07_gone.ipynb has no notebook" in message


def test_answers_are_kept_when_a_copy_is_written_anew(tmp_path, capsys):
    site(tmp_path, SOLVED)
    exercises.main([], tmp_path)
    copy = tmp_path / "notebooks" / "exercises" / "01_nn_your_turn.ipynb"
    for number in (1, 2):
        notebook = course.read(copy)
        notebook.cells[-1].source = f"answer = {number}"
        nbformat.write(notebook, copy)
        assert exercises.main(["--check"], tmp_path) == 1
        assert "keeps the answers" in capsys.readouterr().err
        exercises.main([], tmp_path)
        kept = copy.with_name(f"01_nn_your_turn.mine{number}.ipynb")
        assert course.read(kept).cells[-1].source == f"answer = {number}"
        assert exercises.main(["--check"], tmp_path) == 0
    # A copy that was only run holds nothing to keep.
    notebook = course.read(copy)
    notebook.cells[-1].execution_count = 3
    nbformat.write(notebook, copy)
    exercises.main([], tmp_path)
    assert not copy.with_name("01_nn_your_turn.mine3.ipynb").exists()


def test_links_follow_the_one_address(tmp_path, capsys):
    path = site(tmp_path, SOLVED)
    assert links.main(["--check"], tmp_path) == 1
    assert "README.md is stale: run `make links`" in capsys.readouterr().err
    assert links.main([], tmp_path) == 0
    assert links.main(["--check"], tmp_path) == 0
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith("a\n") and readme.endswith("<!-- end of course -->\nc\n")
    notebook = "notebooks/01_nn.ipynb"
    assert f"mybinder.org/v2/gh/ada/course/v1.0?urlpath=lab/tree/{notebook}" in readme
    assert f"colab.research.google.com/github/ada/course/blob/v1.0/{notebook}" in readme
    assert "[00_intro](notebooks/00_intro" not in readme  # it does not exist here
    assert "To come: 00_intro (15 minutes), 02_rnn" in readme
    assert "old" not in (tmp_path / "CITATION.cff").read_text()
    setup = course.read(path).cells[1]
    assert setup.id == "setup" and "github.com/ada/course" in setup.source
    assert course.read(path).cells[2].source == "x = 1"  # inserted before, nothing lost

    address(tmp_path, "bob/fork", "main")
    assert links.main(["--check"], tmp_path) == 1
    assert links.main([], tmp_path) == 0
    files = [tmp_path / "README.md", tmp_path / "CITATION.cff", path]
    assert all(
        "bob/fork" in f.read_text() and "ada/course" not in f.read_text() for f in files
    )
    assert sum(cell.cell_type == "code" for cell in course.read(path).cells) == 3


def test_setup_cell_does_nothing_at_home_and_fetches_in_colab(monkeypatch, tmp_path):
    source = links.SETUP.format(slug="ada/course", branch="main")
    assert len(source.splitlines()) <= 9
    commands = []
    monkeypatch.setattr(os, "system", commands.append)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    exec(source, {})
    assert commands == [] and sys.path == before
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    exec(source, {})
    assert "git clone" in commands[0] and "https://github.com/ada/course" in commands[0]
    assert sys.path[0] == "/content/course"


def test_a_missing_block_and_a_bad_address_are_named(tmp_path):
    site(tmp_path)
    (tmp_path / "README.md").write_text("nothing generated here")
    with pytest.raises(SystemExit, match="expected one block '<!-- clone"):
        links.main([], tmp_path)
    address(tmp_path, "only-a-name", "main")
    with pytest.raises(SystemExit, match="OWNER/NAME/tree/BRANCH"):
        links.main([], tmp_path)


def test_writing_is_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    assert course.write(path, "old") and not course.write(path, "old")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        course.write(path, "new" * 1000)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    """SIGKILL, which nothing can catch, at the last moment before the file is
    replaced.
    """
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys, pathlib; sys.path.insert(0, sys.argv[1]); import course; "
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "
        "course.write(pathlib.Path(sys.argv[2]), 'new' * 100_000)"
    )
    tools = course.ROOT / "tools"
    process = subprocess.run([sys.executable, "-c", code, tools, path])
    assert process.returncode < 0 and path.read_text() == "old"


def test_full_collects_results(tmp_path):
    path = tmp_path / "01_nn.ipynb"
    source = (
        "import os\nimport numpy as np\nresults = {'accuracy': np.float32(0.5), 'n': 3}"
    )
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path
    )
    assert full.run(path, tmp_path / "out") == {"accuracy": 0.5, "n": 3}
    saved = course.read(tmp_path / "out" / "01_nn.ipynb")
    assert len(saved.cells) == 1 and saved.cells[0].execution_count == 1
    rows = [("01_nn", "accuracy", 0.97123), ("01_nn", "digits", 60000)]
    assert full.table(rows).splitlines()[2].split() == ["01_nn", "accuracy", "0.9712"]
