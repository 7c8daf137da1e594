"""Landmarks in."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from medarch.core.errors import TransformError
from medarch.core.geometry import Geometry
from medarch.core.landmarks import Landmarks
from medarch.io.read_bytes import read_bytes
from medarch.io.transforms.landmark_file import FCSV_COLUMNS, SYSTEMS, landmark_suffix

_MILLIMETRES, _VOXELS = ("x", "y", "z"), ("i", "j", "k")
_NAME_COLUMNS = ("label", "name", "id")
_TEXT_COLUMNS = ("desc", "description", "comment")


def read_landmarks(path: Path, *, grid: Geometry | None = None) -> Landmarks:
    """Read a .fcsv of 3D Slicer, or a .csv with a header row.

    Columns: x, y, z in millimetres (on 2D images x, y), or i, j, k in voxels of ``grid``; label and desc where there
    are any. A line ``# CoordinateSystem = RAS`` or ``LPS`` says how millimetres count; a .csv must have it, because a
    wrong guess moves a point to the other side of the patient. Without it a .fcsv is RAS, as in 3D Slicer.

    Raises:
        TransformError: columns, numbers or the coordinate system are missing or wrong, or voxels come without a grid.
        VolumeError: the file is missing or empty.
    """
    path = Path(path)
    is_slicer = landmark_suffix(path) == ".fcsv"
    lines = read_bytes(path).decode("utf-8-sig", errors="replace").splitlines()
    notes = dict(_notes(lines))
    rows = list(csv.reader(line for line in lines if line.strip() and not line.lstrip().startswith("#")))
    if is_slicer:
        columns = [name.strip() for name in notes.get("columns", ",".join(FCSV_COLUMNS)).split(",")]
    else:
        columns = [name.strip().lower() for name in rows.pop(0)] if rows else []
    where = {name: column for column, name in enumerate(columns)}
    points = _points(path, rows, where)
    if "x" in where:
        system = _system(path, notes.get("coordinatesystem", "RAS" if is_slicer else ""))
        points *= (-1, -1, 1) if system == "LPS" else 1
    elif grid is not None:
        points = points @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    else:
        raise TransformError(
            f"{path} gives voxels of an unknown grid",
            expected="columns x, y, z in millimetres",
            found="columns " + ", ".join(columns),
            fix="convert them to millimetres with the image's affine",
        )
    name = next((where[column] for column in _NAME_COLUMNS if column in where), None)
    text = next((where[column] for column in _TEXT_COLUMNS if column in where), None)
    names = [str(number) if name is None else _cell(row, name) for number, row in enumerate(rows, start=1)]
    texts = [] if text is None else [_cell(row, text) for row in rows]
    try:
        return Landmarks(
            names=tuple(names),
            points_mm=tuple((float(x), float(y), float(z)) for x, y, z in points),
            descriptions=tuple(texts) if any(texts) else (),
        )
    except ValidationError as error:
        raise TransformError(
            f"{path} holds no usable landmarks", expected="finite numbers", found=error.errors()[0]["msg"]
        ) from error


def _notes(lines: Sequence[str]) -> list[tuple[str, str]]:
    """The ``# key = value`` lines, keys in lower case."""
    found = [line.lstrip("# ").partition("=") for line in lines if line.lstrip().startswith("#")]
    return [(key.strip().lower(), value.strip()) for key, _, value in found]


def _cell(row: Sequence[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _points(path: Path, rows: Sequence[Sequence[str]], where: dict[str, int]) -> np.ndarray:
    """``(N, 3)`` as the file has them; a third coordinate that has no column is 0."""
    axes = _MILLIMETRES if "x" in where else _VOXELS
    if axes[0] not in where or axes[1] not in where or not rows:
        raise TransformError(
            f"{path} holds no landmarks",
            expected="a header row with x, y, z (millimetres) or i, j, k (voxels), and a row a point",
            found=f"columns {', '.join(where) or 'none'}, {len(rows)} row(s)",
            fix="add the header row, e.g. label,x,y,z",
        )
    points = np.zeros((len(rows), 3))
    for number, row in enumerate(rows):
        for axis, name in enumerate(axes):
            if name not in where:
                continue
            text = _cell(row, where[name])
            try:
                points[number, axis] = float(text)
            except ValueError as error:
                raise TransformError(
                    f"{path}: {name} of point {number + 1} is not a number",
                    expected="a number in millimetres" if axes is _MILLIMETRES else "a number of voxels",
                    found=repr(text),
                    fix="correct that row",
                ) from error
    return points


def _system(path: Path, said: str) -> str:
    if said.upper() in SYSTEMS:
        return SYSTEMS[said.upper()]
    raise TransformError(
        f"{path} does not say which way its millimetres count" if not said else f"{path}: unknown coordinate system",
        expected="a line '# CoordinateSystem = RAS' (as nibabel counts) or LPS (ITK, ANTs, DICOM)",
        found=said or "no such line",
        fix="write that line at the top of the file",
    )
