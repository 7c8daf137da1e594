"""A plan around a network, without a dataset: enough to run a step of it."""

from __future__ import annotations

from typing import Any, Literal

from medarch.core.classes import ClassScheme
from medarch.core.labels import LabelScheme
from medarch.core.plan import (
    ChannelNormalisation,
    Configuration,
    NetworkPlan,
    Plan,
    PreprocessingPlan,
    RegistrationPlan,
    TrainingPlan,
    Voxels,
)
from medarch.networks.build_network import fit_topology
from medarch.networks.registry import find_architecture
from medarch.planning.multiple_of import multiple_of
from medarch.planning.unet_topology import unet_topology

IMAGES = 2
"""That a registration network sees at once."""


def sketch_plan(
    architecture: str,
    *,
    patch_voxels: Voxels,
    batch_size: int = 2,
    in_channels: int = 1,
    heads: int = 2,
    training: TrainingPlan | None = None,
    network: dict[str, Any] | None = None,
) -> Plan:
    """Return a plan with one configuration.

    Args:
        architecture: in the registry.
        patch_voxels: two sides or three; made larger to multiples of a U-Net's strides.
        batch_size: patches a step.
        in_channels: of the image.
        heads: classes.
        training: precision, optimiser and levers.
        network: other fields of the network plan.

    Raises:
        PlanError: there is no such network, or not in so many dimensions.
    """
    entry = find_architecture(architecture)
    built = sketch_network(architecture, patch_voxels, in_channels=in_channels, heads=heads).model_copy(
        update=network or {}
    )
    names = tuple(f"class {number}" for number in range(heads))
    classification = entry.task == "classification"
    configuration = Configuration(
        name=architecture,
        patch_voxels=multiple_of(patch_voxels, built.divisor) if entry.task == "segmentation" else patch_voxels,
        batch_size=batch_size,
        batch_dice=False,
        median_shape=patch_voxels,
        preprocessing=PreprocessingPlan(
            orientation=None,
            axes=(2, 1, 0),
            spacing_mm=(1.0, 1.0, 1.0),
            normalisation=(ChannelNormalisation(scheme="zscore"),) * in_channels,
        ),
        network=built,
        training=training or TrainingPlan(),
        registration=RegistrationPlan() if entry.task == "registration" else None,
    )
    return Plan(
        name=architecture,
        preset="sketch",
        task=entry.task,
        dataset="none",
        channels=tuple(f"channel {number}" for number in range(in_channels)),
        labels=LabelScheme(labels={"background": 0, **{name: number for number, name in enumerate(names[1:], 1)}}),
        classes=ClassScheme(names=names) if classification else None,
        fingerprint_sha256="",
        configurations={architecture: configuration},
        default=architecture,
    )


def sketch_network(architecture: str, patch_voxels: Voxels, *, in_channels: int, heads: int) -> NetworkPlan:
    """For segmentation the topology that a planner would make for such a patch of cubic voxels.

    A registration network looks at two images of ``in_channels`` and gives a vector, whatever ``heads`` says.
    """
    dim: Literal[2, 3] = 3 if len(patch_voxels) == 3 else 2
    task = find_architecture(architecture).task
    if task == "registration":
        return fit_topology(
            NetworkPlan(architecture=architecture, dim=dim, in_channels=IMAGES * in_channels, heads=dim)
        )
    plan = NetworkPlan(architecture=architecture, dim=dim, in_channels=in_channels, heads=heads)
    if task != "segmentation":
        return plan
    topology = unet_topology((1.0,) * dim, patch_voxels)
    stages = len(topology.strides)
    return fit_topology(
        plan.model_copy(
            update={
                "features": topology.features,
                "strides": topology.strides,
                "kernels": topology.kernels,
                "blocks": (2,) * stages,
                "decoder_blocks": (2,) * (stages - 1),
            }
        )
    )
