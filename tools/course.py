"""What the other scripts share: the list of notebooks, their address, safe writing."""

import json
import os
import re
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

import nbformat

from scratchml._support import replace_file

ROOT = Path(__file__).resolve().parent.parent
# What JupyterLab writes into a notebook that it opens, the Python version left out.
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}


class Part(NamedTuple):
    """One notebook of the course, and what the README says of it."""

    name: str
    minutes: int
    able: str  # completes "after it, you can ..."


COURSE = (
    Part(
        "00_intro",
        15,
        "say what *deep* means, and show why deep networks failed, then worked",
    ),
    Part(
        "01_nn",
        45,
        "derive, write, check, train and tune a neural network that reads digits",
    ),
    Part(
        "02_rnn",
        45,
        "backpropagate through time, and classify and generate text",
    ),
    Part(
        "03_cnn",
        45,
        "derive convolution and its gradient, and see what a network sees",
    ),
    Part(
        "04_lime",
        30,
        "explain any model's predictions with LIME, and measure the explanation",
    ),
)
MEASURED = ROOT / "tools" / "measured.json"  # written by `make measure`


def runs_in(name: str) -> str:
    """What the README says of a notebook's time and memory, as last measured."""
    found = json.loads(MEASURED.read_text(encoding="utf-8")).get(name)
    return f"{found['seconds']} s, {found['megabytes']} MB" if found else "not measured"


def notebooks(root: Path = ROOT) -> list[Path]:
    """The class notebooks, in order: notebooks/NN_name.ipynb."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def deeper_notebooks(root: Path = ROOT) -> list[Path]:
    """What the class leaves for home, in order: notebooks/deeper/NN_name.ipynb."""
    return sorted((root / "notebooks" / "deeper").glob("[0-9][0-9]_*.ipynb"))


def every_notebook(root: Path = ROOT) -> list[Path]:
    return notebooks(root) + deeper_notebooks(root)


def key(path: Path, root: Path = ROOT) -> str:
    """How the other files call a notebook: "01_nn" or "deeper/01_nn"."""
    folder = root / "notebooks"
    inside = (
        path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)
    )
    return inside.with_suffix("").as_posix()


def published(root: Path = ROOT) -> tuple[str, str]:
    """("owner/name", "branch or tag"), from the one line in pyproject.toml."""
    url = tomllib.loads((root / "pyproject.toml").read_text())["project"]["urls"][
        "Source"
    ]
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)/tree/([\w./-]+)", url)
    if match is None:
        raise SystemExit(
            f"pyproject.toml: [project.urls] Source is {url!r}, "
            "expected https://github.com/OWNER/NAME/tree/BRANCH"
        )
    return match[1], match[2]


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def text_of(notebook: nbformat.NotebookNode) -> str:
    """The notebook as the text of its file, the same bytes each time."""
    return nbformat.writes(notebook) + "\n"


def write(path: Path, text: str) -> bool:
    """Write the file whole or not at all; return whether it changed."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda file: file.write(text.encode()))
    return True


def replace_folder(part: Path, target: Path) -> None:
    """Let a finished folder take its place: none is ever half of the old or the new."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def execute(notebook: nbformat.NotebookNode, folder: Path, on_cell=None) -> None:
    """Run all cells in place, in a fresh kernel whose folder is `folder`.

    Nothing of the person who runs it gets in: no IPython profile, no plotting backend,
    no Python version in the metadata; so the same notebook gives the same bytes.
    """
    from nbclient import NotebookClient

    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    os.environ.pop("MPLBACKEND", None)
    with tempfile.TemporaryDirectory() as profile:
        os.environ["IPYTHONDIR"] = profile
        NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=None,
            record_timing=False,
            coalesce_streams=True,
            on_cell_start=on_cell,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    notebook.metadata.update(METADATA)
    notebook.metadata.pop("widgets", None)  # of an earlier run that had sliders
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def chromium() -> str | None:
    """The path of a Chromium on this machine, the one that CHROMIUM names first."""
    names = (
        os.environ.get("CHROMIUM"),
        "chromium",
        "chromium-browser",
        "google-chrome",
    )
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


def shown(path: Path, root: Path = ROOT) -> str:
    """The path as a person in the repository would type it."""
    return path.relative_to(root).as_posix()
