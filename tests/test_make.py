"""The Makefile, and the script that builds the environments it needs."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from course import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="on Windows the README goes without make"
)


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def make(*arguments, **environment):
    command = ["make", "--no-print-directory", *arguments]
    # Not as a part of the make that may have started these tests.
    surroundings = {
        k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")
    }
    surroundings.update(environment)
    return subprocess.run(
        command, cwd=ROOT, env=surroundings, capture_output=True, text=True
    )


def test_help_is_the_default_and_lists_the_targets():
    out = make()
    assert out.returncode == 0 and out.stdout == make("help").stdout
    for (
        target
    ) in "lab test full bench exercises render references parity links clean".split():
        assert re.search(rf"^  make {target} +\w", out.stdout, re.MULTILINE), target


def script(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return path


def said(process):
    """What a person reads in the end, without make's own line."""
    return [
        line for line in process.stderr.splitlines() if not line.startswith("make: ***")
    ]


@pytest.mark.parametrize("target", ["test", "lab"])
def test_an_old_python_is_refused_in_one_sentence(tmp_path, target):
    old = script(tmp_path / "python3.10", "echo 3.10")
    out = make(target, f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert out.returncode != 0 and out.stdout == ""
    (sentence,) = said(out)
    assert "needs Python 3.11 to 3.14" in sentence and "is Python 3.10" in sentence
    assert "install one of these" in sentence and not (tmp_path / "venv").exists()


def test_no_python_at_all_is_said_too(tmp_path):
    out = make("test", "PYTHON=python-nowhere", f"VENV={tmp_path / 'venv'}")
    assert out.returncode != 0
    assert "there is no python-nowhere here" in said(out)[0] and len(said(out)) == 1


@pytest.fixture
def site(tmp_path):
    """A small repository with the script that builds environments, and a fake uv that
    logs.
    """
    for name in ("pyproject.toml", "requirements.txt", "requirements-test.txt"):
        (tmp_path / name).write_text(text(name))
    shutil.copytree(ROOT / "tools" / "lab", tmp_path / "tools" / "lab")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in "sh sed cat cksum cp ls rm mv mkdir chmod".split():
        path = next(
            f"{p}/{name}" for p in ("/bin", "/usr/bin") if os.path.exists(f"{p}/{name}")
        )
        (tools / name).symlink_to(path)
    script(tools / "python3", f'exec "{sys.executable}" "$@"')
    script(
        tools / "uv",
        'echo "$@" >> uv.log',
        'if [ "$1" = venv ]; then',
        '  for folder in "$@"; do :; done',
        '  mkdir -p "$folder/bin" && echo > "$folder/pyvenv.cfg"',
        f'  echo \'#!/bin/sh\nexec "{sys.executable}" "$@"\' > "$folder/bin/python"',
        '  chmod +x "$folder/bin/python"',
        "fi",
        '[ ! -e broken ] || [ "$1" = venv ]',
    )  # fmt: skip
    return tmp_path


def build(site, *more, **environment):
    """Run the script; return (process, what uv was asked to do)."""
    log = site / "uv.log"
    log.write_text("")
    process = subprocess.run(
        ["sh", ROOT / "tools" / "environment.sh", ".venv", "requirements.txt", *more],
        cwd=site, env={"PATH": str(site / "bin"), **environment}, capture_output=True, text=True,
    )  # fmt: skip
    return process, log.read_text().splitlines()


def test_the_second_run_installs_nothing(site):
    process, log = build(site)
    assert process.returncode == 0, process.stderr
    assert (
        log[0].startswith("venv ") and "-r requirements.txt" in log[1] and len(log) == 3
    )
    assert log[2].endswith("--no-deps --editable .")
    assert build(site)[1] == []
    assert build(site, PYTHON="python3")[1] == []


def test_changed_requirements_are_installed_and_lint_settings_are_not(site):
    build(site)
    with open(site / "pyproject.toml", "a") as file:
        file.write('[tool.other]\nsetting = "new"\n')
    assert build(site)[1] == []
    with open(site / "requirements.txt", "a") as file:
        file.write("another==1.0\n")
    _, log = build(site)
    assert len(log) == 2 and not any(line.startswith("venv") for line in log)
    assert build(site)[1] == []


def test_tests_come_on_top_and_the_course_is_content_with_them(site):
    build(site)
    _, log = build(site, "requirements-test.txt")
    assert len(log) == 2 and "-r requirements-test.txt" in log[0]
    assert build(site)[1] == []
    assert build(site, "requirements-test.txt")[1] == []
    with open(site / "requirements.txt", "a") as file:
        file.write("another==1.0\n")
    assert len(build(site)[1]) == 2
    assert len(build(site, "requirements-test.txt")[1]) == 2


def test_an_interrupted_installation_does_not_count(site):
    (site / "broken").touch()
    process, _ = build(site)
    assert process.returncode != 0 and not (site / ".venv" / ".stamp").exists()
    (site / "broken").unlink()
    process, log = build(site)
    assert process.returncode == 0 and log[0].startswith(
        "venv "
    )  # afresh, not on top of it


def test_an_interrupted_update_does_not_count(site):
    build(site)
    (site / "requirements.txt").write_text("another==1.0\n")
    (site / "broken").touch()
    assert build(site)[0].returncode != 0 and not (site / ".venv" / ".stamp").exists()


def test_a_folder_that_is_no_environment_is_left_alone(site):
    (site / ".venv").mkdir()
    (site / ".venv" / "thesis.txt").write_text("years of work")
    process, _ = build(site)
    assert process.returncode != 0 and "not a virtual environment" in process.stderr
    assert (site / ".venv" / "thesis.txt").exists()


def test_a_missing_venv_module_is_said_in_one_sentence(site):
    (site / "bin" / "uv").unlink()
    fake = 'case "$2" in *version_info*) echo 3.12 ;; *) exit 1 ;; esac'
    (site / "bin" / "python3").unlink()
    script(site / "bin" / "python3", fake)
    process, _ = build(site)
    assert process.returncode != 0 and not (site / ".venv").exists()
    (sentence,) = process.stderr.splitlines()
    assert (
        "venv module is missing" in sentence
        and "apt install python3.12-venv" in sentence
    )


def test_a_newer_python_is_found_when_python3_is_old(site):
    (site / "bin" / "python3").rename(site / "bin" / "python3.13")
    script(site / "bin" / "python3", "echo 3.9")
    process, log = build(site)
    assert process.returncode == 0, process.stderr
    assert "bin/python3.13" in log[0]


def test_an_older_python_is_found_when_python3_is_too_new(site):
    """For 3.15 the pinned numpy has no wheel; pip would try to compile it."""
    (site / "bin" / "python3").rename(site / "bin" / "python3.12")
    script(site / "bin" / "python3", "echo 3.15")
    process, log = build(site)
    assert process.returncode == 0, process.stderr
    assert "bin/python3.12" in log[0]
    (site / "bin" / "python3.12").unlink()
    shutil.rmtree(site / ".venv")
    process, log = build(site)
    assert process.returncode != 0 and log == [] and not (site / ".venv").exists()
    (sentence,) = process.stderr.splitlines()
    assert "python3 is Python 3.15: install one of these" in sentence
