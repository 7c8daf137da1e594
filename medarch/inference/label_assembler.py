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
from medarch.preprocessing.interpolation import interpolation_matrix, nearest_indices
from medarch.preprocessing.separate_axis import separate_axis

CELLS = 12
"""Edge of a block, in voxels of the network's grid."""
MARGIN = 1e-5
"""A class is left out of a block only if it loses by more than this, relative to the logits: rounding is far below."""


class LabelAssembler:
    """Resample logits linearly to the cropped grid and decide there, block by block, as slabs come in.

    Linear interpolation is a weighted mean. Hence a class whose logit is below another class' at every corner of a
    block is below it everywhere inside, and cannot win there. Most blocks have one candidate left and need no
    interpolation at all; in the others only the candidates are interpolated. The labels are those of interpolating
    everything.

    Args:
        head: turns features into logits.
        labels: decides between largest logit and regions.
        record: the way the case came; its ``score_order`` must be 0 or 1.
    """

    def __init__(self, head: LinearHead, labels: LabelScheme, record: PreparedCase) -> None:
        self.head = head
        self.order = labels.regions_class_order if labels.has_regions else None
        coarse = separate_axis(record.spacing_mm, record.cropped_spacing_mm, ratio=record.separate_plane_ratio)
        self._lines = tuple(
            _Line.of(old, new, order=record.coarse_order if axis == coarse else record.score_order)
            for axis, (old, new) in enumerate(zip(record.shape, record.cropped_shape, strict=True))
        )
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
        for low, high in line.blocks(self._done, ready):
            first, last = line.support(low, high)
            logits = self.head.logits(features.narrow(axis + 1, first - start, last - first))
            self._decide(logits, axis, first, (low, high))
        self._done = ready
        keep = int(line.first[ready]) if ready < len(line.first) else stop
        self._kept = features.narrow(axis + 1, keep - start, stop - keep).clone() if keep < stop else None
        self._kept_from = keep

    def _decide(self, logits: Tensor, axis: int, first: int, planes: tuple[int, int]) -> None:
        """Fill the output planes from ``logits`` of the input planes that begin with ``first``."""
        spans = [[planes] if number == axis else line.blocks(0, len(line.last)) for number, line in
                 enumerate(self._lines)]  # fmt: skip
        winner = logits.argmax(0) if self.order is None else None
        if winner is not None and self._same_grid:
            whole = [slice(None)] * 3
            whole[axis] = slice(*planes)
            self.result[tuple(whole)] = winner.cpu().numpy()
            return
        for block in itertools.product(*spans):
            source = []
            for number, (low, high) in enumerate(block):
                begin, end = self._lines[number].support(low, high)
                shift = first if number == axis else 0
                source.append(slice(begin - shift, end - shift))
            target = tuple(slice(*span) for span in block)
            inside = logits[(slice(None), *source)]
            matrices = [line.matrix(*span).to(logits.device) for line, span in zip(self._lines, block, strict=True)]
            if self.order is None and winner is not None:
                self.result[target] = _likeliest(inside, winner[tuple(source)], matrices)
            else:
                _paint(self.result[target], inside, matrices, self.order or ())


def _likeliest(logits: Tensor, winner: Tensor, matrices: Sequence[Tensor]) -> np.ndarray | int:
    """The class with the largest interpolated logit, for a block of ``(classes, n0, n1, n2)``."""
    first = int(winner.flatten()[winner.numel() // 2])
    if bool((winner == first).all()):
        return first
    lead = (logits - logits[first]).flatten(1).amax(1)
    candidates = torch.nonzero(lead > -MARGIN * float(logits.abs().max())).flatten()
    if len(candidates) == 1:
        return first
    values = _interpolated(logits[candidates], matrices)
    found: np.ndarray = candidates[values.argmax(0)].cpu().numpy()
    return found


def _paint(target: np.ndarray, logits: Tensor, matrices: Sequence[Tensor], order: Sequence[int]) -> None:
    """Regions with positive logits, written one over the other in their order."""
    for channel, value in zip(logits, order, strict=True):
        if bool((channel > 0).all()):
            target[...] = value
        elif bool((channel > 0).any()):
            target[(_interpolated(channel[None], matrices)[0] > 0).cpu().numpy()] = value


def _interpolated(logits: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """``(K, n0, n1, n2)`` → ``(K, m0, m1, m2)`` by one matrix product an axis."""
    first, second, third = matrices
    values = torch.matmul(torch.matmul(second, logits), third.T)
    moved: Tensor = torch.einsum("mn,knij->kmij", first, values)
    return moved


@dataclass(frozen=True)
class _Line:
    """Interpolation along one axis: which input samples each output sample needs, and how much of each."""

    weights: np.ndarray
    """``(new, old)`` float32; rows sum to 1 and have one or two entries."""
    first: np.ndarray
    last: np.ndarray
    """First and last input sample of each output sample."""

    @classmethod
    def of(cls, old: int, new: int, *, order: int) -> _Line:
        if order == 0 or old == new:
            weights = np.eye(old, dtype=np.float32)
            weights = weights if old == new else weights[nearest_indices(old, new)]
        else:
            weights = interpolation_matrix(old, new, 1).astype(np.float32)
        used = weights != 0
        return cls(weights, used.argmax(axis=1), old - 1 - used[:, ::-1].argmax(axis=1))

    def blocks(self, low: int, high: int) -> list[tuple[int, int]]:
        """Cut output samples ``low`` to ``high`` into runs that need about :data:`CELLS` input samples."""
        new, old = self.weights.shape
        size = max(1, CELLS * new // old)
        return [(start, min(start + size, high)) for start in range(low, high, size)]

    def support(self, low: int, high: int) -> tuple[int, int]:
        """Half-open range of input samples that output samples ``low`` to ``high`` need."""
        return int(self.first[low:high].min()), int(self.last[low:high].max()) + 1

    def matrix(self, low: int, high: int) -> Tensor:
        begin, end = self.support(low, high)
        return torch.from_numpy(self.weights[low:high, begin:end])
