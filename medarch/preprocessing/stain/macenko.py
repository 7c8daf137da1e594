"""Macenko's stain normalisation."""

from __future__ import annotations

from typing import Self

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.record import Record
from medarch.preprocessing.stain.optical_density import from_optical_density, optical_density

LEAST_DENSITY = 0.15
"""Pixels with less are glass."""
ANGLE_PERCENTILE = 1.0
STRENGTH_PERCENTILE = 99.0
FEWEST_PIXELS = 100
Colour = tuple[float, float, float]


class StainColours(Record):
    """What haematoxylin and eosin look like in one image.

    Source: Macenko et al. 2009, doi:10.1109/ISBI.2009.5193250.
    """

    haematoxylin: Colour
    """Unit vector of optical density, red, green, blue."""
    eosin: Colour
    strength: tuple[float, float]
    """Of each stain, the 99th percentile."""

    @classmethod
    def of(cls, image: np.ndarray) -> Self:
        """Measure an image.

        The two stains are the outermost directions in the plane that explains most of the densities.

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
        stains = (first, second) if first[0] > second[0] else (second, first)
        matrix = np.stack(stains)
        if abs(matrix[0] @ matrix[1]) > 0.9999:
            raise PreprocessingError(
                "the stains of an image cannot be measured",
                expected="two colours",
                found="one",
                fix="leave it as it is",
            )
        strength = np.percentile(tissue @ np.linalg.pinv(matrix), STRENGTH_PERCENTILE, axis=0)
        return cls(
            haematoxylin=tuple(matrix[0].tolist()),
            eosin=tuple(matrix[1].tolist()),
            strength=tuple(np.maximum(strength, 1e-3).tolist()),
        )

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return ``(J, I, 3)`` uint8 with this record's stains in place of its own.

        Raises:
            PreprocessingError: see :meth:`of`.
        """
        own = type(self).of(image)
        amounts = optical_density(image) @ np.linalg.pinv(np.array((own.haematoxylin, own.eosin)))
        amounts *= np.array(self.strength) / own.strength
        return from_optical_density(amounts @ np.array((self.haematoxylin, self.eosin)))
