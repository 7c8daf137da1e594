"""The report of registrations, in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from medarch.core.files import write_text
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Plan
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.evaluation.registration.registered_pair import RegisteredPair
from medarch.reporting.page import page
from medarch.reporting.registration.pair_examples import pair_examples
from medarch.reporting.registration.pair_headline import pair_headline
from medarch.reporting.registration.pair_results import pair_results
from medarch.reporting.registration.pair_table import pair_table
from medarch.reporting.sections.environment import environment_section
from medarch.reporting.sections.fingerprint import fingerprint_section
from medarch.reporting.sections.plan import plan_section
from medarch.reporting.sections.training import training_section
from medarch.reporting.write_report import FOOTER


def write_registration_report(
    target: Path,
    *,
    evaluation: RegistrationEvaluation | None,
    pairs: Sequence[RegisteredPair] = (),
    plan: Plan | None = None,
    configuration: str | None = None,
    fingerprint: Fingerprint | None = None,
    training_log: Path | None = None,
    environment: Mapping[str, str] = {},
) -> Path:
    """Write one HTML file that needs nothing else; what is not given is left out.

    Args:
        target: the file to write, atomically.
        evaluation: decides which pairs are shown as worst and best.
        pairs: the files of pairs, of which up to seven are drawn.
        plan: what was trained; None for registrations without training.
        configuration: the configuration of this run; the plan's default when None.
        fingerprint: of the training data.
        training_log: CSV of the run.
        environment: versions, hardware, date: name to text.

    Returns:
        ``target``.

    Raises:
        PlanError: the plan has no such configuration.
        TrainingError: the training log cannot be read.
    """
    chosen = None if plan is None else plan.configuration(configuration)
    sections = [pair_results(evaluation), pair_examples(evaluation, {pair.name: pair for pair in pairs})]
    sections.append(pair_table(evaluation))
    if plan is not None and chosen is not None:
        sections[2:2] = [training_section(training_log)]
        sections += [plan_section(plan, chosen), fingerprint_section(fingerprint, plan)]
    sections.append(environment_section(environment))
    known = plan or evaluation
    title = f"{(known.dataset if known else '') or 'Registration'}: medarch report"
    top = pair_headline(evaluation, plan, chosen)
    write_text(target, page(title, headline=top, sections=sections, footer=FOOTER))
    return target
