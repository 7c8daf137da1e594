"""How much a field changes from voxel to voxel."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from medarch.tasks.registration.full_precision import full_precision


def diffusion(field: Tensor, *, spacing_mm: Sequence[float] | None = None) -> Tensor:
    """Mean squared gradient of a displacement or velocity, in mm per mm, summed over the axes.

    Source: Balakrishnan et al. 2019, arXiv:1809.05231, equation 7, with the spacing in: a gradient of voxels per voxel
    counts ``spacing of the component / spacing of the axis``, so that anisotropic voxels are not punished unequally.
    Neighbours are subtracted, so that a field that alternates between voxels is not smooth.

    Args:
        field: ``(B, D, *grid)`` in voxels.
        spacing_mm: of the grid; cubes if left out.
    """
    field = full_precision(field)
    spacing = (1.0,) * field.shape[1] if spacing_mm is None else tuple(spacing_mm)
    total = field.new_zeros(())
    for axis in range(len(spacing)):
        if field.shape[axis + 2] < 2:
            continue
        change = field.diff(dim=axis + 2).square().transpose(0, 1).flatten(1).mean(1)
        scale = change.new_tensor(spacing) / spacing[axis]
        total = total + (change * scale.square()).mean()
    return total
