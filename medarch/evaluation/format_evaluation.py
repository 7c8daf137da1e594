"""An evaluation of whichever task as text."""

from __future__ import annotations

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.load_evaluation import AnyEvaluation
from medarch.core.nuclei_evaluation import NucleiEvaluation
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.evaluation.classification.format_class_table import format_class_table
from medarch.evaluation.format_table import format_table
from medarch.evaluation.nuclei.nuclei_tables import format_nuclei_table
from medarch.evaluation.registration.format_registration_table import format_registration_table


def format_evaluation(evaluation: AnyEvaluation) -> str:
    """Return a Markdown table."""
    if isinstance(evaluation, ClassificationEvaluation):
        return format_class_table(evaluation)
    if isinstance(evaluation, RegistrationEvaluation):
        return format_registration_table(evaluation)
    if isinstance(evaluation, NucleiEvaluation):
        return format_nuclei_table(evaluation)
    return format_table(evaluation)
