"""An evaluation of registrations as text a person reads, in a terminal or as Markdown."""

from __future__ import annotations

from medarch.core.evaluation import Interval, Summary
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.evaluation.markdown_table import markdown_table

LABEL_COLUMNS = {"DSC": ("dsc", ".3f"), "HD95 mm": ("hd95_mm", ".2f")}
PAIR_ROWS = {
    "tre_before_mm": ("TRE before, mm", ".2f"),
    "tre_mm": ("TRE, mm", ".2f"),
    "tre_max_mm": ("largest TRE of a pair, mm", ".2f"),
    "folding_share": ("share of folds", ".2e"),
    "sd_log_jacobian": ("SD of log-Jacobian", ".3f"),
    "inverse_consistency_mm": ("inverse consistency, mm", ".3f"),
    "seconds": ("seconds", ".2f"),
}


def format_registration_table(evaluation: RegistrationEvaluation) -> str:
    """Return the labels before and after, then what was measured of each pair, as Markdown."""
    lines: list[str] = []
    if evaluation.summaries:
        table = [["label", *(f"{name} {when}" for name in LABEL_COLUMNS for when in ("before", "after"))]]
        started = {summary.label: summary for summary in evaluation.summaries_before}
        for summary in evaluation.summaries:
            table.append([summary.label, *_label_cells(started.get(summary.label), summary)])
        lines += [*markdown_table(table), ""]
    if evaluation.pair_summaries:
        table = [["a pair", "mean"]]
        for name, (title, pattern) in PAIR_ROWS.items():
            if name in evaluation.pair_summaries:
                table.append([title, _cell(evaluation.pair_summaries[name], pattern)])
        lines += [*markdown_table(table), ""]
    failed = [pair for pair in evaluation.pairs if pair.status == "failed"]
    lines += [
        f"{len(evaluation.pairs)} pairs, {len(failed)} failed (they count as DSC 0); "
        f"mean [{evaluation.confidence:.0%} bootstrap interval over pairs] n=used/total.",
        f"Surfaces: {evaluation.surface_method}.",
        *(f"FAILED {pair.pair}: {pair.reason}" for pair in failed),
    ]
    return "\n".join(lines) + "\n"


def _label_cells(before: Summary | None, after: Summary) -> list[str]:
    return [
        "-" if summary is None else _cell(summary.measures[measure], pattern)
        for measure, pattern in LABEL_COLUMNS.values()
        for summary in (before, after)
    ]


def _cell(interval: Interval, pattern: str) -> str:
    counted = "" if interval.used == interval.total else f" n={interval.used}/{interval.total}"
    if interval.mean is None:
        return f"-{counted}"
    if interval.low is None or interval.high is None:
        return f"{interval.mean:{pattern}}{counted}"
    return f"{interval.mean:{pattern}} [{interval.low:{pattern}}, {interval.high:{pattern}}]{counted}"
