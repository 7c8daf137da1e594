"""Dice of nuclei against the rest."""

from __future__ import annotations

from medarch.evaluation.nuclei.overlap_table import OverlapTable


def pixel_dice(table: OverlapTable) -> float:
    """Return Dice of the pixels of all nuclei together; NaN where neither image has any."""
    total = int(table.truth_area.sum() + table.found_area.sum())
    return float(2 * table.overlap.sum() / total) if total else float("nan")
