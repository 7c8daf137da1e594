"""Pairs as the network sees them, on the device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.core.plan import Configuration
from medarch.training.patch_source import RawBatch
from medarch.training.resample_patches import OUTSIDE


def finish_pairs(raw: RawBatch, configuration: Configuration, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return images ``(B, 2 C, *grid)``, the fixed one first, and labels ``(B, 2, *grid)``, -1 outside.

    Labels of batches without label maps are ``(B, 0, *grid)``. Each image is sampled once, linearly, on the pair's
    grid; label maps take the nearest voxel.
    """
    if raw.moved_image is None or raw.theta is None:
        raise ValueError("a batch without pairs")
    size = raw.image.shape[2:]
    theta = raw.theta.to(device)
    grid = F.affine_grid(theta, [len(theta), 1, *size], align_corners=False)
    images = F.grid_sample(raw.moved_image.to(device), grid, mode="bilinear", align_corners=False)
    pairs = len(images) // 2
    image = images.reshape(pairs, 2 * images.shape[1], *size)
    if raw.moved_label is None:
        label = torch.zeros(pairs, 0, *size, dtype=torch.int16, device=device)
    else:
        # From 1 on, so that the 0 outside of the array is told from background.
        shifted = raw.moved_label.to(device).float() - OUTSIDE
        labels = F.grid_sample(shifted, grid, mode="nearest", align_corners=False) + OUTSIDE
        label = labels.to(torch.int16).reshape(pairs, 2, *size)
    if configuration.network.dim == 2:
        image, label = image.squeeze(2), label.squeeze(2)
    return image, label
