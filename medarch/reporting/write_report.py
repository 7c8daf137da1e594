"""The report of a run, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medarch.core.evaluation import Evaluation
from medarch.core.files import write_text
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Plan
from medarch.reporting.case_scores import case_scores
from medarch.reporting.page import page
from medarch.reporting.sections.cases import cases_section
from medarch.reporting.sections.environment import environment_section
from medarch.reporting.sections.examples import examples_section
from medarch.reporting.sections.fingerprint import fingerprint_section
from medarch.reporting.sections.headline import headline
from medarch.reporting.sections.plan import plan_section
from medarch.reporting.sections.results import results_section
from medarch.reporting.sections.training import training_section

FOOTER = "Made by medarch. A report on a research model; not for diagnosis."


def write_report(  # noqa: PLR0913 - each argument is one record or artefact of a run, and all but the plan may be missing
    target: Path,
    *,
    plan: Plan,
    fingerprint: Fingerprint | None = None,
    configuration: str | None = None,
    training_log: Path | None = None,
    evaluation: Evaluation | None = None,
    images: Mapping[str, Path] = {},
    references: Mapping[str, Path] = {},
    predictions: Mapping[str, Path] = {},
    environment: Mapping[str, str] = {},
) -> Path:
    """Write one HTML file that needs nothing else: no network, no other file.

    What is not given is left out, and the page says so at its end.

    Args:
        target: the file to write, atomically.
        plan: what was trained.
        fingerprint: of the training data.
        configuration: the configuration of this run; the plan's default when None.
        training_log: CSV of the run; see :func:`medarch.reporting.draw_curves.draw_curves`.
        evaluation: decides which cases are shown as worst and best.
        images: case id to image file; the first channel is shown.
        references: case id to label map on the grid of the image.
        predictions: case id to label map on the grid of the image.
        environment: versions, hardware, date: name to text.

    Returns:
        ``target``.

    Raises:
        PlanError: the plan has no such configuration.
        TrainingError: the training log cannot be read.
    """
    chosen = plan.configuration(configuration)
    scores = case_scores(evaluation) if evaluation else []
    sections = [
        results_section(evaluation, scores),
        examples_section(plan, scores, images=images, references=references, predictions=predictions),
        training_section(training_log),
        cases_section(evaluation, scores),
        plan_section(plan, chosen),
        fingerprint_section(fingerprint, plan),
        environment_section(environment),
    ]
    top = headline(plan, chosen, evaluation=evaluation, scores=scores)
    write_text(target, page(f"{plan.dataset}: medarch report", headline=top, sections=sections, footer=FOOTER))
    return target
