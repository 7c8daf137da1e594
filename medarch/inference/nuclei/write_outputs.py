"""Everything that is kept of a slide."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from medarch.core.files import atomic_path
from medarch.inference.nuclei.find_nuclei import FoundNuclei
from medarch.io.nuclei.draw_nuclei import draw_nuclei
from medarch.io.nuclei.nuclei_columns import nuclei_columns
from medarch.io.nuclei.nuclei_part import NucleiPart
from medarch.io.nuclei.nuclei_scale import NucleiScale
from medarch.io.nuclei.numbered_parts import NumberedPart, loaded_rows, number_parts
from medarch.io.nuclei.output_names import CSV, GEOJSON, LABELS, PARQUET, SUMMARY
from medarch.io.nuclei.slide_summary import SlideSummary
from medarch.io.nuclei.write_geojson import write_geojson
from medarch.io.nuclei.write_label_image import write_label_image
from medarch.io.nuclei.write_tables import write_tables
from medarch.preprocessing.slides.overview import overview
from medarch.preprocessing.slides.slide_view import SlideView
from medarch.preprocessing.slides.tissue_mask import TissueMask

OVERLAY, DETAIL = "overlay.png", "detail.png"
OVERLAY_PIXELS = 2000
"""Longest side of the picture of the whole slide."""
DETAIL_PIXELS = 1024
"""Side of the detail, in pixels of the network's view."""


def write_outputs(
    folder: Path,
    view: SlideView,
    tissue: TissueMask,
    found: FoundNuclei,
    names: tuple[str, ...],
    *,
    model_sha256: str,
    warnings: tuple[str, ...] = (),
) -> SlideSummary:
    """Write GeoJSON, tables, label image, pictures and, last, the summary.

    Equal nuclei give equal bytes. At most a row of chunks is in memory.

    Args:
        folder: where to; made if need be.
        view: the slide at the network's scale.
        tissue: where it was looked at.
        found: the nuclei on disk.
        names: of the types other than background.
        model_sha256: with the slide's name it makes the identity of the nuclei.
        warnings: what the summary should say.
    """
    slide = view.slide
    folder.mkdir(parents=True, exist_ok=True)
    scale = NucleiScale(view.downsample, view.mpp, slide.origin, names)
    identity = hashlib.sha256(f"{model_sha256} {slide.path.name}".encode()).hexdigest()
    numbered = number_parts(found.parts)
    write_geojson(folder / GEOJSON, loaded_rows(numbered), scale, slide=identity[:16])
    parquet = folder / PARQUET if importlib.util.find_spec("pyarrow") is not None else None
    write_tables(folder / CSV, parquet, nuclei_columns(_or_empty(numbered, len(names)), scale))
    write_label_image(folder / LABELS, numbered, size=view.size, mpp=view.mpp, identity=_uuid(identity))
    _write_overlay(folder / OVERLAY, view, numbered, scale)
    _write_detail(folder / DETAIL, view, numbered, scale)
    counts, areas = _counted(numbered, scale)
    mean_areas = {name: areas[name] * scale.mpp**2 / count for name, count in counts.items() if count}
    summary = SlideSummary(
        slide=slide.path.name,
        reader=slide.reader,
        size=slide.size,
        mpp=slide.mpp,
        network_mpp=view.mpp,
        resampled=view.resampled,
        tissue_mm2=tissue.area_mm2,
        nuclei=sum(counts.values()),
        classes=counts,
        per_mm2={name: count / tissue.area_mm2 for name, count in counts.items()} if tissue.area_mm2 else {},
        mean_area_um2=mean_areas,
        warnings=warnings,
    )
    summary.save(folder / SUMMARY)
    return summary


def _uuid(identity: str) -> str:
    """A UUID (version 4 in form) of the first digits of a hash."""
    return f"{identity[:8]}-{identity[8:12]}-4{identity[13:16]}-8{identity[17:20]}-{identity[20:32]}"


def _or_empty(numbered: list[list[NumberedPart]], names: int) -> Iterable[list[tuple[NucleiPart, np.ndarray]]]:
    """Rows of parts; one without nuclei where there are none, so that tables have their header."""
    if numbered:
        return loaded_rows(numbered)
    return [[(NucleiPart.empty(names + 1 if names else 0), np.empty(0, np.int64))]]


def _counted(numbered: list[list[NumberedPart]], scale: NucleiScale) -> tuple[dict[str, int], Counter[str]]:
    counts = dict.fromkeys(scale.names or (scale.name(0),), 0)
    areas: Counter[str] = Counter()
    for parts in loaded_rows(numbered):
        for part, _ in parts:
            kinds = part.kind
            for kind in np.unique(kinds).tolist():
                counts[scale.name(kind)] += int((kinds == kind).sum())
                areas[scale.name(kind)] += int(part.area[kinds == kind].sum())
    return counts, areas


def _write_overlay(path: Path, view: SlideView, numbered: list[list[NumberedPart]], scale: NucleiScale) -> None:
    means, side = overview(view.slide, max(max(view.slide.size) / OVERLAY_PIXELS, 1.0))
    picture = np.rint(means).astype(np.uint8)
    _save(path, draw_nuclei(picture, loaded_rows(numbered), scale, zoom=view.downsample / side))


def _write_detail(path: Path, view: SlideView, numbered: list[list[NumberedPart]], scale: NucleiScale) -> None:
    """The square of a fixed lattice with the most nuclei."""
    squares: Counter[tuple[int, int]] = Counter()
    for parts in loaded_rows(numbered):
        for part, _ in parts:
            places, counts = np.unique(part.first // DETAIL_PIXELS, axis=0, return_counts=True)
            for (row, column), count in zip(places.tolist(), counts.tolist(), strict=True):
                squares[row, column] += count
    if not squares:
        path.unlink(missing_ok=True)
        return
    row, column = min(squares, key=lambda square: (-squares[square], square))
    x, y = column * DETAIL_PIXELS, row * DETAIL_PIXELS
    width, height = (min(DETAIL_PIXELS, whole - low) for whole, low in zip(view.size, (x, y), strict=True))
    box = (y, x, y + height, x + width)
    near = [
        part.load()
        for line in numbered
        for part in line
        if part.box[0] < box[2] and part.box[2] > box[0] and part.box[1] < box[3] and part.box[3] > box[1]
    ]
    _save(path, draw_nuclei(view.read(x, y, width, height), [near], scale, corner=(x, y), zoom=1.0))


def _save(path: Path, pixels: np.ndarray) -> None:
    import PIL.Image

    with atomic_path(path) as temporary:
        PIL.Image.fromarray(pixels).save(temporary, "PNG")
