"""One configuration of nnU-Net's plans.json in medarch's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medarch.core.labels import LabelScheme
from medarch.core.plan import Configuration, InferencePlan
from medarch.interop.nnunet_network import nnunet_network
from medarch.interop.nnunet_plans import resolve_configuration
from medarch.interop.nnunet_preprocessing import nnunet_preprocessing
from medarch.planning.nnunet_training import nnunet_training


def nnunet_configuration(
    plans: Mapping[str, Any], name: str, *, channels: int, labels: LabelScheme, deep_supervision: bool = True
) -> Configuration:
    """Translate a configuration; what nnU-Net's plans do not say is as its default trainer has it.

    Args:
        plans: plans.json.
        name: of the configuration.
        channels: image channels of the dataset.
        labels: of the dataset.
        deep_supervision: whether training uses it.

    Raises:
        ModelError: medarch cannot reproduce the configuration; the message names what.
        KeyError, TypeError, ValueError: it is not complete.
    """
    settings = resolve_configuration(plans, name)
    previous, further = settings.get("previous_stage"), settings.get("next_stage")
    patch = tuple(settings["patch_size"])
    preprocessing = nnunet_preprocessing(plans, settings, channels=channels)
    training = nnunet_training(patch, preprocessing.normalisation)
    return Configuration(
        name=name,
        patch_voxels=patch,
        batch_size=settings["batch_size"],
        batch_dice=settings["batch_dice"],
        median_shape=tuple(round(size) for size in settings["median_image_size_in_voxels"]),
        preprocessing=preprocessing,
        network=nnunet_network(
            settings["architecture"],
            dim=len(patch),
            in_channels=channels + (len(labels.foreground_values) if previous else 0),
            heads=labels.heads,
            deep_supervision=deep_supervision,
        ),
        training=training,
        inference=InferencePlan(mirror_axes=training.augmentation.mirror_axes),
        previous_stage=previous,
        next_stage=further[0] if isinstance(further, list) and further else further or None,
    )
