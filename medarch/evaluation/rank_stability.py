"""The ranking of methods, and how far it holds when other patients are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.core.comparison import MethodRank, Ranking
from medarch.evaluation.cluster_bootstrap import DECIMALS, ClusterBootstrap
from medarch.evaluation.mean_of_defined import mean_of_defined

QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
"""Of Kendall's tau over bootstrap samples."""


def rank_stability(
    measure: str, methods: Sequence[str], values: np.ndarray, bootstrap: ClusterBootstrap, *, higher_is_better: bool
) -> tuple[Ranking, np.ndarray] | None:
    """Rank by the mean over cases, in full and in each bootstrap sample (Wiesenfarth et al. 2021, Sci. Rep. 11:2369).

    Args:
        measure: its name.
        methods: names.
        values: case scores, ``(methods, cases)``, NaN where undefined.
        bootstrap: of the cases' patients.
        higher_is_better: whether the largest mean has rank 1.

    Returns:
        The ranking, and the ranks ``(samples, methods)``; None when a method has no defined case.
    """
    means = mean_of_defined(values)
    if not np.isfinite(means).all():
        return None
    sign = 1 if higher_is_better else -1
    full = _ranks(sign * np.round(means, DECIMALS))
    drawn = _ranks(sign * bootstrap.means(values).T)
    tails = ((1 - bootstrap.confidence) / 2, (1 + bootstrap.confidence) / 2)
    low, high = np.quantile(drawn, tails, axis=0, method="inverted_cdf")  # a rank that occurred, not one in between
    complete = np.isfinite(values).all(axis=0)
    by_case = _ranks(sign * np.round(values[:, complete], DECIMALS).T)
    taus = _kendall_tau(drawn, full)
    ranks = [
        MethodRank(
            method=method,
            rank=float(full[m]),
            low=float(low[m]),
            high=float(high[m]),
            shares=_shares(drawn[:, m]),
            mean_case_rank=float(by_case[:, m].mean()) if complete.any() else None,
        )
        for m, method in enumerate(methods)
    ]
    ranking = Ranking(
        measure=measure,
        ranks=tuple(ranks),
        kendall_tau=float(taus.mean()) if taus.size else None,
        kendall_quantiles={q: float(np.quantile(taus, q)) for q in QUANTILES} if taus.size else {},
        cases_ranked=int(complete.sum()),
    )
    return ranking, drawn


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Rank ``(..., methods)``: 1 is the highest, ties share the mean, a method undefined in a sample comes last."""
    scores = np.where(np.isnan(scores), -np.inf, scores)
    others, own = scores[..., np.newaxis, :], scores[..., :, np.newaxis]
    ranks: np.ndarray = (others > own).sum(axis=-1) + ((others == own).sum(axis=-1) + 1) / 2
    return ranks


def _kendall_tau(drawn: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Tau-b of each row of ``(samples, methods)`` with ``(methods,)``; samples without any order are left out."""
    first, second = np.triu_indices(len(full), k=1)
    orders = np.sign(drawn[:, first] - drawn[:, second])
    order = np.sign(full[first] - full[second])
    scale = np.sqrt((orders**2).sum(axis=1) * (order**2).sum())
    taus: np.ndarray = (orders @ order)[scale > 0] / scale[scale > 0]
    return taus


def _shares(ranks: np.ndarray) -> dict[float, float]:
    found, counts = np.unique(ranks, return_counts=True)
    return {float(rank): float(count / len(ranks)) for rank, count in zip(found, counts, strict=True)}
