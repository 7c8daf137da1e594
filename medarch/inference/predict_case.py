"""One case: from voxels in a file's grid to a label map in the same grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from medarch.inference.engines.engine import Engine
from medarch.inference.engines.load_engine import default_engine, load_engine
from medarch.inference.footing import Footing
from medarch.inference.label_assembler import LabelAssembler
from medarch.inference.load_model import Model
from medarch.inference.stream_features import Slab, stream_features
from medarch.inference.window import Window
from medarch.inference.with_less_memory import with_less_memory
from medarch.preprocessing.needed_samples import needed_samples
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.restore import paste, resample_to_crop


@dataclass(frozen=True)
class CaseResult:
    """Arrays on the input file's grid."""

    labels: np.ndarray
    """``(I, J, K)``."""
    probabilities: np.ndarray | None
    """``(classes, I, J, K)`` float32, or None."""


def predict_labels(
    model: Model, prepared: PreparedArrays, *, window: Window, region: np.ndarray | None = None
) -> np.ndarray:
    """Label map ``(I, J, K)`` on the input file's grid, decided slab by slab: no array has classes times voxels.

    Args:
        model: its networks.
        prepared: what they see.
        window: the tiling.
        region: ``(I, J, K)`` bool: labels there are those of the whole case, elsewhere 0; tiles without it are left
            out.

    Raises:
        OutOfMemoryError: the device is too small, and the CPU's memory, too.
    """
    record = prepared.record
    needed = None if region is None else needed_samples(region, record)
    if needed is not None and not needed.any():
        return paste(np.zeros(record.cropped_shape, np.uint8), record)
    if not LabelAssembler.can_decode(record):
        logits = predict_logits(model, prepared, window=window, needed=needed)
        labels = restore_case(model, logits, prepared, probabilities=False).labels
    else:

        def attempt(footing: Footing) -> np.ndarray:
            head = model.head.to(footing.hold_on)
            assembler = LabelAssembler(head, model.plan.labels, record)
            for slab in _slabs(model, prepared, window, needed, footing):
                assembler.add(slab)
            return assembler.result

        labels = paste(with_less_memory(record.id, model.device, attempt), record)
    if region is not None:
        labels[~region] = 0
    return labels


def predict_logits(
    model: Model, prepared: PreparedArrays, *, window: Window, needed: np.ndarray | None = None
) -> np.ndarray:
    """Logits ``(heads, N0, N1, N2)`` float32 on the network's grid; anything outside of ``needed``.

    Raises:
        OutOfMemoryError: the device is too small, and the CPU's memory, too.
    """

    def attempt(footing: Footing) -> np.ndarray:
        head = model.head.to(footing.hold_on)
        logits = np.empty((head.classes, *prepared.image.shape[1:]), dtype=np.float32)
        for slab in _slabs(model, prepared, window, needed, footing):
            where = [slice(None)] * logits.ndim
            where[slab.axis + 1] = slice(slab.start, slab.start + slab.features.shape[slab.axis + 1])
            logits[tuple(where)] = head.logits(slab.features.movedim(0, -1)).movedim(-1, 0).cpu().numpy()
        return logits

    return with_less_memory(prepared.record.id, model.device, attempt)


def _slabs(
    model: Model, prepared: PreparedArrays, window: Window, needed: np.ndarray | None, footing: Footing
) -> Iterator[Slab]:
    engines: Sequence[Engine] = model.engines
    if footing.device != model.device:  # the last resort
        name = default_engine(footing.device, precision="float32")
        engines = [load_engine(name, network, footing.device) for network in model.networks]
    image = torch.from_numpy(prepared.image).to(device=footing.device, dtype=engines[0].dtype)
    return stream_features(engines, model.head, image, window=window, needed=needed, footing=footing)


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
