"""Dice of many cases and classes, and the means by which configurations and postprocessing are chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.core.labels import LabelScheme
from medarch.evaluation.overlap import overlap


def dice_row(prediction: np.ndarray, reference: np.ndarray, *, labels: LabelScheme) -> np.ndarray:
    """Return ``(classes,)`` Dice in the order of ``labels``; NaN where a class is in neither map.

    Args:
        prediction: integers of any shape.
        reference: the same shape; voxels of the ignore label do not count.
        labels: classes or regions.
    """
    known = None if labels.ignore_value is None else reference != labels.ignore_value
    row = []
    for name in labels.foreground_names:
        wanted = np.zeros(labels.values[-1] + 1, dtype=bool)
        wanted[list(labels.members(name))] = True
        found, truth = wanted[prediction], wanted[reference]
        if known is not None:
            found, truth = found & known, truth & known
        dsc = overlap(found, truth).dsc
        row.append(np.nan if dsc is None else dsc)
    return np.array(row)


def class_means(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return ``(classes,)`` means over the cases in which a class is defined; NaN where it is in none."""
    table = np.stack(rows)
    counts = np.isfinite(table).sum(axis=0)
    means: np.ndarray = np.where(counts, np.nansum(table, axis=0) / np.maximum(counts, 1), np.nan)
    return means


def foreground_mean(means: np.ndarray) -> float:
    """Mean over classes, nnU-Net's ``foreground_mean``, but over the classes that are defined at all."""
    defined = means[np.isfinite(means)]
    return float(defined.mean()) if len(defined) else 0.0
