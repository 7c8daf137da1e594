"""Logits of a whole prepared case from a network that sees patches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.inference.tiles import gaussian_weights, tile_corners
from medarch.inference.window import VOXELS_PER_PASS, Window


@torch.inference_mode()
def sliding_window(networks: Sequence[nn.Module], image: Tensor, *, heads: int, window: Window) -> Tensor:
    """Return mean logits over networks and flips, blended over tiles.

    Args:
        networks: one a fold, in evaluation mode, on the device and in the precision of ``image``.
        image: ``(C, *grid)``; with a 2D network ``(C, N0, N1, N2)``, predicted slice by slice along axis 0.
        heads: channels of the output.
        window: the tiling.

    Returns:
        ``(heads, *grid)`` float32 on the image's device.
    """
    slices = image.dim() - 1 > len(window.patch)
    grid = image.shape[2:] if slices else image.shape[1:]
    padding = [max(0, side - size) for size, side in zip(grid, window.patch, strict=True)]
    before = [pad // 2 for pad in padding]
    if any(padding):
        sides = [(low, pad - low) for low, pad in zip(before, padding, strict=True)]
        image = F.pad(image, [amount for side in reversed(sides) for amount in side])
    padded = image.shape[-len(window.patch) :]
    corners = tile_corners(padded, window.patch, step=window.step)
    planes = range(image.shape[1]) if slices else [None]
    jobs = [(plane, corner) for plane in planes for corner in corners]
    out = torch.zeros(heads, *image.shape[1:], device=image.device)
    # A single tile needs no weights: most small cases never pay for them.
    weights = gaussian_weights(window.patch).to(image.device) if len(corners) > 1 else None
    per_pass = max(1, VOXELS_PER_PASS[image.device.type] // (math.prod(window.patch) * len(window.flips)))
    for chunk in (jobs[start : start + per_pass] for start in range(0, len(jobs), per_pass)):
        places = [_place(plane, corner, window.patch) for plane, corner in chunk]
        tiles = torch.stack([image[(slice(None), *place)] for place in places])
        for place, logits in zip(places, _mean_logits(networks, tiles, window), strict=True):
            target = out[(slice(None), *place)]
            target += logits if weights is None else logits * weights
    if weights is not None:
        out /= _total_weight(padded, corners, weights)
    crop = [slice(low, low + size) for low, size in zip(before, grid, strict=True)]
    every: tuple[slice, ...] = (slice(None),) * (out.dim() - len(crop))
    return out[(*every, *crop)]


def _place(plane: int | None, corner: Sequence[int], patch: Sequence[int]) -> tuple[int | slice, ...]:
    box = [slice(start, start + side) for start, side in zip(corner, patch, strict=True)]
    return tuple(box) if plane is None else (plane, *box)


def _total_weight(shape: Sequence[int], corners: Sequence[tuple[int, ...]], weights: Tensor) -> Tensor:
    total = torch.zeros(*shape, device=weights.device)
    for corner in corners:
        total[_place(None, corner, weights.shape)] += weights
    return total


def _mean_logits(networks: Sequence[nn.Module], tiles: Tensor, window: Window) -> Tensor:
    """``(T, C, *patch)`` → ``(T, heads, *patch)`` float32, averaged over flips and networks."""
    axes = [[axis + 2 for axis in flip] for flip in window.flips]
    group = max(1, VOXELS_PER_PASS[tiles.device.type] // (tiles[0, 0].numel() * len(tiles)))
    total: Tensor | None = None
    for start in range(0, len(axes), group):
        some = axes[start : start + group]
        batch = torch.cat([tiles.flip(flip) if flip else tiles for flip in some])
        if tiles.dim() == 5:
            batch = batch.to(memory_format=torch.channels_last_3d)
        for network in networks:
            for flip, logits in zip(some, network(batch).float().split(len(tiles)), strict=True):
                upright = logits.flip(flip) if flip else logits
                total = upright if total is None else total + upright
    if total is None:
        raise ValueError("no networks")
    return total / (len(axes) * len(networks))
