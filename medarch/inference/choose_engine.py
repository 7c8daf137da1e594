"""The fastest engine whose labels are those of float32, found by trying."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medarch.core.plan import Device
from medarch.core.stopwatch import Stopwatch
from medarch.inference.engines.engine import Engine
from medarch.inference.engines.engine_choice import EngineChoice, EngineTrial, load_choice, save_choice, versions
from medarch.inference.engines.load_engine import ENGINES, PRECISIONS, load_engine, multiplies_bf16
from medarch.inference.engines.sample_tiles import sample_tiles
from medarch.inference.linear_head import LinearHead
from medarch.inference.load_model import Model
from medarch.inference.stream_features import stream_features
from medarch.inference.window import VOXELS_PER_PASS, Window

LOWEST_DICE = 0.999
"""With float32's labels, see :func:`agreement`: below, an engine is not chosen however fast it is."""
SHARE = 0.1
"""Of the time that a run is going to take, so much may go into trying engines."""
FEWEST_PASSES = 200
"""Of a tile through a network, in a whole run: with fewer not even the first trial would pay."""
COMPARED, LOOKED_AT = 3, 12
"""Tiles with labels that are compared, and tiles looked at to find them."""
ENOUGH = 1000
"""Voxels of a label from which one voxel more or less is less than what :data:`LOWEST_DICE` allows."""
RUNS = 3
REFERENCE = "channels_last"
log = logging.getLogger(__name__)


def choose_engine(
    model: Model,
    sample: Callable[[], np.ndarray | None],
    window: Window,
    *,
    passes: int,
    device: Device,
    precision: str = "auto",
) -> str:
    """Return the name of the engine for a run of ``passes`` tiles through networks.

    A choice is kept in the user's cache folder for the same weights, patch, device and versions. Engines are tried on
    the first fold, the cheap ones first, as long as that takes no more than :data:`SHARE` of what the run will take.
    Where the case has no labels nothing can be compared, and the model's engine is returned.

    Args:
        model: loaded with the engine to take if no other is found better.
        sample: called if something is to be measured; returns a prepared case ``(C, N0, N1, N2)``, or None.
        window: the tiling.
        passes: tiles × mirrored copies × folds of all cases.
        device: what the model is on.
        precision: ``auto``, or the only one wanted.
    """
    made_for = {
        "model": model.sha256,
        "patch": str(window.patch),
        "device": f"{device.kind}: {device.name}",
        "precision": precision,
        **versions(),
    }
    kept = load_choice(made_for)
    if kept is not None and not ENGINES[kept.engine].missing(model.device):
        log.info("engine %s, as measured before", kept.engine)
        return kept.engine
    image = sample() if passes >= FEWEST_PASSES else None
    if image is None:
        log.info("engine %s: not measured for %d passes", model.engine, passes)
        return model.engine
    return _Trials(model, image, window, passes, made_for, precision).choose()


