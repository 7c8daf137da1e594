"""The deed: nnU-Net's intensity and mirror augmentations on a batch, on the device it lies on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.training.draw_augmentation import Draw

EPSILON = 1e-7
Batch = dict[str, Tensor]


def apply_augmentation(images: Tensor, labels: Tensor | None, draws: Sequence[Draw]) -> tuple[Tensor, Tensor | None]:
    """Return an augmented batch.

    Only the samples and channels a step was drawn for are touched, so the cost follows the probabilities.

    Args:
        images: ``(B, C, *patch)``; changed in place.
        labels: ``(B, 1, *patch)`` or None.
        draws: one a sample.
    """
    flat = images.view(-1, *images.shape[2:])  # one row a sample and channel
    _add_noise(images, draws)
    _blur(flat, np.concatenate([draw.blur_sigma for draw in draws]))
    _each(flat, _gather(draws, "brightness"), lambda x, factor: x * factor)
    _each(flat, _gather(draws, "contrast"), _contrast)
    _low_resolution(flat, _gather(draws, "zoom"))
    _each(flat, _gather(draws, "gamma_inverted"), lambda x, gamma: -_gamma(-x, gamma))
    _each(flat, _gather(draws, "gamma"), _gamma)
    return _mirror(images, draws), None if labels is None else _mirror(labels, draws)


def _gather(draws: Sequence[Draw], field: str) -> np.ndarray:
    return np.concatenate([getattr(draw, field) for draw in draws])


def _each(flat: Tensor, factors: np.ndarray, change: object) -> None:
    """Apply ``change(rows, factors)`` to the rows whose factor is not 1."""
    rows = np.flatnonzero(factors != 1.0)
    if len(rows):
        index = torch.as_tensor(rows, device=flat.device)
        values = torch.as_tensor(factors[rows], dtype=flat.dtype, device=flat.device)
        flat[index] = change(flat[index], values.view(-1, *[1] * (flat.dim() - 1)))  # type: ignore[operator]


def _add_noise(images: Tensor, draws: Sequence[Draw]) -> None:
    for image, draw in zip(images, draws, strict=True):
        if draw.noise_std:
            generator = torch.Generator(device=image.device).manual_seed(draw.noise_seed)
            noise = torch.empty_like(image).normal_(generator=generator)
            image.add_(noise, alpha=draw.noise_std)


def _spatial(x: Tensor) -> tuple[int, ...]:
    return tuple(range(1, x.dim()))


def _contrast(x: Tensor, factor: Tensor) -> Tensor:
    low, high, mean = x.amin(_spatial(x), True), x.amax(_spatial(x), True), x.mean(_spatial(x), True)
    return ((x - mean) * factor + mean).clamp(low, high)


def _gamma(x: Tensor, gamma: Tensor) -> Tensor:
    """Power of the range-normalised image, mean and standard deviation kept."""
    std, mean = torch.std_mean(x, _spatial(x), keepdim=True)
    low = x.amin(_spatial(x), True)
    width = x.amax(_spatial(x), True) - low
    y = ((x - low) / (width + EPSILON)).clamp_min(0).pow(gamma) * width + low
    new_std, new_mean = torch.std_mean(y, _spatial(y), keepdim=True)
    return (y - new_mean) / new_std.clamp_min(EPSILON) * std + mean


def _blur(flat: Tensor, sigma: np.ndarray) -> None:
    """Gaussian along each axis, as a weighted sum of shifted copies (σ of at most one voxel needs seven)."""
    rows = np.flatnonzero(sigma.any(axis=1))
    if not len(rows):
        return
    index = torch.as_tensor(rows, device=flat.device)
    x = flat[index]
    axes = flat.dim() - 1
    radius = 3
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma[rows][..., None]) ** 2)
    weights = torch.as_tensor(taps / taps.sum(-1, keepdims=True), dtype=flat.dtype, device=flat.device)
    for axis in range(axes):
        size = x.shape[axis + 1]
        shifts = torch.arange(-radius, radius + 1, device=flat.device)
        total = torch.zeros_like(x)
        for tap, shift in enumerate(shifts.tolist()):
            source = (torch.arange(size, device=flat.device) + shift).clamp(0, size - 1)
            weight = weights[:, axis + 3 - axes, tap].view(-1, *[1] * axes)
            total.addcmul_(x.index_select(axis + 1, source), weight)
        x = total
    flat[index] = x


def _low_resolution(flat: Tensor, zoom: np.ndarray) -> None:
    """Down-sample by nearest neighbour and back up linearly."""
    size = flat.shape[1:]
    mode = "trilinear" if len(size) == 3 else "bilinear"
    for row in np.flatnonzero((zoom < 1.0).any(axis=1)):
        small = [max(1, round(side * share)) for side, share in zip(size, zoom[row, 3 - len(size) :], strict=True)]
        coarse = F.interpolate(flat[row][None, None], size=small, mode="nearest-exact")
        flat[row] = F.interpolate(coarse, size=tuple(size), mode=mode)[0, 0]


def _mirror(x: Tensor, draws: Sequence[Draw]) -> Tensor:
    spatial = x.dim() - 2
    rows = [
        row.flip([axis + 1 - (3 - spatial) for axis in np.flatnonzero(draw.mirror)]) if draw.mirror.any() else row
        for row, draw in zip(x, draws, strict=True)
    ]
    return torch.stack(rows)
