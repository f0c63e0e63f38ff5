"""Build the live page: docs/live with the library, the weights and where Python is.

    python tools/live.py build/live [--pyodide FOLDER]
    python -m http.server --directory build/live

Without a folder the browser takes Pyodide from a content delivery network. With one,
such as an unpacked npm package `pyodide` with its numpy wheel, it is copied beside the
page. Either way each file must have the hash in docs/live/pyodide.json.

    python tools/live.py --pin FOLDER

writes that list anew, for another version of Pyodide.
"""

import argparse
import base64
import hashlib
import importlib.util
import io
import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np

from course import ROOT, replace_folder, write
from scratchml import datasets

SOURCE = ROOT / "docs" / "live"
PINS = SOURCE / "pyodide.json"
CORE = (
    "pyodide.js",
    "pyodide.asm.js",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)
# The npm package has the core, the release has the packages.
NPM = "https://cdn.jsdelivr.net/npm/pyodide@{version}/{name}"
RELEASE = "https://cdn.jsdelivr.net/pyodide/v{version}/full/{name}"
WEIGHTS = ("live_nn.npz", "live_lenet.npz")
EXAMPLE = 126  # the test digit that is shown until Python is there: a 3, not far from 5


def integrity(content: bytes) -> str:
    """What a browser compares a file with."""
    digest = hashlib.sha384(content).digest()
    return f"sha384-{base64.b64encode(digest).decode()}"


def entry(name: str, url: str, content: bytes) -> dict:
    return {
        "name": name,
        "url": url,
        "bytes": len(content),
        "integrity": integrity(content),
    }


# ---------------------------------------------------------------------------- Pyodide


def pin(folder: Path) -> dict:
    """The list of Pyodide's files, from a folder that has them.

    The wheel of numpy must be the one that the lock file names.
    """
    lock = json.loads((folder / "pyodide-lock.json").read_text("utf-8"))
    version = lock["info"]["version"]
    numpy = lock["packages"]["numpy"]
    wheel = (folder / numpy["file_name"]).read_bytes()
    if hashlib.sha256(wheel).hexdigest() != numpy["sha256"]:
        raise SystemExit(f"{numpy['file_name']} is not the one in pyodide-lock.json")
    files = []
    for name in (*CORE, numpy["file_name"]):
        url = (NPM if name in CORE else RELEASE).format(version=version, name=name)
        files.append(entry(name, url, (folder / name).read_bytes()))
    return {"version": version, "numpy": numpy["version"], "files": files}


def pyodide_files(target: Path, folder: Path | None) -> list[dict]:
    """Where the page finds Pyodide: copied to target/pyodide, or on the network."""
    pins = json.loads(PINS.read_text("utf-8"))
    if folder is None:
        return pins["files"]
    (target / "pyodide").mkdir()
    files = []
    for file in pins["files"]:
        path = folder / file["name"]
        if not path.exists():
            raise SystemExit(f"{path} is missing: Pyodide {pins['version']} has it")
        if integrity(path.read_bytes()) != file["integrity"]:
            raise SystemExit(f"{path} is not the file of Pyodide {pins['version']}")
        # Not its mode: the folder may be read-only.
        shutil.copyfile(path, target / "pyodide" / file["name"])
        files.append({**file, "url": f"pyodide/{file['name']}"})
    return files


# --------------------------------------------------------------------- our own files


def library() -> bytes:
    """`scratchml` as it is, in one zip file: the same bytes each time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted((ROOT / "scratchml").glob("*.py")):
            name = zipfile.ZipInfo(f"scratchml/{path.name}")
            name.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(name, path.read_bytes())
    return content.getvalue()


def weights(name: str) -> bytes:
    """A file of `data/` with its numbers as float16."""
    content = io.BytesIO()
    with np.load(ROOT / "data" / name, allow_pickle=False) as stored:
        np.savez(content, **{key: stored[key].astype(np.float16) for key in stored})
    return content.getvalue()


def page_module():
    """docs/live/page.py, which the browser imports as `page`."""
    spec = importlib.util.spec_from_file_location("page", SOURCE / "page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def example(folder: Path) -> dict:
    """What the page shows at once: a test digit, its answers, LIME's evidence."""
    page = page_module().Page(folder)
    x, _ = datasets.mnist(full=False).test
    return page.take(x[EXAMPLE, 0]) | page.why("lenet")


def as_text(value) -> str:
    """JSON for a `<script>` element; bytes become base64."""
    text = json.dumps(
        value,
        default=lambda array: base64.b64encode(array.tobytes()).decode(),
        ensure_ascii=False,
    )
    return text.replace("<", "\\u003c")


def filled(html: str, name: str, value) -> str:
    """The page with a value in its place: `<script ... id="name">{}</script>`."""
    place = f'<script type="application/json" id="{name}">{{}}</script>'
    if html.count(place) != 1:
        raise SystemExit(f"docs/live/index.html needs one {place}")
    return html.replace(place, place.replace("{}", as_text(value)))


def versioned(name: str, content: bytes) -> str:
    """An address that changes with the content: no browser mixes old and new files."""
    return f"{name}?v={hashlib.sha256(content).hexdigest()[:8]}"


def build(target: Path, pyodide: Path | None = None) -> None:
    """Write the page into `target`, which is emptied first.

    Raises SystemExit, and leaves `target` as it was, if a file is missing or wrong.
    """
    target = Path(target)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    part.mkdir(parents=True)
    try:
        fill(part, pyodide)
        replace_folder(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def fill(target: Path, pyodide: Path | None) -> None:
    contents = {name: (SOURCE / name).read_bytes() for name in ("page.py", "worker.js")}
    contents |= {
        name: (SOURCE / name).read_bytes() for name in ("style.css", "live.js")
    }
    contents |= {name: weights(name) for name in WEIGHTS}
    contents["scratchml.zip"] = library()
    for name, content in contents.items():
        (target / name).write_bytes(content)

    files = pyodide_files(target, pyodide)
    for name in ("scratchml.zip", *WEIGHTS, "page.py"):
        files.append(entry(name, versioned(name, contents[name]), contents[name]))
    worker = versioned("worker.js", contents["worker.js"])

    html = (SOURCE / "index.html").read_text("utf-8")
    html = filled(html, "config", {"worker": worker, "files": files})
    html = filled(html, "example", example(target))
    for name in ("style.css", "live.js"):
        html = re.sub(
            rf'(href|src)="{re.escape(name)}"',
            rf'\1="{versioned(name, contents[name])}"',
            html,
        )
    (target / "index.html").write_text(html, "utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, nargs="?", default=ROOT / "build" / "live")
    parser.add_argument("--pyodide", type=Path, help="a folder with Pyodide's files")
    parser.add_argument("--pin", type=Path, help="write the list of hashes anew")
    options = parser.parse_args(arguments)
    if options.pin:
        text = json.dumps(pin(options.pin), indent=2) + "\n"
        write(PINS, text)
        return 0
    build(options.target, options.pyodide)
    size = sum(path.stat().st_size for path in options.target.rglob("*"))
    print(f"{options.target}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
