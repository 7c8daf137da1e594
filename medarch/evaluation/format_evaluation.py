"""An evaluation of whichever task as text."""

from __future__ import annotations

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.evaluation import Evaluation
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.evaluation.classification.format_class_table import format_class_table
from medarch.evaluation.format_table import format_table
from medarch.evaluation.registration.format_registration_table import format_registration_table


def format_evaluation(evaluation: Evaluation | ClassificationEvaluation | RegistrationEvaluation) -> str:
    """Return a Markdown table."""
    if isinstance(evaluation, ClassificationEvaluation):
        return format_class_table(evaluation)
    if isinstance(evaluation, RegistrationEvaluation):
        return format_registration_table(evaluation)
    return format_table(evaluation)
