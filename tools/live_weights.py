"""Train the two networks that the live page asks, and keep them in data/live_*.npz.

    python tools/live_weights.py            `make render` calls it

They are the digit network of notebook 01 and the LeNet of notebook 03, with the recipes
of these notebooks: sizes, seed, optimizer, schedule and random shifts. With one thread
the same seed gives the same bytes on one machine; another BLAS may round last digits
otherwise, so the checksums in data/README.md are written anew too.

A notebook may save its own network instead: `save_weights(model, "data/live_nn.npz")`,
with the layers below. The site stores whatever floats it finds as float16; then take
its recipe out of `RECIPES`.
"""

import argparse
import hashlib
import os
import re
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported

import numpy as np

from course import ROOT, write
from scratchml import (
    SGD,
    Adam,
    Conv2d,
    CrossEntropyLoss,
    EarlyStopping,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Schedule,
    Sequential,
    accuracy,
    cosine,
    datasets,
    fit,
    he,
    predict,
    random_shift,
    save_weights,
)


def train_nn(data, epochs=20):
    """Notebook 01, section *Train properly*: 784-128-10 with random shifts."""
    rng = np.random.default_rng(0)
    model = Sequential(
        Flatten(),
        Linear(784, 128, rng=rng, init=he),
        ReLU(),
        Linear(128, 10, rng=rng, init=he),
    )
    fit(
        model,
        CrossEntropyLoss(),
        SGD(0.05, momentum=0.9),
        data.train,
        epochs=epochs,
        batch_size=64,
        rng=np.random.default_rng(0),
        validation=data.validation,
        augment=random_shift,
        callbacks=[Schedule(cosine(0.05)), EarlyStopping(patience=epochs)],
    )
    return model


def train_lenet(data, epochs=8):
    """Notebook 03, section *The network assembled*: two blocks of convolution, random shifts."""
    rng = np.random.default_rng(0)
    model = Sequential(
        Conv2d(1, 8, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(8, 16, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(256, 10, rng=rng),
    )
    model.layers[0].needs_input_grad = False
    fit(
        model,
        CrossEntropyLoss(),
        Adam(0.006),
        data.train,
        epochs=epochs,
        batch_size=64,
        rng=rng,
        augment=random_shift,
        callbacks=[Schedule(cosine(0.006))],
    )
    return model


RECIPES = {"live_nn.npz": train_nn, "live_lenet.npz": train_lenet}


def with_checksum(text, name, checksum):
    """The table of data/README.md with the checksum of one file replaced."""
    row = rf"(?m)^(\| `{re.escape(name)}` .*`)[0-9a-f]{{64}}(` \|)$"
    changed, found = re.subn(row, rf"\g<1>{checksum}\g<2>", text)
    if found != 1:
        raise SystemExit(f"data/README.md needs one row for {name}, has {found}")
    return changed


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "data")
    parser.add_argument("--epochs", type=int, help="fewer, for a trial")
    options = parser.parse_args(arguments)
    table = options.output / "README.md"
    data = datasets.mnist(full=False)
    for name, train in RECIPES.items():
        start = time.perf_counter()
        model = train(data, **({"epochs": options.epochs} if options.epochs else {}))
        model.astype(np.float16)
        save_weights(model, options.output / name)
        if table.exists():
            content = (options.output / name).read_bytes()
            checksum = hashlib.sha256(content).hexdigest()
            write(table, with_checksum(table.read_text("utf-8"), name, checksum))
        right = accuracy(data.test[1], predict(model.astype(np.float32), data.test[0]))
        print(
            f"{name}: {right:.1%} of the test digits are right, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
