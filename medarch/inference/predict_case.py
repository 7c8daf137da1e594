"""One case: from voxels in a file's grid to a label map, or to probabilities, in the same grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from medarch.inference.case_scores import CaseScores
from medarch.inference.engines.engine import Engine
from medarch.inference.engines.load_engine import default_engine, load_engine
from medarch.inference.file_probabilities import FileProbabilities
from medarch.inference.footing import Footing
from medarch.inference.label_assembler import LabelAssembler
from medarch.inference.load_model import Model
from medarch.inference.stored_logits import StoredLogits
from medarch.inference.stream_features import Slab, stream_features
from medarch.inference.window import Window
from medarch.inference.with_less_memory import with_less_memory
from medarch.preprocessing.needed_samples import needed_samples
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.restore import paste


def predict_labels(
    model: Model, prepared: PreparedArrays, *, window: Window, scratch: Path, region: np.ndarray | None = None
) -> np.ndarray:
    """Label map ``(I, J, K)`` on the input file's grid, decided slab by slab: no array has classes times voxels.

    Args:
        model: its networks.
        prepared: what they see.
        window: the tiling.
        scratch: folder on whose disk logits may lie meanwhile, which happens only where splines lead back.
        region: ``(I, J, K)`` bool: labels there are those of the whole case, elsewhere 0; tiles without it are left
            out.

    Raises:
        OutOfMemoryError: the device is too small, and the CPU's memory, too.
        OSError: the disk is full.
    """
    record = prepared.record
    needed = None if region is None else needed_samples(region, record)
    if needed is not None and not needed.any():
        return paste(np.zeros(record.cropped_shape, np.uint8), record)
    if not LabelAssembler.can_decode(record):
        with predict_scores(model, prepared, window=window, scratch=scratch, needed=needed) as scores:
            labels = scores.labels()
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


def predict_scores(
    model: Model,
    prepared: PreparedArrays,
    *,
    window: Window,
    scratch: Path,
    needed: np.ndarray | None = None,
    decide: bool = False,
) -> CaseScores:
    """Probabilities on the input file's grid, to be asked for plane by plane; logits wait on the disk, not in memory.

    Args:
        model: its networks.
        prepared: what they see.
        window: the tiling.
        scratch: folder on whose disk the logits lie until the result is closed.
        needed: ``(N0, N1, N2)`` bool: anything may be said elsewhere.
        decide: decide labels on the way, as :func:`predict_labels` does.

    Raises:
        OutOfMemoryError: the device is too small, and the CPU's memory, too.
        OSError: the disk is full.
    """
    record, labels = prepared.record, model.plan.labels

    def attempt(footing: Footing) -> tuple[StoredLogits, np.ndarray | None]:
        head = model.head.to(footing.hold_on)
        assembler = LabelAssembler(head, labels, record) if decide and LabelAssembler.can_decode(record) else None
        with ExitStack() as unless_complete:
            stored: StoredLogits | None = None
            for slab in _slabs(model, prepared, window, needed, footing):
                if stored is None:
                    stored = StoredLogits.create(record, head.classes, along=slab.axis, folder=scratch)
                    unless_complete.callback(stored.close)
                if assembler is not None:
                    assembler.add(slab)
                stored.add(slab, head)
            if stored is None:
                raise ValueError(f"no slab of case {record.id}")
            unless_complete.pop_all()
        return stored, None if assembler is None else assembler.result

    stored, decided = with_less_memory(record.id, model.device, attempt)
    if not LabelAssembler.can_decode(record):
        stored = stored.on_file_grid(scratch)
    return CaseScores(
        [FileProbabilities(stored, labels, scratch)], labels, None if decided is None else paste(decided, record)
    )


def _slabs(
    model: Model, prepared: PreparedArrays, window: Window, needed: np.ndarray | None, footing: Footing
) -> Iterator[Slab]:
    engines: Sequence[Engine] = model.engines
    if footing.device != model.device:  # the last resort
        name = default_engine(footing.device, precision="float32")
        engines = [load_engine(name, network, footing.device) for network in model.networks]
    image = torch.from_numpy(prepared.image).to(device=footing.device, dtype=engines[0].dtype)
    return stream_features(engines, model.head, image, window=window, needed=needed, footing=footing)
