"""An evaluation of nuclei as text and on disk."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from medarch.core.evaluation import Interval
from medarch.core.files import write_text
from medarch.core.nuclei_evaluation import IMAGE_MEASURES, NucleiEvaluation, NucleiMeasures

LISTED = 3
"""Reasons why images could not be measured that the table tells."""
_TITLES = {"pq": "PQ", "dq": "DQ", "sq": "SQ", "aji": "AJI", "aji_plus": "AJI+", "dice": "Dice"}


def format_nuclei_table(evaluation: NucleiEvaluation) -> str:
    """Return Markdown: means over images with their intervals, the nuclei of all images together, and types."""
    [summary] = evaluation.summaries
    radius = evaluation.detection_radius_mm
    lines = [
        f"{evaluation.dataset}: {len(evaluation.rows)} images, mean ({evaluation.confidence:.0%} interval)",
        "",
        "| " + " | ".join(_TITLES[name] for name in IMAGE_MEASURES) + " |",
        "|" + "---|" * len(IMAGE_MEASURES),
        "| " + " | ".join(_interval(summary.measures[name]) for name in IMAGE_MEASURES) + " |",
        "",
        "All nuclei together: "
        + ", ".join(f"{_TITLES[name]} {_number(value)}" for name, value in evaluation.pooled.items())
        + f", F_d {_number(evaluation.detection_f)}"
        + ("." if radius is None else f" (centres within {radius:.3g} mm)."),
    ]
    if failed := [row for row in evaluation.rows if row.status == "failed"]:
        lines += ["", f"{len(failed)} of {len(evaluation.rows)} images could not be measured:", *_reasons(failed)]
    if evaluation.types:
        lines += [
            "",
            f"mPQ+ {_number(evaluation.multi_class_pq)} (types pooled over images), "
            f"mPQ {_number(evaluation.multi_class_pq_per_image)} (types an image has; "
            f"{evaluation.spurious_of_absent_types} nuclei of other types do not count in it).",
            "",
            "| type | PQ | F_c |",
            "|---|---|---|",
            *(f"| {name} | {_number(row['pq'])} | {_number(row['f'])} |" for name, row in evaluation.types.items()),
        ]
    return "\n".join(lines) + "\n"


def write_nuclei_tables(evaluation: NucleiEvaluation, folder: Path) -> None:
    """Write ``evaluation.json``, ``evaluation.csv`` (a line an image) and ``evaluation.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluation.save(folder / "evaluation.json")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "status", "reference_nuclei", "found_nuclei", *IMAGE_MEASURES, "reason"])
    for row in evaluation.rows:
        values = ["" if (value := row.values.get(name)) is None else f"{value:.6f}" for name in IMAGE_MEASURES]
        writer.writerow([row.case, row.status, row.reference_nuclei, row.found_nuclei, *values, row.reason])
    write_text(folder / "evaluation.csv", text.getvalue())
    write_text(folder / "evaluation.md", format_nuclei_table(evaluation))


def _reasons(failed: Sequence[NucleiMeasures]) -> list[str]:
    """The most frequent reasons with their counts; images that differ in their names only share one."""
    cases: dict[str, list[NucleiMeasures]] = defaultdict(list)
    for row in failed:
        cases[" ".join(row.reason.split()).replace(row.case, "*")].append(row)
    ranked = sorted(cases.values(), key=len, reverse=True)
    lines = [f"- {len(rows)}, {rows[0].case}: {' '.join(rows[0].reason.split())}" for rows in ranked[:LISTED]]
    left = sum(len(rows) for rows in ranked[LISTED:])
    return [*lines, f"- {left} for other reasons, see evaluation.csv"] if left else lines


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _interval(interval: Interval) -> str:
    if interval.mean is None or interval.low is None or interval.high is None:
        return _number(interval.mean)
    return f"{interval.mean:.4f} ({interval.low:.4f} to {interval.high:.4f})"
