"""One case: from voxels in a file's grid to a label map in the same grid."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from medarch.core.errors import OutOfMemoryError
from medarch.inference.label_assembler import LabelAssembler
from medarch.inference.load_model import Model
from medarch.inference.stream_features import stream_features
from medarch.inference.window import Window
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.restore import paste, resample_to_crop


@dataclass(frozen=True)
class CaseResult:
    """Arrays on the input file's grid."""

    labels: np.ndarray
    """``(I, J, K)``."""
    probabilities: np.ndarray | None
    """``(classes, I, J, K)`` float32, or None."""


def predict_labels(model: Model, prepared: PreparedArrays, *, window: Window) -> np.ndarray:
    """Label map ``(I, J, K)`` on the input file's grid, decided slab by slab: no array has classes times voxels.

    Raises:
        OutOfMemoryError: the device is too small.
    """
    if not LabelAssembler.can_decode(prepared.record):
        logits = predict_logits(model, prepared, window=window)
        return restore_case(model, logits, prepared, probabilities=False).labels
    assembler = LabelAssembler(model.head, model.plan.labels, prepared.record)
    with _memory_watched(model, prepared):
        for slab in stream_features(model.engines, model.head, _on_device(model, prepared), window=window):
            assembler.add(slab)
    return paste(assembler.result, prepared.record)


def predict_logits(model: Model, prepared: PreparedArrays, *, window: Window) -> np.ndarray:
    """Logits ``(heads, N0, N1, N2)`` float32 on the network's grid.

    Raises:
        OutOfMemoryError: the device is too small.
    """
    image = _on_device(model, prepared)
    with _memory_watched(model, prepared):
        logits = np.empty((model.head.classes, *image.shape[1:]), dtype=np.float32)
        for slab in stream_features(model.engines, model.head, image, window=window):
            where = [slice(None)] * logits.ndim
            where[slab.axis + 1] = slice(slab.start, slab.start + slab.features.shape[slab.axis + 1])
            logits[tuple(where)] = model.head.logits(slab.features.movedim(0, -1)).movedim(-1, 0).cpu().numpy()
        return logits


def _on_device(model: Model, prepared: PreparedArrays) -> torch.Tensor:
    return torch.from_numpy(prepared.image).to(device=model.device, dtype=model.dtype)


@contextlib.contextmanager
def _memory_watched(model: Model, prepared: PreparedArrays) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError(
            f"the {model.device.type} device ran out of memory while predicting {prepared.record.id}",
            fix="use --device cpu, or fewer --folds",
        ) from error


def restore_case(model: Model, logits: np.ndarray, prepared: PreparedArrays, *, probabilities: bool) -> CaseResult:
    """Bring logits back to the input grid and decode them there (resample first, decide then, as nnU-Net does)."""
    cropped = resample_to_crop(logits, prepared.record)
    labels = paste(model.task.decode(cropped), prepared.record)
    if not probabilities:
        return CaseResult(labels, None)
    shares = model.task.probabilities(cropped).astype(np.float32)
    pasted = paste(shares, prepared.record)
    if not model.plan.labels.has_regions:
        # Outside the crop nothing was predicted: that is background for certain.
        pasted[0] = 1.0 - pasted[1:].sum(axis=0)
    return CaseResult(labels, pasted)
