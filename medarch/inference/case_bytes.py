"""What a case takes of memory between its file and its label map."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.plan import Configuration
from medarch.io.read_geometry import read_geometry
from medarch.preprocessing.way_to_network import way_to_network

FLOAT_BYTES = 4


def case_bytes(case: Case, configurations: Sequence[Configuration]) -> int:
    """Bytes of a case's arrays, from its header alone; sums over tiles and the network's own memory come on top.

    In file order the image, the cropped copy that is resampled, and label maps; on each network's grid the image.
    0 for a file whose header cannot be read: it fails as soon as it is read.
    """
    try:
        grids = [read_geometry(path) for path in case.images]
    except (MedarchError, OSError):
        return 0
    geometry = grids[0][0]
    channels = sum(count for _, count in grids)
    voxels = math.prod(geometry.shape)
    total = voxels * (2 * FLOAT_BYTES * channels + 2)
    for configuration in configurations:
        permutation, _ = way_to_network(geometry, configuration.preprocessing)
        share = 1.0
        for old, new in zip(
            (geometry.spacing_mm[axis] for axis in permutation), configuration.preprocessing.spacing_mm, strict=True
        ):
            share *= 1.0 if new is None else old / new
        total += round(voxels * share) * FLOAT_BYTES * channels
    return total
