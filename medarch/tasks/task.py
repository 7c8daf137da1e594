"""The contract that the trainer and the predictor know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from medarch.core.plan import Configuration, Plan
from medarch.networks.build_network import build_network

Outputs: TypeAlias = "Tensor | Sequence[Tensor]"


class Task(ABC):
    """One science: all but what the trainer does (patches, augmentation, steps) and the predictor (tiles, blending).

    A batch holds ``image`` ``(B, C, *patch)`` float and, when the task has a target that moves with the image,
    ``label`` ``(B, 1, *patch)`` integer, -1 outside the case; of a task ``per_case`` ``(B, ...)``, see
    :meth:`blank_label`.
    """

    name: ClassVar[str]
    per_case: ClassVar[bool] = False
    """Whether a target belongs to a case as a whole (its class); the network then sees whole cases, not patches."""
    paired: ClassVar[bool] = False
    """Whether the network sees two cases at once, on one grid."""

    def __init__(self, plan: Plan, configuration: Configuration) -> None:
        self.plan = plan
        self.configuration = configuration

    def build_network(self) -> nn.Module:
        """Return the untrained network of the plan."""
        return build_network(self.configuration.network)

    def blank_label(self, rows: int) -> Tensor:
        """Return a batch's ``label`` without content, from which a training step's cost can be measured."""
        return torch.zeros(rows, 1, *self.configuration.patch_voxels, dtype=torch.int16)

    @abstractmethod
    def focus_values(self, present: Sequence[int]) -> list[tuple[int, ...]]:
        """Groups of label values that a forced patch may be centred on: a group is drawn, then a voxel of it."""

    @abstractmethod
    def target(self, label: Tensor, image: Tensor | None = None) -> Tensor:
        """Turn a batch's ``label``, and ``image`` where that is the measure, into what :meth:`loss` compares with."""

    @abstractmethod
    def loss(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Scalar loss of a network's training output."""

    def landmark_loss(self, outputs: Outputs, landmarks: Tensor) -> Tensor:
        """What is added to the loss of a batch whose pairs have landmarks, ``(B, 2, N, D)``; of paired tasks."""
        raise ValueError(f"a {self.name} has no landmarks")

    @abstractmethod
    def tally(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Counts that can be added over batches and from which :meth:`score` is made."""

    @abstractmethod
    def score(self, tally: Tensor) -> Mapping[str, float]:
        """Online validation score, higher is better; ``mean`` chooses the best epoch and drives the plateau stop."""

    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that are scored and counted."""
