"""Measures with confidence intervals, over all and of each class, and what was taken for what."""

from __future__ import annotations

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.evaluation import Interval
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.section import Section
from medarch.reporting.table import number_cell, table
from medarch.reporting.write_number import write_number

TITLES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "brier": "Brier score",
    "ece": "ECE",
}


def class_results(evaluation: ClassificationEvaluation | None) -> Section:
    """Return the tables."""
    if evaluation is None:
        return Section("results", "Results", absent="no evaluation was given.")
    overall, *classes = evaluation.summaries
    note = (
        f"With {evaluation.confidence * 100:g} % confidence intervals from {evaluation.bootstrap_samples} bootstrap "
        f"samples of {evaluation.patients} patients. AUROC, AUPRC and F1 over all are means over classes. Brier score "
        "and expected calibration error (ECE) are better when lower. A failed case counts as wrong."
    )
    parts = [
        table(
            ["", *(TITLES[name] for name in overall.measures)],
            [["All", *map(_cell, overall.measures.values())]],
            numbers=range(1, len(overall.measures) + 1),
        ),
        paragraph(note, class_="note"),
        tag("h3", "Each class"),
        table(
            ["Class", *(TITLES[name] for name in classes[0].measures), "Cases"],
            [
                [
                    summary.label,
                    *map(_cell, summary.measures.values()),
                    number_cell(str(summary.counts["true_positive"] + summary.counts["false_negative"])),
                ]
                for summary in classes
            ],
            numbers=range(1, len(classes[0].measures) + 2),
        ),
    ]
    if evaluation.confusion:
        parts += [tag("h3", "Confusion matrix"), _confusion(evaluation)]
    return Section("results", "Results", join(*parts))


def _cell(interval: Interval) -> Html:
    notes = []
    if interval.low is not None and interval.high is not None:
        notes.append(f"{write_number(interval.low)} to {write_number(interval.high)}")
    return number_cell(write_number(interval.mean), notes=notes)


def _confusion(evaluation: ClassificationEvaluation) -> Html:
    names = evaluation.classes.names
    rows = [
        [name, *(number_cell(str(count), count, notes=_share(count, sum(row))) for count in row)]
        for name, row in zip(names, evaluation.confusion, strict=True)
    ]
    heading = paragraph("Rows: what cases are. Columns: what was decided.", class_="note")
    return join(heading, table(["", *names], rows, numbers=range(1, len(names) + 1)))


def _share(count: int, total: int) -> list[str]:
    return [f"{100 * count / total:.0f} %"] if total else []
