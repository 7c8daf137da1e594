"""How far a run is, and the learning rate that belongs to it."""

from __future__ import annotations

import math
import time

from medarch.core.plan import TrainingPlan


class Schedule:
    """Progress from 0 to 1 by iterations, or by wall-clock when the plan has a time budget.

    With a budget the learning rate comes down to its end exactly when the time is used up, so a run that was given ten
    minutes is a finished ten-minute run and not the first tenth of a long one.
    """

    def __init__(self, plan: TrainingPlan) -> None:
        self.plan = plan
        self.total_iterations = plan.epochs * plan.iterations_per_epoch
        self.seconds_before = 0.0
        """Training time of earlier sessions of this run (kept in the checkpoint)."""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Training time so far, all sessions together."""
        return self.seconds_before + time.monotonic() - self._started

    def progress(self, iteration: int) -> float:
        """Share of the run that is done, 0 to 1."""
        share = iteration / self.total_iterations
        if self.plan.time_budget_s is not None:
            share = max(share, self.seconds / self.plan.time_budget_s)
        return min(share, 1.0)

    def learning_rate(self, iteration: int) -> float:
        """Polynomial (exponent 0.9, nnU-Net) or cosine decay after an optional linear warm-up."""
        progress = self.progress(iteration)
        warmup = self.plan.warmup_share
        if progress < warmup:
            return self.plan.learning_rate * max(progress / warmup, 1e-3)
        rest = (progress - warmup) / (1.0 - warmup)
        decay = (1.0 - rest) ** 0.9 if self.plan.schedule == "poly" else 0.5 * (1.0 + math.cos(math.pi * rest))
        return self.plan.learning_rate * decay
