"""From slabs of features to a label map on the file's cropped grid, without the logits of every class everywhere."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medarch.core.labels import LabelScheme
from medarch.core.prepared import PreparedCase
from medarch.inference.linear_head import LinearHead
from medarch.inference.stream_features import Slab
from medarch.preprocessing.score_lines import score_lines

EDGE = {"cpu": 24}
"""Edge of a block in voxels of the file's grid: on a CPU what is computed of a block stays in its cache."""
EDGE_ELSEWHERE = 96
MARGIN = 1e-5
"""A class is left out of a block only if it loses by more than this, relative to the logits: rounding is far below."""


class LabelAssembler:
    """Resample logits linearly to the cropped grid and decide there, block by block, as slabs come in.

    Linear interpolation is a weighted mean. Hence a class whose logit is below another class' at every corner of a
    block is below it everywhere inside, and cannot win there. Most blocks have one candidate left and need no
    interpolation at all. In the others the candidates are interpolated, or the features they are made of where these
    are fewer. The labels are those of interpolating everything.

    Args:
        head: turns features into logits.
        labels: decides between largest logit and regions.
        record: the way the case came; its ``score_order`` must be 0 or 1.
    """

    def __init__(self, head: LinearHead, labels: LabelScheme, record: PreparedCase) -> None:
        self.head = head
        self.order = labels.regions_class_order if labels.has_regions else None
        self._lines = score_lines(record)
        self._same_grid = record.shape == record.cropped_shape
        dtype = np.uint8 if labels.values[-1] < 255 else np.uint16
        self.result = np.zeros(record.cropped_shape, dtype=dtype)
        """``(*record.cropped_shape)``, complete after the last slab."""
        self._kept: Tensor | None = None
        self._kept_from = 0
        self._done = 0

    @staticmethod
    def can_decode(record: PreparedCase) -> bool:
        """Whether logits are to be interpolated linearly, or not at all."""
        return record.score_order <= 1 and record.coarse_order <= 1

    def add(self, slab: Slab) -> None:
        """Decide all output planes that need no planes beyond this slab."""
        axis = slab.axis
        line = self._lines[axis]
        features, start = slab.features, slab.start
        if self._kept is not None:
            features, start = torch.cat([self._kept, features], dim=axis + 1), self._kept_from
        stop = start + features.shape[axis + 1]
        ready = int(np.searchsorted(line.last, stop))  # output planes whose last input plane lies before ``stop``
        edge = EDGE.get(features.device.type, EDGE_ELSEWHERE)
        spans = [
            _spans(*((self._done, ready) if number == axis else (0, size)), edge)
            for number, size in enumerate(self.result.shape)
        ]
        for block in itertools.product(*spans):
            self._decide(features, axis, start, block)
        self._done = ready
        keep = int(line.first[ready]) if ready < len(line.first) else stop
        self._kept = features.narrow(axis + 1, keep - start, stop - keep).clone() if keep < stop else None
        self._kept_from = keep

    def _decide(self, features: Tensor, axis: int, start: int, block: Sequence[tuple[int, int]]) -> None:
        """Fill a block of the result; ``features`` begin with plane ``start`` along ``axis``."""
        source = []
        for number, (line, span) in enumerate(zip(self._lines, block, strict=True)):
            begin, end = line.support(*span)
            shift = start if number == axis else 0
            source.append(slice(begin - shift, end - shift))
        inside = features[(slice(None), *source)].permute(1, 2, 3, 0)
        target = self.result[tuple(slice(*span) for span in block)]
        if self._same_grid and self.order is None:
            target[...] = self.head.logits(inside).argmax(-1).cpu().numpy()
            return
        corners = _Corners(
            self.head,
            inside,
            [torch.from_numpy(line.matrix(*span)) for line, span in zip(self._lines, block, strict=True)],
        )
        if self.order is None:
            target[...] = corners.likeliest()
        else:
            corners.paint(target, self.order)


@dataclass(frozen=True)
class _Corners:
    """What is known at the network's voxels around a block, and how to get from there to the file's voxels."""

    head: LinearHead
    features: Tensor
    """``(n0, n1, n2, F)``."""
    matrices: Sequence[Tensor]
    """``(m, n)`` of each axis."""

    def likeliest(self) -> np.ndarray | int:
        """The class with the largest interpolated logit, ``(m0, m1, m2)`` or one for all."""
        logits = self.head.logits(self.features).flatten(0, 2)
        first = logits[len(logits) // 2].argmax()
        lead = (logits - logits[:, first, None]).amax(0)
        candidates = torch.nonzero(lead >= -MARGIN * logits.abs().max()).flatten()
        if len(candidates) == 1:
            return int(candidates)
        winner = self._interpolated(logits, candidates).max(0).indices
        found: np.ndarray = candidates[winner].cpu().numpy()
        return found

    def paint(self, target: np.ndarray, order: Sequence[int]) -> None:
        """Write regions with positive logits one over the other in their order."""
        logits = self.head.logits(self.features).flatten(0, 2)
        somewhere, everywhere = (logits > 0).any(0).tolist(), (logits > 0).all(0).tolist()
        mixed = [channel for channel in range(len(order)) if somewhere[channel] != everywhere[channel]]
        where = {}
        if mixed:
            values = self._interpolated(logits, torch.tensor(mixed, device=logits.device))
            where = dict(zip(mixed, (values > 0).cpu().numpy(), strict=True))
        for channel, value in enumerate(order):
            if everywhere[channel]:
                target[...] = value
            elif channel in where:
                target[where[channel]] = value

    def _interpolated(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Logits ``(len(classes), m0, m1, m2)``, from ``logits`` ``(n0 * n1 * n2, all classes)``."""
        shape = self.features.shape[:3]
        if len(classes) <= self.head.features:
            return _interpolate(logits[:, classes].T.reshape(-1, *shape), self.matrices)
        values = _interpolate(self.features.flatten(0, 2).T.reshape(-1, *shape), self.matrices)
        flat = torch.addmm(self.head.bias[classes, None], self.head.weight[classes], values.flatten(1))
        return flat.view(-1, *values.shape[1:])


def _interpolate(values: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """``(K, n0, n1, n2)`` → ``(K, m0, m1, m2)`` by one matrix product an axis."""
    first, second, third = (matrix.to(values.device) for matrix in matrices)
    count, n0, n1, n2 = values.shape
    values = values.reshape(-1, n2) @ third.T
    values = torch.matmul(second, values.view(count * n0, n1, -1))
    return torch.matmul(first, values.view(count, n0, -1)).view(count, len(first), len(second), len(third))


def _spans(low: int, high: int, edge: int) -> list[tuple[int, int]]:
    return [(start, min(start + edge, high)) for start in range(low, high, edge)]
