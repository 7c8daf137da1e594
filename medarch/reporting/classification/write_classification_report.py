"""The report of a classification, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.files import write_text
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Plan
from medarch.reporting.classification.case_table import case_table
from medarch.reporting.classification.class_headline import class_headline
from medarch.reporting.classification.class_results import class_results
from medarch.reporting.classification.curve_figures import curve_figures
from medarch.reporting.classification.saliency_examples import saliency_examples
from medarch.reporting.page import page
from medarch.reporting.sections.environment import environment_section
from medarch.reporting.sections.fingerprint import fingerprint_section
from medarch.reporting.sections.plan import plan_section
from medarch.reporting.sections.training import training_section
from medarch.reporting.write_report import FOOTER


def write_classification_report(
    target: Path,
    *,
    plan: Plan,
    fingerprint: Fingerprint | None = None,
    configuration: str | None = None,
    training_log: Path | None = None,
    evaluation: ClassificationEvaluation | None = None,
    images: Mapping[str, Path] = {},
    saliency: Mapping[str, Path] = {},
    environment: Mapping[str, str] = {},
) -> Path:
    """Write one HTML file that needs nothing else; what is not given is left out, and the page says so at its end.

    Args:
        target: the file to write, atomically.
        plan: what was trained.
        fingerprint: of the training data.
        configuration: the configuration of this run; the plan's default when None.
        training_log: CSV of the run.
        evaluation: decides which cases are shown as worst and best.
        images: case id to image file; the first channel is shown.
        saliency: case id to where the network looked, on the grid of the image.
        environment: versions, hardware, date: name to text.

    Returns:
        ``target``.

    Raises:
        PlanError: the plan has no such configuration.
        TrainingError: the training log cannot be read.
    """
    chosen = plan.configuration(configuration)
    sections = [
        class_results(evaluation),
        curve_figures(evaluation),
        saliency_examples(evaluation, plan, images=images, saliency=saliency),
        training_section(training_log),
        case_table(evaluation),
        plan_section(plan, chosen),
        fingerprint_section(fingerprint, plan),
        environment_section(environment),
    ]
    top = class_headline(plan, chosen, evaluation)
    write_text(target, page(f"{plan.dataset}: medarch report", headline=top, sections=sections, footer=FOOTER))
    return target
