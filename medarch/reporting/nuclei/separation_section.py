"""The constants that make nuclei of a network's maps."""

from __future__ import annotations

from medarch.core.separation import Separation
from medarch.reporting.markup import join, paragraph
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table

TITLES = {
    "nucleus_threshold": "Least probability of a nucleus’ pixels",
    "slope_threshold": "Slope a pixel at which a nucleus ends",
    "slope_pixels": "Kernel that slopes are taken with, pixels",
    "marker_pixels": "Smallest core, pixels",
    "nucleus_pixels": "Smallest nucleus, pixels",
}


def separation_section(planned: Separation | None, calibrated: Separation | None) -> Section:
    """Return the constants as planned and as calibrated."""
    if calibrated is None:
        return Section("separation", "Calibration", absent="the fold has not been calibrated.")
    start = planned or Separation()
    rows = [
        [title, number_cell(f"{getattr(start, name):g}"), number_cell(f"{getattr(calibrated, name):g}")]
        for name, title in TITLES.items()
    ]
    note = (
        "Chosen for the highest mean PQ on the validation images, stored with the model, the same on every image: "
        "nothing is normalised by what a tile happens to hold."
    )
    body = join(table(["Constant", "Planned", "Calibrated"], rows, numbers=(1, 2)), paragraph(note, class_="note"))
    return Section("separation", "Calibration", body)
