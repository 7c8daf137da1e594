"""What the planner needs to know of a dataset: grids, intensities, and how much of each label there is."""

from __future__ import annotations

from typing import Literal

from medarch.core.geometry import Triple
from medarch.core.record import Record
from medarch.core.stain_colours import StainColours


class IntensityStatistics(Record):
    """Statistics of one channel over foreground voxels sampled from every case (nnU-Net's rule).

    Of a classification, which has no foreground, over voxels that are not 0.
    """

    mean: float
    median: float
    std: float
    min: float
    max: float
    percentile_00_5: float
    percentile_99_5: float


class CaseFingerprint(Record):
    """One case. All triples are in file order i, j, k."""

    id: str
    shape: Triple
    shape_after_crop: Triple
    spacing_mm: tuple[float, float, float]
    axcodes: str
    label_voxels: dict[int, int]
    """Voxels of each label value inside the crop, values that do not occur left out."""
    label_centroids_mm: dict[int, tuple[float, float, float]] = {}
    """Mean position of each label value, RAS millimetres: how the classes are arranged in the body."""
    content_sha256: str
    """Hash of the bytes of every file of the case."""


class LandmarkStatistics(Record):
    """How far landmarks of one name lie apart, over a spread of the pairs that have some in common."""

    pairs: int
    """Measured."""
    distance_world_mm: float
    """Mean, with points of the world on each other."""
    distance_centres_mm: float
    """Mean, with the centres of the images on each other."""
    range_world_mm: float
    """95th percentile."""
    range_centres_mm: float


class PairStatistics(Record):
    """How the images of a registration lie to each other, from a spread of its pairs."""

    pairs: int
    """Measured."""
    of: Literal["labels", "brightness"]
    """What was compared: label maps, or, without them, the voxels above the image's mean."""
    one_grid: bool
    """Whether every image lies on one grid."""
    overlap_world: float
    """Mean Dice with points of the world on each other."""
    overlap_centres: float
    """Mean Dice with the centres of the images on each other."""
    range_world_mm: float
    """95th percentile of how far the faces of a structure's box lie apart: what a field has to reach."""
    range_centres_mm: float
    landmarks: LandmarkStatistics | None = None
    """None where no pair has any in common."""


class NucleiFingerprint(Record):
    """What images of nuclei show, all cases together. Sizes are the 5th percentile, the median, the 95th percentile."""

    mpp: float | None = None
    """Micrometres a pixel; None for volumes."""
    nuclei: int
    diameter_pixels: tuple[float, float, float]
    """Of circles with the nuclei's areas; of volumes, of spheres, in cubic voxels as large as the files'."""
    largest_pixels: int
    """Longest side of a nucleus' box, 99.9th percentile."""
    per_mm2: float | None = None
    """Nuclei a square millimetre of image; None for volumes."""
    per_mm3: float | None = None
    """Nuclei a cubic millimetre of volume."""
    diameter_mm: tuple[float, float, float] | None = None
    """Of spheres with the nuclei's volumes."""
    extents_mm: tuple[tuple[float, float, float], ...] = ()
    """Of volumes: sides of the nuclei's boxes along the file's axes i, j, k."""
    touching_share: float
    """Nuclei that touch another one."""
    type_counts: dict[str, int] = {}
    """Nuclei of each type, where types are known."""
    stains: StainColours | None = None
    """Of the image whose stains lie in the middle; None where none could be measured."""


class Fingerprint(Record):
    """The second record of the data flow."""

    schema_version: Literal[1] = 1
    dataset: str
    dataset_sha256: str
    cases: tuple[CaseFingerprint, ...]
    intensities: tuple[IntensityStatistics, ...]
    """One entry a channel."""
    median_relative_size_after_crop: float
    num_training: int
    """What nnU-Net's planner multiplies with: ``numTraining`` of dataset.json, else the number of cases."""
    class_counts: dict[str, int] = {}
    """Cases of each class, for a classification."""
    pairs: PairStatistics | None = None
    """For a registration."""
    nuclei: NucleiFingerprint | None = None
