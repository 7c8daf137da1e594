"""A pair through a trained network, and on from there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.errors import PredictionError
from medarch.inference.load_case_model import CaseModel
from medarch.inference.registration.grid_image import GridImage
from medarch.inference.registration.optimise_velocity import optimise_velocity
from medarch.inference.registration.settings import RegistrationSettings
from medarch.inference.window import mirrored_copies
from medarch.preprocessing.pair_grid import PairGrid
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.sampling_theta import sampling_theta
from medarch.tasks.registration.registration import Registration


def apply_network(
    model: CaseModel[Registration],
    fixed: PreparedArrays,
    moving: PreparedArrays,
    grid: PairGrid,
    *,
    mirror: bool = True,
    optimise: bool = False,
) -> Tensor:
    """Return the displacement ``(1, D, *grid)`` in voxels of the input, the mean over folds and mirrored copies.

    Args:
        model: the networks.
        fixed: the prepared fixed case.
        moving: the prepared moving case.
        grid: how they lie on each other.
        mirror: average over copies of the pair mirrored as the plan says.
        optimise: go on from there for this pair alone at all resolutions, see
            :func:`~medarch.inference.registration.optimise_velocity.optimise_velocity`; else as many iterations at
            the finest one as the plan asks for.

    Raises:
        PredictionError: a slice meets a volume, or nothing of the moving image lies on the fixed one.
    """
    flat = model.configuration.network.dim == 2
    for arrays in (fixed, moving):
        if flat != (arrays.record.shape[0] == 1):
            raise PredictionError(
                f"{arrays.record.id} is not of the model's dimension",
                expected="one slice" if flat else "a volume",
                found="×".join(map(str, arrays.record.geometry.shape)),
                fix="give images as the model was trained on",
            )
    sides = [_on_grid(image, place, grid) for image, place in ((fixed.image, grid.fixed), (moving.image, grid.moving))]
    if not bool(sides[1].any()):
        raise PredictionError(
            f"nothing of {moving.record.id} lies on {fixed.record.id}",
            expected="images that overlap in the world",
            found="the moving image elsewhere",
            fix="correct the headers; or train with registration.alignment: centres",
        )
    if flat:
        sides = [side.squeeze(2) for side in sides]
    sides = [side.to(model.device) for side in sides]
    with torch.inference_mode():
        pair = torch.cat(sides, dim=1)
        flips = mirrored_copies(model.configuration.inference.mirror_axes if mirror else ())
        found = [_mirrored(network, pair, flip) for network in model.networks for flip in flips]
        displacement = torch.stack(found).mean(0)
    iterations = RegistrationSettings().iterations if optimise else (0, 0, model.task.settings.refinement)
    if not any(iterations):
        return displacement
    # Where the fixed image is: its faces, not those of what it was filled up to, are where nothing may fold.
    first = -np.round(grid.fixed[:3, 3]).astype(int)
    ends = zip(first, fixed.record.shape, grid.size, strict=True)
    box = [slice(max(0, at), min(at + length, side)) for at, length, side in ends][-displacement.dim() + 2 :]
    displacement = displacement.clone()  # made in inference mode, where tensors have no gradients
    displacement[(slice(None), slice(None), *box)] = _refined(model, sides, displacement, box, iterations)
    return displacement


def _refined(
    model: CaseModel[Registration],
    sides: list[Tensor],
    displacement: Tensor,
    box: list[slice],
    iterations: tuple[int, ...],
) -> Tensor:
    """From the network's field on, for this pair alone, in a box of the input."""
    matrix = torch.diag(torch.tensor([*model.task.spacing_mm, 1.0], dtype=torch.float64))
    corner = matrix.clone()
    corner[:-1, -1] = matrix.diagonal()[:-1] * torch.tensor([side.start for side in box])
    fixed, start = (field[(slice(None), slice(None), *box)].contiguous() for field in (sides[0], displacement))
    first, second = GridImage(fixed, corner), GridImage(sides[1], matrix)
    settings = RegistrationSettings(similarity=model.task.settings.similarity, iterations=iterations)
    identity = torch.eye(len(matrix), dtype=torch.float64)
    return optimise_velocity(first, second, identity, settings, start=start).displacement


def _mirrored(network: nn.Module, pair: Tensor, flip: tuple[int, ...]) -> Tensor:
    """What the network says of the mirrored pair, mirrored back: motion along a mirrored axis has the other sign."""
    axes = [axis + 2 for axis in flip]
    signs = pair.new_ones(pair.dim() - 2)
    signs[list(flip)] = -1
    displacement: Tensor = network(pair.flip(axes)).float().flip(axes)
    return displacement * signs.view(-1, *[1] * len(signs))


def _on_grid(image: np.ndarray, place: np.ndarray, grid: PairGrid) -> Tensor:
    """``(1, C, *grid)``, 0 outside and in the darkest voxel, as in training."""
    source = torch.from_numpy(image - image.min(axis=(1, 2, 3), keepdims=True))[None]
    centre = (place @ [*(np.array(grid.size) - 1) / 2, 1.0])[:3]
    theta = sampling_theta(place[:3, :3], centre, patch=grid.size, source=image.shape[1:])
    lines = F.affine_grid(torch.from_numpy(theta[None]).float(), [1, 1, *grid.size], align_corners=False)
    return F.grid_sample(source, lines, mode="bilinear", align_corners=False)
