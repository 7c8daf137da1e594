"""The report of nuclei, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medarch.core.files import write_text
from medarch.core.fingerprint import Fingerprint
from medarch.core.nuclei_evaluation import NucleiEvaluation
from medarch.core.plan import Plan
from medarch.core.separation import Separation
from medarch.reporting.nuclei.found_nuclei import FoundNuclei
from medarch.reporting.nuclei.found_volume import FoundVolume
from medarch.reporting.nuclei.image_table import image_table
from medarch.reporting.nuclei.nuclei_dataset import nuclei_dataset
from medarch.reporting.nuclei.nuclei_examples import nuclei_examples
from medarch.reporting.nuclei.nuclei_headline import nuclei_headline
from medarch.reporting.nuclei.nuclei_results import nuclei_results
from medarch.reporting.nuclei.separation_section import separation_section
from medarch.reporting.page import page
from medarch.reporting.sections.environment import environment_section
from medarch.reporting.sections.plan import plan_section
from medarch.reporting.sections.training import training_section
from medarch.reporting.write_report import FOOTER


def write_nuclei_report(  # noqa: PLR0913 - each argument is one record or artefact of a run, and all but the plan may be missing
    target: Path,
    *,
    plan: Plan,
    fingerprint: Fingerprint | None = None,
    configuration: str | None = None,
    training_log: Path | None = None,
    evaluation: NucleiEvaluation | None = None,
    calibrated_on_these: bool = False,
    images: Mapping[str, FoundNuclei] | Mapping[str, FoundVolume] = {},
    separation: Separation | None = None,
    environment: Mapping[str, str] = {},
) -> Path:
    """Write one HTML file that needs nothing else; what is not given is left out, and the page says so at its end.

    Args:
        target: the file to write, atomically.
        plan: what was trained.
        fingerprint: of the training data.
        configuration: the configuration of this run; the plan's default when None.
        training_log: CSV of the run.
        evaluation: decides which images are shown as worst and best.
        calibrated_on_these: whether the constants of separation were chosen on the evaluated images.
        images: case id to image, reference and what was found.
        separation: the constants that training ended with.
        environment: versions, hardware, date: name to text.

    Returns:
        ``target``.

    Raises:
        PlanError: the plan has no such configuration.
        TrainingError: the training log cannot be read.
    """
    chosen = plan.configuration(configuration)
    sections = [
        nuclei_results(evaluation, calibrated_on_these=calibrated_on_these),
        nuclei_examples(evaluation, images),
        training_section(training_log),
        image_table(evaluation),
        separation_section(chosen.separation, separation),
        plan_section(plan, chosen),
        nuclei_dataset(fingerprint),
        environment_section(environment),
    ]
    top = nuclei_headline(plan, chosen, evaluation)
    write_text(target, page(f"{plan.dataset}: medarch report", headline=top, sections=sections, footer=FOOTER))
    return target
