"""One transform after another."""

from __future__ import annotations

from torch import Tensor

from medarch.networks.motion.warp import warp


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """Return the displacement of φ∘ψ, which moves x to φ(ψ(x)).

    An image warped by φ and the result by ψ is the image warped by φ∘ψ: (φ∘ψ)(x) = ψ(x) + u_φ(ψ(x)).

    Args:
        outer: displacement of φ, ``(B, D, *grid)`` in voxels; beyond its grid it goes on as at the face.
        inner: displacement of ψ, the same.

    Raises:
        GeometryError: they are not two fields of one dimension.
    """
    return inner + warp(outer, inner, outside="border")
