"""A pair through a trained network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.inference.registration.load_registration import RegistrationModel
from medarch.preprocessing.pair_grid import PairGrid
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.sampling_theta import sampling_theta


def apply_network(model: RegistrationModel, fixed: PreparedArrays, moving: PreparedArrays, grid: PairGrid) -> Tensor:
    """Return the displacement ``(1, D, *grid)`` in voxels of the network's input, the mean over folds.

    Args:
        model: the networks.
        fixed: the prepared fixed case.
        moving: the prepared moving case.
        grid: how they lie on each other.
    """
    sides = ((fixed.image, grid.fixed), (moving.image, grid.moving))
    pair = torch.cat([_on_grid(image, place, grid) for image, place in sides], dim=1)
    if model.configuration.network.dim == 2:
        pair = pair.squeeze(2)
    pair = pair.to(model.device)
    with torch.inference_mode():
        return torch.stack([network(pair).float() for network in model.networks]).mean(0)


def _on_grid(image: np.ndarray, place: np.ndarray, grid: PairGrid) -> Tensor:
    """``(1, C, *grid)``, 0 outside and in the darkest voxel, as in training."""
    source = torch.from_numpy(image - image.min(axis=(1, 2, 3), keepdims=True))[None]
    centre = (place @ [*(np.array(grid.size) - 1) / 2, 1.0])[:3]
    theta = sampling_theta(place[:3, :3], centre, patch=grid.size, source=image.shape[1:])
    lines = F.affine_grid(torch.from_numpy(theta[None]).float(), [1, 1, *grid.size], align_corners=False)
    return F.grid_sample(source, lines, mode="bilinear", align_corners=False)
