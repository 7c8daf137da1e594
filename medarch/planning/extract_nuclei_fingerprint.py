"""The fingerprint of a dataset of nuclei."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medarch.core.dataset import Case, Dataset
from medarch.core.errors import DatasetError, MedarchError, PreprocessingError
from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics, NucleiFingerprint
from medarch.core.labels import IGNORE
from medarch.core.parallel import run_parallel
from medarch.core.stain_colours import StainColours
from medarch.preprocessing.nuclei.read_nuclei_images import read_nuclei_image
from medarch.preprocessing.stain.macenko import measure_stains

_SAMPLES = 20_000
"""Pixels an image that colours are measured on."""


@dataclass(frozen=True)
class _Measure:
    shape: tuple[int, int]
    areas: np.ndarray
    sides: np.ndarray
    touching: int
    types: np.ndarray
    """``(n,)`` the type of each nucleus, 0 where there is none."""
    colours: np.ndarray
    """``(samples, 3)``"""
    stains: StainColours | None
    sha256: str


def extract_nuclei_fingerprint(
    dataset: Dataset, *, workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Fingerprint:
    """Measure sizes, density, colours and types of the nuclei of every training case.

    Args:
        dataset: of nuclei.
        workers: processes; default one a core, 0 for none.
        progress: called with ``(cases done, cases in all)``.

    Raises:
        DatasetError: cases cannot be read (the message lists all of them), or no image has a nucleus.
    """
    measures: dict[str, _Measure] = {}
    errors: dict[str, MedarchError] = {}
    for done, outcome in enumerate(run_parallel(_measure, dataset.cases, workers=workers), start=1):
        if outcome.error is not None:
            errors[outcome.item.id] = outcome.error
        elif outcome.value is not None:
            measures[outcome.item.id] = outcome.value
        if progress:
            progress(done, len(dataset.cases))
    if errors:
        raise DatasetError(
            f"{len(errors)} of {len(dataset.cases)} cases of {dataset.name} cannot be measured",
            found="".join(f"\n  {case}: {error}" for case, error in sorted(errors.items())),
            fix="`medarch check` says what is wrong with each file; repair or leave out these cases",
        )
    every = [measures[case.id] for case in dataset.cases]
    if not sum(len(one.areas) for one in every):
        raise DatasetError(f"no image of {dataset.name} has a nucleus", fix="check the instance maps")
    mpp = dataset.mpp or 1.0
    colours = np.concatenate([one.colours for one in every])
    return Fingerprint(
        dataset=dataset.name,
        dataset_sha256=dataset.content_sha256(),
        cases=tuple(_case(case, measures[case.id], mpp) for case in dataset.cases),
        intensities=tuple(_statistics(channel) for channel in colours.T),
        median_relative_size_after_crop=1.0,
        num_training=len(dataset.cases),
        nuclei=_pool(every, dataset, mpp),
    )


def _measure(case: Case) -> _Measure:
    read = read_nuclei_image(case)
    numbers, code = np.unique(read.instances, return_inverse=True)
    code = code.reshape(read.instances.shape)
    areas = np.bincount(code.ravel())[1 if numbers[0] == 0 else 0 :]
    labels = np.where(read.instances > 0, code + (numbers[0] != 0), 0)
    boxes = [box for box in ndimage.find_objects(labels) if box is not None]
    sides = np.array([max(side.stop - side.start for side in box) for box in boxes], int)
    types = np.zeros(len(areas), int)
    if read.types is not None:
        counts = np.zeros((len(areas) + 1, int(read.types.max()) + 1), int)
        np.add.at(counts, (labels.ravel(), read.types.ravel()), 1)
        types = counts[1:].argmax(axis=1)
    pixels = read.image.reshape(-1, 3)
    try:
        stains = measure_stains(read.image)
    except PreprocessingError:
        stains = None
    digest = hashlib.sha256()
    for path in case.files():
        digest.update(path.read_bytes())
    return _Measure(
        shape=(read.image.shape[0], read.image.shape[1]),
        areas=areas,
        sides=sides,
        touching=_touching(labels),
        types=types,
        colours=pixels[:: max(1, len(pixels) // _SAMPLES)].astype(float),
        stains=stains,
        sha256=digest.hexdigest(),
    )


def _touching(labels: np.ndarray) -> int:
    """Nuclei with a pixel beside one of another nucleus."""
    found: set[int] = set()
    for one, other in ((labels[:-1], labels[1:]), (labels[:, :-1], labels[:, 1:])):
        beside = (one != other) & (one > 0) & (other > 0)
        found.update(np.unique(one[beside]).tolist(), np.unique(other[beside]).tolist())
    return len(found)


def _case(case: Case, measure: _Measure, mpp: float) -> CaseFingerprint:
    rows, columns = measure.shape
    return CaseFingerprint(
        id=case.id,
        shape=(columns, rows, 1),
        shape_after_crop=(columns, rows, 1),
        spacing_mm=(mpp / 1000, mpp / 1000, 1.0),
        axcodes="LPS",
        label_voxels={
            kind: int(measure.areas[measure.types == kind].sum()) for kind in sorted(set(measure.types.tolist()))
        },
        content_sha256=measure.sha256,
    )


def _statistics(values: np.ndarray) -> IntensityStatistics:
    low, median, high = np.percentile(values, (0.5, 50, 99.5))
    return IntensityStatistics(
        mean=float(values.mean()),
        median=float(median),
        std=float(values.std()),
        min=float(values.min()),
        max=float(values.max()),
        percentile_00_5=float(low),
        percentile_99_5=float(high),
    )


def _pool(every: list[_Measure], dataset: Dataset, mpp: float) -> NucleiFingerprint:
    areas = np.concatenate([one.areas for one in every])
    low, median, high = np.percentile(2 * np.sqrt(areas / np.pi), (5, 50, 95))
    types = np.concatenate([one.types for one in every])
    names = {dataset.labels.labels[name]: name for name in dataset.labels.foreground_names if name != IGNORE}
    typed = len(names) > 1
    return NucleiFingerprint(
        mpp=mpp,
        nuclei=len(areas),
        diameter_pixels=(float(low), float(median), float(high)),
        largest_pixels=int(np.percentile(np.concatenate([one.sides for one in every]), 99.9)),
        per_mm2=float(len(areas) / (sum(np.prod(one.shape) for one in every) * (mpp / 1000) ** 2)),
        touching_share=sum(one.touching for one in every) / len(areas),
        type_counts={name: int((types == value).sum()) for value, name in names.items() if isinstance(value, int)}
        if typed
        else {},
        stains=_middle([one.stains for one in every if one.stains is not None]),
    )


def _middle(stains: list[StainColours]) -> StainColours | None:
    """The image whose stains differ least from those of the others."""
    if not stains:
        return None
    vectors = np.array([(*one.haematoxylin, *one.eosin) for one in stains])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2).sum(axis=1)
    return stains[int(distances.argmin())]
