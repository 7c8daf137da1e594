"""Means over cases, and their intervals when patients are drawn anew and all cases of a patient come along."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from medarch.core.comparison import Estimate
from medarch.evaluation.bootstrap import SEED
from medarch.evaluation.mean_of_defined import mean_of_defined

DECIMALS = 12
"""Sums in another order differ beyond; rounded away, so that equal stays equal."""


@dataclass(frozen=True)
class ClusterBootstrap:
    """One set of resamples of patients, shared by everything that is compared."""

    membership: np.ndarray
    """``(cases, patients)``, 1 where the case is the patient's."""
    weights: np.ndarray
    """``(samples, patients)``, how often each sample drew the patient."""
    confidence: float

    @classmethod
    def draw(cls, patients: Sequence[str], *, samples: int, confidence: float, name: str) -> Self:
        """Draw the resamples.

        Args:
            patients: patient of each case.
            samples: bootstrap resamples.
            confidence: coverage of the intervals, e.g. 0.95.
            name: of the dataset: two datasets are drawn independently, one dataset always alike.
        """
        names, index = np.unique(np.array(patients), return_inverse=True)
        count = len(names)
        generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
        weights = generator.multinomial(count, np.full(count, 1 / count), size=samples).astype(float)
        return cls(membership=np.eye(count)[index], weights=weights, confidence=confidence)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over defined cases in each sample, ``(..., cases)`` to ``(..., samples)``."""
        sums, counts = self._totals(values)
        with np.errstate(invalid="ignore"):
            means: np.ndarray = np.round((sums @ self.weights.T) / (counts @ self.weights.T), DECIMALS)
        return means

    def patient_means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each patient with a defined case, ``(cases,)`` to at most ``(patients,)``."""
        sums, counts = self._totals(values)
        seen = counts > 0
        means: np.ndarray = np.round(sums[seen] / counts[seen], DECIMALS)
        return means

    def estimate(self, values: np.ndarray) -> Estimate:
        """Return the mean of ``(cases,)`` and its interval over patients.

        BCa (Efron 1987) with the acceleration from leaving out one patient at a time; the percentile interval where BCa
        does not exist (equal values, or a mean outside all resampled ones).
        """
        sums, counts = self._totals(values)
        patients = int((counts > 0).sum())
        size = {"cases_used": int(counts.sum()), "cases_total": values.size, "patients": patients}
        if patients == 0:
            return Estimate(mean=None, low=None, high=None, interval="none", **size)
        mean = float(mean_of_defined(values))
        if patients == 1:
            return Estimate(mean=mean, low=None, high=None, interval="none", **size)
        if np.nanmax(values) == np.nanmin(values):
            return Estimate(mean=mean, low=mean, high=mean, interval="percentile", **size)
        means = self.means(values)
        means = means[np.isfinite(means)]
        tails = np.array([(1 - self.confidence) / 2, (1 + self.confidence) / 2])
        corrected = _bca(tails, means=means, mean=round(mean, DECIMALS), sums=sums, counts=counts)
        low, high = np.quantile(means, tails if corrected is None else corrected)
        method = "percentile" if corrected is None else "BCa"
        return Estimate(mean=mean, low=float(low), high=float(high), interval=method, **size)

    def _totals(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum and number of each patient's defined cases, ``(..., patients)``."""
        return np.nan_to_num(values) @ self.membership, np.isfinite(values).astype(float) @ self.membership


def _bca(
    tails: np.ndarray, *, means: np.ndarray, mean: float, sums: np.ndarray, counts: np.ndarray
) -> np.ndarray | None:
    """Return the quantiles to read instead of ``tails``, or None where they do not exist."""
    from scipy.special import ndtr, ndtri

    below = (np.mean(means < mean) + np.mean(means <= mean)) / 2
    seen = counts > 0
    without = (sums.sum() - sums[seen]) / (counts.sum() - counts[seen])  # two or more patients: never 0 / 0
    deviations = without.mean() - without
    spread = np.sum(deviations**2)
    if not 0 < below < 1 or spread <= 0:
        return None
    acceleration = np.sum(deviations**3) / (6 * spread**1.5)
    bias = ndtri(below)
    shifted = bias + ndtri(tails)
    corrected: np.ndarray = ndtr(bias + shifted / (1 - acceleration * shifted))
    return corrected if np.isfinite(corrected).all() else None
