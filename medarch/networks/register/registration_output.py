"""What a registration network says while it is trained."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class RegistrationOutput(NamedTuple):
    """The transform, what to keep smooth, and the way back."""

    displacement: Tensor
    """``(B, D, *grid)`` in voxels, from the fixed grid into the moving image."""
    penalised: Tensor
    """The field whose roughness a loss punishes, ``(B, D, *coarse)`` in voxels of its own, maybe coarser, grid: the
    velocity where there is one, else a displacement."""
    inverse: Tensor | None = None
    """Displacement of the inverse transform, ``(B, D, *grid)``, of networks that are trained in both directions."""
