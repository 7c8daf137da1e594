"""The largest patch and batch that a memory budget allows (nnU-Net's rule)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medarch.core.errors import PlanError
from medarch.planning.feature_map_size import feature_map_size
from medarch.planning.nnunet_presets import MINIMUM_BATCH, REFERENCE_BATCH, NnunetPreset
from medarch.planning.unet_topology import UNetTopology, unet_topology

FIRST_PATCH_EDGE = {2: 2048, 3: 256}
"""The search starts from a patch of this edge, reshaped to equal millimetres along every axis."""


@dataclass(frozen=True)
class PatchFit:
    """What the search found, with the numbers that explain it."""

    topology: UNetTopology
    batch_size: int
    elements: int
    """Activation elements of one patch."""
    budget: float
    """Elements the preset allows at its reference batch size."""
    memory_batch: int
    """Batch that the memory would allow."""
    dataset_batch: int
    """Batch that covers the allowed share of the dataset."""
    shrunk: int
    """Times that the first patch was made smaller."""

    @property
    def pools(self) -> bool:
        """Whether the patch can be pooled at all, so that a U-Net is one."""
        return len(self.topology.strides) > 1


def fit_patch(
    spacing_mm: Sequence[float],
    median_shape: Sequence[float],
    *,
    preset: NnunetPreset,
    memory_gb: float,
    heads: int,
    dataset_voxels: float,
    must_pool: bool = True,
) -> PatchFit:
    """Shrink the first patch along its relatively largest axis until it fits, then fill the budget with the batch.

    Args:
        spacing_mm: of each network axis, 2 or 3 of them.
        median_shape: median shape of the cases at that spacing.
        preset: budget and network family.
        memory_gb: memory the budget is scaled to.
        heads: entries of the label scheme, background and ignore included.
        dataset_voxels: voxels of the whole dataset at that spacing.
        must_pool: refuse a patch that is too small to be pooled once; nnU-Net plans a network without a decoder then.

    Raises:
        PlanError: not even the smallest patch fits, or the images are too small to be pooled.
    """
    dim = len(spacing_mm)
    budget = (preset.budget_3d if dim == 3 else preset.budget_2d) * (memory_gb / preset.memory_gb)
    limit = budget * (preset.tolerance_2d if dim == 2 else 1)
    topology = unet_topology(spacing_mm, _first_patch(spacing_mm, median_shape))
    elements = _elements(topology, heads, preset)
    shrunk = 0
    while elements > limit:
        topology = _shrink(topology, spacing_mm, median_shape, memory_gb)
        elements = _elements(topology, heads, preset)
        shrunk += 1
    if must_pool and len(topology.strides) == 1:
        raise cannot_pool(topology)
    memory_batch = round(budget / elements * REFERENCE_BATCH[dim])
    patch_size = float(np.prod(topology.patch_voxels, dtype=np.float64))
    dataset_batch = round(dataset_voxels * preset.dataset_share / patch_size)
    batch_size = max(min(memory_batch, dataset_batch), MINIMUM_BATCH)
    return PatchFit(topology, batch_size, elements, budget, memory_batch, dataset_batch, shrunk)


def cannot_pool(topology: UNetTopology) -> PlanError:
    """Return the error of a patch that is too small for a U-Net."""
    return PlanError(
        "the images or the memory are too small for a U-Net",
        expected="12 voxels or more along the finest axis, or 8 along two of similar spacing",
        found=f"a patch of {'×'.join(map(str, topology.patch_voxels))} voxels, which cannot be pooled once",
        fix="plan with another target_spacing_mm or more memory_gb",
    )


def _first_patch(spacing_mm: Sequence[float], median_shape: Sequence[float]) -> list[float]:
    dim = len(spacing_mm)
    aspect = 1 / np.array(spacing_mm)
    edges = aspect * (FIRST_PATCH_EDGE[dim] ** dim / np.prod(aspect)) ** (1 / dim)
    # An extremely thick slice would round to no voxel at all.
    return [min(max(1, round(float(edge))), float(size)) for edge, size in zip(edges, median_shape, strict=True)]


def _elements(topology: UNetTopology, heads: int, preset: NnunetPreset) -> int:
    return feature_map_size(
        topology.patch_voxels,
        strides=topology.strides,
        features=topology.features,
        heads=heads,
        residual=preset.residual,
    )


def _shrink(
    topology: UNetTopology, spacing_mm: Sequence[float], median_shape: Sequence[float], memory_gb: float
) -> UNetTopology:
    """Take one step off the axis that is largest relative to the median shape, of those that can give one."""
    patch, divisor = topology.patch_voxels, topology.divisor
    ratios = [voxels / size for voxels, size in zip(patch, median_shape, strict=True)]
    for axis in reversed(np.argsort(ratios)):
        trial = list(patch)
        trial[axis] -= divisor[axis]
        if trial[axis] < 1:
            continue
        # Fewer voxels may mean fewer poolings and a finer step: 256 (a multiple of 64) goes to 224, not to 192.
        smaller = list(patch)
        smaller[axis] -= unet_topology(spacing_mm, trial).divisor[axis]
        return unet_topology(spacing_mm, smaller)
    raise PlanError(
        "no patch fits into the memory budget",
        expected="enough memory for the smallest patch",
        found=f"{memory_gb:g} GB, and a patch of {'×'.join(map(str, patch))} voxels is still too large",
        fix="plan with more memory_gb",
    )
