"""Distances between the surfaces of two masks, each weighted by the area of the surface element it belongs to.

The idea is DeepMind's (Nikolov et al., J Med Internet Res 2021, 23(7):e26151), used by the Medical Segmentation
Decathlon: a surface element lies in each 2x2x2 neighbourhood that holds voxels inside and outside; its area follows
from the pattern (:mod:`medarch.evaluation.surface_element_sizes`), its place is the corner where the eight voxels meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medarch.core.errors import EvaluationError
from medarch.evaluation.surface_element_sizes import surface_element_sizes

SURFACE_METHOD = "medarch-1: area-weighted 2x2x2 surface elements (as DeepMind surface-distance, MSD)"
"""Written into each Evaluation, because tools differ by up to 0.18 NSD on one pair of masks."""
ROUNDING_MM = 1e-5
"""A distance this much above the tolerance still counts as within: NIfTI headers hold spacing as float32."""


@dataclass(frozen=True)
class SurfaceDistances:
    """Distance in mm from each element of one surface to the nearest element of the other, and the element's area.

    All arrays are 1D float64; areas are mm² (mm for an image).
    """

    prediction_mm: np.ndarray
    prediction_area: np.ndarray
    reference_mm: np.ndarray
    reference_area: np.ndarray

    def nsd(self, tolerance_mm: float) -> float:
        """Normalised surface distance: the share of both surfaces that lies within the tolerance of the other."""
        limit = tolerance_mm + ROUNDING_MM
        within = self.prediction_area[self.prediction_mm <= limit].sum()
        within += self.reference_area[self.reference_mm <= limit].sum()
        return float(within / (self.prediction_area.sum() + self.reference_area.sum()))

    def hausdorff_mm(self, percent: float = 95.0) -> float:
        """Hausdorff distance at a percentile: the distance within which ``percent`` of the area lies, larger side."""
        return max(
            _percentile(self.prediction_mm, self.prediction_area, percent=percent),
            _percentile(self.reference_mm, self.reference_area, percent=percent),
        )

    def assd_mm(self) -> float:
        """Average symmetric surface distance: the area-weighted mean over both surfaces together."""
        weighted = self.prediction_mm @ self.prediction_area + self.reference_mm @ self.reference_area
        return float(weighted / (self.prediction_area.sum() + self.reference_area.sum()))


def surface_distances(
    prediction: np.ndarray, reference: np.ndarray, *, spacing_mm: Sequence[float]
) -> SurfaceDistances:
    """Measure two boolean masks of shape ``(I, J, K)``.

    With an axis of length 1 they are images, and contours are measured instead of surfaces. Beyond the
    array lies background, so a mask that touches the border has a surface there.

    Raises:
        EvaluationError: the shapes differ, or a mask is empty (it has no surface).
    """
    if prediction.shape != reference.shape or not prediction.any() or not reference.any():
        raise EvaluationError(
            "no distance between these surfaces",
            expected="two masks of one shape, none empty",
            found=f"shapes {prediction.shape} and {reference.shape}, "
            f"{np.count_nonzero(prediction)} and {np.count_nonzero(reference)} voxels",
            fix="measure_case() gives such cases a status and a value",
        )
    axes = [axis for axis, size in enumerate(prediction.shape) if size > 1]
    # A row or a single voxel is still an image; a slab one voxel thin is one, whatever its orientation.
    axes = (axes + [axis for axis in range(prediction.ndim) if axis not in axes])[: max(2, len(axes))]
    spacing = np.asarray(spacing_mm, dtype=float)[sorted(axes)]
    thin = tuple(axis for axis in range(prediction.ndim) if axis not in axes)
    box = _bounding_box(prediction | reference)
    codes = [_neighbour_codes(mask[box].squeeze(thin)) for mask in (prediction, reference)]
    sizes = surface_element_sizes(spacing)
    surfaces = [sizes[code] > 0 for code in codes]
    distances = [
        _distances_to_other(surfaces[0], surfaces[1], spacing=spacing),
        _distances_to_other(surfaces[1], surfaces[0], spacing=spacing),
    ]
    areas = [sizes[code[surface]] for code, surface in zip(codes, surfaces, strict=True)]
    return SurfaceDistances(distances[0], areas[0], distances[1], areas[1])


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    box = []
    for axis in range(mask.ndim):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    return tuple(box)


def _neighbour_codes(mask: np.ndarray) -> np.ndarray:
    """Return which corners of each cell are inside, as bits; one cell more than voxels along each axis."""
    code: np.ndarray = np.pad(mask, 1).astype(np.uint8)
    for axis in range(code.ndim):
        size = code.shape[axis] - 1
        lower, upper = (code.take(range(start, start + size), axis=axis) for start in (0, 1))
        code = lower | upper << (1 << axis)
    return code


def _distances_to_other(surface: np.ndarray, other: np.ndarray, *, spacing: np.ndarray) -> np.ndarray:
    """Return the distance in mm from each element of a surface to the nearest element of the other."""
    # A tree of the surface alone: on 400x400x200 voxels 30 times faster than a Euclidean distance transform.
    from scipy.spatial import KDTree

    distances = np.zeros(np.count_nonzero(surface))
    apart = ~other[surface]
    if apart.any():
        elements, targets = np.argwhere(surface)[apart], np.argwhere(other)
        tree = KDTree(targets * spacing, balanced_tree=False, compact_nodes=False)
        _, nearest = tree.query(elements * spacing)
        # From whole steps, so that equal distances are equal to the last bit wherever the masks lie.
        distances[apart] = np.sqrt((((elements - targets[nearest]) * spacing) ** 2).sum(axis=1))
    return distances


def _percentile(distances: np.ndarray, areas: np.ndarray, *, percent: float) -> float:
    order = np.argsort(distances)
    share = np.cumsum(areas[order]) / areas.sum()
    position = min(int(np.searchsorted(share, percent / 100)), len(order) - 1)
    return float(distances[order[position]])
