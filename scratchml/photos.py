"""Photographs, yours too, and what the course makes of them: patches and collages."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ._support import check_floating, require
from .datasets import Dataset

# Our name of the class, and the photograph's in skimage.data.
_PHOTOGRAPHS = {
    "astronaut": "astronaut",
    "cat": "chelsea",
    "coffee": "coffee",
    "rocket": "rocket",
    "brick": "brick",
    "grass": "grass",
}
CLASSES = (*_PHOTOGRAPHS, "blank")
SIDE = 32  # of a patch, in pixels
MARGIN = 2  # pixels that a patch keeps from the edge of its region


def photographs() -> dict[str, np.ndarray]:
    """The whole photographs that `patches` cuts up: {class: (H, W, 3) uint8}.

    All are in the public domain or CC0, and come inside scikit-image: nothing is
    downloaded. Two are grey. Raises ImportError without scikit-image.

    See notebooks/03_cnn.ipynb, section *Real images*.
    """
    from skimage import data

    found = {}
    for name, key in _PHOTOGRAPHS.items():
        image = getattr(data, key)()
        found[name] = image if image.ndim == 3 else np.dstack([image, image, image])
    return found


def load(path: str | Path, size: int = 227) -> np.ndarray:
    """A photograph of yours, cut square and scaled: `(size, size, 3)` uint8 RGB.

    It is turned upright as its EXIF data say. Grey, palette, CMYK and 16-bit images
    become RGB, what is transparent turns white, and of an animation the first frame
    counts. `square` cuts the middle out.

    Raises FileNotFoundError if there is no such file, PermissionError if you may not
    read it, ValueError if it is no image, is damaged, has more than 89 million pixels
    or fewer than `size` on a side, and ImportError without Pillow, which comes with
    scikit-image.

    See notebooks/03_cnn.ipynb, section *Real images*.
    """
    path = Path(os.path.expanduser(path))
    if not path.is_file():
        raise FileNotFoundError(f"no file {str(path)!r} in {Path.cwd()}")
    return square(_read_upright(path), size)


def square(image: np.ndarray, size: int = 227) -> np.ndarray:
    """The middle of a photograph `(H, W, 3)` uint8, scaled down to `(size, size, 3)`.

    Each new pixel is a mean of the old ones around it (a triangle filter), as in most
    programs that prepare images for a network.

    Raises ValueError for anything but uint8 `(H, W, 3)` of at least `size` pixels a
    side and for a size below 1, ImportError without Pillow.

    See notebooks/03_cnn.ipynb, section *Real images*.
    """
    from PIL import Image

    _check_photograph("square", image)
    _check_side("square", size)
    height, width = image.shape[:2]
    side = min(height, width)
    require(
        size <= side,
        f"square expects at least {size} x {size} pixels, got {width} x {height}: "
        "take a larger photograph, or a smaller size",
    )
    top = (height - side) // 2
    left = (width - side) // 2
    middle = Image.fromarray(image[top : top + side, left : left + side])
    return np.array(middle.resize((size, size), Image.Resampling.BILINEAR))


def _read_upright(path):
    """Any file that Pillow can read, as `(H, W, 3)` uint8, turned as its EXIF says."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.array(_as_rgb(ImageOps.exif_transpose(image)))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError(f"{path} is too large: save it with fewer pixels") from None
    except UnidentifiedImageError:
        raise ValueError(
            f"{path} is no image that can be read here: save it as JPEG or PNG "
            "(phones often save HEIC)"
        ) from None
    except PermissionError:
        raise
    except Exception as error:  # whatever a damaged file makes Pillow say
        raise ValueError(f"{path} is damaged: {error}") from error


def _as_rgb(image):
    """A Pillow image of any mode as RGB, on white where it is transparent."""
    from PIL import Image

    if image.mode[0] in "IF":  # one channel of more than 8 bits
        image = Image.fromarray(_as_bytes(np.asarray(image)))
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _as_bytes(grey):
    """Floats in [0, 1] or 16-bit integers as uint8."""
    top = 1 if grey.dtype.kind == "f" else 2**16 - 1
    require(
        grey.min() >= 0 and grey.max() <= top, f"its pixels are not between 0 and {top}"
    )
    return np.rint(grey * (255 / top)).astype(np.uint8)


def patches() -> Dataset:
    """Which photograph is a patch from? x (N, 3, 32, 32) float32 in [0, 1], y (N,).

    `CLASSES[y]` names the class: one of six `photographs`, each taken at three sizes,
    or "blank", patches with every part hidden. A network that has seen those need not
    guess where LIME hides things. Training, validation and test patches come from
    different `regions` and share no pixel, but they do share the photograph. 4,200 /
    420 / 714 patches, each class equally often.

    Raises ImportError without scikit-image.

    See notebooks/deeper/03_cnn.ipynb, section *How a network cheats*.
    """
    rng = np.random.default_rng(0)
    found: tuple[list, list, list] = ([], [], [])
    for image in photographs().values():
        for height in (160, 200, 256):
            small = shrink(image, height).astype(np.float32) / 255
            shape = (SIDE, SIDE)
            views = np.lib.stride_tricks.sliding_window_view(small, shape, axis=(0, 1))
            region = regions(*small.shape[:2])
            for part, n in enumerate((200, 20, 34)):
                corners = rng.permutation(_corners(region == part))[:n]
                found[part].append(views[corners[:, 0], corners[:, 1]])
    return Dataset(*(_with_blank(np.concatenate(part), rng) for part in found))


