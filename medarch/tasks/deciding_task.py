"""The contract of tasks that decide between classes."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from medarch.tasks.task import Task


class DecidingTask(Task):
    """A task whose networks give logits: what the predictor of label maps and classes knows."""

    @abstractmethod
    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """``(heads, *grid)`` logits → probabilities, in place where possible."""

    @abstractmethod
    def decode(self, scores: np.ndarray) -> np.ndarray:
        """``(heads, *grid)`` logits → ``(*grid)`` integer label map."""
