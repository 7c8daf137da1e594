"""An image of nuclei, its reference, and what was found in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case
from medarch.core.errors import GeometryError
from medarch.io.nuclei.read_nuclei import read_nuclei
from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.preprocessing.nuclei.read_nuclei_images import read_nuclei_image


@dataclass(frozen=True)
class FoundNuclei:
    """Where the files lie."""

    case: Case
    """With image and reference."""
    found: Path
    """Instances as found, at the resolution of the model."""

    def load(self) -> tuple[NucleiImage, np.ndarray]:
        """Return image and reference at the model's resolution, and the instances found, ``(J, I)``.

        Raises:
            MedarchError: a file cannot be read, or they differ in size.
        """
        image, found = read_nuclei_image(self.case), read_nuclei(self.found)[0]
        if found.shape != image.instances.shape:
            image = read_nuclei_image(self.case, scale=found.shape[0] / image.instances.shape[0])
        if found.shape != image.instances.shape:
            raise GeometryError(
                f"{self.found} is of another size than the image of {self.case.id}",
                expected="×".join(map(str, image.instances.shape)),
                found="×".join(map(str, found.shape)),
                fix="give the prediction of this image",
            )
        return image, found
