"""Whether a low-resolution stage is worth having, and at which spacing (nnU-Net's rule)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medarch.core.plan import Reason
from medarch.planning.fit_patch import PatchFit
from medarch.planning.nnunet_configuration import ConfigurationBuilder
from medarch.planning.target_spacing import TargetGrid

WANTED_VIEW = 0.25
"""Share of the median case's voxels that a patch should see."""
SPACING_STEP = 1.03
SPACING_RATIO = 2
"""Axes finer than the coarsest by more than this are coarsened first."""
LEAST_SAVING = 2
"""A stage that saves less than this factor of voxels is dropped."""


@dataclass(frozen=True)
class LowresFit:
    """The low-resolution stage, along network axes."""

    fit: PatchFit
    spacing_mm: np.ndarray
    median_shape: tuple[int, ...]


def fit_lowres(builder: ConfigurationBuilder, grid: TargetGrid, full: PatchFit) -> tuple[LowresFit | None, Reason]:
    """Coarsen step by step until the patch sees a quarter of the median case.

    Returns:
        ``(stage or None, reason)``.
    """
    full_voxels = float(np.prod(grid.median_shape, dtype=np.float64))
    voxels, spacing, found = full_voxels, grid.spacing_mm.copy(), None
    view = _view(full, voxels)
    full_view = view
    while view < WANTED_VIEW:
        fine = spacing.max() / spacing > SPACING_RATIO
        spacing[fine if fine.any() else slice(None)] *= SPACING_STEP
        median = grid.spacing_mm / spacing * grid.median_shape
        voxels = float(np.prod(median, dtype=np.float64))
        # A thin axis must not round to nothing (nnU-Net never ends then).
        shape = tuple(max(1, round(float(size))) for size in median)
        fit = builder.fit(spacing, shape, dataset_voxels=voxels * builder.fingerprint.num_training)
        found, view = LowresFit(fit, spacing.copy(), shape), _view(fit, voxels)
    saving = full_voxels / voxels
    why = ""
    if found is None:
        why = f"a full-resolution patch sees {full_view:.0%} of the median case, {WANTED_VIEW:.0%} are enough"
    elif saving < LEAST_SAVING:
        why = f"it would have only {saving:.2g} times fewer voxels than 3d_fullres, {LEAST_SAVING} times are wanted"
    elif not found.fit.pools:
        why = "its patch cannot be pooled once"
    if found is None or why:
        return None, Reason(decision="3d_lowres", value="not planned", because=why)
    why = (
        f"a full-resolution patch sees {full_view:.1%} of the median case; at this spacing it sees "
        f"{view:.1%}, with {saving:.3g} times fewer voxels"
    )
    return found, Reason(decision="3d_lowres.spacing_mm", value=_text(found.spacing_mm), because=why)


def _view(fit: PatchFit, median_voxels: float) -> float:
    return float(np.prod(fit.topology.patch_voxels, dtype=np.float64)) / median_voxels


def _text(spacing: Sequence[float] | np.ndarray) -> str:
    return "×".join(f"{value:.4g}" for value in spacing)
