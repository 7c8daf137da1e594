"""One case of the fingerprint: read it, or take what an earlier run kept of it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case, TaskName, case_sha256
from medarch.core.errors import DatasetError
from medarch.core.fingerprint import CaseFingerprint
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.io.read_case import CaseVolumes, read_case
from medarch.planning.case_entry import CaseEntry, CaseRecord, compact, entry_path, read_entry, write_entry
from medarch.planning.foreground_draws import foreground_draws
from medarch.planning.pooled_statistics import merge_weighted
from medarch.preprocessing.crop import nonzero_box
from medarch.preprocessing.nonzero_mask import nonzero_mask


@dataclass(frozen=True)
class CaseTask:
    """What a worker needs to measure a case."""

    case: Case
    channels: int
    labels: LabelScheme
    waived: tuple[str, ...]
    draws: int
    """Foreground voxels to draw for each channel."""
    cache: Path | None
    """Folder of the entries."""
    task: TaskName = "segmentation"

    def recipe_sha256(self) -> str:
        """Hash of all that the entry depends on besides the files."""
        recipe = (self.channels, self.labels.sha256(), tuple(sorted(self.waived)))
        return hashlib.sha256(repr(recipe).encode()).hexdigest()


@dataclass(frozen=True)
class CaseMeasure:
    """A case's part of the fingerprint."""

    fingerprint: CaseFingerprint
    intensities: tuple[tuple[np.ndarray, np.ndarray], ...]
    """``(values, weights)`` of each channel: how often each intensity was drawn."""

    @property
    def relative_size(self) -> float:
        """Voxels after the crop as a share of those before."""
        return math.prod(self.fingerprint.shape_after_crop) / math.prod(self.fingerprint.shape)


def measure_case(task: CaseTask) -> CaseMeasure:
    """Measure a case, from its entry if that is still true.

    Raises:
        MedarchError: the case cannot be read.
    """
    for path in task.case.files():
        if not path.is_file():
            raise DatasetError("a file is missing", found=str(path))
    kept = entry_path(task.cache, task.case.id) if task.cache else None
    entry = _kept(kept, task) if kept else None
    if entry is None:
        entry = _read(task)
        if kept:
            write_entry(kept, entry)
    return CaseMeasure(entry.record.fingerprint, _draw(entry, task.draws))


def _kept(path: Path, task: CaseTask) -> CaseEntry | None:
    """Return the entry if it answers this task; touched files with the same bytes are still the same."""
    entry = read_entry(path)
    if entry is None or entry.record.recipe_sha256 != task.recipe_sha256():
        return None
    if entry.record.draws < task.draws and not entry.is_whole:
        return None
    files = case_sha256(task.case)
    if files != entry.record.files_sha256:
        if _content_sha256(task.case) != entry.record.fingerprint.content_sha256:
            return None
        entry = replace(entry, record=entry.record.model_copy(update={"files_sha256": files}))
        write_entry(path, entry)
    return entry


def _content_sha256(case: Case) -> str:
    """Hash as ``read_case`` does, without decoding; an image with a detached header differs and is read again."""
    digest = hashlib.sha256()
    for path in case.files():
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").hexdigest().encode())
    return digest.hexdigest()


def _read(task: CaseTask) -> CaseEntry:
    files = case_sha256(task.case)  # before reading: a file that changes meanwhile must look changed
    volumes = read_case(task.case, channels=task.channels, labels=task.labels, waived=task.waived)
    whole = _label(volumes, task)
    has_label = volumes.label is not None and task.case.classes is None
    box = nonzero_box(volumes.images)
    inside = tuple(slice(start, stop) for start, stop in box)
    label = whole[inside].transpose(2, 1, 0)
    mask = label > 0
    images = volumes.images[(slice(None), *inside)].transpose(0, 3, 2, 1)
    intensities = np.stack([image[mask] for image in images])
    if not np.isfinite(intensities).all():
        raise DatasetError("foreground intensities are not finite", expected="numbers", found=task.case.id)
    foreground = intensities.shape[1]
    if foreground > task.draws:
        intensities = intensities[:, _reached(foreground, task.draws, task.channels)]
    record = CaseRecord(
        fingerprint=CaseFingerprint(
            id=task.case.id,
            shape=volumes.geometry.shape,
            shape_after_crop=(label.shape[2], label.shape[1], label.shape[0]),
            spacing_mm=volumes.geometry.spacing_mm,
            axcodes=volumes.geometry.axcodes,
            label_voxels=_label_voxels(label) if has_label else {},
            label_centroids_mm=_label_centroids_mm(whole, volumes.geometry) if has_label else {},
            content_sha256=volumes.content_sha256,
        ),
        files_sha256=files,
        recipe_sha256=task.recipe_sha256(),
        draws=task.draws,
        foreground=foreground,
    )
    return CaseEntry(record, compact(intensities))


def _label(volumes: CaseVolumes, task: CaseTask) -> np.ndarray:
    """Return the label map ``(I, J, K)``; of a case that needs none, where its images are not 0."""
    if task.case.classes is not None or (task.task == "registration" and volumes.label is None):
        return nonzero_mask(volumes.images).astype(np.uint8)
    if volumes.label is None:
        raise DatasetError("a training case has no label", found=task.case.id)
    return volumes.label


def _label_voxels(label: np.ndarray) -> dict[int, int]:
    counts = np.zeros(int(label.max()) + 1, dtype=np.int64)
    for plane in label:  # plane by plane, because bincount copies its input to 8 bytes a voxel
        counts += np.bincount(plane.ravel(), minlength=counts.size)
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


def _label_centroids_mm(label: np.ndarray, geometry: Geometry) -> dict[int, tuple[float, float, float]]:
    """Centroid of each value above 0 in RAS millimetres."""
    voxels = np.nonzero(label)
    values = label[voxels]
    counts = np.bincount(values)
    means = [np.bincount(values, weights=axis) / np.maximum(counts, 1) for axis in voxels]
    matrix = geometry.matrix
    found = {}
    for value in np.flatnonzero(counts):
        x, y, z = matrix[:3, :3] @ [mean[value] for mean in means] + matrix[:3, 3]
        found[int(value)] = (float(x), float(y), float(z))
    return found


def _reached(foreground: int, draws: int, channels: int) -> np.ndarray:
    """Foreground voxels that fewer or as many draws can reach, ``(foreground,)`` bool."""
    counts = foreground_draws(foreground, draws=draws, channels=channels)
    return np.asarray(counts.any(axis=0))


def _draw(entry: CaseEntry, draws: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    record, channels = entry.record, entry.intensities.shape[0]
    weights = foreground_draws(record.foreground, draws=draws, channels=channels)
    if not entry.is_whole:
        weights = weights[:, _reached(record.foreground, record.draws, channels)]
    return tuple(merge_weighted(*channel) for channel in zip(entry.intensities, weights, strict=True))