class _Trials:
    """One measurement."""

    def __init__(
        self, model: Model, image: np.ndarray, window: Window, passes: int, made_for: dict[str, str], precision: str
    ) -> None:
        self.watch = Stopwatch()  # other programs may be at work meanwhile
        self.model, self.window, self.passes = model, window, passes
        self.made_for, self.precision = made_for, precision
        self.samples = list(itertools.islice(sample_tiles(image, window), LOOKED_AT))
        per_pass = VOXELS_PER_PASS[model.device.type] // math.prod(window.patch)
        self.batch = max(1, min(per_pass, len(window.flips)))
        self.runs_a_trial = (1 + RUNS) * self.batch + COMPARED * len(window.flips)
        self.head = LinearHead.of(model.networks[:1], classes=model.configuration.network.heads).to(model.device)

    def choose(self) -> str:
        usual = self._time(self.model.engines[0])
        budget = SHARE * self.passes * usual.seconds_per_tile
        reference = self._reference()
        if reference is None:
            log.info("engine %s: the first case has no labels to compare engines by", self.model.engine)
            return self.model.engine
        trials, left_out = [], []
        for name in _candidates(self.model.device, self.precision):
            expected = ENGINES[name].preparation_s + self.runs_a_trial * usual.seconds_per_tile
            if self.watch.seconds + expected > budget:
                left_out.append(name)
            else:
                trials += self._try(name, reference)
        good = [trial for trial in trials if _trusted(trial)]
        if not good:
            log.info("engine %s: no time to try others", self.model.engine)
            return self.model.engine
        best = min(good, key=lambda trial: trial.seconds_per_tile)
        log.info("engine %s: %s", best.engine, "; ".join(_told(trial) for trial in trials))
        if left_out:
            log.info("not tried in a run this short: %s", ", ".join(left_out))
        else:
            save_choice(EngineChoice(made_for=self.made_for, engine=best.engine, trials=tuple(trials)))
        return best.engine

    def _reference(self) -> _Compared | None:
        """Tiles with foreground and their labels in float32; None if there are none."""
        engine = load_engine(REFERENCE, self.model.networks[0], self.model.device)
        found: list[tuple[Tensor, np.ndarray]] = []
        for tile in self.samples:
            labels = self._labels(engine, tile)
            if labels.any():
                found.append((tile, labels))
            if len(found) == COMPARED:
                break
        return _Compared([tile for tile, _ in found], [labels for _, labels in found]) if found else None

    def _try(self, name: str, reference: _Compared) -> list[EngineTrial]:
        try:
            engine = load_engine(name, self.model.networks[0], self.model.device)
            trial = self._time(engine)
            labels = [self._labels(engine, tile) for tile in reference.tiles]
        except Exception as error:  # noqa: BLE001 - another program's fault costs only its candidacy
            log.warning("engine %s does not run this network: %s: %s", name, type(error).__name__, str(error)[:300])
            return []
        return [trial.model_copy(update={"dice": agreement(labels, reference.labels)})]

    def _time(self, engine: Engine) -> EngineTrial:
        tile = self._on_device(engine, self.samples[0])
        batch = tile.reshape(1, len(tile), *self.window.patch).repeat_interleave(self.batch, 0)
        seconds = []
        for _ in range(1 + RUNS):
            watch = Stopwatch()
            engine(batch)
            if self.model.device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(watch.seconds)
        return EngineTrial(
            engine=engine.name, seconds_per_tile=min(seconds[1:]) / self.batch, first_run_s=seconds[0], dice=None
        )

    def _on_device(self, engine: Engine, tile: Tensor) -> Tensor:
        return tile.to(device=self.model.device, dtype=engine.dtype)

    @torch.inference_mode()
    def _labels(self, engine: Engine, tile: Tensor) -> np.ndarray:
        """The label map of a case of one tile: mirrored copies are averaged as in the run, which rounds less."""
        # One tile is one slab; asked for another, the stream would clear it.
        slab = next(stream_features([engine], self.head, self._on_device(engine, tile), window=self.window))
        return self.model.task.decode(self.head.logits(slab.features.movedim(0, -1)).movedim(-1, 0).cpu().numpy())


@dataclass(frozen=True)
class _Compared:
    tiles: list[Tensor]
    """``(C, n0, n1, n2)`` each."""
    labels: list[np.ndarray]
    """``(n0, n1, n2)`` each, of float32."""


def agreement(found: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> float | None:
    """The lowest Dice of all labels with :data:`ENOUGH` voxels in the reference, and of all labels pooled.

    None where no label has that many: 0.999 could not be told from 1.
    """
    pairs = list(zip(found, reference, strict=True))
    size = 1 + max(int(array.max()) for pair in pairs for array in pair)
    both, mine, theirs = (np.zeros(size) for _ in range(3))
    for labels, expected in pairs:
        both += np.bincount(labels[labels == expected], minlength=size)
        mine += np.bincount(labels.ravel(), minlength=size)
        theirs += np.bincount(expected.ravel(), minlength=size)
    large = np.flatnonzero(theirs[1:] >= ENOUGH) + 1
    if not len(large):
        return None
    pooled = 2 * both[1:].sum() / (mine[1:].sum() + theirs[1:].sum())
    return float(min((2 * both[large] / (mine[large] + theirs[large])).min(), pooled))


def _candidates(device: torch.device, precision: str) -> list[str]:
    names = [name for name, entry in ENGINES.items() if not entry.missing(device)]
    if precision != "auto":
        names = [name for name in names if ENGINES[name].compute == PRECISIONS[precision]]
    elif not multiplies_bf16(device):
        names = [name for name in names if ENGINES[name].compute != torch.bfloat16]
    return sorted(names, key=lambda name: ENGINES[name].preparation_s)


def _trusted(trial: EngineTrial) -> bool:
    """Same labels; where there are too few to tell, float32 is trusted and nothing else."""
    if trial.dice is None:
        return ENGINES[trial.engine].compute == torch.float32
    return trial.dice >= LOWEST_DICE


def _told(trial: EngineTrial) -> str:
    agreed = "too few labels to compare" if trial.dice is None else f"Dice {trial.dice:.5f}"
    return f"{trial.engine} {trial.seconds_per_tile:.3g} s a tile, {agreed}"
