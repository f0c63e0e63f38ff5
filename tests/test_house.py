"""The house around the course: environments that agree, links that lead somewhere, thin
code.
"""

import ast
import graphlib
import io
import os
import re
import subprocess
import sys
import tokenize
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import exercises
import links
from course import COURSE, ROOT, notebooks, published

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name):
    """{package: Requirement} of a requirements file, comments left out."""
    lines = [line.strip() for line in text(name).splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {normal(pin.name): pin for pin in found}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# ------------------------------------------------------------------------- environments


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-test.txt", "requirements-peers.txt"]
)
def test_requirements_are_exact_pins_and_nothing_else(name):
    for line in text(name).splitlines():
        if line.startswith("#"):
            assert "://" not in line and "/tmp" not in line
            continue
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+)?", line), f"{name}: {line!r}"


@pytest.mark.parametrize("extra", ["course", "test"])
def test_requirements_contain_what_pyproject_asks_for(extra):
    pinned = pins("requirements.txt")
    if extra == "test":
        pinned |= pins("requirements-test.txt")
    for wanted in map(
        Requirement, PROJECT["dependencies"] + PROJECT["optional-dependencies"][extra]
    ):
        pin = pinned.get(normal(wanted.name))
        assert pin is not None, f"{wanted.name} is missing there: run `make pins`"
        (version,) = (specifier.version for specifier in pin.specifier)
        assert wanted.specifier.contains(version), f"{pin} does not satisfy {wanted}"
        assert pin.marker is None, f"{pin} is not installed everywhere"


def test_the_package_needs_numpy_alone():
    assert [normal(Requirement(line).name) for line in PROJECT["dependencies"]] == [
        "numpy"
    ]


def test_no_package_is_pinned_twice():
    course, test = pins("requirements.txt"), pins("requirements-test.txt")
    peers = pins("requirements-peers.txt")
    assert "torch" in peers and "lime" in test and "nbval" in course
    assert len(course | test | peers) == len(course) + len(test) + len(peers)


