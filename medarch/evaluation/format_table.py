"""An evaluation as text a person reads, in a terminal or as Markdown."""

from __future__ import annotations

from medarch.core.evaluation import Evaluation, Interval, Summary
from medarch.evaluation.markdown_table import markdown_table


def format_table(evaluation: Evaluation) -> str:
    """Return a Markdown table, one line a class, and below it what a reader must know to trust it.

    A cell reads ``mean [low, high] n=used/total``; ``-`` stands for a mean without any defined value.
    """
    columns = {
        "DSC": ("dsc", ".3f"),
        f"NSD {evaluation.nsd_tolerance_mm:g} mm": ("nsd", ".3f"),
        "HD95 mm": ("hd95_mm", ".2f"),
        "ASSD mm": ("assd_mm", ".2f"),
        "volume error ml": ("volume_error_ml", "+.2f"),
        "relative volume error": ("relative_volume_error", "+.3f"),
    }
    table = [["class", *columns, "status"]]
    for summary in evaluation.summaries:
        cells = [_cell(summary.measures[measure], pattern) for measure, pattern in columns.values()]
        table.append([summary.label, *cells, _statuses(summary)])
    return "\n".join([*markdown_table(table), "", *_notes(evaluation)]) + "\n"


def _cell(interval: Interval, pattern: str) -> str:
    counted = f"n={interval.used}/{interval.total}"
    if interval.mean is None:
        return f"- {counted}"
    if interval.low is None or interval.high is None:
        return f"{interval.mean:{pattern}} {counted}"
    return f"{interval.mean:{pattern}} [{interval.low:{pattern}}, {interval.high:{pattern}}] {counted}"


def _statuses(summary: Summary) -> str:
    return ", ".join(f"{status} {count}" for status, count in sorted(summary.statuses.items()))


def _notes(evaluation: Evaluation) -> list[str]:
    reasons = {row.case: row.reason for row in evaluation.rows if row.status == "failed"}
    return [
        f"Mean [{evaluation.confidence:.0%} bootstrap interval] over n cases used of all; "
        f"empty policy {evaluation.empty_policy}.",
        f"Surfaces: {evaluation.surface_method}.",
        *(f"FAILED {case}: {reason}" for case, reason in reasons.items()),
    ]
