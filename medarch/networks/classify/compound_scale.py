"""Compound scaling: depth, width and resolution together."""

from __future__ import annotations

from dataclasses import dataclass

DEPTH, WIDTH, RESOLUTION = 1.2, 1.1, 1.15
"""α, β and γ of Tan & Le 2019 (arXiv:1905.11946, section 3.3), found by a search on images."""


@dataclass(frozen=True)
class Scale:
    """Multipliers for a network and its input."""

    depth: float
    width: float
    resolution: float
    """Of each axis of the image."""
    cost: float
    """Of the operations."""


def compound_scale(phi: float, dim: int) -> Scale:
    """Return how a network grows by about ``2 ** phi`` in cost.

    A convolution costs in proportion to depth, width squared and the number of voxels: αβ²γ² = 1.92 in 2D. In 3D the
    voxels grow with the cube: αβ²γ³ would be 2.21, so γ is made smaller, (2 / αβ²)^⅓ = 1.113, which makes it 2 again.

    Args:
        phi: 0 leaves all as it is; 1 is meant to double the cost.
        dim: spatial dimensions.
    """
    resolution = RESOLUTION if dim == 2 else (2 / (DEPTH * WIDTH**2)) ** (1 / dim)
    return Scale(
        depth=DEPTH**phi,
        width=WIDTH**phi,
        resolution=resolution**phi,
        cost=(DEPTH * WIDTH**2 * resolution**dim) ** phi,
    )