def _corners(inside):
    """Upper left corners of all patches that lie inside, margin included: (n, 2)."""
    reach = SIDE + 2 * MARGIN - 1
    rows = inside[:-reach] & inside[reach:]
    return np.argwhere(rows[:, :-reach] & rows[:, reach:]) + MARGIN


def regions(height: int, width: int) -> np.ndarray:
    """Which part each pixel of a photograph belongs to: 0 train, 1 validation, 2 test.

    A chessboard of four rows, where the held-out squares are a knight's move apart.
    Shape: `(height, width)` integers. Raises ValueError for a side below 1.

    See notebooks/deeper/03_cnn.ipynb, section *How a network cheats*.
    """
    _check_side("regions", height)
    _check_side("regions", width)
    rows = 4
    columns = round(4 * width / height)
    row = np.arange(height) * rows // height
    column = np.arange(width) * columns // width
    return np.array([0, 2, 0, 1, 0])[(2 * row[:, None] + column) % 5]


def shrink(image: np.ndarray, height: int) -> np.ndarray:
    """A photograph `(H, W, 3)` uint8 at another height, its proportions kept.

    Raises ValueError for anything but uint8 `(H, W, 3)`, and for a height below 1.

    See notebooks/03_cnn.ipynb, section *Real images*.
    """
    from skimage.transform import resize

    _check_photograph("shrink", image)
    _check_side("shrink", height)
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    small = resize(image, (height, width), anti_aliasing=True)
    return np.rint(255 * small).astype(np.uint8)


def collage(left: np.ndarray, right: np.ndarray, height: int = 192) -> np.ndarray:
    """The middles of two photographs side by side: `(height, 3 height / 2, 3)` uint8.

    Here the truth about an explanation is known: what speaks for the left photograph
    lies on the left. Raises ValueError for a photograph narrower than its half, and as
    `shrink`.

    See notebooks/deeper/03_cnn.ipynb, section *How a network cheats*.
    """
    half = 3 * height // 4
    middles = []
    for image in (left, right):
        small = shrink(image, height)
        start = (small.shape[1] - half) // 2
        require(
            start >= 0,
            f"collage expects photographs at least {half} pixels wide at this height, "
            f"got {small.shape[1]}: take a wider one",
        )
        middles.append(small[:, start : start + half])
    return np.hstack(middles)


def augment(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Patches as they might have been, for `fit(..., augment=photos.augment)`.

    Half of them are mirrored, each is lighter or darker by up to a quarter, and half
    have parts hidden, so that the network knows the holes that LIME makes. Shapes:
    `(N, 3, H, W)` in and out.

    See notebooks/deeper/03_cnn.ipynb, section *How a network cheats*.
    """
    _check_patches("augment", x)
    shape = (len(x), 1, 1, 1)
    brightness = rng.uniform(0.75, 1.25, shape).astype(x.dtype)
    mirrored = np.where(rng.random(shape) < 0.5, x, x[..., ::-1])
    lit = np.clip(mirrored * brightness, 0, 1)
    return np.where(rng.random(shape) < 0.5, lit, hide_parts(lit, rng))


def hide_parts(
    x: np.ndarray, rng: np.random.Generator, everything: bool = False
) -> np.ndarray:
    """Cut images `(N, C, H, W)` along two random lines; hide up to three of four parts.

    As LIME hides parts: behind their mean colour, in a third of the images behind grey.
    `everything` hides all four.

    See notebooks/deeper/03_cnn.ipynb, section *How a network cheats*.
    """
    _check_patches("hide_parts", x)
    angle = rng.uniform(0, 2 * np.pi, (2, len(x), 1, 1, 1))
    offset = rng.uniform(-0.3, 0.3, angle.shape)
    grey = rng.random((len(x), 1, 1, 1)) < 1 / 3
    rows = np.linspace(-0.5, 0.5, x.shape[2])[:, None]
    columns = np.linspace(-0.5, 0.5, x.shape[3])
    a, b = np.cos(angle) * rows + np.sin(angle) * columns > offset  # (N, 1, H, W) each
    parts = [a & b, a & ~b, ~a & b, ~a & ~b]
    for part in parts if everything else parts[:3]:
        size = np.maximum(part.sum(axis=(2, 3), keepdims=True), 1)
        mean = (x * part).sum(axis=(2, 3), keepdims=True) / size.astype(x.dtype)
        colour = np.where(grey, x.dtype.type(0.5), mean)
        hidden = everything | (rng.random(size.shape) < 0.5)
        x = np.where(part & hidden, colour, x)
    return x


def _check_photograph(name: str, image: Any) -> None:
    require(
        isinstance(image, np.ndarray),
        f"{name} expects uint8 (H, W, 3), got {type(image).__name__}: "
        "pass np.array(image)",
    )
    require(
        image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size,
        f"{name} expects uint8 (H, W, 3), got {image.dtype} {image.shape}",
    )


def _check_side(name: str, n: Any) -> None:
    require(
        isinstance(n, int | np.integer) and n >= 1,
        f"{name} expects a whole number of pixels, at least 1, got {n!r}",
    )


def _check_patches(name, x):
    require(x.ndim == 4, f"{name} expects patches (N, C, H, W), got {x.shape}")
    check_floating(name, x)


def _with_blank(x, rng):
    """Number the photographs' patches, and add as many blank ones as each has."""
    n = len(x) // len(_PHOTOGRAPHS)
    blank = hide_parts(x[rng.permutation(len(x))[:n]], rng, everything=True)
    return np.concatenate([x, blank]), np.repeat(np.arange(len(CLASSES)), n)
