"""The first error in a case's files, raised."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.check import CODES
from medarch.core.dataset import Case
from medarch.core.errors import GeometryError, VolumeError
from medarch.core.labels import LabelScheme
from medarch.io.case_findings import case_findings
from medarch.io.read_volume import Volume


def refuse_case(
    case: Case,
    images: Sequence[Volume],
    label: Volume | None,
    *,
    channels: int,
    labels: LabelScheme | None = None,
    waived: Sequence[str] = (),
) -> None:
    """Raise what is wrong with files that were read; the arguments are those of ``case_findings``.

    Args:
        case: its id and paths.
        images: its image files.
        label: its label map, if it has one.
        channels: how many the images must have together.
        labels: the values the label map may hold; None to allow any whole numbers.
        waived: check codes that the user accepts.

    Raises:
        GeometryError: grids disagree or cannot be used.
        VolumeError: whatever else ``medarch check`` calls an error.
    """
    findings = case_findings(case, images, label, channels=channels, labels=labels)
    errors = [finding for finding in findings if finding.severity == "error" and finding.code not in waived]
    if not errors:
        return
    first = errors[0]
    entry = CODES[first.code]
    kind = GeometryError if entry.topic == "grid" else VolumeError
    more = f" (and {len(errors) - 1} more: see `medarch check`)" if len(errors) > 1 else ""
    raise kind(
        f"{first.code} case {case.id}, {first.file}: {entry.meaning}{more}",
        expected=first.expected,
        found=first.found,
        fix=first.fix,
        check=first.code,
    )
