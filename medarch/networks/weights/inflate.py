"""Make the kernel of a 2D convolution one of a 3D convolution."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Inflation = Literal["centre", "mean"]


def inflate(weight: Tensor, depth: int, how: Inflation = "centre") -> Tensor:
    """``(out, in, kj, ki)`` → ``(out, in, depth, kj, ki)``.

    ``centre`` puts the kernel into the middle plane, 0 elsewhere: on a volume that does not change along its depth the
    3D network then gives what the 2D network gives on a slice, whatever the padding. ``mean`` puts a ``depth``-th of it
    into each plane (Carreira & Zisserman 2017, arXiv:1705.07750); with zeros beyond the first and last slice the
    outputs there are too small.
    """
    if how == "mean":
        return weight.unsqueeze(2).repeat(1, 1, depth, 1, 1) / depth
    inflated = weight.new_zeros(*weight.shape[:2], depth, *weight.shape[2:])
    inflated[:, :, (depth - 1) // 2] = weight
    return inflated
