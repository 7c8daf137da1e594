"""What a prediction will cost, before it is made: a probe of one tile on this machine, and the headers of all cases."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.core.kept_memory import kept_memory
from medarch.core.prediction import CaseEstimate
from medarch.core.process_peak_bytes import process_peak_bytes
from medarch.core.stopwatch import Stopwatch
from medarch.inference.case_bytes import case_bytes, network_shape
from medarch.inference.engines.compiled_engine import CompiledEngine
from medarch.inference.engines.torch_engine import TorchEngine
from medarch.inference.label_assembler import LabelAssembler
from medarch.inference.load_model import Model
from medarch.inference.prediction_options import PredictionOptions
from medarch.inference.prepare_input import prepare_input
from medarch.inference.score_bytes import score_bytes
from medarch.inference.score_probe import ScoreProbe
from medarch.inference.stream_features import stream_features
from medarch.inference.tile_grid import TileGrid
from medarch.inference.window import Window
from medarch.io.read_geometry import read_geometry
from medarch.io.write_volume import write_volume
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.preprocessing.restore import paste

log = logging.getLogger(__name__)
FLOAT_BYTES = 4


def estimate_cases(
    models: Sequence[Model], cases: Sequence[Case], *, options: PredictionOptions
) -> tuple[CaseEstimate, ...]:
    """Predict seconds and peak memory of each case on this machine, if no other program takes its cores.

    The smallest readable case is read and prepared, its central tile goes through the networks and is decoded and
    written; the rest is counting tiles and voxels. Reading and writing overlap with the networks' work on other
    cases where there are idle cores, which is not counted on: on a CPU there are none. What other programs take
    during the probe is not counted, see :class:`~medarch.core.stopwatch.Stopwatch`.

    Args:
        models: all of them see each case.
        cases: what would be predicted.
        options: as they would be used.
    """
    sizes = [_voxels(case) for case in cases]
    totals = [CaseEstimate(case=case.id) for case in cases]
    scored = options.probabilities or len(models) > 1
    for model in models:
        window = options.window(model.configuration)
        probe = None
        for number in sorted((number for number, size in enumerate(sizes) if size), key=lambda number: sizes[number]):
            try:
                with kept_memory():  # as in the run
                    probe = _Probe.of(model, cases[number], window, options, scored=scored, first=model is models[0])
                break
            except MedarchError:
                continue  # this case will fail; another one tells the speed
        totals = [
            total if probe is None or not size else total.plus(probe.estimate(model, case, size, window))
            for total, case, size in zip(totals, cases, sizes, strict=True)
        ]
    return tuple(totals)


@dataclass(frozen=True)
class _Probe:
    """What was measured on one case."""

    prepare_s: float
    write_s: float
    """A voxel of the file's grid, each."""
    decode_s: float
    """A voxel of the file's grid."""
    tile_s: float
    """A tile with all its flips and networks."""
    base_bytes: int
    """Of the process without the case."""
    scores: ScoreProbe | None
    """Of probabilities, where they are needed."""

    @classmethod
    def of(
        cls, model: Model, case: Case, window: Window, options: PredictionOptions, *, scored: bool, first: bool
    ) -> _Probe:
        watch = Stopwatch()
        prepared = prepare_input(model, case, region=options.region).arrays
        record = prepared.record
        prepare_s = watch.seconds
        tile = _central_tile(prepared, window)
        tile_s, decode_s, labels = _measured(model, tile, window)
        watch = Stopwatch()
        whole = np.zeros(record.cropped_shape, labels.dtype)
        whole[tuple(slice(0, side) for side in labels.shape)] = labels[tuple(slice(0, side) for side in whole.shape)]
        with tempfile.TemporaryDirectory() as folder:
            write_volume(Path(folder) / "labels.nii.gz", paste(whole, record), record.geometry, like=case.images[0])
        write_s = watch.seconds
        voxels = math.prod(record.geometry.shape)
        taken = case_bytes(case, [model.configuration])
        base_bytes = max(process_peak_bytes() - taken, 0)
        return cls(
            prepare_s=prepare_s / voxels,
            write_s=write_s / voxels,
            decode_s=decode_s / labels.size,
            tile_s=tile_s,
            base_bytes=base_bytes,
            scores=ScoreProbe.of(model, tile, window, written=options.probabilities, first=first) if scored else None,
        )

    def estimate(self, model: Model, case: Case, voxels: int, window: Window) -> CaseEstimate:
        shape = network_shape(read_geometry(case.images[0])[0], model.configuration)
        tiles = TileGrid.of(shape, window)
        seconds = voxels * (self.prepare_s + self.write_s + self.decode_s) + tiles.count * self.tile_s
        held = tiles.held_voxels * model.head.features * FLOAT_BYTES if model.device.type == "cpu" else 0
        if self.scores is not None:
            seconds += self.scores.seconds(model.head.classes, network=math.prod(shape), file=voxels)
            held += score_bytes(case, classes=model.head.classes)
        return CaseEstimate(
            case=case.id,
            passes=tiles.count * len(window.flips) * len(model.engines),
            seconds=seconds,
            peak_bytes=self.base_bytes + case_bytes(case, [model.configuration]) + held,
        )


