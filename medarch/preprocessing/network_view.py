"""A file's array seen along network axes."""

from __future__ import annotations

import numpy as np

from medarch.core.geometry import Triple


def network_view(array: np.ndarray, *, permutation: Triple, flips: tuple[bool, bool, bool]) -> np.ndarray:
    """Return a view of ``(..., I, J, K)`` along network axes; what is written into it lands in ``array``.

    Args:
        array: indexed in file order in its last three axes.
        permutation: network axis ``n`` is file axis ``permutation[n]``.
        flips: network axes that run against the file's.
    """
    leading = array.ndim - 3
    view = array.transpose(*range(leading), *(leading + axis for axis in permutation))
    first, second, third = (slice(None, None, -1 if flip else 1) for flip in flips)
    return view[..., first, second, third]
