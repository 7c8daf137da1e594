"""The worst, the middle and the best images with the nuclei they have and those that were found."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from medarch.core.errors import MedarchError
from medarch.core.nuclei_evaluation import NucleiEvaluation, NucleiMeasures
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.nuclei.draw_found import MATCHED, UNMATCHED, FoundPicture, draw_found
from medarch.reporting.nuclei.found_nuclei import FoundNuclei
from medarch.reporting.nuclei.rank_images import rank_images
from medarch.reporting.section import Section
from medarch.reporting.write_number import write_number

EDGE_IMAGES = 3
"""So many of the worst and of the best images."""


def nuclei_examples(evaluation: NucleiEvaluation | None, images: Mapping[str, FoundNuclei]) -> Section:
    """Return pictures of up to seven images, worst first."""
    ranked = [] if evaluation is None else rank_images(evaluation)
    shown = [row for row in ranked if row.case in images and row.values.get("pq") is not None]
    if not shown:
        return Section("examples", "Example images", absent="no measured image with its nuclei was given.")
    figures = [_example(heading, row, images[row.case]) for heading, row in _choose(shown)]
    return Section("examples", "Example images", join(_legend(), *figures))


def _choose(ranked: Sequence[NucleiMeasures]) -> list[tuple[str, NucleiMeasures]]:
    """Three worst, the median, three best; every image when there are no more than that."""
    count = len(ranked)
    if count <= 2 * EDGE_IMAGES + 1:
        return [(f"{place} of {count}, worst first", row) for place, row in enumerate(ranked, 1)]
    worst = [(f"Worst {place}", row) for place, row in enumerate(ranked[:EDGE_IMAGES], 1)]
    best = [(f"Best {place}", ranked[-place]) for place in range(EDGE_IMAGES, 0, -1)]
    return [*worst, ("Median", ranked[count // 2]), *best]


def _example(heading: str, row: NucleiMeasures, image: FoundNuclei) -> Html:
    title = tag("h3", f"{heading}: ", row.case)
    told = f"PQ {write_number(row.values.get('pq'))}, AJI {write_number(row.values.get('aji'))}, "
    told += f"{row.reference_nuclei} nuclei, {row.found_nuclei} found."
    try:
        picture = draw_found(*image.load())
    except MedarchError as error:
        # One damaged file must not cost the whole report.
        not_shown = paragraph(f"Not shown: {error}", class_="alarm")
        return tag("article", title, paragraph(told, class_="note"), not_shown, class_="case")
    if picture.part is not None:
        left, top, columns, rows = picture.part
        told += f" Shown are {columns} × {rows} pixels from column {left}, row {top}."
    figures = [
        _figure(picture, outlines, caption, f"{row.case}, {caption}")
        for outlines, caption in ((picture.reference, "reference"), (picture.found, "found"))
    ]
    views = tag("div", *figures, class_="views", style="grid-template-columns: repeat(2, 1fr)")
    return tag("article", title, paragraph(told, class_="note"), views, class_="case")


def _figure(picture: FoundPicture, outlines: bytes, caption: str, alt: str) -> Html:
    columns, rows = picture.size
    images = [_image(picture.image, picture, alt=alt), _image(outlines, picture, alt="", class_="outline")]
    box = tag("div", *images, style=f"aspect-ratio: {columns} / {rows}")
    return tag("figure", box, tag("figcaption", caption), class_="view", style="grid-column: auto")


def _image(png: bytes, picture: FoundPicture, *, alt: str, class_: str | None = None) -> Html:
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    return tag("img", src=source, alt=alt, class_=class_, width=picture.size[0], height=picture.size[1])


def _legend() -> Html:
    entries = [
        tag("span", _swatch(colour), text)
        for colour, text in (
            (MATCHED, "in both, with an IoU above one half"),
            (UNMATCHED, "missed (in the reference), spurious (in what was found)"),
        )
    ]
    switch = tag("label", tag("input", type="checkbox", id="outlines", checked=""), " show outlines", class_="screen")
    return tag("div", *entries, switch, class_="legend")


def _swatch(colour: tuple[int, int, int]) -> Html:
    line = tag("line", x1=4, x2=40, y1=10, y2=10, stroke="#{:02x}{:02x}{:02x}".format(*colour), stroke_width=2.5)
    return tag("svg", line, width=44, height=20, aria_hidden="true")
