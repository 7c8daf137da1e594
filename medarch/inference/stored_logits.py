"""The logits of a case on the disk, between its networks and its output files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from medarch.core.geometry import Triple
from medarch.core.prepared import PreparedCase
from medarch.core.scratch_array import ScratchArray
from medarch.inference.linear_head import LinearHead
from medarch.inference.stream_features import Slab
from medarch.io.plane_spans import FLOAT_BYTES
from medarch.preprocessing.resample import resample
from medarch.preprocessing.way_back_axis import way_back_axis

CHUNK_BYTES = 2**26
"""What the logits in work take: as many classes at once as fit."""


@dataclass(frozen=True)
class StoredLogits:
    """Logits of every class on the network's grid, class by class, planes in the order of the file's last axis."""

    record: PreparedCase
    """The way the case came."""
    axes: Triple
    """Network axes in the order of ``values``; the first one runs along the file's last axis, up or down."""
    values: ScratchArray
    """``(classes, *(record.shape[axis] for axis in axes))``."""

    @classmethod
    def create(cls, record: PreparedCase, classes: int, *, along: int, folder: Path) -> StoredLogits:
        """Nothing stored yet.

        Args:
            record: the way the case came.
            classes: channels of the logits.
            along: axis of the slabs to come; their planes lie together in the file.
            folder: on whose disk.

        Raises:
            OSError: the folder cannot be written.
        """
        first = record.permutation.index(2)
        second, third = sorted((axis for axis in range(3) if axis != first), key=lambda axis: axis != along)
        axes = (first, second, third)
        return cls(record, axes, ScratchArray(folder, (classes, *(record.shape[axis] for axis in axes))))

    @property
    def coarse(self) -> int | None:
        """Which of ``axes`` is resampled apart on the way back, if one is."""
        axis = way_back_axis(self.record)
        return None if axis is None else self.axes.index(axis)

    def add(self, slab: Slab, head: LinearHead) -> None:
        """Store the logits of finished planes.

        Raises:
            OSError: the disk is full.
        """
        flat = slab.features.movedim(0, -1).reshape(-1, head.features).T
        sizes = slab.features.shape[1:]
        step = max(1, CHUNK_BYTES // (flat.shape[1] * FLOAT_BYTES))
        for low in range(0, head.classes, step):
            part = slice(low, min(low + step, head.classes))
            logits = torch.addmm(head.bias[part, None], head.weight[part], flat).view(-1, *sizes).cpu().numpy()
            for number, volume in enumerate(logits.transpose(0, *(axis + 1 for axis in self.axes)), start=low):
                self._put(number, volume, slab)

    def _put(self, number: int, volume: np.ndarray, slab: Slab) -> None:
        """Write a class' planes ``(N0, N1, N2)``, turned to the order of the file."""
        if slab.axis == self.axes[0]:
            self.values.write((number,), slab.start, volume)
        else:
            for first, plane in enumerate(volume):
                self.values.write((number, first), slab.start, plane)

    def on_file_grid(self, folder: Path) -> StoredLogits:
        """Resample class by class to the file's cropped grid, where splines need more than their neighbours.

        The stored logits are given up.
        """
        record = self.record
        way = record.model_copy(
            update={"shape": record.cropped_shape, "spacing_mm": record.cropped_spacing_mm, "score_order": 1}
        )
        classes, planes = self.values.shape[:2]
        first, second, third = (record.cropped_shape[axis] for axis in self.axes)
        with self.values:
            finer = StoredLogits.create(way, classes, along=self.axes[1], folder=folder)
            for number in range(classes):
                volume = resample(
                    self.values.read((number,), 0, planes)[None],
                    (first, second, third),
                    order=record.score_order,
                    separate_axis=self.coarse,
                    coarse_order=record.coarse_order,
                )
                finer.values.write((number,), 0, volume[0])
        return finer

    def close(self) -> None:
        """Give the disk's space back."""
        self.values.close()
