"""Nuclei as a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from medarch.core.plan import Configuration, Plan
from medarch.networks.nuclei.nuclei_geometry import nuclei_geometry
from medarch.tasks.nuclei.hover_loss import HoverTarget, hover_loss
from medarch.tasks.task import Outputs, Task


class Nuclei(Task):
    """HoVerNet's loss on windows; the nuclei themselves are separated afterwards, on whole images.

    A batch's ``label`` is ``(B, 1 + dim + 1, *output)`` float32: whether a pixel is of a nucleus, the distances, and
    the type (:data:`~medarch.tasks.nuclei.hover_loss.UNKNOWN` where it is not known).
    """

    name = "nuclei"

    def __init__(self, plan: Plan, configuration: Configuration) -> None:
        super().__init__(plan, configuration)
        self.dim = configuration.network.dim
        lengths = [length for length in configuration.preprocessing.spacing_mm[-self.dim :] if length is not None]
        self.spacing = tuple(length / min(lengths) for length in lengths) if len(lengths) == self.dim else ()
        """Lengths of a pixel along each axis, in the shortest of them; empty: all alike."""
        self.types = configuration.network.heads
        network = nuclei_geometry(configuration.network)
        self.margin = network.margin_voxels
        self.output = network.output_voxels(configuration.patch_voxels)

    def class_names(self) -> tuple[str, ...]:
        """``nucleus``, then the types, where there are several."""
        return ("nucleus", *(self.plan.labels.foreground_names if self.types > 1 else ()))

    def blank_label(self, rows: int) -> Tensor:
        """``(rows, 2 + dim, *output)``."""
        return torch.zeros(rows, 2 + self.dim, *self.output)

    def focus_values(self, present: Sequence[int]) -> list[tuple[int, ...]]:
        """None: windows lie anywhere."""
        return []

    def target(self, label: Tensor, image: Tensor | None = None) -> Tensor:
        """The label itself."""
        return label

    def loss(self, outputs: Outputs, target: Tensor) -> Tensor:
        """See :func:`~medarch.tasks.nuclei.hover_loss.hover_loss`."""
        return hover_loss(_one(outputs), self._unpack(target), spacing=self.spacing)

    def tally(self, outputs: Outputs, target: Tensor) -> Tensor:
        """``(classes, 3)``: pixels hit, too many, missed, of all nuclei and of each type where it is known."""
        output, truth = _one(outputs), self._unpack(target)
        found = output[:, 1] > output[:, 0]
        rows = [_counts(found, truth.nuclei)]
        if truth.types is not None and self.types > 1:
            winner = output[:, 2 + self.dim :].argmax(1)
            known = truth.types >= 0
            rows += [_counts((winner == kind) & known, (truth.types == kind) & known) for kind in range(1, self.types)]
        return torch.stack(rows).double().cpu()

    def score(self, tally: Tensor) -> Mapping[str, float]:
        """Pixel Dice of each class; ``mean`` is over those that occur."""
        hit, spurious, missed = tally.T
        size = 2 * hit + spurious + missed
        dice = torch.where(size > 0, 2 * hit / size.clamp_min(1), torch.nan)
        mean = float(dice.nanmean()) if (size > 0).any() else 0.0
        return {**dict(zip(self.class_names(), dice.tolist(), strict=True)), "mean": mean}

    def _unpack(self, target: Tensor) -> HoverTarget:
        types = target[:, 1 + self.dim].long() if self.types > 1 else None
        return HoverTarget(target[:, 0] > 0, target[:, 1 : 1 + self.dim], types)


def _one(outputs: Outputs) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def _counts(found: Tensor, truth: Tensor) -> Tensor:
    hit = (found & truth).sum()
    return torch.stack([hit, found.sum() - hit, truth.sum() - hit])
