"""A plan on disk with what lies beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.dataset import Dataset, Split
from medarch.core.errors import UsageError
from medarch.core.plan import Plan
from medarch.core.workspace import Workspace

if TYPE_CHECKING:
    from medarch.core.fingerprint import Fingerprint


@dataclass(frozen=True)
class PlanFolder:
    """A plan on disk with the records beside it."""

    folder: Path
    plan: Plan
    dataset: Dataset
    room: Workspace

    @classmethod
    def load(cls, folder: Path) -> PlanFolder:
        """Read ``folder/plan.json`` and the dataset beside it."""
        folder = folder.parent if folder.name == "plan.json" else folder
        loaded = Plan.load(folder / "plan.json")
        dataset = Dataset.load(folder.parent / "dataset.json")
        return cls(folder, loaded, dataset, Workspace(folder.parent.parent, folder.parent.name))

    def fold_folder(self, configuration: str, fold: int | str) -> Path:
        """Where one training run lies."""
        return self.room.fold_folder(self.folder.name, configuration, fold)

    def fingerprint(self) -> Fingerprint:
        """The fingerprint the plan was made from."""
        from medarch.core.fingerprint import Fingerprint

        return Fingerprint.load(self.room.fingerprint_file)

    def split(self, fold: int | str) -> Split:
        """Cases of a fold; ``all`` trains and validates on everything."""
        from medarch.planning.split_file import load_splits

        if fold == "all":
            everything = tuple(case.id for case in self.dataset.cases)
            return Split(train=everything, val=everything)
        splits = load_splits(self.room.splits_file)
        if not str(fold).isdigit() or int(fold) >= len(splits):
            raise UsageError(
                f"no fold {fold}",
                expected=f"0 to {len(splits) - 1}, or all",
                found=str(fold),
                fix=f"choose one of those, or add folds to {self.room.splits_file}",
            )
        return splits[int(fold)]
