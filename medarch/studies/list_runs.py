"""From a study to its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medarch.studies.open_datasets import StudyDataset
from medarch.studies.study_file import Method, StudyFile
from medarch.studies.study_folder import StudyFolder


@dataclass(frozen=True)
class PlannedRun:
    """One method on one fold of one dataset with one seed."""

    dataset: StudyDataset
    method: Method
    fold: int
    seed: int
    folder: Path

    @property
    def key(self) -> str:
        """A name for people and files: ``hippocampus/auto/fold_0/seed_1``."""
        return f"{self.dataset.name}/{self.method.name}/fold_{self.fold}/seed_{self.seed}"

    @property
    def cases(self) -> tuple[str, ...]:
        """The validation cases of the fold, sorted."""
        return tuple(sorted(self.dataset.splits[self.fold].val))


def list_runs(study: StudyFile, datasets: Sequence[StudyDataset]) -> tuple[PlannedRun, ...]:
    """Return datasets × folds × seeds × methods, so that the methods of one fold run close to each other in time."""
    home = StudyFolder(study.output)
    return tuple(
        PlannedRun(dataset, method, fold, seed, home.run(dataset.name, method.name, fold, seed))
        for dataset in datasets
        for fold in dataset.folds
        for seed in study.seeds
        for method in study.methods
    )
