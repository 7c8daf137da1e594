"""What a case takes of memory between its file and its label map."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.geometry import Geometry, Triple
from medarch.core.plan import Configuration
from medarch.io.read_geometry import read_geometry
from medarch.preprocessing.target_grid import target_grid
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
        total += math.prod(network_shape(geometry, configuration)) * FLOAT_BYTES * channels
    return total


def network_shape(geometry: Geometry, configuration: Configuration) -> Triple:
    """Shape of a case on the network's grid, where nothing is cropped away."""
    first, second, third = way_to_network(geometry, configuration.preprocessing)[0]
    shape = (geometry.shape[first], geometry.shape[second], geometry.shape[third])
    mm = geometry.spacing_mm
    return target_grid(shape, (mm[first], mm[second], mm[third]), configuration.preprocessing)[1]
