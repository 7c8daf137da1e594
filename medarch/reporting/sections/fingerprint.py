"""What the dataset is made of."""

from __future__ import annotations

from collections import Counter
from math import prod
from statistics import median

from medarch.core.fingerprint import CaseFingerprint, Fingerprint
from medarch.core.plan import Plan
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table

MM3_PER_ML = 1000.0


def fingerprint_section(fingerprint: Fingerprint | None, plan: Plan) -> Section:
    """Return shapes, spacings, intensities and class volumes."""
    if fingerprint is None:
        return Section("dataset", "Dataset", absent="no fingerprint was given.")
    cases = fingerprint.cases
    orientations = Counter(case.axcodes for case in cases).most_common()
    told = ", ".join(f"{codes} ({count})" for codes, count in orientations)
    text = (
        f"{len(cases)} cases, orientation {told}. Cropping to nonzero voxels keeps "
        f"{fingerprint.median_relative_size_after_crop * 100:.0f} % of the median case."
    )
    body = join(
        paragraph(text),
        tag("h3", "Grids"),
        _grids(cases),
        *_content(fingerprint, plan),
        tag("h3", f"Intensities {'of voxels that are not 0' if plan.classes else 'inside the foreground'}"),
        _intensities(fingerprint, plan),
    )
    return Section("dataset", "Dataset", body)


def _spread(values: list[float]) -> list[Html]:
    return [number_cell(f"{value:.4g}") for value in (min(values), median(values), max(values))]


SPREAD = ["Least", "Median", "Most"]


def _grids(cases: tuple[CaseFingerprint, ...]) -> Html:
    rows: list[list[str]] = []
    for axis, name in enumerate("ijk"):
        rows.append([f"Voxels along {name}", *_spread([float(case.shape[axis]) for case in cases])])
    for axis, name in enumerate("ijk"):
        rows.append([f"Spacing along {name}, mm", *_spread([case.spacing_mm[axis] for case in cases])])
    return table(["File axis", *SPREAD], rows, numbers=(1, 2, 3))


def _content(fingerprint: Fingerprint, plan: Plan) -> list[Html]:
    """Volumes of what is segmented, or cases of each class."""
    if plan.classes is None:
        return [tag("h3", "Volumes"), _volumes(fingerprint.cases, plan)]
    rows = [[name, number_cell(str(count))] for name, count in fingerprint.class_counts.items()]
    return [tag("h3", "Classes"), table(["Class", "Cases"], rows, numbers=(1,))]


def _volumes(cases: tuple[CaseFingerprint, ...], plan: Plan) -> Html:
    rows: list[list[str]] = []
    for name in plan.labels.foreground_names:
        members = plan.labels.members(name)
        volumes = [
            sum(case.label_voxels.get(value, 0) for value in members) * prod(case.spacing_mm) / MM3_PER_ML
            for case in cases
        ]
        present = [volume for volume in volumes if volume > 0]
        spread = _spread(present) if present else [number_cell("–")] * 3
        rows.append([name, number_cell(f"{len(present)} of {len(cases)}"), *spread])
    headers = ["Class", "Cases with it", *(f"{name}, ml" for name in SPREAD)]
    return table(headers, rows, numbers=(1, 2, 3, 4))


def _intensities(fingerprint: Fingerprint, plan: Plan) -> Html:
    rows: list[list[str]] = []
    for name, s in zip(plan.channels, fingerprint.intensities, strict=False):
        values = (s.mean, s.std, s.min, s.percentile_00_5, s.median, s.percentile_99_5, s.max)
        rows.append([name, *(number_cell(f"{value:.4g}") for value in values)])
    headers = ["Channel", "Mean", "SD", "Least", "0.5 %", "Median", "99.5 %", "Most"]
    return table(headers, rows, numbers=range(1, 8))
