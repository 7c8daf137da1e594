"""Everything that can be said about one case on its own, and what comparing cases will need."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medarch.core.check import Finding, make_finding
from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.io.case_findings import case_findings
from medarch.io.landmark_findings import landmark_findings
from medarch.io.read_volume import Volume, read_volume


@dataclass(frozen=True)
class CaseToExamine:
    """A case and what it has to comply with."""

    case: Case
    channels: int
    labels: LabelScheme | None
    """What label maps may hold; None for any whole numbers."""
    needs_label: bool


@dataclass(frozen=True)
class CaseFacts:
    """What was found in a case."""

    id: str
    findings: list[Finding]
    geometry: Geometry | None = None
    """The first image's grid, if it could be read."""
    images_sha256: str = ""
    """Hash of all voxels of the images, whatever the compression; empty if one could not be read."""
    label_sha256: str = ""
    """Hash of the label's voxels; empty without foreground."""
    label_mm3: dict[int, float] = field(default_factory=dict)
    """Volume of each value above 0 that occurs."""


def examine_case(item: CaseToExamine) -> CaseFacts:
    """Read every file of a case and list all that is wrong; raises nothing that a file can cause."""
    case = item.case
    findings: list[Finding] = []
    images = [volume for path in case.images if (volume := _read(case, path, "IMAGE_MISSING", findings))]
    label = None
    if case.label:
        label = _read(case, case.label, "LABEL_MISSING", findings)
    elif item.needs_label:
        findings.append(make_finding("LABEL_MISSING", case=case.id, expected="a label file", found="none is named"))
    findings += case_findings(case, images, label, channels=item.channels, labels=item.labels)
    findings += landmark_findings(case, images[0].geometry if images else None)
    label_mm3 = _label_volumes(label, item.labels) if item.labels else {}
    return CaseFacts(
        id=case.id,
        findings=findings,
        geometry=images[0].geometry if images else None,
        images_sha256=_voxel_hash(images) if len(images) == len(case.images) else "",
        label_sha256=_voxel_hash([label]) if label and label_mm3 else "",
        label_mm3=label_mm3,
    )


def _read(case: Case, path: Path, missing: str, findings: list[Finding]) -> Volume | None:
    """Return the volume, or None after noting why there is none."""
    if not path.exists():
        findings.append(make_finding(missing, case=case.id, file=path, expected=str(path), found="no such file"))
        return None
    try:
        return read_volume(path)
    except MedarchError as error:
        findings.append(make_finding(error.check, case=case.id, file=path, expected=error.expected, found=error.found))
        return None


def _voxel_hash(volumes: Sequence[Volume]) -> str:
    digest = hashlib.sha256()
    for volume in volumes:
        digest.update(repr((volume.array.shape, volume.array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(volume.array.transpose(0, 3, 2, 1)).data)
    return digest.hexdigest()


def _label_volumes(label: Volume | None, labels: LabelScheme) -> dict[int, float]:
    if label is None or len(label.array) != 1:
        return {}
    voxel_mm3 = abs(float(np.linalg.det(label.geometry.matrix[:3, :3])))
    values = label.array[0]
    counts = {value: int(np.count_nonzero(values == value)) for value in labels.foreground_values}
    return {value: count * voxel_mm3 for value, count in counts.items() if count}
