"""How nnU-Net's default trainer trains a patch of a given shape."""

from __future__ import annotations

from medarch.core.plan import AugmentationPlan, ChannelNormalisation, TrainingPlan, Voxels
from medarch.planning.target_spacing import ANISOTROPY

LONG_PATCH = 1.5
"""A 2D patch with sides of this ratio is rotated a little only, not all the way round."""


def nnunet_training(patch_voxels: Voxels, normalisation: tuple[ChannelNormalisation, ...]) -> TrainingPlan:
    """SGD with Nesterov momentum 0.99, 1000 epochs of 250 steps, and the augmentation that suits the patch.

    Args:
        patch_voxels: along network axes.
        normalisation: channels normalised inside the mask are set to 0 outside it after augmentation.
    """
    dummy_2d = len(patch_voxels) == 3 and max(patch_voxels) / patch_voxels[0] > ANISOTROPY
    return TrainingPlan(
        optimizer="sgd",
        learning_rate=1e-2,
        momentum=0.99,
        weight_decay=3e-5,
        schedule="poly",
        epochs=1000,
        iterations_per_epoch=250,
        validation_iterations=50,
        gradient_clip=12.0,
        foreground_share=0.33,
        augmentation=AugmentationPlan(
            preset="nnunet",
            rotation_degrees=_rotation(patch_voxels, dummy_2d=dummy_2d),
            dummy_2d=dummy_2d,
            mirror_axes=tuple(range(len(patch_voxels))),
            mask_outside=tuple(index for index, channel in enumerate(normalisation) if channel.inside_mask),
        ),
    )


def _rotation(patch_voxels: Voxels, *, dummy_2d: bool) -> tuple[float, ...]:
    if len(patch_voxels) == 2:
        return (15.0,) if max(patch_voxels) / min(patch_voxels) > LONG_PATCH else (180.0,)
    return (180.0, 0.0, 0.0) if dummy_2d else (30.0, 30.0, 30.0)
