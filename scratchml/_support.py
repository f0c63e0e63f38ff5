"""What several files need and nobody studies: bad input, progress bars, whole files."""

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

from numpy.typing import DTypeLike, NDArray

# What a signature calls an array; its shape and dtype are in the docstring.
Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
# What `backward` returns: dx, or None where nothing below learns. Few callers need to
# ask, hence Any.
Gradient: TypeAlias = Array | Any

# Blue and vermilion: readers who are colour-blind tell them apart too.
FOR = "#0072b2"
AGAINST = "#d55e00"


def require(ok: object, message: str) -> None:
    """Raise ValueError with this message unless `ok`.

    For hot paths, write a plain `if`: it builds the message only when it is needed.
    """
    if not ok:
        raise ValueError(message)


def check_dtype(layer: object, x: Array, dtype: DTypeLike) -> None:
    """Raise TypeError unless `x` has the dtype of the layer's weights."""
    if x.dtype != dtype:
        raise TypeError(
            f"{layer} has {dtype} weights and got {x.dtype}: "
            f"pass x.astype(np.{dtype}), "
            "or turn the model with model.astype(np.float64)"
        )


def check_floating(name: object, x: Array) -> None:
    """Raise TypeError unless `x` is floating point: integers would wrap around."""
    if x.dtype.kind != "f":
        raise TypeError(
            f"{name} expects floating-point numbers, got {x.dtype}: "
            "pass x.astype(np.float32)"
        )


def replace_file(path: str | Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write(file)` fill a new file, then move it to `path`.

    Whoever reads meanwhile finds the old file or the new one, never half of it.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            write(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _SilentBar(contextlib.AbstractContextManager):
    """Stands in for a tqdm bar and shows nothing."""

    def update(self, *_: object, **__: object) -> None:
        pass

    set_postfix = reset = close = __exit__ = update


def progress_bar(total: int, show: bool = True, **options: Any) -> Any:
    """A tqdm bar that leaves nothing behind; a silent one where tqdm is missing."""
    try:
        with warnings.catch_warnings():
            # Without ipywidgets tqdm warns and falls back to text.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError:
        return _SilentBar()
    # tqdm reads TQDM_DISABLE itself, except in a notebook.
    disabled = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(total=total, leave=False, disable=disabled or not show, **options)
