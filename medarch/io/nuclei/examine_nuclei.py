"""Everything that can be said about one image of nuclei."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from medarch.core.check import Finding, make_finding
from medarch.core.errors import MedarchError
from medarch.io.examine_case import CaseFacts, CaseToExamine, examine_case
from medarch.io.nuclei.read_nuclei import read_nuclei, read_rgb, read_volume_of_nuclei


def examine_nuclei(item: CaseToExamine) -> CaseFacts:
    """Read image and maps and list all that is wrong; raises nothing that a file can cause."""
    case, findings = item.case, list[Finding]()
    image = instances = types = None
    try:
        image = read_rgb(case.images[0])
    except (MedarchError, OSError) as error:
        findings.append(_finding(error, case.id, "NOT_AN_IMAGE", case.images[0].exists(), "IMAGE_MISSING"))
    if case.label is not None:
        try:
            instances, types = read_nuclei(case.label, case.types)
        except (MedarchError, OSError) as error:
            findings.append(_finding(error, case.id, "LABEL_NOT_INTEGER", case.label.exists(), "LABEL_MISSING"))
    if image is not None and image.min() == image.max():
        findings.append(make_finding("CONSTANT_IMAGE", case=case.id, file=case.images[0], found=str(image.min())))
    if image is not None and instances is not None and image.shape[:2] != instances.shape:
        findings.append(
            make_finding(
                "SHAPE_MISMATCH",
                case=case.id,
                file=case.label,
                expected=str(image.shape[:2]),
                found=str(instances.shape),
            )
        )
    if instances is not None and not instances.any():
        findings.append(make_finding("LABEL_EMPTY", case=case.id, file=case.label, expected="nuclei", found="none"))
    findings += _undeclared(types, item)
    return CaseFacts(
        id=case.id,
        findings=findings,
        images_sha256=_hash(image),
        label_sha256=_hash(instances) if instances is not None and instances.any() else "",
        # How much there is of a type differs from image to image; what counts is which types occur.
        label_mm3=dict.fromkeys(_present(instances, types, item), 1.0),
    )


def examine_volume(item: CaseToExamine) -> CaseFacts:
    """The same of a volume: what :func:`~medarch.io.examine_case.examine_case` says of any, and what of nuclei."""
    case = item.case
    # Without the declared labels: numbers of nuclei are any whole ones.
    facts = examine_case(replace(item, labels=None))
    findings, instances, types = list(facts.findings), None, None
    if not any(finding.severity == "error" for finding in findings):
        try:
            volumes, types = read_volume_of_nuclei(case, channels=item.channels)
            instances = volumes.label
        except (MedarchError, OSError) as error:
            exists = case.types is None or case.types.exists()
            findings.append(_finding(error, case.id, "LABEL_NOT_INTEGER", exists, "LABEL_MISSING"))
    findings += _undeclared(types, item)
    return replace(facts, findings=findings, label_mm3=dict.fromkeys(_present(instances, types, item), 1.0))


def _undeclared(types: np.ndarray | None, item: CaseToExamine) -> list[Finding]:
    if types is None or item.labels is None:
        return []
    undeclared = sorted(set(np.unique(types).tolist()) - set(item.labels.values))
    if not undeclared:
        return []
    return [
        make_finding(
            "LABEL_UNDECLARED",
            case=item.case.id,
            file=item.case.types or item.case.label,
            expected=str(list(item.labels.values)),
            found=str(undeclared),
        )
    ]


def _finding(error: Exception, case: str, code: str, exists: bool, missing: str) -> Finding:
    if not exists:
        return make_finding(missing, case=case, expected="a file", found="no such file")
    if isinstance(error, MedarchError):
        return make_finding(
            error.check or code, case=case, expected=error.expected, found=f"{error.summary}: {error.found}"
        )
    return make_finding(code, case=case, found=str(error))


def _present(instances: np.ndarray | None, types: np.ndarray | None, item: CaseToExamine) -> list[int]:
    if item.labels is None:
        return []
    if types is not None:
        return [value for value in np.unique(types).tolist() if value in item.labels.foreground_values]
    return [] if instances is None or not instances.any() else list(item.labels.foreground_values)


def _hash(array: np.ndarray | None) -> str:
    return "" if array is None else hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()
