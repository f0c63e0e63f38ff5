"""SqueezeNet 1.1: a network that tells a thousand classes of ImageNet apart.

It is built of the course's own layers: convolution, ReLU, pooling, and `Fire`, which
joins two convolutions. Somebody else trained it on 1.2 million photographs;
`data/squeezenet.npz` has its 1,235,496 weights, 2.5 MB (`data/README.md` says whose).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ._support import require
from .convolution import Conv2d, GlobalAvgPool2d, MaxPool2d
from .datasets import data_folder
from .layers import Layer, ReLU, Sequential, he, softmax
from .training import load_weights, predict

# Of ImageNet's photographs: blue, green, red.
MEAN = np.array([103.939, 116.779, 123.68], np.float32)


class Fire(Layer):
    """Squeeze into few channels, then expand with 1x1 and 3x3 kernels side by side.

    `s = ReLU(squeeze(x))`, then `y = ReLU([expand1x1(s), expand3x3(s)])`, joined along
    the channels. The large kernels see only the few channels of `s`: that saves most of
    the weights. Backwards, `dy` is cut where the channels were joined; each half goes
    back through its own convolution. Both read the same `s`, so `ds` is the sum of what
    they return.

    Shapes: `x` is `(N, c_in, H, W)`, `s` is `(N, squeeze, H, W)`, `y` is
    `(N, 2 expand, H, W)`. Raises as `Conv2d`.

    Derived in notebooks/deeper/03_cnn.ipynb, section *Squeeze and expand* (Iandola et
    al., 2016).

    >>> fire = Fire(64, 16, 64, rng=np.random.default_rng(0))
    >>> fire.forward(np.zeros((1, 64, 56, 56), np.float32)).shape
    (1, 128, 56, 56)
    """

    def __init__(
        self,
        c_in: int,
        squeeze: int,
        expand: int,
        *,
        rng: np.random.Generator,
        init: Callable[..., np.ndarray] = he,
        dtype: DTypeLike = np.float32,
    ):
        options: dict[str, Any] = {"rng": rng, "init": init, "dtype": dtype}
        self.squeeze = Conv2d(c_in, squeeze, 1, **options)
        self.squeeze_relu = ReLU()
        self.expand1x1 = Conv2d(squeeze, expand, 1, **options)
        self.expand3x3 = Conv2d(squeeze, expand, 3, padding=1, **options)
        self.expand_relu = ReLU()

    def forward(self, x: np.ndarray) -> np.ndarray:
        s = self.squeeze_relu.forward(self.squeeze.forward(x))
        small = self.expand1x1.forward(s)
        large = self.expand3x3.forward(s)
        return self.expand_relu.forward(np.concatenate([small, large], axis=1))

    def backward(self, dy: np.ndarray) -> np.ndarray | None:
        dsmall, dlarge = np.split(self.expand_relu.backward(dy), 2, axis=1)
        ds: Any = self.expand1x1.backward(dsmall)
        ds += self.expand3x3.backward(dlarge)
        return self.squeeze.backward(self.squeeze_relu.backward(ds))

    def __repr__(self):
        squeeze, c_in = self.squeeze.params["W"].shape[:2]
        expand = len(self.expand1x1.params["W"])
        return f"Fire({c_in} -> {squeeze} -> {expand} + {expand})"


def squeezenet(*, rng: np.random.Generator | None = None) -> Sequential:
    """SqueezeNet 1.1, trained on ImageNet; with `rng`, untrained, of random weights.

    Shapes: photographs `(N, 3, 227, 227)` as `preprocess` returns them to scores
    `(N, 1000)`; `datasets.imagenet_names()` names the classes. Other sizes from 31
    pixels on work too, as the last layer averages over all positions.

    The scores pass a ReLU before they are averaged: none is negative. The authors round
    the sizes behind a pooling up, we round them down; at 224 pixels both are the same.

    Raises ValueError if the file of weights is missing or damaged.

    Derived in notebooks/03_cnn.ipynb, section *Real images* (Iandola et al., 2016).
    """
    options: dict[str, Any] = {"rng": rng, "init": _zeros if rng is None else he}
    model = Sequential(
        Conv2d(3, 64, 3, stride=2, **options),
        ReLU(),
        MaxPool2d(3, stride=2),
        Fire(64, 16, 64, **options),
        Fire(128, 16, 64, **options),
        MaxPool2d(3, stride=2),
        Fire(128, 32, 128, **options),
        Fire(256, 32, 128, **options),
        MaxPool2d(3, stride=2),
        Fire(256, 48, 192, **options),
        Fire(384, 48, 192, **options),
        Fire(384, 64, 256, **options),
        Fire(512, 64, 256, **options),
        Conv2d(512, 1000, 1, **options),
        ReLU(),
        GlobalAvgPool2d(),
    )
    if rng is None:
        path = data_folder() / "squeezenet.npz"
        require(path.exists(), f"{path} is missing: install from a clone, with -e")
        load_weights(model, path)
    return model


def preprocess(images: np.ndarray) -> np.ndarray:
    """Photographs as SqueezeNet was trained on them: blue first, mean colour off.

    Shapes: `(N, H, W, 3)` red, green, blue, integers in 0..255 or floats in [0, 1], to
    `(N, 3, H, W)` float32, about -124..151.

    Raises ValueError for another shape or kind of number, and for numbers outside.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.

    >>> preprocess(np.zeros((1, 227, 227, 3), np.uint8))[0, :, 0, 0]
    array([-103.939, -116.779, -123.68 ], dtype=float32)
    """
    images = _images("preprocess", images)
    top = 1 if images.dtype.kind == "f" else 255
    if images.size:
        low = images.min()
        high = images.max()
        require(
            low >= 0 and high <= top,
            f"preprocess expects {images.dtype} images in 0..{top}, "
            f"integers up to 255 or floats up to 1, got {low}..{high}",
        )
    bgr = images[..., ::-1].astype(np.float32)
    return (bgr * (255 / top) - MEAN).transpose(0, 3, 1, 2)


def squeezenet_probabilities(
    model: Layer, images: np.ndarray, *, batch_size: int = 5
) -> np.ndarray:
    """What the network sees in photographs, as LIME asks: a probability for each class.

    Shapes: `(N, 227, 227, 3)` as `preprocess` takes them to `(N, 1000)`. Only
    `batch_size` images at a time go through the network: 5 need about 170 MB.

    Raises ValueError for no image, a batch size below 1, and as `preprocess`.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.
    """
    images = _images("squeezenet_probabilities", images)
    require(len(images) > 0, "squeezenet_probabilities expects at least one image")
    require(
        batch_size >= 1,
        "squeezenet_probabilities expects a batch_size of at least 1, "
        f"got {batch_size}",
    )
    scores = [
        predict(model, preprocess(images[i : i + batch_size]))
        for i in range(0, len(images), batch_size)
    ]
    return softmax(np.concatenate(scores))


def _images(name: str, images: Any) -> np.ndarray:
    """Images as one array; ValueError for another shape or kind of number."""
    try:
        images = np.asarray(images)
    except ValueError:
        raise ValueError(
            f"{name} expects images (N, H, W, 3) of one size: cut them with "
            "photos.square"
        ) from None
    require(
        images.ndim == 4 and images.shape[3] == 3,
        f"{name} expects images (N, H, W, 3), got {images.shape}; "
        "for a single one: image[None]",
    )
    require(
        images.dtype.kind in "iuf",
        f"{name} expects integers in 0..255 or floats in [0, 1], got {images.dtype}",
    )
    return images


def _zeros(shape, fan_in, fan_out, rng):
    """No random numbers for weights that are about to be read from a file."""
    return np.zeros(shape, np.float32)
