"""From a study file to a comparison of methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.environment import environment
from medarch.core.errors import UsageError

if TYPE_CHECKING:
    from medarch.core.study import RunStatus, StudyResult
    from medarch.studies.study_file import StudyFile


@dataclass(frozen=True)
class StudyOutcome:
    """What a study came to."""

    result: StudyResult
    folder: Path
    """Where everything of the study lies, tables included."""
    expected_s: float | None
    """Wall-clock of the open runs; None if unknown."""


def compare(
    study: Path,
    *,
    only: Sequence[str] = (),
    restart: bool = False,
    dry_run: bool = False,
    tell: Callable[[str, RunStatus, str], None] | None = None,
) -> StudyOutcome:
    """Do a comparison study, or go on with it: every run that is not done, then statistics and tables.

    Args:
        study: YAML file; see docs/studies.md.
        only: names of the methods to run now.
        restart: forget earlier runs (of ``only``, if given).
        dry_run: tell the state of every run and stop.
        tell: called with a run's name, its new status and a detail.

    Raises:
        UsageError: the file is wrong, or has changed in a way that would mix results.
        EvaluationError: the methods did not predict the same cases.
        DatasetError: a dataset cannot be used.
    """
    from medarch.studies.read_study import read_study
    from medarch.studies.run_study import run_study
    from medarch.studies.tell import tell_nobody

    described = read_study(study)
    _check_plans(described)
    state = run_study(described, only=only, restart=restart, dry_run=dry_run, tell=tell or tell_nobody)
    result = state.result.model_copy(update={"software": environment() | state.result.software})
    if not dry_run:
        from medarch.evaluation.compare_methods import compare_methods
        from medarch.reporting.write_study import write_study

        result.save(described.output / "study.json")
        write_study(result, compare_methods(result), described.output)
    return StudyOutcome(result, described.output, state.expected_s)


def _check_plans(study: StudyFile) -> None:
    """Presets and networks are known here; the room of studies knows neither."""
    from medarch.api.plan import PRESETS

    networks: tuple[str, ...] = ()
    if any(method.architecture for method in study.methods):
        from medarch.networks.registry import REGISTRY

        networks = tuple(sorted(REGISTRY))
    for index, method in enumerate(study.methods):
        for field, value, known in (("plan", method.plan, PRESETS), ("architecture", method.architecture, networks)):
            if value is not None and value not in known:
                raise UsageError(
                    f"methods[{index}].{field}: unknown {value!r}", expected=", ".join(known), found=value,
                    fix="choose one of those",
                )  # fmt: skip
