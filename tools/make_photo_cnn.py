"""Train the photograph network of notebook 03 and keep its weights in
data/photo_cnn.npz.

Notebook 03 shows how it cheats, and need not wait for a training. The same seed gives
the same bytes on one machine; another BLAS may round last digits otherwise.

    python tools/make_photo_cnn.py
"""

import argparse
from pathlib import Path

import numpy as np

from scratchml import (
    Adam,
    Conv2d,
    CrossEntropyLoss,
    Flatten,
    MaxPool2d,
    ReLU,
    Schedule,
    Sequential,
    accuracy,
    cosine,
    fit,
    photos,
    predict,
    save_weights,
)


def photo_network(rng):
    """The network of notebook 03, section *How a network cheats*."""
    return Sequential(
        Conv2d(3, 16, 3, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(16, 32, 3, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(32, 48, 3, rng=rng),
        ReLU(),
        Conv2d(48, 7, 4, rng=rng),
        Flatten(),
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(__file__).resolve().parent.parent / "data"
    parser.add_argument("--output", type=Path, default=folder / "photo_cnn.npz")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args(arguments)
    patches, rng = photos.patches(), np.random.default_rng(0)
    model = photo_network(rng)
    model.layers[0].needs_input_grad = False
    fit(
        model,
        CrossEntropyLoss(),
        Adam(0.003),
        patches.train,
        epochs=options.epochs,
        batch_size=32,
        rng=rng,
        augment=photos.augment,
        callbacks=[Schedule(cosine(0.003))],
    )
    save_weights(model, options.output)
    right = accuracy(predict(model, patches.test[0]), patches.test[1])
    print(
        f"{options.output.name}: {options.output.stat().st_size:,} bytes, "
        f"{right:.1%} of the test patches are right"
    )


if __name__ == "__main__":
    main()
