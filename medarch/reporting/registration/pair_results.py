"""Labels before and after, and how the transforms behave."""

from __future__ import annotations

from medarch.core.evaluation import Summary
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.reporting.interval_cell import interval_cell
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.registration.rank_pairs import pair_dsc
from medarch.reporting.section import Section
from medarch.reporting.strip import strip
from medarch.reporting.table import table

LABEL_MEASURES = {"dsc": ("DSC", 3), "hd95_mm": ("HD95, mm", 2)}
PAIR_TITLES = {
    "tre_before_mm": ("Landmark error before, mm", 2),
    "tre_mm": ("Landmark error, mm", 2),
    "tre_max_mm": ("Largest landmark error of a pair, mm", 2),
    "folding_share": ("Share of voxels that fold", 5),
    "sd_log_jacobian": ("Standard deviation of log-Jacobian", 3),
    "inverse_consistency_mm": ("There and back, mm", 3),
    "seconds": ("Seconds", 2),
}


def pair_results(evaluation: RegistrationEvaluation | None) -> Section:
    """Return the tables and the distribution."""
    if evaluation is None:
        return Section("results", "Results", absent="no evaluation was given.")
    parts: list[Html] = []
    if evaluation.summaries:
        parts += [_labels(evaluation), tag("h3", "DSC of each pair, mean over labels"), _distribution(evaluation)]
    if evaluation.pair_summaries:
        parts += [tag("h3", "The transforms"), _pairs(evaluation)]
    note = (
        f"Mean over pairs, with the {evaluation.confidence * 100:g} % confidence interval from "
        f"{evaluation.bootstrap_samples} bootstrap samples of pairs. “Foreground” is the mean over labels within a "
        "pair, then over pairs. A failed pair counts as DSC 0. Labels are warped with nearest neighbours and measured "
        f"on the fixed image’s grid. Surface measures: {evaluation.surface_method}. Landmark errors are measured in "
        "the moving image. A voxel folds where the Jacobian determinant is 0 or less; the logarithm is of the others."
    )
    return Section("results", "Results", join(*parts, paragraph(note, class_="note")))


def _labels(evaluation: RegistrationEvaluation) -> Html:
    headers = ["Label", *(f"{title}{when}" for title, _ in LABEL_MEASURES.values() for when in (" before", ""))]
    started = {summary.label: summary for summary in evaluation.summaries_before}
    ordered = sorted(evaluation.summaries, key=lambda summary: summary.label != "foreground")
    rows = [[summary.label, *_label_cells(started.get(summary.label), summary)] for summary in ordered]
    return table(headers, rows, numbers=range(1, len(headers)))


def _label_cells(before: Summary | None, after: Summary) -> list[Html]:
    return [
        interval_cell(None if summary is None else summary.measures.get(measure), of="pairs", decimals=decimals)
        for measure, (_, decimals) in LABEL_MEASURES.items()
        for summary in (before, after)
    ]


def _distribution(evaluation: RegistrationEvaluation) -> Html:
    rows = [
        (name, [(pair, value) for pair, value in pair_dsc(measured).items() if value is not None])
        for name, measured in (("before", evaluation.before), ("after", evaluation.rows))
    ]
    return strip(rows, title="Distribution of DSC over pairs, before and after registration")


def _pairs(evaluation: RegistrationEvaluation) -> Html:
    rows = [
        [title, interval_cell(evaluation.pair_summaries[name], of="pairs", decimals=decimals)]
        for name, (title, decimals) in PAIR_TITLES.items()
        if name in evaluation.pair_summaries
    ]
    return table(["Measure", "Mean over pairs"], rows, numbers=[1])
