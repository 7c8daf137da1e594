"""Panoptic quality of each type of nuclei."""

from __future__ import annotations

import numpy as np

from medarch.evaluation.nuclei.overlap_table import OverlapTable
from medarch.evaluation.nuclei.panoptic_quality import MATCH_IOU, PanopticQuality


def panoptic_quality_of_types(
    table: OverlapTable, truth_types: np.ndarray, found_types: np.ndarray, types: int
) -> list[PanopticQuality]:
    """Return, for each type, the counts of the image in which nuclei of other types are not there.

    A nucleus that is found but given another type is missed for its own type and spurious for the other. Types that
    the reference does not have can have spurious nuclei: whether these count is a matter of how images are summed up,
    see :func:`~medarch.evaluation.nuclei.multi_class_quality.multi_class_quality`.

    Args:
        table: of one image.
        truth_types: ``(n,)`` types from 1, in the order of ``table.truth_numbers``; 0: not known. Such a nucleus, and
            what is found in its place, counts for no type.
        found_types: ``(m,)`` types from 1.
        types: how many there are.
    """
    match = table.iou > MATCH_IOU
    truth, found, iou = table.truth_index[match], table.found_index[match], table.iou[match]
    excused = np.zeros(len(table.found_numbers), bool)
    excused[found[truth_types[truth] == 0]] = True
    counts = []
    for kind in range(1, types + 1):
        hit = (truth_types[truth] == kind) & (found_types[found] == kind)
        hits = int(hit.sum())
        counts.append(
            PanopticQuality(
                hits,
                int(((found_types == kind) & ~excused).sum()) - hits,
                int((truth_types == kind).sum()) - hits,
                float(iou[hit].sum()),
            )
        )
    return counts
