"""Panoptic quality."""

from __future__ import annotations

from dataclasses import dataclass

from medarch.evaluation.nuclei.overlap_table import OverlapTable

MATCH_IOU = 0.5
"""Pairs above it match; a nucleus can be in one such pair only."""


@dataclass(frozen=True)
class PanopticQuality:
    """Counts that can be added over images. Source: Kirillov et al. 2019, arXiv:1801.00868."""

    hits: int = 0
    spurious: int = 0
    missed: int = 0
    iou_sum: float = 0.0
    """Over hits."""

    def __add__(self, other: PanopticQuality) -> PanopticQuality:
        """Return the counts of both."""
        return PanopticQuality(
            self.hits + other.hits,
            self.spurious + other.spurious,
            self.missed + other.missed,
            self.iou_sum + other.iou_sum,
        )

    @property
    def detection(self) -> float:
        """DQ, the F1 score of nuclei; NaN where there are none in either image."""
        total = self.hits + 0.5 * self.spurious + 0.5 * self.missed
        return self.hits / total if total else float("nan")

    @property
    def segmentation(self) -> float:
        """SQ, the mean IoU of hits; 0 where nothing was hit, NaN where there is nothing to hit."""
        if self.hits:
            return self.iou_sum / self.hits
        return 0.0 if self.spurious + self.missed else float("nan")

    @property
    def quality(self) -> float:
        """PQ = DQ · SQ; NaN where there are no nuclei in either image."""
        return self.detection * self.segmentation


def panoptic_quality(table: OverlapTable) -> PanopticQuality:
    """Return the counts of one image: pairs with an IoU above one half are hits."""
    iou = table.iou
    iou = iou[iou > MATCH_IOU]
    hits = len(iou)
    return PanopticQuality(hits, len(table.found_numbers) - hits, len(table.truth_numbers) - hits, float(iou.sum()))
