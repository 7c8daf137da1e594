"""What one network of the registry is and costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medarch.core.plan import NetworkPlan
    from medarch.networks.architecture import Architecture

PATCH = {2: 224, 3: 96}
"""Voxels an axis of the image that costs are given for, unless another is asked for."""


@dataclass(frozen=True)
class NetworkFacts:
    """An entry of the registry, built for one input."""

    entry: Architecture
    dim: int
    in_channels: int
    """Of an image; registration sees two."""
    heads: int
    patch_voxels: tuple[int, ...]
    parameters: int
    forward_gflop: float
    training_bytes: int
    """Predicted peak of training one such image: float32, SGD, on a CPU."""
    receptive_field_voxels: tuple[int, ...] | None
    """Of the coarsest map (classifiers) or of a logit (segmentation); None: the whole image, whatever its size."""


def show_network(
    name: str, *, dim: int = 3, in_channels: int = 1, heads: int = 2, patch_voxels: tuple[int, ...] | None = None
) -> NetworkFacts:
    """Build a network without data and count: parameters, operations, receptive field and memory of training.

    Args:
        name: in the registry.
        dim: 2 or 3.
        in_channels: of the image.
        heads: classes; registration gives a vector, one component a dimension.
        patch_voxels: size of the image; default 96 an axis in 3D, 224 in 2D,
            or the next that suits a network of nuclei.

    Raises:
        PlanError: there is no such network, or not in ``dim`` dimensions.
    """
    from medarch.networks.registry import find_architecture
    from medarch.planning.memory.sketch_plan import sketch_network
    from medarch.planning.network_cost import network_cost

    entry = find_architecture(name)
    patch = patch_voxels or (PATCH[dim],) * dim
    plan = sketch_network(name, patch, in_channels=in_channels, heads=heads)
    if entry.task == "nuclei" and patch_voxels is None:
        patch = _window(plan)
    cost = network_cost(plan, patch)
    return NetworkFacts(
        entry=entry,
        dim=dim,
        in_channels=in_channels,
        heads=plan.heads,
        patch_voxels=patch,
        parameters=cost.parameters,
        forward_gflop=round(cost.forward_flop / 1e9, 3),
        training_bytes=cost.training_bytes,
        receptive_field_voxels=_receptive_field(entry, plan, patch),
    )


def _window(plan: NetworkPlan) -> tuple[int, ...]:
    """The first window from the default side on that a network of nuclei takes."""
    from medarch.networks.nuclei.nuclei_geometry import nuclei_geometry

    return (nuclei_geometry(plan).window_from(PATCH[plan.dim]),) * plan.dim


def _receptive_field(entry: Architecture, plan: NetworkPlan, patch: tuple[int, ...]) -> tuple[int, ...] | None:
    import torch

    from medarch.networks.build_network import build_encoder, build_network
    from medarch.networks.receptive_field import receptive_field
    from medarch.networks.without_weights import without_weights

    if entry.task == "classification" and not entry.encoder:
        return None
    with without_weights():
        network = build_encoder(entry.name, plan) if entry.encoder else build_network(plan)
        return receptive_field(network, torch.empty(1, plan.in_channels, *patch))
