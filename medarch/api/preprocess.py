"""From a plan to prepared cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.plan_folder import PlanFolder
from medarch.api.progress import Progress

if TYPE_CHECKING:
    from medarch.preprocessing.case_store import CaseStore


def preprocess(
    plan_folder: Path,
    *,
    configuration: str | None = None,
    cases: Sequence[str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CaseStore:
    """Prepare the cases of a plan; cases that are prepared already are not touched."""
    from medarch.preprocessing.prepare_dataset import prepare_dataset

    home = PlanFolder.load(plan_folder)
    chosen = home.plan.configuration(configuration)
    return prepare_dataset(
        home.dataset, chosen.preprocessing, home.room.prepared, cases=cases, workers=workers, progress=progress
    )
