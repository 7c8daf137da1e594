"""The fingerprint of a dataset of nuclei."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import ndimage

from medarch.core.dataset import Case, Dataset
from medarch.core.errors import DatasetError, MedarchError, PreprocessingError
from medarch.core.fingerprint import CaseFingerprint, Fingerprint, IntensityStatistics, NucleiFingerprint
from medarch.core.labels import IGNORE
from medarch.core.parallel import run_parallel
from medarch.core.stain_colours import StainColours
from medarch.io.nuclei.read_nuclei import read_volume_of_nuclei
from medarch.preprocessing.nuclei.read_nuclei_images import read_nuclei_image
from medarch.preprocessing.stain.macenko import measure_stains

_SAMPLES = 20_000
"""Pixels an image that colours are measured on."""


@dataclass(frozen=True)
class _Measure:
    shape: tuple[int, ...]
    """Of the file's axes: i, j, and of volumes k."""
    spacing_mm: tuple[float, ...]
    areas: np.ndarray
    """``(n,)`` pixels of each nucleus."""
    sides: np.ndarray
    """``(n, dim)`` pixels of its box along the file's axes."""
    touching: int
    types: np.ndarray
    """``(n,)`` the type of each nucleus, 0 where there is none."""
    intensities: np.ndarray
    """``(samples, C)`` of a picture's pixels, of a volume's nuclei."""
    stains: StainColours | None
    sha256: str
    axcodes: str = "LPS"


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
    measure = partial(_measure, mpp=dataset.mpp, channels=len(dataset.channels))
    for done, outcome in enumerate(run_parallel(measure, dataset.cases, workers=workers), start=1):
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
    intensities = np.concatenate([one.intensities for one in every])
    return Fingerprint(
        dataset=dataset.name,
        dataset_sha256=dataset.content_sha256(),
        cases=tuple(_case(case, measures[case.id]) for case in dataset.cases),
        intensities=tuple(_statistics(channel) for channel in intensities.T),
        median_relative_size_after_crop=1.0,
        num_training=len(dataset.cases),
        nuclei=_pool(every, dataset),
    )


def _measure(case: Case, *, mpp: float | None, channels: int) -> _Measure:
    digest = hashlib.sha256()
    for path in case.files():
        digest.update(path.read_bytes())
    if mpp is None:
        return _measure_volume(case, channels, digest.hexdigest())
    read = read_nuclei_image(case)
    pixels = read.image.reshape(-1, 3)
    try:
        stains = measure_stains(read.image)
    except PreprocessingError:
        stains = None
    return _Measure(
        shape=read.instances.T.shape,
        spacing_mm=(mpp / 1000,) * 2,
        intensities=_some(pixels),
        stains=stains,
        sha256=digest.hexdigest(),
        **_objects(read.instances.T, None if read.types is None else read.types.T),
    )


def _measure_volume(case: Case, channels: int, sha256: str) -> _Measure:
    volumes, types = read_volume_of_nuclei(case, channels=channels)
    if volumes.label is None:
        raise PreprocessingError(f"case {case.id} has no instance map", fix="add it")
    return _Measure(
        shape=volumes.geometry.shape,
        spacing_mm=volumes.geometry.spacing_mm,
        intensities=_some(volumes.images[:, volumes.label > 0].T),
        stains=None,
        sha256=sha256,
        axcodes=volumes.geometry.axcodes,
        **_objects(volumes.label, types),
    )


def _some(values: np.ndarray) -> np.ndarray:
    return values[:: max(1, len(values) // _SAMPLES)].astype(float)


def _objects(instances: np.ndarray, kinds: np.ndarray | None) -> dict[str, Any]:
    """Areas, sides, neighbours and types of the nuclei of ``(I, J)`` or ``(I, J, K)``."""
    numbers, code = np.unique(instances, return_inverse=True)
    code = code.reshape(instances.shape)
    areas = np.bincount(code.ravel())[1 if numbers[0] == 0 else 0 :]
    labels = np.where(instances > 0, code + (numbers[0] != 0), 0)
    boxes = [box for box in ndimage.find_objects(labels) if box is not None]
    sides = np.array([[side.stop - side.start for side in box] for box in boxes], int).reshape(-1, instances.ndim)
    types = np.zeros(len(areas), int)
    if kinds is not None:
        counts = np.zeros((len(areas) + 1, int(kinds.max()) + 1), int)
        np.add.at(counts, (labels.ravel(), kinds.ravel()), 1)
        types = counts[1:].argmax(axis=1)
    return {"areas": areas, "sides": sides, "touching": _touching(labels), "types": types}


def _touching(labels: np.ndarray) -> int:
    """Nuclei with a pixel beside one of another nucleus."""
    found: set[int] = set()
    for axis in range(labels.ndim):
        one, other = np.split(labels, [-1], axis)[0], np.split(labels, [1], axis)[1]
        beside = (one != other) & (one > 0) & (other > 0)
        found.update(np.unique(one[beside]).tolist(), np.unique(other[beside]).tolist())
    return len(found)


def _case(case: Case, measure: _Measure) -> CaseFingerprint:
    i, j, k = (*measure.shape, 1)[:3]
    across, down, deep = (*measure.spacing_mm, 1.0)[:3]
    return CaseFingerprint(
        id=case.id,
        shape=(i, j, k),
        shape_after_crop=(i, j, k),
        spacing_mm=(across, down, deep),
        axcodes=measure.axcodes,
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


def _pool(every: list[_Measure], dataset: Dataset) -> NucleiFingerprint:
    areas = np.concatenate([one.areas for one in every])
    volumes = dataset.mpp is None
    extent = sum(float(np.prod(one.shape) * np.prod(one.spacing_mm)) for one in every)
    types = np.concatenate([one.types for one in every])
    names = {dataset.labels.labels[name]: name for name in dataset.labels.foreground_names if name != IGNORE}
    typed = len(names) > 1
    sizes: dict[str, Any] = {"mpp": dataset.mpp, "per_mm2": len(areas) / extent}
    if volumes:
        mm3 = np.concatenate([one.areas * np.prod(one.spacing_mm) for one in every])
        mm = np.concatenate([one.sides * one.spacing_mm for one in every])
        sizes = {
            "per_mm3": len(areas) / extent,
            "diameter_mm": _percentiles(np.cbrt(6 / np.pi * mm3)),
            "extents_mm": tuple(_percentiles(axis) for axis in mm.T),
        }
    diameters = np.cbrt(6 / np.pi * areas) if volumes else 2 * np.sqrt(areas / np.pi)
    return NucleiFingerprint(
        **sizes,
        nuclei=len(areas),
        diameter_pixels=_percentiles(diameters),
        largest_pixels=int(np.percentile(np.concatenate([one.sides.max(axis=1) for one in every]), 99.9)),
        touching_share=sum(one.touching for one in every) / len(areas),
        type_counts={name: int((types == value).sum()) for value, name in names.items() if isinstance(value, int)}
        if typed
        else {},
        stains=_middle([one.stains for one in every if one.stains is not None]),
    )


def _percentiles(values: np.ndarray) -> tuple[float, float, float]:
    low, median, high = np.percentile(values, (5, 50, 95))
    return float(low), float(median), float(high)


def _middle(stains: list[StainColours]) -> StainColours | None:
    """The image whose stains differ least from those of the others."""
    if not stains:
        return None
    vectors = np.array([(*one.haematoxylin, *one.eosin) for one in stains])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2).sum(axis=1)
    return stains[int(distances.argmin())]
