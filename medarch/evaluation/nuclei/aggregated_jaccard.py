"""The aggregated Jaccard index."""

from __future__ import annotations

import numpy as np

from medarch.evaluation.nuclei.assign_by_overlap import assign_by_overlap
from medarch.evaluation.nuclei.overlap_table import OverlapTable


def aggregated_jaccard(table: OverlapTable, *, one_to_one: bool = False) -> float:
    """Return the pixels that partners share over those that partners have together, loners counted in.

    Args:
        table: of one image.
        one_to_one: AJI+: a found nucleus is the partner of one nucleus at most, with the largest sum of IoU
            (Graham et al. 2019, arXiv:1812.06499). Otherwise AJI: each nucleus' partner is the one with the largest
            IoU, several may share it (Kumar et al. 2017, doi:10.1109/TMI.2017.2677499).

    Returns:
        From 0 to 1; NaN where neither image has a nucleus.
    """
    pairs = assign_by_overlap(table) if one_to_one else _best_of_each(table)
    alone_truth = np.ones(len(table.truth_numbers), bool)
    alone_truth[table.truth_index[pairs]] = False
    alone_found = np.ones(len(table.found_numbers), bool)
    alone_found[table.found_index[pairs]] = False
    union = table.union[pairs].sum() + table.truth_area[alone_truth].sum() + table.found_area[alone_found].sum()
    return float(table.overlap[pairs].sum() / union) if union else float("nan")


def _best_of_each(table: OverlapTable) -> np.ndarray:
    """For each nucleus that overlaps any, the pair of largest IoU; of equals the first."""
    order = np.lexsort((np.arange(len(table.overlap)), -table.iou, table.truth_index))
    first = np.flatnonzero(np.diff(table.truth_index[order], prepend=-1))
    best: np.ndarray = order[first]
    return best
