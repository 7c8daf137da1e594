"""What a dataset of nuclei is made of."""

from __future__ import annotations

from statistics import median

from medarch.core.fingerprint import Fingerprint
from medarch.reporting.markup import Html, join, tag
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table


def nuclei_dataset(fingerprint: Fingerprint | None) -> Section:
    """Return sizes of images and nuclei, density, and types."""
    if fingerprint is None or fingerprint.nuclei is None:
        return Section("dataset", "Dataset", absent="no fingerprint of nuclei was given.")
    nuclei, cases = fingerprint.nuclei, fingerprint.cases
    low, middle, high = nuclei.diameter_pixels
    volumes = nuclei.mpp is None
    sizes = [median(case.shape[axis] for case in cases) for axis in range(3 if volumes else 2)]
    unit = "voxels" if volumes else "pixels"
    rows = [
        ("Images", f"{len(cases)}"),
        (f"Median image, {unit}", " × ".join(f"{size:g}" for size in sizes)),
        ("Nuclei", f"{nuclei.nuclei}"),
        (f"Diameter, {unit}: 5 %, median, 95 %", f"{low:.1f}, {middle:.1f}, {high:.1f}"),
        (f"Longest nuclei, {unit} (99.9 %)", f"{nuclei.largest_pixels}"),
        ("Touching another", f"{100 * nuclei.touching_share:.0f} %"),
    ]
    if nuclei.mpp is not None:
        rows.append(("Pixel, µm", f"{nuclei.mpp:g}"))
    if nuclei.per_mm2 is not None:
        rows.append(("Nuclei a mm²", f"{nuclei.per_mm2:.0f}"))
    if nuclei.per_mm3 is not None:
        rows.append(("Nuclei a mm³", f"{nuclei.per_mm3:.0f}"))
    parts: list[Html] = [table(["What", "How much"], [[name, number_cell(value)] for name, value in rows], numbers=[1])]
    if nuclei.type_counts:
        counts = [[name, number_cell(str(count), count)] for name, count in nuclei.type_counts.items()]
        parts += [tag("h3", "Types"), table(["Type", "Nuclei"], counts, numbers=[1])]
    return Section("dataset", "Dataset", join(*parts))
