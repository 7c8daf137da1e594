"""The deed: errors in the one-hot labels of a cascade's first stage, on the device they lie on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from medarch.training.draw_label_errors import LabelErrors, Operation, Operator, Removal

LARGEST_REMOVED = 0.15
"""A component of this share of the patch or more stays."""


def apply_label_errors(one_hot: Tensor, draws: Sequence[LabelErrors]) -> Tensor:
    """Change a batch as drawn.

    Args:
        one_hot: ``(B, K, *patch)`` of 0 and 1; changed in place.
        draws: one a sample.

    Returns:
        ``one_hot``.
    """
    for sample, draw in zip(one_hot, draws, strict=True):
        for operation in draw.operations:
            _operate(sample, operation)
        for removal in draw.removals:
            _remove_component(sample, removal)
    return one_hot


def _operate(sample: Tensor, operation: Operation) -> None:
    """Dilate, erode, close or open one label; what it gains the other labels lose."""
    mask = sample[operation.channel] > 0
    ball = _ball(operation.radius_voxels, mask.dim()).to(mask.device)
    box = _reach(mask, ball)
    if box is None:
        return
    inner = sample[(slice(None), *box)]  # a view
    before = inner[operation.channel] > 0
    after = _operated(before, operation.operator, ball)
    inner.masked_fill_((after & ~before)[None], 0)
    inner[operation.channel] = after.to(sample.dtype)


def _operated(mask: Tensor, operator: Operator, ball: Tensor) -> Tensor:
    if operator == "dilate":
        return _dilate(mask, ball)
    if operator == "erode":
        return _erode(mask, ball)
    if operator == "close":
        return _erode(_dilate(mask, ball), ball)
    return _dilate(_erode(mask, ball), ball)


def _ball(radius: float, dim: int) -> Tensor:
    """A ball on a grid of ``int(2 * radius + 1)`` points a side, in the arithmetic of ``skimage.morphology.ball``."""
    axes: tuple[slice, ...] = (slice(-radius, radius, (2 * radius + 1) * 1j),) * dim  # type: ignore[misc]
    squares = np.mgrid[axes] ** 2
    inside: np.ndarray = squares[::-1].sum(axis=0) <= radius * radius
    return torch.from_numpy(inside)


def _reach(mask: Tensor, ball: Tensor) -> tuple[slice, ...] | None:
    """The box outside which no operation can change anything: it costs what the structure costs, not the patch."""
    filled = mask.nonzero()
    if not len(filled):
        return None
    low, high = filled.amin(0).tolist(), filled.amax(0).tolist()
    margin = 2 * ball.shape[0]
    return tuple(
        slice(max(0, start - margin), min(side, stop + 1 + margin))
        for start, stop, side in zip(low, high, mask.shape, strict=True)
    )


def _dilate(mask: Tensor, ball: Tensor) -> Tensor:
    """Binary dilation with nothing outside the array, as a product of Fourier transforms (cheap for large balls)."""
    shape = [side + size - 1 for side, size in zip(mask.shape, ball.shape, strict=True)]
    # Turned round, because rounding leaves some balls not quite symmetric and nnU-Net correlates.
    turned = ball.flip(tuple(range(ball.dim()))).float()
    spectrum = torch.fft.rfftn(mask.float(), shape) * torch.fft.rfftn(turned, shape)
    counts = torch.fft.irfftn(spectrum, shape)
    starts = [math.ceil((size - 1) / 2) for size in ball.shape]
    inner = tuple(slice(start, start + side) for start, side in zip(starts, mask.shape, strict=True))
    grown: Tensor = counts[inner] > 0.5
    return grown


def _erode(mask: Tensor, ball: Tensor) -> Tensor:
    """The border of the array takes nothing away."""
    return ~_dilate(~mask, ball)


def _remove_component(sample: Tensor, removal: Removal) -> None:
    """Components touch through faces, edges or corners."""
    from scipy import ndimage

    mask = (sample[removal.channel] > 0).cpu().numpy()
    components, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    small = np.flatnonzero(sizes < mask.size * LARGEST_REMOVED) + 1
    if len(small):
        gone = components == small[int(removal.choice * len(small))]
        sample[removal.channel].masked_fill_(torch.from_numpy(gone).to(sample.device), 0)
