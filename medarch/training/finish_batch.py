"""From what was read to what the network sees, on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medarch.core.plan import Configuration
from medarch.training.apply_augmentation import apply_augmentation
from medarch.training.apply_label_errors import apply_label_errors
from medarch.training.finish_pairs import finish_pairs
from medarch.training.patch_source import RawBatch
from medarch.training.resample_patches import resample_patches


def finish_batch(
    raw: RawBatch, configuration: Configuration, device: torch.device, *, previous_values: Sequence[int] = ()
) -> tuple[Tensor, Tensor]:
    """Return images ``(B, C, *patch)`` and labels ``(B, 1, *patch)``, augmented if the batch carries draws.

    Of tasks whose target belongs to the case as a whole, the targets ``(B, ...)`` stand in the labels' place; of pairs
    see :func:`~medarch.training.finish_pairs.finish_pairs`.

    Args:
        raw: what was read.
        configuration: the plan's.
        device: where to work.
        previous_values: in a cascade the label values of the first stage, each of which becomes an image channel.
    """
    if raw.paired:
        return finish_pairs(raw, configuration, device)
    image = raw.image.to(device, non_blocking=True)
    if raw.label is None:
        return _image_alone(raw, image, configuration)
    label = raw.label.to(device, non_blocking=True)
    if raw.moved and raw.moved_image is not None and raw.moved_label is not None and raw.theta is not None:
        index = torch.as_tensor(raw.moved, device=device)
        moved_image, moved_label = resample_patches(
            raw.moved_image.to(device), raw.moved_label.to(device), raw.theta.to(device), patch=image.shape[2:]
        )
        image[index] = moved_image
        if moved_label is not None:
            label[index] = moved_label
    if configuration.network.dim == 2:
        image, label = image.squeeze(2), label.squeeze(2)
    if raw.draws is not None:
        finished, moved = apply_augmentation(image, label, raw.draws)
        image, label = finished, label if moved is None else moved
    for channel in configuration.training.augmentation.mask_outside:
        image[:, channel].masked_fill_(label[:, 0] < 0, 0.0)
    if previous_values:
        one_hot = torch.stack([label[:, 1] == value for value in previous_values], dim=1).to(image.dtype)
        if raw.label_errors is not None:
            one_hot = apply_label_errors(one_hot, raw.label_errors)
        return torch.cat([image, one_hot], dim=1), label[:, :1]
    return image, label


def _image_alone(raw: RawBatch, image: Tensor, configuration: Configuration) -> tuple[Tensor, Tensor]:
    if raw.moved_image is not None and raw.theta is not None:
        index = torch.as_tensor(raw.moved, device=image.device)
        sources, theta = raw.moved_image.to(image.device), raw.theta.to(image.device)
        image[index] = resample_patches(sources, None, theta, patch=image.shape[2:])[0]
    if configuration.network.dim == 2:
        image = image.squeeze(2)
    if raw.draws is not None:
        image, _ = apply_augmentation(image, None, raw.draws)
    target = torch.zeros(0) if raw.target is None else raw.target
    return image, target.to(image.device)
