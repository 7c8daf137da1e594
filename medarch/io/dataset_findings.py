"""What only shows when cases are compared: copies, outliers, mixed orientations, classes that never occur."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from medarch.core.check import Finding, make_finding
from medarch.core.dataset import Dataset
from medarch.core.geometry import Geometry
from medarch.io.examine_case import CaseFacts

SHAPE_FACTOR = 4.0
"""A case is an outlier when it is so many times larger or smaller than the median along an axis."""
SPACING_FACTOR = 3.0
VOLUME_FACTOR = 5.0
VOLUME_DEVIATIONS = 6.0
"""A class volume is an outlier beyond this many robust standard deviations (1.4826 × MAD) of its logarithm, and only
if it is off by ``VOLUME_FACTOR`` as well."""
FEWEST_CASES = 3
FEWEST_VOLUMES = 8
HUGE_VOXELS = 1_000_000_000


def dataset_findings(dataset: Dataset, facts: Sequence[CaseFacts]) -> list[Finding]:
    """Compare the cases of a dataset, test cases included."""
    return [
        *_copies(facts),
        *_orientations(facts),
        *_grid_outliers(facts),
        *_volume_outliers(dataset, facts),
        *_unseen_classes(dataset, facts),
    ]


def _copies(facts: Sequence[CaseFacts]) -> list[Finding]:
    findings = []
    images: dict[str, CaseFacts] = {}
    labels: dict[str, CaseFacts] = {}
    for case in facts:
        twin = images.setdefault(case.images_sha256 or case.id, case)
        if twin is not case:
            found = f"the images of {twin.id}"
            findings.append(make_finding("DUPLICATE_CASE", case=case.id, expected="images of its own", found=found))
            continue
        twin = labels.setdefault(case.label_sha256 or case.id, case)
        if twin is not case:
            found = f"the label map of {twin.id}"
            findings.append(make_finding("DUPLICATE_LABEL", case=case.id, expected="a label of its own", found=found))
    return findings


def _orientations(facts: Sequence[CaseFacts]) -> list[Finding]:
    codes = {case.id: case.geometry.axcodes for case in facts if case.geometry}
    counts = Counter(codes.values()).most_common()
    if len(counts) < 2:
        return []
    examples = {code: next(name for name, own in codes.items() if own == code) for code, _ in counts}
    found = ", ".join(f"{code} in {count} case(s), e.g. {examples[code]}" for code, count in counts)
    return [make_finding("ORIENTATION_MIXED", expected="one orientation", found=found)]


def _grid_outliers(facts: Sequence[CaseFacts]) -> list[Finding]:
    # Along R, A, S, so that cases stored in different orientations compare.
    grids: dict[str, Geometry] = {case.id: case.geometry.reoriented("RAS")[0] for case in facts if case.geometry}
    findings = [
        make_finding("HUGE_IMAGE", case=case, expected=f"at most {HUGE_VOXELS:.0e} voxels", found=str(grid.shape))
        for case, grid in grids.items()
        if np.prod(grid.shape, dtype=np.int64) > HUGE_VOXELS
    ]
    if len(grids) < FEWEST_CASES:
        return findings
    for code, factor, values in (
        ("SHAPE_OUTLIER", SHAPE_FACTOR, np.array([grid.shape for grid in grids.values()], dtype=float)),
        ("SPACING_OUTLIER", SPACING_FACTOR, np.array([grid.spacing_mm for grid in grids.values()])),
    ):
        median = np.median(values, axis=0)
        for case, row in zip(grids, values, strict=True):
            if (np.maximum(row / median, median / row) > factor).any():
                findings.append(
                    make_finding(code, case=case, expected=f"about {_triple(median)} along R, A, S", found=_triple(row))
                )
    return findings


def _triple(values: np.ndarray) -> str:
    return "×".join(f"{value:.4g}" for value in values)


def _volume_outliers(dataset: Dataset, facts: Sequence[CaseFacts]) -> list[Finding]:
    findings = []
    for value in dataset.labels.foreground_values:
        volumes = {case.id: case.label_mm3[value] for case in facts if value in case.label_mm3}
        if len(volumes) < FEWEST_VOLUMES:
            continue
        logarithms = np.log(list(volumes.values()))
        median = np.median(logarithms)
        spread = 1.4826 * np.median(np.abs(logarithms - median))
        limit = max(VOLUME_DEVIATIONS * spread, np.log(VOLUME_FACTOR))
        for (case, volume), logarithm in zip(volumes.items(), logarithms, strict=True):
            if abs(logarithm - median) > limit:
                expected = f"about {np.exp(median) / 1000:.3g} ml of value {value}"
                found = f"{volume / 1000:.3g} ml"
                findings.append(make_finding("LABEL_VOLUME_OUTLIER", case=case, expected=expected, found=found))
    return findings


def _unseen_classes(dataset: Dataset, facts: Sequence[CaseFacts]) -> list[Finding]:
    seen = {value for case in facts for value in case.label_mm3}
    unseen = [value for value in dataset.labels.foreground_values if value not in seen]
    names = [name for name in dataset.labels.foreground_names if set(dataset.labels.members(name)) & set(unseen)]
    return [
        make_finding("CLASS_NEVER_SEEN", expected="each class in some case", found=f"never: {', '.join(names)}")
    ] * bool(unseen)