def test_binder_and_make_lab_set_up_jupyterlab_alike(tmp_path):
    for name in ("postBuild", "start"):
        assert os.access(ROOT / name, os.X_OK), f"Binder cannot run {name}"
    surroundings = os.environ | {"NB_PYTHON_PREFIX": str(tmp_path)}
    subprocess.run([ROOT / "postBuild"], cwd=ROOT, env=surroundings, check=True)
    overrides = tmp_path / "share/jupyter/lab/settings/overrides.json"
    assert overrides.read_text() == text("tools/lab/overrides.json")
    told = subprocess.run(
        [ROOT / "start", "sh", "-c", "echo $OPENBLAS_NUM_THREADS $0", "last"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "1 last\n"


def test_conda_environment_agrees():
    environment = yaml.safe_load(text("environment.yml"))
    assert environment["name"] == PROJECT["name"]
    assert environment["channels"] == ["conda-forge"]
    python, pip, from_pip = environment["dependencies"]
    assert pip == "pip" and from_pip == {"pip": ["-r requirements.txt", "-e ."]}
    name, version = python.split("=")
    assert name == "python" and version in supported()


def supported():
    """The Python versions that pyproject.toml names."""
    classifiers = PROJECT["classifiers"]
    return [c.rpartition(" ")[2] for c in classifiers if re.search(r":: 3\.\d+$", c)]


def test_supported_versions_agree():
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert all(version in allowed for version in supported()) and "3.10" not in allowed
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + supported()[0].replace(
        ".", ""
    )
    first, last = supported()[0], supported()[-1]
    assert f"You need Python {first} to {last}" in text("README.md")
    fitting = " | ".join(supported())
    assert f"in {fitting}) return 0" in text("tools/environment.sh")
    for name in ("requirements.txt", "requirements-test.txt"):
        assert f"for Python {first} to {last}," in text(name)
    jobs = yaml.safe_load(text(".github/workflows/test.yml"))["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert set(matrix["python"]) == set(supported())
    assert "make test" in [step.get("run") for step in jobs["test"]["steps"]]
    assert "make parity" in [step.get("run") for step in jobs["parity"]["steps"]]
    assert jobs["windows"]["runs-on"].startswith("windows")


def test_importing_the_package_imports_numpy_alone():
    code = (
        "import sys; before = set(sys.modules); import scratchml; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert out.returncode == 0, out.stderr
    foreign = (
        set(out.stdout.split()) - set(sys.stdlib_module_names) - {"numpy", "scratchml"}
    )
    # What numpy or an editable install bring along by themselves.
    foreign -= {
        "_distutils_hack",
        "cython_runtime",
        "pkg_resources",
        "threadpoolctl",
        "mkl",
    }
    foreign = {
        n
        for n in foreign
        if not n.startswith(("__editable__", "_cython", "_sysconfig"))
    }
    assert not foreign, (
        f"import scratchml also imports {sorted(foreign)}: import them where used"
    )


# ---------------------------------------------------------------------- plain code

SOURCES = sorted((ROOT / "scratchml").glob("*.py"))
LAYOUT = {
    tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT,
    tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


def docstring_lines(tree):
    """The numbers of the lines that docstrings take."""
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                lines.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def tokens_of(source):
    """The tokens of a file; an f-string is one, as it was before Python 3.12."""
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if depth == 0:
            yield token
        depth += name.endswith("STRING_START") - name.endswith("STRING_END")


def density(paths):
    """Mean number of tokens on a line of code, docstrings and comments left out."""
    tokens = 0
    lines = 0
    for path in paths:
        source = path.read_text(encoding="utf-8")
        skipped = docstring_lines(ast.parse(source))
        found = [
            token.start[0]
            for token in tokens_of(source)
            if token.type not in LAYOUT and token.start[0] not in skipped
        ]
        tokens += len(found)
        lines += len(set(found))
    return tokens / lines


def packed_assignments(tree):
    """`a, b = x, y` with as many values as names, swaps left out."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                names = {ast.unparse(part) for part in target.elts}
                values = {ast.unparse(part) for part in node.value.elts}
                if names != values:
                    yield node


def test_lines_are_plain():
    """What joelnet and micrograd keep: about eight or nine tokens a line."""
    by_file = {path.name: round(density([path]), 1) for path in SOURCES}
    assert density(SOURCES) <= 9.5, by_file


def test_one_statement_does_one_thing():
    found = [
        f"{path.name}:{node.lineno} {ast.unparse(node)}"
        for path in SOURCES
        for node in packed_assignments(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(found) < 15, "\n".join(found)


def test_the_measures_measure(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('"""Words."""\n\nx = 1  # one\na, b = (\n    x,\n    2,\n)\n')
    assert density([path]) == (3 + 5 + 2 + 2 + 1) / 5
    path.write_text('a = f"{b!r:>{c}} and {d}"\n')
    assert density([path]) == 3  # in every Python
    assert len([*packed_assignments(ast.parse("a, b = x, y\na, b = b, a"))]) == 1


def public_functions():
    """(file, function) for each public function, method and constructor."""
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        owners = [tree, *(c for c in classes if not c.name.startswith("_"))]
        for owner in owners:
            for node in owner.body:
                hidden = node.name.startswith("_") if hasattr(node, "name") else True
                if isinstance(node, ast.FunctionDef) and (
                    not hidden or node.name == "__init__"
                ):
                    yield path.name, node


def test_what_is_public_has_type_hints():
    bare = []
    for file, node in public_functions():
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        wanted = [a for a in every if a.arg not in ("self", "cls")]
        if node.name != "__init__" and node.returns is None:
            bare.append(f"{file}:{node.lineno} {node.name} returns ?")
        bare += [
            f"{file}:{node.lineno} {node.name}({a.arg})"
            for a in wanted
            if a.annotation is None
        ]
    assert not bare, "\n".join(bare)


def imported(path):
    """The modules of scratchml that a file imports, inside functions too.

    What stands under `if TYPE_CHECKING:` is never imported.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            if node.module:
                yield node.module
            else:
                yield from (alias.name for alias in node.names)


def test_the_imports_run_one_way():
    graph = {path.stem: {*imported(path)} for path in SOURCES if path.stem[1] != "_"}
    order = [*graphlib.TopologicalSorter(graph).static_order()]  # raises on a circle
    assert order.index("layers") < order.index("training") < order.index("recurrent")
    assert graph["_support"] == set()
    assert graph["layers"] == {"_support"}
    networks = {
        "layers",
        "losses",
        "optimizers",
        "training",
        "recurrent",
        "convolution",
    }
    assert not networks & graph["lime"] and not networks & graph["faithfulness"]


def test_tools_and_the_library_import_no_tests():
    for folder in ("tools", "benchmarks", "scratchml"):
        for path in (ROOT / folder).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(from|import) test", source, re.MULTILINE), path


# ----------------------------------------------------------------------------- links


def test_generated_links_are_fresh(capsys):
    assert links.main(["--check"]) == 0, capsys.readouterr().err


def test_exercises_are_fresh(capsys):
    assert exercises.main(["--check"]) == 0, capsys.readouterr().err


DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "notebooks/README.md",
    # The other pages of docs/ are read by Sphinx, which complains itself.
    *(f"docs/results/{name}.md" for name in ("measured", "parity", "comparison")),
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_linked_paths_exist(name):
    visible = re.sub(r"<!--.*?-->", "", text(name), flags=re.DOTALL)
    folder = (ROOT / name).parent
    for target in re.findall(r"""(?:\]\(|(?:src|href)=["'])([^)"'\s]+)""", visible):
        local = target.partition("#")[0]
        if local and "://" not in local and not local.startswith("mailto:"):
            assert (folder / local).exists(), f"{name} links to {target}"


def test_binder_and_colab_links_lead_to_notebooks():
    slug, branch = published()
    readme = text("README.md")
    binder = re.findall(r"https://mybinder\.org/v2/gh/([^)\s]+)", readme)
    colab = re.findall(r"https://colab\.research\.google\.com/github/([^)\s]+)", readme)
    paths = []
    for link in binder:
        assert link.startswith(f"{slug}/{branch}?urlpath=lab/tree/")
        paths.append(link.partition("?urlpath=lab/tree/")[2])
    for link in colab:
        assert link.startswith(f"{slug}/blob/{branch}/")
        paths.append(link.removeprefix(f"{slug}/blob/{branch}/"))
    assert all((ROOT / path).exists() for path in paths)
    # Each notebook and its exercise copy, both ways; the badge opens the first.
    assert len(paths) == 4 * len(notebooks()) + 1
    assert len(set(paths)) == 2 * len(notebooks())


def own_files():
    """The text files of the repository: no environments, no caches, nothing built."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name
            not in (
                ".git",
                "build",
                "downloads",
                "wheels",
                "__pycache__",
                "node_modules",
            )
            and not name.startswith(".venv")
            and not name.endswith(("_cache", ".egg-info", "_checkpoints"))
        ]
        for name in files:
            if (
                not name.endswith((".npz", ".png", ".jpg", ".gz", ".pyc"))
                and ".mine" not in name
            ):
                yield ROOT / folder / name


def test_the_address_is_written_in_one_place_and_generated_elsewhere():
    slug, _ = published()
    generated = {
        *links.wanted_texts(),
        *(ROOT / "notebooks" / "exercises").rglob("*.ipynb"),
    }
    for path in own_files():
        content = path.read_text(encoding="utf-8", errors="replace")
        if slug not in content:
            continue
        if path == ROOT / "pyproject.toml":
            assert content.count(slug) == 1
        elif path == ROOT / "README.md":
            bare = re.sub(
                r"<!-- (badges|clone|course)\b.*?<!-- end of \1 -->",
                "",
                content,
                flags=re.DOTALL,
            )
            assert slug not in bare, (
                "README.md names the repository outside its generated blocks"
            )
        else:
            assert path in generated, (
                f"{path.relative_to(ROOT)} names the repository by hand"
            )
            assert content.count(slug) == 1, (
                f"{path.relative_to(ROOT)} names it more than once"
            )


def test_the_course_table_promises_the_course():
    names = [part.name for part in COURSE]
    assert [path.stem for path in notebooks()] == [
        n for n in names if (ROOT / f"notebooks/{n}.ipynb").exists()
    ]
    assert [part.minutes for part in COURSE][:5] == [15, 45, 45, 45, 30]


def test_citation_agrees():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == PROJECT["version"]
    newest = re.search(r"^## (\S+) - (\S+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert newest.groups() == (citation["version"], str(citation["date-released"]))
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]
    assert PROJECT["authors"][0]["name"] in text("LICENSE")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_examples_work_as_they_stand(name):
    namespace = {"__name__": "example"}
    blocks = re.findall(r"^```python\n(.*?)^```", text(name), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        if "BEGIN SOLUTION" not in block:  # that one shows the form of an exercise
            exec(compile(block, name, "exec"), namespace)
