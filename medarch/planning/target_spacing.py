"""The voxel spacing everything is resampled to, and which axis a network sees first (nnU-Net's rules)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.errors import PlanError
from medarch.core.fingerprint import Fingerprint
from medarch.core.geometry import Triple

ANISOTROPY = 3
"""A spacing this many times the others, with this many times fewer voxels, makes an axis the thick one."""


@dataclass(frozen=True)
class TargetGrid:
    """Target spacing and median shape, along network axes."""

    axes: Triple
    """Network axis ``n`` is file axis ``axes[n]``."""
    spacing_mm: np.ndarray
    """``(3,)`` float64."""
    median_shape: np.ndarray
    """``(3,)`` float64; an even number of cases can give halves."""
    because: str
    """How the spacing was found."""


def target_grid(fingerprint: Fingerprint, *, target_spacing_mm: tuple[float, float, float] | None = None) -> TargetGrid:
    """Median spacing, except along a thick axis: the 10th percentile there; the coarsest axis comes first.

    Args:
        fingerprint: of the dataset, file axes.
        target_spacing_mm: replaces the spacing found, along file axes i, j, k.

    Raises:
        PlanError: no case, a spacing that is not positive, or images that are lines.
    """
    if not fingerprint.cases:
        raise PlanError("the fingerprint holds no case", expected="one case or more", fix="extract it again")
    # nnU-Net's rules run in reader order z, y, x; where two axes tie, the first of them wins.
    spacings = np.array([case.spacing_mm[::-1] for case in fingerprint.cases])
    shapes = np.array([case.shape_after_crop[::-1] for case in fingerprint.cases])
    if target_spacing_mm is None:
        spacing, because = _spacing(spacings, shapes)
    else:
        spacing, because = np.array(target_spacing_mm[::-1], dtype=np.float64), "given by the user"
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise PlanError(
            "a target spacing is not positive",
            expected="three spacings above 0 mm",
            found=f"{tuple(map(float, spacing[::-1]))} mm along i, j, k",
            fix="correct target_spacing_mm, or the spacing in the image headers (`medarch check`)",
        )
    resampled = np.median([_new_shape(*case, spacing) for case in zip(spacings, shapes, strict=True)], axis=0)
    order = _order(spacing, resampled)
    axes = (2 - order[0], 2 - order[1], 2 - order[2])
    return TargetGrid(axes, spacing[order], resampled[order], because)


def _spacing(spacings: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, str]:
    target = np.percentile(spacings, 50, axis=0)
    size = np.percentile(shapes, 50, axis=0)
    worst = int(np.argmax(target))
    others = [axis for axis in range(3) if axis != worst]
    plane = max(target[others])
    if not (target[worst] > ANISOTROPY * plane and size[worst] * ANISOTROPY < min(size[others])):
        return target, "median spacing of the cases"
    thick = np.percentile(spacings[:, worst], 10)
    because = (
        f"median spacing of the cases; along the thick axis the 10th percentile ({thick:.4g} mm instead of "
        f"{target[worst]:.4g} mm), because it is more than {ANISOTROPY} times the others and has fewer slices"
    )
    target[worst] = thick if thick >= plane else plane + 1e-5
    return target, because


def _new_shape(old_spacing: np.ndarray, shape: np.ndarray, new_spacing: np.ndarray) -> list[int]:
    return [max(1, round(old / new * size)) for old, new, size in zip(old_spacing, new_spacing, shape, strict=True)]


def _order(spacing: np.ndarray, shape: np.ndarray) -> list[int]:
    """Reader axes in network order: the coarsest first, but an axis of one voxel before all (a 2D image)."""
    single = np.flatnonzero(shape == 1)
    if single.size > 1:
        raise PlanError(
            "the images are lines, not planes or volumes",
            expected="at least two axes of more than one voxel",
            found=f"median shape {tuple(map(float, shape[::-1]))} along i, j, k",
            fix="check the images' shape and spacing with `medarch check`",
        )
    first = int(single[0]) if single.size else int(np.argmax(spacing))
    return [first, *(axis for axis in range(3) if axis != first)]
