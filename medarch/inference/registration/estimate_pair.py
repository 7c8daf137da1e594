"""What registering a pair would do and cost, before it is done."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from medarch.core.process_peak_bytes import process_peak_bytes
from medarch.core.registration_estimate import ImageGrid, RegistrationEstimate, RegistrationLevel
from medarch.inference.registration.align_pair import AlignedPair, align_pair
from medarch.inference.registration.coarsen import coarsen, spacing_of_voxels
from medarch.inference.registration.grid_image import GridImage
from medarch.inference.registration.optimise_velocity import FACTORS, optimise_velocity
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.settings import RegistrationSettings
from medarch.networks.motion.resize_field import resize_field

PROBE_VOXELS = 250_000
"""Of the fixed image that the probe is made on: a quarter of a level at most, which the work's caches outgrow, too."""
PROBE_ITERATIONS = 4
"""At two levels; the first of each makes buffers and is not counted."""
WRITE_SECONDS, WRITE_SECONDS_PER_VOXEL = 0.5, 2e-6
LABEL_SECONDS_PER_VOXEL = 0.0
LEVEL_BYTES = {"lncc": 0, "mind": 0, "nmi": 0, "mse": 0}
WRITE_BYTES, WRITE_BYTES_PER_VOXEL = 0, 0


def estimate_pair(
    fixed: PairImage,
    moving: PairImage,
    settings: RegistrationSettings | None = None,
    *,
    start: np.ndarray | None = None,
    device: torch.device | str = "cpu",
    labels: int = 0,
) -> RegistrationEstimate:
    """Do what comes before the deformation, and predict the rest from a few iterations on a coarser grid.

    An iteration costs a constant and so much a voxel, which two levels of the probe tell; finishing costs so much a
    voxel. Writing and measuring are predicted by what they took elsewhere.

    Args:
        fixed: as in :func:`~medarch.inference.registration.register_pair.register_pair`, like the next four.
        moving: image that is moved.
        settings: default :class:`RegistrationSettings`.
        start: displacement to start from.
        device: CPU or GPU.
        labels: how many are measured.

    Raises:
        GeometryError, VolumeError, UsageError: as :func:`~medarch.inference.registration.register_pair.register_pair`.
    """
    began = time.monotonic()
    pair = align_pair(fixed, moving, settings or RegistrationSettings(), start=start, device=torch.device(device))
    align_s = time.monotonic() - began
    base = process_peak_bytes()
    voxels = math.prod(pair.fixed.size)
    write_s = WRITE_SECONDS + voxels * (WRITE_SECONDS_PER_VOXEL + labels * LABEL_SECONDS_PER_VOXEL)
    levels: tuple[RegistrationLevel, ...] = ()
    finish_s, growth = 0.0, 0
    if pair.settings.deformable:
        probe = _Probe.of(pair)
        levels = tuple(_levels(pair, probe, align_s))
        finish_s = probe.finish_s * voxels
        largest = max((math.prod(level.size) for level in levels if level.iterations), default=0)
        growth = largest * LEVEL_BYTES[pair.settings.similarity]
    return RegistrationEstimate(
        fixed=_grid(pair.fixed),
        moving=_grid(pair.moving),
        overlap=pair.overlap[0],
        overlap_aligned=pair.overlap[1],
        linear=pair.settings.linear,
        similarity=pair.settings.similarity,
        because=pair.because,
        levels=levels,
        device=str(device),
        align_seconds=align_s,
        finish_seconds=finish_s,
        write_seconds=write_s,
        seconds=align_s + sum(level.seconds for level in levels) + finish_s + write_s,
        peak_bytes=base + max(growth, WRITE_BYTES + voxels * WRITE_BYTES_PER_VOXEL),
    )


@dataclass(frozen=True)
class _Probe:
    """What a few iterations took."""

    iteration_s: float
    voxel_s: float
    """Of an iteration, for each voxel of the level."""
    finish_s: float
    """For each voxel of the fixed grid."""

    @classmethod
    def of(cls, pair: AlignedPair) -> _Probe:
        spacing = spacing_of_voxels(pair.fixed, min(PROBE_VOXELS, pair.settings.voxels))
        small = coarsen(pair.fixed, spacing)
        start = None if pair.start is None else resize_field(pair.start, small.size)
        settings = replace(pair.settings, iterations=(0, PROBE_ITERATIONS, PROBE_ITERATIONS), seconds=None)
        times: list[float] = []
        optimise_velocity(
            small,
            coarsen(pair.moving, spacing),
            pair.world,
            settings,
            start=start,
            progress=lambda *_: times.append(time.perf_counter()),
        )
        ended = time.perf_counter()
        # Told once after the level of none, then after each iteration and each level.
        steps = PROBE_ITERATIONS + 1
        each = [float(np.median(np.diff(times[first : first + PROBE_ITERATIONS]))) for first in (1, 1 + steps)]
        sizes = [math.prod(coarsen(small, factor * spacing).size) for factor in FACTORS[1:]]
        slope = (each[1] - each[0]) / max(sizes[1] - sizes[0], 1)
        # What the clock adds by chance makes neither of the two negative.
        slope = min(max(slope, 0.0), each[1] / sizes[1])
        return cls(each[1] - slope * sizes[1], slope, (ended - times[-1]) / math.prod(small.size))


def _levels(pair: AlignedPair, probe: _Probe, spent_s: float) -> Sequence[RegistrationLevel]:
    finest_mm = spacing_of_voxels(pair.fixed, pair.settings.voxels)
    grids = [_grid(coarsen(pair.fixed, factor * finest_mm)) for factor in FACTORS]
    counts = pair.settings.iterations
    each = [probe.iteration_s + probe.voxel_s * math.prod(grid.size) for grid in grids]
    seconds = [count * one for count, one in zip(counts, each, strict=True)]
    if pair.settings.seconds is not None:
        left = max(pair.settings.seconds - spent_s, 0.0)
        scale = min(1.0, left / max(sum(seconds), 1e-9))
        seconds = [value * scale for value in seconds]
        counts = tuple(round(count * scale) for count in counts)
    return [
        RegistrationLevel(size=grid.size, spacing_mm=grid.spacing_mm, iterations=count, seconds=value)
        for grid, count, value in zip(grids, counts, seconds, strict=True)
    ]


def _grid(image: GridImage) -> ImageGrid:
    return ImageGrid(size=image.size, spacing_mm=image.spacing_mm)
