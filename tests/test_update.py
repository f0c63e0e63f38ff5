"""`make update`: the newest course, and nothing lost that somebody has written."""

import subprocess

import nbformat
import pytest

import update

COPY = "notebooks/exercises/01_nn.ipynb"


def git(folder, *arguments):
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True
    )


def write(folder, name, *sources, outputs=()):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number}"
        cell.outputs = [nbformat.v4.new_output("stream", text=text) for text in outputs]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture
def course(tmp_path):
    """The published course and a clone of it."""
    published = tmp_path / "published"
    published.mkdir()
    git(published, "init", "--quiet", "--initial-branch=main")
    write(published, "notebooks/01_nn.ipynb", "x = 1")
    write(published, COPY, "raise NotImplementedError")
    (published / ".gitignore").write_text("*.mine*.ipynb\n")
    git(published, "add", "--all")
    git(published, "commit", "--quiet", "-m", "first")
    git(tmp_path, "clone", "--quiet", str(published), "mine")
    return published, tmp_path / "mine"


def publish(published, name, *sources):
    write(published, name, *sources)
    git(published, "commit", "--quiet", "--all", "-m", "newer")


def is_clean(folder):
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=folder, capture_output=True, check=True
    )
    return not status.stdout


def test_what_has_only_been_run_is_restored(course):
    published, mine = course
    publish(published, "notebooks/01_nn.ipynb", "x = 2")
    write(mine, "notebooks/01_nn.ipynb", "x = 1", outputs=["1"])
    assert update.main(mine) == 0
    assert is_clean(mine)
    assert update.sources((mine / "notebooks/01_nn.ipynb").read_text()) == ["x = 2"]


def test_answers_stay_where_they_are_when_their_notebook_is_the_same(course, capsys):
    published, mine = course
    publish(published, "notebooks/01_nn.ipynb", "x = 2")
    write(mine, COPY, "my answer", outputs=["right"])
    update.main(mine)
    assert update.sources((mine / COPY).read_text()) == ["my answer"]
    assert "keeps what you have written" in capsys.readouterr().out
    assert not list((mine / "notebooks/exercises").glob("*.mine*"))


def test_answers_are_set_aside_when_their_notebook_is_new(course, capsys):
    published, mine = course
    publish(published, COPY, "raise NotImplementedError", "a new cell")
    write(mine, COPY, "my answer")
    update.main(mine)
    assert is_clean(mine) and "a new cell" in (mine / COPY).read_text()
    kept = mine / "notebooks/exercises/01_nn.mine1.ipynb"
    assert update.sources(kept.read_text()) == ["my answer"]
    assert "kept as 01_nn.mine1.ipynb" in capsys.readouterr().out


def test_answers_come_back_when_the_pull_fails(course):
    published, mine = course
    write(mine, COPY, "my answer")
    git(mine, "remote", "set-url", "origin", str(published / "gone"))
    with pytest.raises(SystemExit, match="git pull"):
        update.main(mine)
    assert update.sources((mine / COPY).read_text()) == ["my answer"]


def test_a_file_that_is_no_notebook_any_more_is_kept(course):
    published, mine = course
    (mine / COPY).write_text("half of a notebook")
    publish(published, COPY, "a new cell")
    update.main(mine)
    kept = mine / "notebooks/exercises/01_nn.mine1.ipynb"
    assert kept.read_text() == "half of a notebook"
