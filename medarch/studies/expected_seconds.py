"""How long the open runs of a study will take."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from medarch.core.study import RunStatus
from medarch.studies.job import JobRecord
from medarch.studies.list_runs import PlannedRun
from medarch.studies.study_file import StudyFile


def expected_seconds(study: StudyFile, runs: Sequence[PlannedRun], states: Mapping[str, RunStatus]) -> float | None:
    """Judge each open run by the done ones of its method, else by the budget."""
    total = 0.0
    for run in runs:
        if states[run.key] == "done" or run.method.predictions is not None:
            continue
        records = [JobRecord.of(one.folder) for one in runs if one.method == run.method and states[one.key] == "done"]
        walls = [sum(spent.wall_s for spent in record.spent) for record in records if record is not None]
        expected = statistics.mean(walls) if walls else study.budget.seconds if study.budget else None
        if expected is None:
            return None
        total += expected
    side_by_side = study.run_on.local.workers if study.run_on.local else study.run_on.slurm.parallel  # type: ignore[union-attr]
    return total / min(side_by_side, max(1, len(runs)))
