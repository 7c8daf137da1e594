"""What registering a pair would do and cost, before it is done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from medarch.core.process_peak_bytes import process_peak_bytes
from medarch.core.registration_estimate import ImageGrid, RegistrationEstimate, RegistrationLevel
from medarch.core.stopwatch import Stopwatch
from medarch.inference.registration.align_pair import AlignedPair, align_pair
from medarch.inference.registration.coarsen import coarsen, spacing_of_voxels
from medarch.inference.registration.finish_velocity import finish_velocity
from medarch.inference.registration.grid_image import GridImage
from medarch.inference.registration.optimise_velocity import FACTORS, optimise_velocity
from medarch.inference.registration.pair_image import PairImage
from medarch.inference.registration.settings import RegistrationSettings
from medarch.networks.motion.resize_field import resize_field

PROBE_ITERATIONS = 3
"""At each level; the first makes buffers and is not taken for the next ones. Fewer voxels would not do: an iteration of
MIND costs twice as much a voxel where the caches are outgrown."""
WAVE_VOXELS, WAVES = 1.5, 2
"""Of the velocity that finishing is timed with: the field of a few iterations is small, and soon inverted."""
WRITE_SECONDS = 1.2
"""Of drawing and loading what draws."""
WRITE_SHARE, WRITE_SECONDS_PER_VOXEL = 2.9, 1.9e-6
"""Warping, compressing and measuring take this times as long as finishing on a CPU; not timed there, so long."""
LABEL_SECONDS, LABELLED_SECONDS_PER_VOXEL = 0.003, 1.4e-6
"""Overlap and surfaces, before and after: of each label, and of an image that they are all over."""
WRITE_BYTES, WRITE_BYTES_PER_VOXEL = 200 * 2**20, 200


def estimate_pair(
    fixed: PairImage,
    moving: PairImage,
    settings: RegistrationSettings | None = None,
    *,
    start: np.ndarray | None = None,
    device: torch.device | str = "cpu",
    labels: int = 0,
) -> RegistrationEstimate:
    """Do what comes before the deformation, and predict the rest from a few iterations.

    The probe does some iterations at each level, and finishes a made-up field at the resolution of the finest; on the
    fixed grid that costs as much a voxel. Writing and measuring are taken from what share of that they took elsewhere.
    Seconds are those that it takes if no other program takes its cores, see
    :class:`~medarch.core.stopwatch.Stopwatch`.

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
    watch = Stopwatch()
    pair = align_pair(fixed, moving, settings or RegistrationSettings(), start=start, device=torch.device(device))
    align_s = watch.seconds
    base = process_peak_bytes()
    voxels = math.prod(pair.fixed.size)
    probe = _Probe.of(pair) if pair.settings.deformable else None
    levels = () if probe is None else tuple(_levels(pair, probe, align_s))
    finish_s = 0.0 if probe is None else probe.finish_s * voxels
    timed = probe is not None and pair.fixed.values.device.type == "cpu"
    write_s = WRITE_SHARE * finish_s if timed else WRITE_SECONDS_PER_VOXEL * voxels
    write_s += WRITE_SECONDS
    if labels:
        write_s += LABEL_SECONDS * labels + LABELLED_SECONDS_PER_VOXEL * voxels
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
        peak_bytes=max(process_peak_bytes(), base + WRITE_BYTES + voxels * WRITE_BYTES_PER_VOXEL),
    )


@dataclass(frozen=True)
class _Probe:
    """What a few iterations took."""

    grids: tuple[ImageGrid, ...]
    first_s: tuple[float, ...]
    next_s: tuple[float, ...]
    """Of each level: its first iteration and each of the others."""
    finish_s: float
    """For each voxel of the fixed grid."""

    @classmethod
    def of(cls, pair: AlignedPair) -> _Probe:
        spacing = spacing_of_voxels(pair.fixed, pair.settings.voxels)
        fixed, moving = coarsen(pair.fixed, spacing), coarsen(pair.moving, spacing)
        start = None if pair.start is None else resize_field(pair.start, fixed.size)
        counts = tuple(min(count, PROBE_ITERATIONS) for count in pair.settings.iterations)
        settings = replace(pair.settings, iterations=counts, seconds=None)
        watch = Stopwatch()
        times = [0.0]
        optimise_velocity(
            fixed,
            moving,
            pair.world,
            settings,
            start=start,
            progress=lambda *_: times.append(watch.seconds),
        )
        # Told after each iteration, and once more after each level.
        ends = np.cumsum([count + 1 for count in counts])
        took = [part[:-1] for part in np.split(np.diff(times), ends[:-1])]
        return cls(
            tuple(_grid(coarsen(fixed, factor * spacing)) for factor in FACTORS),
            tuple(float(part[:1].sum()) for part in took),
            tuple(float(part[1:].mean()) if len(part) > 1 else 0.0 for part in took),
            _finish_s(fixed, start),
        )


@torch.no_grad()
def _finish_s(image: GridImage, start: Tensor | None) -> float:
    """Seconds a voxel."""
    lines = [torch.linspace(0, 2 * math.pi * WAVES, max(length // 2, 2)) for length in image.size]
    waves = [torch.sin(grid) for grid in torch.meshgrid(*lines, indexing="ij")]
    velocity = (WAVE_VOXELS / 2 * torch.stack(waves[1:] + waves[:1])[None]).to(image.values)  # of shearing planes
    watch = Stopwatch()
    inverse = finish_velocity(velocity, image.size, start=start).inverse()
    inverse.flatten()[0].item()  # a GPU is done only now
    return watch.seconds / math.prod(image.size)


def _levels(pair: AlignedPair, probe: _Probe, spent_s: float) -> Sequence[RegistrationLevel]:
    counts = pair.settings.iterations
    times = zip(counts, probe.first_s, probe.next_s, strict=True)
    seconds = [first + (count - 1) * further if count else 0.0 for count, first, further in times]
    if pair.settings.seconds is not None:
        left = max(pair.settings.seconds - spent_s, 0.0)
        scale = min(1.0, left / max(sum(seconds), 1e-9))
        seconds = [value * scale for value in seconds]
        counts = tuple(round(count * scale) for count in counts)
    return [
        RegistrationLevel(size=grid.size, spacing_mm=grid.spacing_mm, iterations=count, seconds=value)
        for grid, count, value in zip(probe.grids, counts, seconds, strict=True)
    ]


def _grid(image: GridImage) -> ImageGrid:
    return ImageGrid(size=image.size, spacing_mm=image.spacing_mm)
