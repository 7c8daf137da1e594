"""Every image, worst first."""

from __future__ import annotations

from medarch.core.nuclei_evaluation import IMAGE_MEASURES, NucleiEvaluation, NucleiMeasures
from medarch.reporting.markup import paragraph, tag
from medarch.reporting.nuclei.nuclei_results import TITLES
from medarch.reporting.nuclei.rank_images import rank_images
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table
from medarch.reporting.write_number import write_number


def image_table(evaluation: NucleiEvaluation | None) -> Section:
    """Return the sortable table."""
    if evaluation is None:
        return Section("images", "Images", absent="no evaluation was given.")
    headers = ["Image", *(TITLES[name] for name in IMAGE_MEASURES), "Nuclei", "Found", "Remarks"]
    rows = [_row(row) for row in rank_images(evaluation)]
    note = paragraph(f"{len(rows)} images, worst first; a click on a heading sorts.", class_="note")
    body = tag("div", table(headers, rows, numbers=range(1, len(headers) - 1), sortable=True), class_="tall")
    return Section("images", "Images", tag("div", note, body))


def _row(row: NucleiMeasures) -> list[str]:
    values = [number_cell(write_number(row.values.get(name)), row.values.get(name)) for name in IMAGE_MEASURES]
    counts = [number_cell(str(count), count) for count in (row.reference_nuclei, row.found_nuclei)]
    return [row.case, *values, *counts, tag("td", tag("span", row.reason, class_="alarm") if row.reason else "")]
