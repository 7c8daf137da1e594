"""Nuclei as GeoJSON that QuPath opens, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from medarch.core.files import atomic_path
from medarch.io.nuclei.nuclei_part import NucleiPart
from medarch.io.nuclei.nuclei_scale import NucleiScale

DECIMALS = 2
"""Of coordinates in level-0 pixels."""


def write_geojson(
    target: Path, rows: Iterable[Sequence[tuple[NucleiPart, np.ndarray]]], scale: NucleiScale, *, slide: str
) -> int:
    """Write a ``FeatureCollection`` of detections row by row and return how many.

    Coordinates are level-0 pixels from the corner of the scanned area (``scale.origin``), as QuPath counts them.
    Each polygon holds the centres of just the nucleus's pixels, outer ring first, rings closed.

    Args:
        target: file, written whole or not at all.
        rows: parts with their numbers; the numbers of a row follow on those of the row before.
        scale: pixel sizes and names.
        slide: 16 hexadecimal digits that tell the slide; with the number they make each detection's id.
    """
    written = 0
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('{"type":"FeatureCollection","features":[')
        for parts in rows:
            total = sum(len(part) for part, _ in parts)
            texts: list[str] = [""] * total
            for part, numbers in parts:
                for number, text in zip((numbers - written - 1).tolist(), _features(part, numbers, scale, slide),
                                        strict=True):  # fmt: skip
                    texts[number] = text
            if total:
                stream.write((",\n" if written else "\n") + ",\n".join(texts))
            written += total
        stream.write("\n]}\n")
    return written


def _features(part: NucleiPart, numbers: np.ndarray, scale: NucleiScale, slide: str) -> list[str]:
    head = f'{{"type":"Feature","id":"{slide[:8]}-{slide[8:12]}-4{slide[13:16]}-8000-'
    classes = [_classification(scale, kind) for kind in range(len(scale.names) + 1)]
    names = [json.dumps(f"p({name})", ensure_ascii=False) for name in scale.names]
    numbers_list = numbers.tolist()
    areas = (part.area * scale.mpp**2).tolist()
    probabilities = part.probability.tolist()
    kinds = part.kind.tolist()
    types = part.shares.tolist() if names else [()] * len(part)
    features = []
    for number, rings, kind, area, probability, shares in zip(
        numbers_list, _polygons(part, scale), kinds, areas, probabilities, types, strict=True
    ):
        more = "".join(f",{name}:{share:.4f}" for name, share in zip(names, shares, strict=True))
        features.append(
            f'{head}{number:012x}","geometry":{{"type":"Polygon","coordinates":[{rings}]}},'
            f'"properties":{{"objectType":"detection","classification":{classes[kind]},'
            f'"measurements":{{"Area µm^2":{area:.3f},"Probability":{probability:.4f}{more}}}}}}}'
        )
    return features


def _polygons(part: NucleiPart, scale: NucleiScale) -> list[str]:
    """The rings of each nucleus: ``[[x,y],...],[...]``."""
    # A part has few different coordinates and many points: each coordinate is written once.
    columns = []
    for axis, (before, behind) in enumerate((("[", ","), ("", "]"))):
        values, places = np.unique(part.points[:, axis], return_inverse=True)
        texts = [
            before + _short(value / 2 * scale.downsample - scale.origin[axis]) + behind for value in values.tolist()
        ]
        columns.append(np.array(texts, object)[places])
    pairs = (columns[0] + columns[1]).tolist()
    polygons: list[str] = []
    starts = part.ring_start.tolist()
    previous = -1
    for nucleus, start, end in zip(part.ring_nucleus.tolist(), starts[:-1], starts[1:], strict=True):
        ring = f"[{','.join(pairs[start:end])},{pairs[start]}]"
        if nucleus == previous:
            polygons[-1] += "," + ring
        else:
            polygons.append(ring)
        previous = nucleus
    return polygons


def _classification(scale: NucleiScale, kind: int) -> str:
    return json.dumps(
        {"name": scale.name(kind), "color": list(scale.colour(kind))}, ensure_ascii=False, separators=(",", ":")
    )


def _short(value: float) -> str:
    text = f"{value:.{DECIMALS}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
