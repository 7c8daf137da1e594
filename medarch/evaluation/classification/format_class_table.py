"""An evaluation of a classification as text a person reads, in a terminal or as Markdown."""

from __future__ import annotations

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.evaluation import Interval
from medarch.evaluation.markdown_table import markdown_table

TITLES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "brier": "Brier score",
    "ece": "ECE",
}


def format_class_table(evaluation: ClassificationEvaluation) -> str:
    """Return the measures over all classes, those of each class, and the confusion matrix, in Markdown."""
    overall, *classes = evaluation.summaries
    table = [["measure", "value"], *([TITLES[name], _cell(value)] for name, value in overall.measures.items())]
    lines = markdown_table(table)
    if classes:
        names = list(classes[0].measures)
        head = ["class", *(TITLES[name] for name in names), "cases"]
        body = [
            [
                summary.label,
                *(_cell(summary.measures[name]) for name in names),
                str(summary.counts["true_positive"] + summary.counts["false_negative"]),
            ]
            for summary in classes
        ]
        lines += ["", *markdown_table([head, *body])]
    if evaluation.confusion:
        head = ["is, decided as", *evaluation.classes.names]
        body = [
            [name, *map(str, row)] for name, row in zip(evaluation.classes.names, evaluation.confusion, strict=True)
        ]
        lines += ["", *markdown_table([head, *body])]
    failed = [f"FAILED {row.case}: {row.reason}" for row in evaluation.rows if row.status == "failed"]
    note = (
        f"{len(evaluation.rows)} cases of {evaluation.patients} patients; value [{evaluation.confidence:.0%} bootstrap "
        "interval over patients]; failed cases count as wrong."
    )
    return "\n".join([*lines, "", note, *failed]) + "\n"


def _cell(interval: Interval) -> str:
    if interval.mean is None:
        return "-"
    if interval.low is None or interval.high is None:
        return f"{interval.mean:.3f}"
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
