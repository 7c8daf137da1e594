"""What probabilities of a case will cost, from those of one tile."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from medarch.core.stopwatch import Stopwatch
from medarch.inference.file_probabilities import FileProbabilities
from medarch.inference.load_model import Model
from medarch.inference.stored_logits import StoredLogits
from medarch.inference.stream_features import stream_features
from medarch.inference.window import Window
from medarch.io.plane_spans import plane_spans
from medarch.io.write_planes import write_planes
from medarch.preprocessing.prepare_case import PreparedArrays


@dataclass(frozen=True)
class ScoreProbe:
    """Seconds a class at a voxel."""

    store_s: float
    """Of the network's grid: its logit goes to the disk."""
    decode_s: float
    """Of the file's grid: its probability is made."""
    write_s: float
    """Of the file's grid: its probability is packed and written; 0 for the further models of an ensemble."""

    @classmethod
    @torch.inference_mode()
    def of(cls, model: Model, tile: PreparedArrays, window: Window, *, written: bool, first: bool) -> ScoreProbe:
        """Measure on a few planes in the middle of a tile.

        Args:
            model: whose networks see it.
            tile: with a way back of its own.
            window: the tiling.
            written: probabilities become a file, class by class, and are not only decided on.
            first: of the models whose mean is written.
        """
        image = torch.from_numpy(tile.image).to(device=model.device, dtype=model.dtype)
        labels = model.plan.labels
        with tempfile.TemporaryDirectory(prefix="medarch-") as name:
            folder = Path(name)
            stored, store_s = None, 0.0
            for slab in stream_features(model.engines, model.head, image, window=window):
                if model.device.type == "cuda":
                    torch.cuda.synchronize()
                watch = Stopwatch()
                stored = stored or StoredLogits.create(tile.record, model.head.classes, along=slab.axis, folder=folder)
                stored.add(slab, model.head)
                store_s += watch.seconds
            if stored is None:
                raise ValueError("no slab of a tile")
            planes = _MiddlePlanes(FileProbabilities(stored, labels, folder))
            planes.planes(slice(None), 0, planes.shape[-1])
            write_s = 0.0
            if written:
                before, watch = planes.seconds, Stopwatch()
                geometry = tile.record.geometry.model_copy(update={"shape": planes.shape[1:]})
                write_planes(folder / "probabilities.nii.gz", planes, geometry)
                write_s = watch.seconds - (planes.seconds - before)
            planes.source.close()
        values = math.prod(planes.shape)
        return cls(
            store_s=store_s / (model.head.classes * math.prod(tile.record.shape)),
            decode_s=planes.seconds / values,
            write_s=write_s / values if first else 0.0,
        )

    def seconds(self, classes: int, *, network: int, file: int) -> float:
        """Of a case with so many voxels on the network's grid and the file's."""
        return classes * (network * self.store_s + file * (self.decode_s + self.write_s))


class _MiddlePlanes:
    """The planes of a volume's middle that are worked on at once, and the seconds that they took."""

    def __init__(self, source: FileProbabilities) -> None:
        self.source, self.seconds = source, 0.0
        low, high = next(plane_spans(source.shape[0], source.shape[1:]))
        self._count = high - low
        self._first = (source.shape[-1] - self._count) // 2

    @property
    def shape(self) -> tuple[int, int, int, int]:
        classes, i, j, _ = self.source.shape
        return classes, i, j, self._count

    def planes(self, channels: slice, low: int, high: int) -> np.ndarray:
        watch = Stopwatch()
        found = self.source.planes(channels, self._first + low, self._first + high)
        self.seconds += watch.seconds
        return found
