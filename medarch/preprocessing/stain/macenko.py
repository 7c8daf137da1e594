"""Macenko's stain normalisation."""

from __future__ import annotations

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.stain_colours import StainColours
from medarch.preprocessing.stain.optical_density import from_optical_density, optical_density

LEAST_DENSITY = 0.15
"""Pixels with less are glass."""
ANGLE_PERCENTILE = 1.0
STRENGTH_PERCENTILE = 99.0
FEWEST_PIXELS = 100


def measure_stains(image: np.ndarray) -> StainColours:
    """Return the stains of an image: the outermost directions in the plane that explains most of the densities.

    Source: Macenko et al. 2009, doi:10.1109/ISBI.2009.5193250.

    Args:
        image: ``(J, I, 3)`` uint8.

    Raises:
        PreprocessingError: there is too little tissue, or only one colour.
    """
    density = optical_density(image).reshape(-1, 3).astype(np.float64)
    tissue = density[(density > LEAST_DENSITY).all(axis=1)]
    if len(tissue) < FEWEST_PIXELS:
        raise PreprocessingError(
            "the stains of an image cannot be measured",
            expected=f"{FEWEST_PIXELS} pixels of tissue",
            found=str(len(tissue)),
            fix="leave the image as it is, or measure a larger field of the same slide",
        )
    _, vectors = np.linalg.eigh(np.cov(tissue.T))
    plane = vectors[:, [2, 1]]
    plane *= np.where(plane.sum(axis=0) < 0, -1, 1)
    angles = np.arctan2(tissue @ plane[:, 1], tissue @ plane[:, 0])
    ends = np.percentile(angles, (ANGLE_PERCENTILE, 100 - ANGLE_PERCENTILE))
    first, second = (plane @ (np.cos(angle), np.sin(angle)) for angle in ends)
    # Haematoxylin is blue: it takes more of the red than eosin does.
    matrix = np.stack((first, second) if first[0] > second[0] else (second, first))
    if abs(matrix[0] @ matrix[1]) > 0.9999:
        raise PreprocessingError(
            "the stains of an image cannot be measured", expected="two colours", found="one", fix="leave it as it is"
        )
    strength = np.percentile(tissue @ np.linalg.pinv(matrix), STRENGTH_PERCENTILE, axis=0)
    haematoxylin, eosin = (tuple(vector) for vector in matrix.tolist())
    return StainColours(haematoxylin=haematoxylin, eosin=eosin, strength=tuple(np.maximum(strength, 1e-3).tolist()))


def normalise_stains(image: np.ndarray, wanted: StainColours) -> np.ndarray:
    """Return ``(J, I, 3)`` uint8 with the wanted stains in place of its own.

    Raises:
        PreprocessingError: see :func:`measure_stains`.
    """
    own = measure_stains(image)
    amounts = optical_density(image) @ np.linalg.pinv(np.array((own.haematoxylin, own.eosin)))
    amounts *= np.array(wanted.strength) / own.strength
    return from_optical_density(amounts @ np.array((wanted.haematoxylin, wanted.eosin)))
