"""A displacement field is what it claims to be."""

from __future__ import annotations

from torch import Tensor

from medarch.core.errors import GeometryError


def require_field(field: Tensor, *, dim: int | None = None) -> int:
    """Return the number of spatial dimensions D of a field ``(B, D, *grid)``.

    Args:
        field: displacement or velocity.
        dim: what D has to be, when something else decides it.

    Raises:
        GeometryError: the tensor is not a field of 2 or 3 dimensions, or not of ``dim``.
    """
    found = field.dim() - 2
    if found not in (2, 3) or field.shape[1] != found or dim not in (None, found):
        wanted = dim or (found if found in (2, 3) else 3)
        raise GeometryError(
            "not a displacement field",
            expected=f"(B, {wanted}, {', '.join('IJK'[:wanted])})",
            found=str(tuple(field.shape)),
            fix="give one vector a voxel, components second",
        )
    return found
