"""What volumes of nuclei will cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.prediction import CaseEstimate
from medarch.core.process_peak_bytes import process_peak_bytes
from medarch.inference.nuclei.estimate_slides import seconds_a_tile
from medarch.inference.nuclei.image_maps import tile_corners
from medarch.inference.nuclei.nuclei_model import NucleiModel
from medarch.inference.nuclei.volume_recipe import volume_recipe
from medarch.io.nuclei.read_nuclei import require_volume
from medarch.io.read_geometry import read_geometry
from medarch.preprocessing.target_grid import target_grid
from medarch.preprocessing.way_to_network import way_to_network

BYTES_A_VOXEL = 80
"""Of the network's grid, besides the maps: what separation holds at most."""


def estimate_volumes(model: NucleiModel, cases: Sequence[Case]) -> tuple[CaseEstimate, ...]:
    """Predict seconds (of the network, which is nearly all) and peak memory of each volume.

    A volume that cannot be read has no tiles.
    """
    recipe, network = volume_recipe(model), model.network
    seconds = seconds_a_tile(network, channels=len(recipe.normalisation))
    estimates = []
    for case in cases:
        try:
            geometry, _ = read_geometry(case.images[0])
            require_volume(geometry, case.images[0])
        except MedarchError:
            estimates.append(CaseEstimate(case=case.id))
            continue
        permutation, _ = way_to_network(geometry, recipe)
        first, second, third = permutation
        lengths, sides = geometry.spacing_mm, geometry.shape
        _, shape = target_grid(
            (sides[first], sides[second], sides[third]), (lengths[first], lengths[second], lengths[third]), recipe
        )
        tiles = len(tile_corners(network, shape))
        held = math.prod(shape) * (4 * network.channels + BYTES_A_VOXEL)
        held += math.prod(sides) * 4 * (len(recipe.normalisation) + 2)
        estimates.append(
            CaseEstimate(case=case.id, passes=tiles, seconds=tiles * seconds, peak_bytes=process_peak_bytes() + held)
        )
    return tuple(estimates)
