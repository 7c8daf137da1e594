"""Everything that is kept of a volume."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case
from medarch.core.geometry import Geometry
from medarch.io.nuclei.nuclei_scale import NucleiScale
from medarch.io.nuclei.output_names import CSV, PARQUET, SUMMARY, VOLUME_LABELS
from medarch.io.nuclei.volume_summary import VolumeSummary
from medarch.io.nuclei.write_tables import write_tables
from medarch.io.write_volume import write_volume

DECIMALS = 7
"""Of the table: a tenth of a nanometre, where slides need four decimals of a micrometre."""
UM3_PER_MM3 = 1e9


@dataclass(frozen=True)
class VolumeNuclei:
    """The ``n`` nuclei of a volume, on its file's grid."""

    labels: np.ndarray
    """``(I, J, K)`` int32, numbered 1 to n."""
    probability: np.ndarray
    """``(n,)`` mean probability of being nucleus."""
    kinds: np.ndarray
    """``(n,)`` types from 1; 0 without types."""
    shares: np.ndarray
    """``(n, types)`` probabilities of the types."""


def write_volume_outputs(
    folder: Path,
    found: VolumeNuclei,
    geometry: Geometry,
    case: Case,
    names: tuple[str, ...],
    *,
    network_mm: tuple[float, float, float],
    warnings: tuple[str, ...] = (),
) -> VolumeSummary:
    """Write label map, tables and, last, the summary.

    Args:
        folder: where to; made if need be.
        found: the nuclei.
        geometry: the file's grid, which the label map gets.
        case: whose image's header the label map keeps, if it is NIfTI.
        names: of the types.
        network_mm: spacing of what the network saw.
        warnings: what the summary should say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).unlink(missing_ok=True)  # it is written last: where there is one, all is there
    columns = _columns(found, geometry, names)
    least = np.uint16 if len(found.kinds) <= np.iinfo(np.uint16).max else np.uint32
    write_volume(folder / VOLUME_LABELS, found.labels.astype(least), geometry, like=case.images[0])
    parquet = folder / PARQUET if importlib.util.find_spec("pyarrow") is not None else None
    write_tables(folder / CSV, parquet, [columns], decimals=DECIMALS)
    scale = _names(names)
    classes = {scale.name(kind): int((found.kinds == kind).sum()) for kind in (range(1, len(names) + 1) or (0,))}
    size_mm3 = float(np.prod(geometry.shape)) * _voxel_mm3(geometry)
    summary = VolumeSummary(
        volume=case.images[0].name,
        shape=geometry.shape,
        spacing_mm=geometry.spacing_mm,
        network_spacing_mm=network_mm,
        nuclei=len(found.kinds),
        classes=classes,
        per_mm3={name: count / size_mm3 for name, count in classes.items()},
        mean_volume_um3={
            name: float(columns["volume_um3"][columns["class"] == name].mean())
            for name, count in classes.items()
            if count
        },
        warnings=warnings,
    )
    summary.save(folder / SUMMARY)
    return summary


def _columns(found: VolumeNuclei, geometry: Geometry, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """One row a nucleus; voxels count from 0, at their centres."""
    count = len(found.kinds)
    inside = np.nonzero(found.labels)
    numbers = found.labels[inside]
    voxels = np.bincount(numbers, minlength=count + 1)[1:]
    centres = np.stack([np.bincount(numbers, axis, minlength=count + 1)[1:] / np.maximum(voxels, 1) for axis in inside])
    world = geometry.matrix[:3, :3] @ centres + geometry.matrix[:3, 3:]
    scale = _names(names)
    return {
        "id": np.arange(1, count + 1),
        **dict(zip(("i", "j", "k"), centres, strict=True)),
        **dict(zip(("x_mm", "y_mm", "z_mm"), world, strict=True)),
        "voxels": voxels,
        "volume_um3": voxels * _voxel_mm3(geometry) * UM3_PER_MM3,
        "class": np.array([scale.name(kind) for kind in range(len(names) + 1)], object)[found.kinds],
        "probability": found.probability,
        **{f"p_{name}": found.shares[:, index] for index, name in enumerate(names)},
    }


def _voxel_mm3(geometry: Geometry) -> float:
    return abs(float(np.linalg.det(geometry.matrix[:3, :3])))


def _names(names: tuple[str, ...]) -> NucleiScale:
    return NucleiScale(1.0, 1.0, (0, 0), names)
