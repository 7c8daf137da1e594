"""All judged cases as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Judgements:
    """What cases are, what was said of them, and how often each counts in every resample."""

    truth: np.ndarray
    """``(cases, classes)`` bool."""
    decided: np.ndarray
    """``(cases, classes)`` bool."""
    probabilities: np.ndarray
    """``(cases, classes)``, 0 to 1."""
    multi_label: bool
    """Whether a case may have any number of classes."""
