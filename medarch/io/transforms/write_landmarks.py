"""Landmarks out."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from medarch.core.files import write_text
from medarch.core.landmarks import Landmarks
from medarch.io.transforms.landmark_file import FCSV_COLUMNS, System, landmark_suffix


def write_landmarks(path: Path, landmarks: Landmarks, *, system: System | None = None) -> None:
    """Write a .csv (label, x, y, z, desc) or a .fcsv of 3D Slicer; the file says how its millimetres count.

    Args:
        path: the target.
        landmarks: the points.
        system: ``RAS`` or ``LPS``; default LPS for .fcsv, as 3D Slicer writes, RAS for .csv.

    Raises:
        TransformError: the suffix is another one.
    """
    path = Path(path)
    is_slicer = landmark_suffix(path) == ".fcsv"
    system = system or ("LPS" if is_slicer else "RAS")
    points = landmarks.array * ((-1, -1, 1) if system == "LPS" else 1) + 0.0  # no -0
    texts = landmarks.descriptions or ("",) * len(points)
    stream = io.StringIO()
    if is_slicer:
        stream.write("# Markups fiducial file version = 4.11\n")
    stream.write(f"# CoordinateSystem = {system}\n")
    if is_slicer:
        stream.write(f"# columns = {','.join(FCSV_COLUMNS)}\n")
    writer = csv.writer(stream, lineterminator="\n")
    if not is_slicer:
        writer.writerow(("label", "x", "y", "z", "desc"))
    for number, (name, point, text) in enumerate(zip(landmarks.names, points, texts, strict=True)):
        x, y, z = (repr(float(value)) for value in point)
        if is_slicer:
            node = f"vtkMRMLMarkupsFiducialNode_{number}"
            writer.writerow((node, x, y, z, 0, 0, 0, 1, 1, 1, 0, name, text, ""))
        else:
            writer.writerow((name, x, y, z, text))
    write_text(path, stream.getvalue())
