"""What is wrong with the landmarks of a case."""

from __future__ import annotations

from collections import Counter

import numpy as np

from medarch.core.check import Finding, make_finding
from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.geometry import Geometry
from medarch.io.transforms.read_landmarks import read_landmarks

SOME_GRID = Geometry.from_array((1, 1, 1), np.eye(4))
"""For a file that counts in voxels of an image that cannot be read, which is told already."""
_LISTED = 5


def landmark_findings(case: Case, grid: Geometry | None) -> list[Finding]:
    """Read the landmark file of a case, if it has one.

    Args:
        case: its id and paths.
        grid: of its image, if that could be read.
    """
    path = case.landmarks
    if path is None:
        return []
    try:
        landmarks = read_landmarks(path, grid=grid or SOME_GRID)
    except MedarchError as error:
        found = f"{error.summary.removeprefix(str(path)).lstrip(': ')}: {error.found}"
        code = error.check or "LANDMARKS_UNREADABLE"
        return [make_finding(code, case=case.id, file=path, expected=error.expected, found=found)]
    findings = []
    repeated = [name for name, count in Counter(landmarks.names).items() if count > 1]
    if repeated:
        findings.append(
            make_finding(
                "LANDMARK_REPEATED", case=case.id, file=path, expected="each name once", found=_listed(repeated)
            )
        )
    if grid is not None:
        to_voxels = np.linalg.inv(grid.matrix)
        voxels = landmarks.array @ to_voxels[:3, :3].T + to_voxels[:3, 3]
        sides = np.array(grid.shape)
        axes = 2 if grid.shape[2] == 1 else 3  # of a slice no depth is asked for
        beyond = (voxels < -0.5) | (voxels > sides - 0.5)
        outside = [landmarks.names[row] for row in np.flatnonzero(beyond[:, :axes].any(axis=1))]
        if outside:
            found = f"{len(outside)} of {len(landmarks.names)} outside: {_listed(outside)}"
            findings.append(
                make_finding("LANDMARK_OUTSIDE", case=case.id, file=path, expected="points in the image", found=found)
            )
    return findings


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (" ..." if len(names) > _LISTED else "")
