"""An evaluation of whichever task as text."""

from __future__ import annotations

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.evaluation import Evaluation
from medarch.evaluation.classification.format_class_table import format_class_table
from medarch.evaluation.format_table import format_table


def format_evaluation(evaluation: Evaluation | ClassificationEvaluation) -> str:
    """Return a Markdown table."""
    if isinstance(evaluation, ClassificationEvaluation):
        return format_class_table(evaluation)
    return format_table(evaluation)
