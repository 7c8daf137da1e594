"""Classification: one class a case, or any number of findings a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.core.plan import Configuration, Plan
from medarch.tasks.deciding_task import DecidingTask
from medarch.tasks.task import Outputs

AUXILIARY_WEIGHT = 0.3
"""Of each auxiliary head's loss (Szegedy et al. 2014, arXiv:1409.4842, section 5)."""
BINS = 480
FURTHEST = 12.0
"""Log odds beyond which scores are counted as one: probabilities below 6e-6."""


class Classification(DecidingTask):
    """Weighted cross-entropy over classes, or weighted binary cross-entropy of each finding.

    The class weights of the plan make up for rare classes. They shift what a network's outputs mean, so they are
    divided out of the probabilities, which then state the training data's frequencies, and come back where a class is
    decided on (Elkan 2001, "The foundations of cost-sensitive learning": beliefs and costs apart).
    """

    name = "classification"
    per_case = True

    def __init__(self, plan: Plan, configuration: Configuration) -> None:
        super().__init__(plan, configuration)
        if plan.classes is None:
            raise PlanError(
                f"plan {plan.name} names no classes",
                expected='"classes": {"names": [...], "multi_label": false} in plan.json',
                found="none",
                fix="plan again from the dataset",
            )
        self.scheme = plan.classes
        weights = configuration.training.class_weights or (1.0,) * len(self.scheme.names)
        if len(weights) != len(self.scheme.names) or min(weights) <= 0:
            raise PlanError(
                "the class weights do not fit the classes",
                expected=f"{len(self.scheme.names)} numbers above 0",
                found=str(weights),
                fix="correct training.class_weights in plan.json",
            )
        self.weights = np.array(weights)

    def class_names(self) -> tuple[str, ...]:
        """All classes, in the order of the outputs."""
        return self.scheme.names

    def focus_values(self, present: Sequence[int]) -> list[tuple[int, ...]]:
        """None: the network sees the whole case."""
        return []

    def blank_label(self, rows: int) -> Tensor:
        """``(rows, classes)``."""
        return torch.zeros(rows, len(self.scheme.names), dtype=torch.int16)

    def target(self, label: Tensor, image: Tensor | None = None) -> Tensor:
        """``(B, classes)`` indicators → ``(B,)`` class indices, or ``(B, classes)`` float for findings."""
        return label.float() if self.scheme.multi_label else label.argmax(1)

    def loss(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Loss of the output, plus a share of each auxiliary head's."""
        if isinstance(outputs, Tensor):
            return self._loss(outputs, target)
        total = self._loss(outputs[0], target)
        for auxiliary in outputs[1:]:
            total = total + AUXILIARY_WEIGHT * self._loss(auxiliary, target)
        return total

    def _loss(self, logits: Tensor, target: Tensor) -> Tensor:
        logits = logits.float()
        weights = torch.as_tensor(self.weights, dtype=torch.float32, device=logits.device)
        if self.scheme.multi_label:
            return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights)
        return F.cross_entropy(logits, target, weight=weights)

    def tally(self, outputs: Outputs, target: Tensor) -> Tensor:
        """``(classes, 2, bins)``: cases without and with each class, by the log odds the network gives it."""
        logits = (outputs if isinstance(outputs, Tensor) else outputs[0]).float()
        truth = target.bool() if self.scheme.multi_label else F.one_hot(target, logits.shape[1]).bool()
        odds = logits if self.scheme.multi_label else _against_the_rest(logits)
        place = ((odds.clamp(-FURTHEST, FURTHEST) + FURTHEST) / (2 * FURTHEST) * (BINS - 1)).round().long()
        counts = torch.zeros(logits.shape[1], 2, BINS, dtype=torch.float64, device=logits.device)
        for index in range(logits.shape[1]):
            counts[index].view(-1).index_add_(
                0, truth[:, index].long() * BINS + place[:, index], counts.new_ones(len(logits))
            )
        return counts.cpu()

    def score(self, tally: Tensor) -> Mapping[str, float]:
        """Area under each class's ROC curve, and their mean over the classes that occur and are missing somewhere.

        Equal to Mann and Whitney's U, with cases of one bin counted as ties.
        """
        without, with_ = tally[:, 0], tally[:, 1]
        below = without.cumsum(1) - without
        wins = (with_ * (below + without / 2)).sum(1)
        pairs = without.sum(1) * with_.sum(1)
        areas = torch.where(pairs > 0, wins / pairs.clamp_min(1), torch.nan)
        mean = float(areas.nanmean()) if (pairs > 0).any() else 0.5
        return {**dict(zip(self.class_names(), areas.tolist(), strict=True)), "mean": mean}

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """``(classes, *any)`` logits → probabilities at the training data's class frequencies."""
        log_weights = np.log(self.weights).reshape(-1, *[1] * (scores.ndim - 1))
        shifted = scores.astype(np.float64) - log_weights
        if self.scheme.multi_label:
            shares: np.ndarray = 1.0 / (1.0 + np.exp(-shifted))
            return shares
        exponent: np.ndarray = np.exp(shifted - shifted.max(axis=0, keepdims=True))
        exponent /= exponent.sum(axis=0, keepdims=True)
        return exponent

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """``(classes, *any)`` probabilities → uint8 indicators of what is decided, each class counted by its weight."""
        weights = self.weights.reshape(-1, *[1] * (probabilities.ndim - 1))
        if self.scheme.multi_label:
            found: np.ndarray = (weights * probabilities > 1 - probabilities).astype(np.uint8)
            return found
        winner = (weights * probabilities).argmax(axis=0)
        return np.moveaxis(np.eye(len(self.weights), dtype=np.uint8)[winner], -1, 0)

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """``(classes, *any)`` logits → uint8 indicators, see :meth:`decide`."""
        return self.decide(self.probabilities(scores))


def _against_the_rest(logits: Tensor) -> Tensor:
    """Log odds of each class against all others together, ``(B, classes)``."""
    columns = []
    for index in range(logits.shape[1]):
        others = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
        columns.append(logits[:, index] - others.logsumexp(1))
    return torch.stack(columns, dim=1)
