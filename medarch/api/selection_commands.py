"""How to predict with what was selected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medarch.api.find_model import SELECTION


def selection_commands(folder: Path, winner: Sequence[str], folds: Sequence[str], *, rules: Path) -> tuple[str, ...]:
    """Return first the command that predicts in one pass, then those that do the same step by step.

    Args:
        folder: the plan's.
        winner: configurations.
        folds: to average in each.
        rules: the winner's ``postprocessing.json``.
    """
    at_once = f"medarch predict {folder / SELECTION} INPUT OUTPUT"
    chosen = ",".join(folds)
    if len(winner) == 1:
        return at_once, f"medarch predict {folder / winner[0] / 'model'} INPUT OUTPUT --folds {chosen}"
    each = [
        f"medarch predict {folder / name / 'model'} INPUT OUTPUT_{name} --folds {chosen} --probabilities"
        for name in winner
    ]
    members = " ".join(f"OUTPUT_{name}" for name in winner)
    return (
        at_once,
        *each,
        f"medarch ensemble {members} --output OUTPUT_ENSEMBLE",
        f"medarch postprocess OUTPUT_ENSEMBLE OUTPUT --rules {rules}",
    )
