"""Two arrays, yours and the right one: where are they furthest apart?

This is what the diagnoses of gradients and those of answers have in common.
"""

import numpy as np

from ._support import Array

GENERIC = "It matches no mistake known here: compare your equation term by term."
SCALAR = "It looks like one scalar for all units: sum over the batch axis only, axis=0."


def size(a: Array) -> float:
    """The largest absolute value, NaN aside."""
    return float(np.nanmax(np.abs(a), initial=0))


def worst(mine: Array, right: Array) -> tuple[int, ...]:
    """Where the two differ most. NaN in the right one means that nobody knows it."""
    error = np.abs(np.subtract(mine, right, dtype=float))
    error = np.where(np.isnan(mine), np.inf, error)
    error = np.where(np.isnan(right), -1, error)
    return tuple(int(i) for i in np.unravel_index(np.argmax(error), error.shape))


def both(mine: Array, right: Array, where: tuple[int, ...], called: str) -> str:
    """Both numbers, with as many digits as it takes to tell them apart."""
    a = float(mine[where])
    b = float(right[where])
    digits = next((n for n in range(6, 17) if f"{a:.{n}g}" != f"{b:.{n}g}"), 17)
    return f"yours {a:.{digits}g}, {called} {b:.{digits}g}"


def fits(a: Array, mine: Array) -> bool:
    """Can it stand beside mine in a sum or a product?"""
    try:
        return np.broadcast_shapes(a.shape, mine.shape) == mine.shape
    except ValueError:
        return False


def diagnose_shape(mine: Array, right: Array, batch: int | None = None) -> str:
    """Words for a wrong shape; `batch` is the number of examples of a gradient."""
    if mine.ndim == right.ndim and sorted(mine.shape) == sorted(right.shape):
        return "It looks transposed."
    if right.ndim == 0:
        return "One number is wanted: add up, or leave a comma or a bracket away."
    if batch and (words := _summed_wrongly(mine, right, batch)):
        return words
    if mine.size == 1:
        return (
            "It is one number for all: is something summed over every axis, or does "
            "`y = ...` stand where `y[i] = ...` belongs?"
        )
    if np.squeeze(mine).shape == np.squeeze(right).shape:
        return "There is an axis of length 1 too many or too few: is it keepdims=True?"
    if mine.size == right.size:
        return "The numbers may be right: reshape them."
    if mine.ndim > right.ndim:
        return "An axis too many is left: sum over it, or index it."
    if mine.ndim < right.ndim:
        return "An axis is lost: sum over fewer, or keep it with a slice."
    return (
        "Write the shapes below your equation: they allow only one order of the "
        "factors, and only one axis to sum over."
    )


def _summed_wrongly(mine: Array, right: Array, batch: int) -> str:
    """A gradient that is summed over too much, over nothing, or over another axis."""
    if mine.size == 1:
        return SCALAR
    if mine.shape == (batch, *right.shape):
        return "It looks not summed over the batch: add up the rows, axis=0."
    if mine.ndim == right.ndim == 1 and mine.size == batch:
        return "It has one number for each example: sum over the other axis, axis=0."
    return ""
