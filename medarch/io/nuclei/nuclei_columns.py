"""The table of nuclei: one row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from medarch.io.nuclei.nuclei_part import NucleiPart
from medarch.io.nuclei.nuclei_scale import NucleiScale


def nuclei_columns(
    rows: Iterable[Sequence[tuple[NucleiPart, np.ndarray]]], scale: NucleiScale
) -> Iterator[dict[str, np.ndarray]]:
    """Columns of equal length, row of parts by row of parts, in order of the nuclei's numbers.

    ``x_px, y_px`` are the centroid in level-0 pixels from the corner of the slide (not of the scanned area).
    """
    for parts in rows:
        pieces = [_columns(part, numbers, scale) for part, numbers in parts]
        if not pieces:
            continue
        columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
        order = np.argsort(columns["id"])
        yield {name: values[order] for name, values in columns.items()}


def _columns(part: NucleiPart, numbers: np.ndarray, scale: NucleiScale) -> dict[str, np.ndarray]:
    area = part.area * scale.mpp**2
    perimeter = part.perimeter * scale.mpp
    major, minor = (part.axes * scale.mpp).T
    kind = part.kind
    columns = {
        "id": numbers,
        "x_px": part.centroid[:, 0] * scale.downsample,
        "y_px": part.centroid[:, 1] * scale.downsample,
        "x_um": part.centroid[:, 0] * scale.mpp,
        "y_um": part.centroid[:, 1] * scale.mpp,
        "area_um2": area,
        "perimeter_um": perimeter,
        "major_axis_um": major,
        "minor_axis_um": minor,
        "angle_deg": np.degrees(part.angle),
        "eccentricity": np.sqrt(1 - (minor / np.maximum(major, 1e-12)) ** 2),
        "circularity": 4 * np.pi * area / perimeter**2,
        "class": np.array([scale.name(number) for number in range(len(scale.names) + 1)], object)[kind],
        "probability": part.probability,
    }
    return columns | {f"p_{name}": part.shares[:, index] for index, name in enumerate(scale.names)}
