"""Transposed convolutions that do not overlap, as one matrix product."""

from __future__ import annotations

import functools

from torch import Tensor, nn


def transposed_as_product(network: nn.Module) -> None:
    """Replace, in place, how transposed convolutions whose kernel is their stride are computed.

    Every input voxel makes a block of its own, so the layer is a product of voxels by channels with a matrix. In
    channels-last that needs no rearrangement before it and one after it; torch's own kernels for thin strides such as
    (1, 2, 2) unfold the input and hand back another memory layout.
    """
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d) and _is_separate(module):
            module.forward = functools.partial(_expand, module, _matrix(module))  # type: ignore[method-assign]


def _is_separate(layer: nn.ConvTranspose2d | nn.ConvTranspose3d) -> bool:
    return (
        layer.kernel_size == layer.stride
        and layer.groups == 1
        and not any(layer.padding)
        and not any(layer.output_padding)
        and set(layer.dilation) == {1}
    )


def _matrix(layer: nn.ConvTranspose2d | nn.ConvTranspose3d) -> Tensor:
    """``(in, steps * out)``, the outputs of one voxel side by side."""
    return layer.weight.detach().flatten(2).transpose(1, 2).reshape(layer.in_channels, -1)


def _expand(layer: nn.ConvTranspose2d | nn.ConvTranspose3d, matrix: Tensor, x: Tensor) -> Tensor:
    """``(B, in, *grid)`` → ``(B, out, *(grid * stride))``, channels last."""
    grid, steps, out = x.shape[2:], layer.stride, layer.out_channels
    dim = len(grid)
    blocks = x.movedim(1, -1).reshape(-1, layer.in_channels) @ matrix
    if layer.bias is not None:
        blocks = blocks.view(-1, out).add_(layer.bias)
    blocks = blocks.view(len(x), *grid, *steps, out)
    # (B, n0, n1, n2, s0, s1, s2, out) → (B, n0, s0, n1, s1, n2, s2, out)
    order = [0, *(place for axis in range(dim) for place in (1 + axis, 1 + dim + axis)), 2 * dim + 1]
    sides = [size * step for size, step in zip(grid, steps, strict=True)]
    return blocks.permute(order).reshape(len(x), *sides, out).movedim(-1, 1)
