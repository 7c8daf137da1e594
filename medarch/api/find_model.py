"""Which model folder a path means."""

from __future__ import annotations

from pathlib import Path

from medarch.core.plan import Plan
from medarch.core.selection import Selection

SELECTION = "selection.json"
"""What ``medarch select`` writes into a plan's folder."""


def find_model(path: Path) -> Path:
    """Return the model folder meant by a model, configuration or plan folder; the first of a ``selection.json``."""
    if path.name == SELECTION and path.is_file():
        return path.parent / Selection.load(path).winner[0] / "model"
    for name in ("model.json", "nuclei.json"):
        if (path / name).exists():
            return path
        if (path / "model" / name).exists():
            return path / "model"
    if (path / "plan.json").exists():
        return path / Plan.load(path / "plan.json").default / "model"
    return path
