"""What a dataset reader found: the record, and what is odd about the tree itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from medarch.core.check import Finding
from medarch.core.dataset import Dataset


@dataclass(frozen=True)
class Inventory:
    """A dataset with every case that is listed or lies in its folders, complete or not.

    A training case whose label is unknown has ``label=None``; an expected file that is missing is a path to nothing.
    """

    dataset: Dataset
    findings: list[Finding] = field(default_factory=list)
