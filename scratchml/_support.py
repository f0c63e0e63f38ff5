"""What several files need and nobody studies: refusing bad input, progress, writing
files.
"""

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

# Blue and vermilion: readers who are colour-blind tell them apart too.
FOR = "#0072b2"
AGAINST = "#d55e00"


def require(ok: object, message: str) -> None:
    """Raise ValueError with this message unless `ok`. For hot paths, write a plain
    `if`.
    """
    if not ok:
        raise ValueError(message)


def check_dtype(layer: object, x: np.ndarray, dtype: np.dtype) -> None:
    """Raise TypeError unless `x` has the dtype of the layer's weights; name both
    remedies.
    """
    if x.dtype != dtype:
        raise TypeError(
            f"{layer} has {dtype} weights and got {x.dtype}: pass x.astype(np.{dtype}), "
            "or turn the model with model.astype(np.float64)"
        )


def check_floating(name: object, x: np.ndarray) -> None:
    """Raise TypeError unless `x` is floating point: one-byte integers would wrap
    around.
    """
    if x.dtype.kind != "f":
        raise TypeError(
            f"{name} expects floating-point numbers, got {x.dtype}: "
            "pass x.astype(np.float32)"
        )


def replace_file(path: str | Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write(file)` fill a new file, then move it to `path`: nobody ever reads half
    of it.
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
    def update(self, *_, **__):
        """Show nothing."""

    set_postfix = reset = close = __exit__ = update


def progress_bar(total: int, show: bool = True, **options):
    """A tqdm bar that leaves nothing behind, or a silent stand-in where tqdm is not
    installed.
    """
    try:
        with warnings.catch_warnings():
            # Without ipywidgets tqdm warns and falls back to text.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError:
        return _SilentBar()
    # tqdm reads TQDM_DISABLE itself, except in a notebook.
    disable = not show or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(total=total, leave=False, disable=disable, **options)
