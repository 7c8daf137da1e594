"""Which model folder a path means."""

from __future__ import annotations

from pathlib import Path

from medarch.core.plan import Plan


def find_model(path: Path) -> Path:
    """Return the model folder meant by a model, configuration or plan folder."""
    if (path / "model.json").exists():
        return path
    if (path / "model" / "model.json").exists():
        return path / "model"
    if (path / "plan.json").exists():
        return path / Plan.load(path / "plan.json").default / "model"
    return path
