"""A volume of nuclei, its reference, and what was found in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medarch.core.dataset import Case
from medarch.core.errors import GeometryError
from medarch.core.plan import PreprocessingPlan
from medarch.io.nuclei.read_nuclei import read_nuclei, read_volume_instances, read_volume_of_nuclei
from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.preprocessing.nuclei.read_nuclei_images import read_nuclei_volumes
from medarch.reporting.nuclei.draw_found import FoundPicture, draw_found_volume


@dataclass(frozen=True)
class FoundVolume:
    """Where the files lie."""

    case: Case
    """With image and reference."""
    found: Path
    """Instances: ``.npz`` along the network's axes as training writes them, or a volume on the image's grid."""
    recipe: PreprocessingPlan
    """How the model sees volumes."""

    def draw(self) -> tuple[FoundPicture, ...]:
        """Return the middle planes across the three axes.

        Raises:
            MedarchError: a file cannot be read, or they lie on different grids.
        """
        if self.found.suffix == ".npz":
            return self._as_the_network_saw_it()
        volumes, _ = read_volume_of_nuclei(self.case, channels=len(self.recipe.normalisation))
        found, _, grid = read_volume_instances(self.found)
        if volumes.label is None or (differences := volumes.geometry.differences(grid)):
            raise self._misfit("one grid", "; ".join(differences) if volumes.label is not None else "no reference")
        # Planes of the third axis lie as a microscope shows them: the first axis to the right, the second downwards.
        image = NucleiImage(volumes.images.transpose(3, 2, 1, 0), volumes.label.transpose(2, 1, 0))
        spacing = volumes.geometry.spacing_mm[::-1]
        return draw_found_volume(image, found.transpose(2, 1, 0), spacing=spacing, names=("k", "j", "i"))

    def _as_the_network_saw_it(self) -> tuple[FoundPicture, ...]:
        found, _ = read_nuclei(self.found)
        [image] = read_nuclei_volumes([self.case], self.recipe).values()
        if found.shape != image.instances.shape:
            raise self._misfit("×".join(map(str, image.instances.shape)), "×".join(map(str, found.shape)))
        spacing = [length or 1.0 for length in self.recipe.spacing_mm]
        return draw_found_volume(image, found, spacing=spacing)

    def _misfit(self, expected: str, found: str) -> GeometryError:
        return GeometryError(
            f"{self.found} does not lie on the volume {self.case.id}",
            expected=expected,
            found=found,
            fix="give the prediction of this volume",
        )
