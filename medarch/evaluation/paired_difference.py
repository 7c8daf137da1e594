"""Two methods on the same patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.comparison import Estimate
from medarch.evaluation.cluster_bootstrap import ClusterBootstrap

ZERO_METHOD = "pratt"
"""Patients without a difference are ranked and then dropped (Pratt 1959): they speak for the null hypothesis, and
discarding them first would hide that."""


@dataclass(frozen=True)
class PairedDifference:
    """``first`` minus ``second`` of :func:`paired_difference`."""

    difference: Estimate
    one_sided: int
    wins: int
    ties: int
    losses: int
    rank_biserial: float | None
    p_value: float | None


def paired_difference(
    first: np.ndarray, second: np.ndarray, bootstrap: ClusterBootstrap, *, higher_is_better: bool
) -> PairedDifference:
    """Compare two methods case by case.

    The test and the effect size see one number a patient, the mean of its cases' differences. The effect size is the
    matched-pairs rank-biserial correlation (Kerby 2014): with the ranks of the test, favourable minus unfavourable rank
    sum over their total; 0 when no patient differs, and p is 1 then.

    Args:
        first: case scores, ``(cases,)``, NaN where undefined.
        second: the same cases.
        bootstrap: of the cases' patients; used for both methods, so that what they share cancels.
        higher_is_better: whether a positive difference is a win of ``first``.
    """
    from scipy import stats

    differences = first - second
    patients = bootstrap.patient_means(differences) * (1 if higher_is_better else -1)
    wins, losses = int((patients > 0).sum()), int((patients < 0).sum())
    effect, p_value = None, None
    if patients.size and wins + losses == 0:
        effect, p_value = 0.0, 1.0
    elif patients.size:
        ranks = stats.rankdata(np.abs(patients))
        favourable, unfavourable = ranks[patients > 0].sum(), ranks[patients < 0].sum()
        effect = float((favourable - unfavourable) / (favourable + unfavourable))
        p_value = float(stats.wilcoxon(patients, zero_method=ZERO_METHOD, alternative="two-sided").pvalue)
    return PairedDifference(
        difference=bootstrap.estimate(np.round(differences, 12)),
        one_sided=int((np.isfinite(first) != np.isfinite(second)).sum()),
        wins=wins,
        ties=patients.size - wins - losses,
        losses=losses,
        rank_biserial=effect,
        p_value=p_value,
    )
