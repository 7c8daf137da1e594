"""Where everything of a study lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StudyFolder:
    """Paths below the study's output folder. Nothing is created here."""

    root: Path

    @property
    def identity_file(self) -> Path:
        """What the runs were made with."""
        return self.root / "identity.json"

    @property
    def lock_file(self) -> Path:
        """Held by the command that works here."""
        return self.root / ".lock"

    @property
    def slurm(self) -> Path:
        """Submitit's folder, and ``jobs.json``."""
        return self.root / "slurm"

    @property
    def runs(self) -> Path:
        """All runs."""
        return self.root / "runs"

    @property
    def shared(self) -> Path:
        """All that the runs of one method on one dataset share."""
        return self.root / "shared"

    def run(self, dataset: str, method: str, fold: int, seed: int) -> Path:
        """Folder of one run: ``run.json``, ``log.txt``, ``predictions/``."""
        return self.runs / dataset / method / f"fold_{fold}" / f"seed_{seed}"

    def preparation(self, dataset: str, method: str) -> Path:
        """Folder of a method's plan and prepared cases."""
        return self.shared / dataset / method
