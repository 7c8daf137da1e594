"""Where on a slide there is tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.io.slides.slide import Slide
from medarch.preprocessing.slides.overview import overview

MASK_UM = 8.0
"""Side of a mask pixel, about that of a nucleus."""
OTSU_RANGE = (0.03, 0.12)
"""Otsu's threshold of optical density is kept inside: he splits any picture in two, also one of tissue only (above) or
of glass only (below). Glass has 0 to 0.02, pale stroma 0.1, haematoxylin 0.3 and more."""
SMALLEST_UM2 = 4096.0
"""A smaller patch (64 µm square) without a larger one beside it is dust."""
CLOSING_UM = 32.0


@dataclass(frozen=True)
class TissueMask:
    """A small picture of where to look."""

    mask: np.ndarray
    """``(rows, columns)`` bool."""
    side: float
    """Level-0 pixels in the side of one of its pixels."""
    threshold: float
    """Optical density from which on it is tissue."""
    colour: np.ndarray
    """Mean optical density of the tissue, ``(3,)`` in red, green and blue; zeros without tissue."""
    area_mm2: float

    def touches(self, left: float, top: float, right: float, bottom: float) -> bool:
        """Whether a box, in level-0 pixels, holds tissue."""
        first_row, first_column = max(int(top / self.side), 0), max(int(left / self.side), 0)
        last_row, last_column = int(np.ceil(bottom / self.side)), int(np.ceil(right / self.side))
        return bool(self.mask[first_row:last_row, first_column:last_column].any())


def tissue_mask(slide: Slide) -> TissueMask:
    """Find the tissue.

    The rule: mean RGB over pixels of 8 µm; optical density, the mean of −log10(I / 255) over the colours; Otsu's
    threshold of it, kept in :data:`OTSU_RANGE`; holes and gaps of up to 32 µm closed; patches under 64 × 64 µm left
    out; all grown by one pixel.
    """
    from scipy import ndimage

    means, side = overview(slide, MASK_UM / slide.mpp)
    density = -np.log10((means + 1) / 256)
    dark = density.mean(axis=-1)
    threshold = float(np.clip(_otsu(dark), *OTSU_RANGE))
    mask = dark > threshold
    colour = density[mask].mean(axis=0) if mask.any() else np.zeros(3)
    pixel_um = side * slide.mpp
    around = np.ones((3, 3), bool)
    steps = max(round(CLOSING_UM / 2 / pixel_um), 1)
    padded = ndimage.binary_closing(np.pad(mask, steps), around, iterations=steps)
    mask = ndimage.binary_fill_holes(padded)[steps:-steps, steps:-steps]
    patches, count = ndimage.label(mask, around)
    sizes = np.bincount(patches.ravel(), minlength=count + 1) * pixel_um**2
    # A picture smaller than the smallest patch may still be all tissue.
    least = min(SMALLEST_UM2, mask.size * pixel_um**2 / 2)
    mask = (sizes >= least)[patches] & (patches > 0)
    area = float(mask.sum()) * (pixel_um / 1000) ** 2
    return TissueMask(ndimage.binary_dilation(mask, around), side, threshold, colour, area)


def whole_slide(slide: Slide) -> TissueMask:
    """A mask that holds everything, where the user wants every pixel looked at."""
    found = tissue_mask(slide)
    area = slide.size[0] * slide.size[1] * (slide.mpp / 1000) ** 2
    return TissueMask(np.ones_like(found.mask), found.side, 0.0, found.colour, area)


def _otsu(values: np.ndarray) -> float:
    """The threshold with the largest variance between the two classes (Otsu 1979), on a histogram of 256 bins."""
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(float)
    above = below[-1] + counts[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(centres[int(np.argmax(np.nan_to_num(between)))])
