"""The worst, the middle and the best images with the nuclei they have and those that were found."""

from __future__ import annotations

from collections.abc import Mapping

from medarch.core.errors import MedarchError
from medarch.core.nuclei_evaluation import NucleiEvaluation, NucleiMeasures
from medarch.reporting.image_tag import image_tag
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.nuclei.draw_found import MATCHED, UNMATCHED, FoundPicture, draw_found
from medarch.reporting.nuclei.found_nuclei import FoundNuclei
from medarch.reporting.nuclei.found_volume import FoundVolume
from medarch.reporting.nuclei.rank_images import rank_images
from medarch.reporting.outline_switch import outline_switch
from medarch.reporting.section import Section
from medarch.reporting.worst_middle_best import worst_middle_best
from medarch.reporting.write_number import write_number


def nuclei_examples(
    evaluation: NucleiEvaluation | None, images: Mapping[str, FoundNuclei] | Mapping[str, FoundVolume]
) -> Section:
    """Return pictures of up to seven images, worst first."""
    ranked = [] if evaluation is None else rank_images(evaluation)
    shown = [row for row in ranked if row.case in images and row.values.get("pq") is not None]
    if not shown:
        return Section("examples", "Example images", absent="no measured image with its nuclei was given.")
    figures = [_example(heading, row, images[row.case]) for heading, row in worst_middle_best(shown)]
    return Section("examples", "Example images", join(_legend(), *figures))


def _example(heading: str, row: NucleiMeasures, image: FoundNuclei | FoundVolume) -> Html:
    title = tag("h3", f"{heading}: ", row.case)
    told = f"PQ {write_number(row.values.get('pq'))}, AJI {write_number(row.values.get('aji'))}, "
    told += f"{row.reference_nuclei} nuclei, {row.found_nuclei} found."
    try:
        pictures = image.draw() if isinstance(image, FoundVolume) else (draw_found(*image.load()),)
    except MedarchError as error:
        # One damaged file must not cost the whole report.
        not_shown = paragraph(f"Not shown: {error}", class_="alarm")
        return tag("article", title, paragraph(told, class_="note"), not_shown, class_="case")
    figures = []
    for picture in pictures:
        view = f"{picture.view}, " if picture.view else ""
        if picture.part is not None:
            left, top, columns, rows = picture.part
            where = f" in {picture.view}" if picture.view else ""
            told += f" Shown are {columns} × {rows} pixels from column {left}, row {top}{where}."
        figures += [
            _figure(picture, outlines, view + caption, f"{row.case}, {view}{caption}")
            for outlines, caption in ((picture.reference, "reference"), (picture.found, "found"))
        ]
    views = tag("div", *figures, class_="views", style="grid-template-columns: repeat(2, 1fr)")
    return tag("article", title, paragraph(told, class_="note"), views, class_="case")


def _figure(picture: FoundPicture, outlines: bytes, caption: str, alt: str) -> Html:
    columns, rows = picture.size
    images = [
        image_tag(picture.image, alt=alt, width=columns, height=rows),
        image_tag(outlines, alt="", class_="outline", width=columns, height=rows),
    ]
    box = tag("div", *images, style=f"aspect-ratio: {columns} / {rows}")
    return tag("figure", box, tag("figcaption", caption), class_="view", style="grid-column: auto")


def _legend() -> Html:
    entries = [
        tag("span", _swatch(colour), text)
        for colour, text in (
            (MATCHED, "in both, with an IoU above one half"),
            (UNMATCHED, "missed (in the reference), spurious (in what was found)"),
        )
    ]
    return tag("div", *entries, outline_switch("show outlines"), class_="legend")


def _swatch(colour: tuple[int, int, int]) -> Html:
    line = tag("line", x1=4, x2=40, y1=10, y2=10, stroke="#{:02x}{:02x}{:02x}".format(*colour), stroke_width=2.5)
    return tag("svg", line, width=44, height=20, aria_hidden="true")
