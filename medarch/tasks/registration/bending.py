"""How much a field bends."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from medarch.tasks.registration.full_precision import full_precision


def bending(field: Tensor, *, spacing_mm: Sequence[float] | None = None) -> Tensor:
    """Mean bending energy of a displacement or velocity in 1/mm²; affine fields cost nothing.

    Source: Rueckert et al. 1999, "Nonrigid registration using free-form deformations", equation 6: squares of all
    second derivatives, mixed ones twice.

    Args:
        field: ``(B, D, *grid)`` in voxels, each side at least 3.
        spacing_mm: of the grid; 1 mm if left out.

    Raises:
        ValueError: a side is shorter.
    """
    field = full_precision(field)
    if min(field.shape[2:]) < 3:
        raise ValueError(f"bending needs 3 voxels along each axis, not {tuple(field.shape[2:])}")
    spacing = (1.0,) * field.shape[1] if spacing_mm is None else tuple(spacing_mm)
    axes = range(len(spacing))
    total = field.new_zeros(())
    for first in axes:
        for second in range(first, len(spacing)):
            energy = _derivative(field, first, second).square().transpose(0, 1).flatten(1).mean(1)
            scale = energy.new_tensor(spacing) / (spacing[first] * spacing[second])
            total = total + (1 if first == second else 2) * (energy * scale.square()).mean()
    return total


def _derivative(field: Tensor, first: int, second: int) -> Tensor:
    """Second derivative from the nearest neighbours, at all voxels inside the border."""

    def at(*steps: tuple[int, int]) -> Tensor:
        starts = [1] * (field.dim() - 2)
        for axis, step in steps:
            starts[axis] += step
        slices = (slice(start, start + side - 2) for start, side in zip(starts, field.shape[2:], strict=True))
        return field[(slice(None), slice(None), *slices)]

    if first == second:
        return at((first, 1)) - 2 * at() + at((first, -1))
    same = at((first, 1), (second, 1)) + at((first, -1), (second, -1))
    return (same - at((first, 1), (second, -1)) - at((first, -1), (second, 1))) / 4
