"""Where everything of a run lies: one folder a dataset, one folder a plan, one folder a fold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """Paths below ``root/dataset``. Nothing is created here."""

    root: Path
    dataset: str

    @property
    def folder(self) -> Path:
        """``WORKSPACE/DATASET``."""
        return self.root / self.dataset

    @property
    def dataset_file(self) -> Path:
        """The dataset record."""
        return self.folder / "dataset.json"

    @property
    def fingerprint_file(self) -> Path:
        """The fingerprint record."""
        return self.folder / "fingerprint.json"

    @property
    def splits_file(self) -> Path:
        """Folds, in nnU-Net's ``splits_final.json`` format."""
        return self.folder / "splits.json"

    @property
    def prepared(self) -> Path:
        """Case stores, one folder a recipe."""
        return self.folder / "prepared"

    def plan_folder(self, plan: str) -> Path:
        """Folder of one plan."""
        return self.folder / plan

    def plan_file(self, plan: str) -> Path:
        """The plan record."""
        return self.plan_folder(plan) / "plan.json"

    def fold_folder(self, plan: str, configuration: str, fold: int | str) -> Path:
        """Folder of one training run."""
        return self.plan_folder(plan) / configuration / f"fold_{fold}"