def _central_tile(prepared: PreparedArrays, window: Window) -> PreparedArrays:
    """The case cut down to the tile at its centre, with a way back of the same ratios."""
    record = prepared.record
    patch = (1, *window.patch) if len(window.patch) == 2 else window.patch
    cut = [
        slice((size - min(size, side)) // 2, (size - min(size, side)) // 2 + min(size, side))
        for size, side in zip(record.shape, patch, strict=True)
    ]
    shape = tuple(part.stop - part.start for part in cut)
    cropped = tuple(
        max(1, round(new * side / old))
        for new, side, old in zip(record.cropped_shape, shape, record.shape, strict=True)
    )
    first, second, third = (cropped[record.permutation.index(axis)] for axis in range(3))
    way = {
        "shape": shape,
        "cropped_shape": cropped,
        "full_shape": cropped,
        "crop": tuple((0, size) for size in cropped),
        "geometry": record.geometry.model_copy(update={"shape": (first, second, third)}),
        "score_order": min(record.score_order, 1),
    }
    small = record.model_copy(update=way)
    return PreparedArrays(image=np.ascontiguousarray(prepared.image[(slice(None), *cut)]), label=None, record=small)


def _measured(model: Model, tile: PreparedArrays, window: Window) -> tuple[float, float, np.ndarray]:
    """As :func:`_through`; on a busy machine one thread alone, its seconds divided by the number of threads.

    Threads wait actively for one whose core another program has: two took 16 to 50 times longer on two busy cores.
    """
    watch = Stopwatch()
    _through(model, tile, window)  # the first pass makes buffers and plans of kernels
    threads = torch.get_num_threads()
    in_torch = model.device.type == "cpu" and isinstance(model.engines[0], TorchEngine | CompiledEngine)
    if threads == 1 or not (in_torch and watch.disturbed):
        return _through(model, tile, window)
    log.info("other programs are at work: one thread is measured instead of %d", threads)
    torch.set_num_threads(1)
    try:
        tile_s, decode_s, labels = _through(model, tile, window)
    finally:
        torch.set_num_threads(threads)
    return tile_s / threads, decode_s / threads, labels


@torch.inference_mode()
def _through(model: Model, tile: PreparedArrays, window: Window) -> tuple[float, float, np.ndarray]:
    """Seconds in the networks, seconds of decoding, and the labels of one tile."""
    image = torch.from_numpy(tile.image).to(device=model.device, dtype=model.dtype)
    assembler = LabelAssembler(model.head, model.plan.labels, tile.record)
    watch = Stopwatch()
    decoding = 0.0
    for slab in stream_features(model.engines, model.head, image, window=window):
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        between = Stopwatch()
        assembler.add(slab)
        decoding += between.seconds
    return watch.seconds - decoding, decoding, assembler.result


def _voxels(case: Case) -> int:
    """Of the file's grid; 0 where the header cannot be read."""
    try:
        return math.prod(read_geometry(case.images[0])[0].shape)
    except (MedarchError, OSError):
        return 0
