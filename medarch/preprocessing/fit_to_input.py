"""A whole prepared case on a network's input of fixed size, for networks that judge a case in one look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def fit_to_input(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Centre a case on the input: what is too large is cut at both ends, what is too small is surrounded.

    Each channel's least value is taken off, so that the 0 around the case is its darkest value and not, as after
    standardising, its mean.

    Args:
        image: ``(C, N0, N1, N2)``.
        size: sides of the input, three, or two for slices (``N0`` is then 1).

    Returns:
        ``(C, *size)`` float32, contiguous.
    """
    sides = (1,) * (3 - len(size)) + tuple(size)
    result = np.zeros((len(image), *sides), dtype=np.float32)
    there, here = _overlap(image.shape[1:], sides)
    result[(slice(None), *here)] = image[(slice(None), *there)]
    result[(slice(None), *here)] -= image.min(axis=(1, 2, 3), keepdims=True)
    return result.reshape(len(image), *size)


def unfit_from_input(array: np.ndarray, shape: Sequence[int], *, fill: float = 0.0) -> np.ndarray:
    """Bring an array of the input's size back to the prepared case's grid; ``fill`` where the input did not reach.

    Args:
        array: ``(C, *size)``.
        shape: ``(N0, N1, N2)`` of the prepared case.
        fill: for what was cut off.

    Returns:
        ``(C, N0, N1, N2)``.
    """
    sides = (1,) * (4 - array.ndim) + array.shape[1:]
    result = np.full((len(array), *shape), fill, dtype=array.dtype)
    there, here = _overlap(shape, sides)
    result[(slice(None), *there)] = array.reshape(len(array), *sides)[(slice(None), *here)]
    return result


def _overlap(shape: Sequence[int], sides: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where case and input lie on each other, in the case and in the input."""
    there, here = [], []
    for case, side in zip(shape, sides, strict=True):
        length = min(case, side)
        start, offset = max(0, (case - side) // 2), max(0, (side - case) // 2)
        there.append(slice(start, start + length))
        here.append(slice(offset, offset + length))
    return tuple(there), tuple(here)
