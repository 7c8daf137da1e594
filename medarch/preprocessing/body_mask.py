"""Where the body is, so that air need not be looked at."""

from __future__ import annotations

import numpy as np

COARSE_MM = 4.0
"""The body is found on every n-th voxel, about so far apart."""
MARGIN_MM = 12.0
SMALLEST_SHARE = 0.05
"""Parts smaller than this share of the largest are not the body: the table, tubes, noise."""
BINS = 256


def body_mask(image: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Return the voxels of the body and 12 mm around it.

    Voxels above Otsu's threshold (1979, IEEE Trans. SMC 9:62), in parts of at least 5 % of the largest, holes filled
    in every plane: lungs and bowel belong to the body.

    Args:
        image: ``(I, J, K)``: CT, or MR with dark air.
        spacing_mm: of its axes.

    Returns:
        ``(I, J, K)`` bool; everything where the image has one value only.
    """
    from scipy import ndimage

    steps = [max(1, round(COARSE_MM / spacing)) for spacing in spacing_mm]
    coarse = image[tuple(slice(step // 2, None, step) if step <= size else slice(0, None, step) for step, size in
                         zip(steps, image.shape, strict=True))]  # fmt: skip
    low, high = np.percentile(coarse, (0.5, 99.5))
    if low == high:
        return np.ones(image.shape, dtype=bool)
    body = coarse > _otsu(np.clip(coarse, low, high))
    parts, count = ndimage.label(body)
    if count > 1:
        sizes = np.bincount(parts.ravel())[1:]
        body = np.isin(parts, 1 + np.flatnonzero(sizes >= SMALLEST_SHARE * sizes.max()))
    for axis in range(3):
        for plane in np.moveaxis(body, axis, 0):
            plane[...] = ndimage.binary_fill_holes(plane)
    distances = ndimage.distance_transform_edt(
        ~body, sampling=[step * spacing for step, spacing in zip(steps, spacing_mm, strict=True)]
    )
    wide: np.ndarray = distances <= MARGIN_MM
    for axis, step in enumerate(steps):
        nearest = np.minimum(np.arange(image.shape[axis]) // step, wide.shape[axis] - 1)
        wide = wide.take(nearest, axis)
    return wide


def _otsu(values: np.ndarray) -> float:
    counts, edges = np.histogram(values, bins=BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()
    above = counts.sum() - below
    sums = (counts * centres).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(between)])
