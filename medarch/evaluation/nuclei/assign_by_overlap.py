"""One nucleus to one nucleus, with the largest sum of IoU."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medarch.evaluation.nuclei.overlap_table import OverlapTable


def assign_by_overlap(table: OverlapTable) -> np.ndarray:
    """Return which pairs of ``table`` belong to the assignment, as indices into its pairs, ascending.

    The Hungarian method (Kuhn 1955) on each group of nuclei that are linked by overlaps: groups do not influence each
    other, so a slide takes as long as its nuclei, not as their square.
    """
    size = len(table.truth_numbers) + len(table.found_numbers)
    rows, columns = table.truth_index, table.found_index + len(table.truth_numbers)
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    _, group = connected_components(graph, directed=False)
    iou = table.iou
    of_pair = group[rows]
    order = np.argsort(of_pair, kind="stable")
    starts = np.flatnonzero(np.diff(of_pair[order], prepend=-1))
    chosen: list[np.ndarray] = []
    for pairs in np.split(order, starts[1:]):
        if len(pairs) <= 1:
            chosen.append(pairs)
            continue
        truths, row = np.unique(table.truth_index[pairs], return_inverse=True)
        founds, column = np.unique(table.found_index[pairs], return_inverse=True)
        gain = np.zeros((len(truths), len(founds)))
        which = np.full(gain.shape, -1)
        gain[row, column], which[row, column] = iou[pairs], pairs
        picked = which[linear_sum_assignment(gain, maximize=True)]
        chosen.append(picked[picked >= 0])
    found: np.ndarray = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, int)
    return found
