"""A plan for nuclei: resolution, window, network, batch and constants, from what the images show."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medarch.core.dataset import Dataset
from medarch.core.errors import PlanError
from medarch.core.fingerprint import Fingerprint, NucleiFingerprint
from medarch.core.plan import (
    AugmentationPlan,
    ChannelNormalisation,
    Configuration,
    InferencePlan,
    NetworkPlan,
    Plan,
    PreprocessingPlan,
    TrainingPlan,
)
from medarch.core.separation import Separation
from medarch.networks.nuclei.hovernet import STAGES
from medarch.networks.nuclei.nuclei_geometry import nuclei_geometry
from medarch.networks.registry import find_architecture
from medarch.planning.choose_normalisation import choose_normalisation
from medarch.planning.measure_step_seconds import measure_step_seconds
from medarch.planning.memory.memory_prediction import MemoryPrediction
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.planner import Planner
from medarch.planning.search_configuration import LOOP_OVERHEAD, Budget
from medarch.planning.target_spacing import target_grid
from medarch.planning.timed_schedule import timed_schedule

ARCHITECTURE = "hovernet"
DIAMETERS = (14.0, 45.0)
"""Pixels that the median nucleus should have across."""
EXTENTS = (6.0, 24.0)
"""The same of volumes, along each axis by itself."""
WINDOWS = (256, 224, 192, 160, 136)
LEAST_OUTPUT = 40
"""Pixels a side, beyond which images are mirrored rather than windows made smaller."""
SIZES: tuple[tuple[float, tuple[int, ...]], ...] = (
    (1.0, (3, 4, 6, 3)),
    (0.5, (3, 4, 6, 3)),
    (0.5, (2, 2, 2, 2)),
    (0.25, (2, 2, 2, 2)),
    (0.25, (1, 1, 1, 1)),
    (0.125, (1, 1, 1, 1)),
)
"""Width and depths of the network, the published ones first."""
ENOUGH_STEPS = 400
NEARLY_ENOUGH = 150
"""A network whose guessed time allows fewer is not timed."""
BATCHES = (16, 8, 4, 2)
EPOCHS, STEPS_AN_EPOCH = 100, 100
"""Without a time budget."""


def plan_nuclei(
    fingerprint: Fingerprint,
    dataset: Dataset,
    *,
    budget: Budget,
    network: Mapping[str, Any] | None = None,
    measure: Callable[..., float] = measure_step_seconds,
) -> Plan:
    """Plan for a device and a time budget.

    Args:
        fingerprint: of the dataset.
        dataset: for its types and folds.
        budget: memory and time.
        network: architecture and options in place of HoVerNet's fast form.
        measure: times a step; replaceable so that a plan can be made for another machine.

    Raises:
        PlanError: not even the smallest network fits, or the fingerprint is of another task.
    """
    if fingerprint.nuclei is None:
        raise PlanError(f"{dataset.name} is no dataset of nuclei", fix="see `medarch check`")
    return _Planner(fingerprint, dataset, budget, network or {}, measure, fingerprint.nuclei).run()


@dataclass
class _Planner(Planner):
    nuclei: NucleiFingerprint

    def run(self) -> Plan:
        scale = 1.0 if self.nuclei.mpp is None else self._scale(self.nuclei.mpp)
        types = len(self.nuclei.type_counts)
        if types:
            counts = ", ".join(f"{name} {count}" for name, count in self.nuclei.type_counts.items())
            self.say("types", types, f"{counts}; every other window is drawn for a type, all types alike")
        plan = Plan(
            name="auto",
            preset="auto",
            task="nuclei",
            dataset=self.dataset.name,
            channels=self.dataset.channels,
            labels=self.dataset.labels,
            mpp=None if self.nuclei.mpp is None else self.nuclei.mpp / scale,
            fingerprint_sha256=self.fingerprint.sha256(),
            device=self.budget.device,
            configurations={},
            default="2d" if self.nuclei.mpp else "3d",
        )
        heads = types + 1 if types else 1
        draft = self._draft(scale, heads, self.nuclei.mpp) if self.nuclei.mpp else self._volume_draft(heads)
        chosen, cost, seconds = self._search(plan, draft)
        return self.finished(plan, self._schedule(chosen, seconds), cost, seconds)

    def _scale(self, mpp: float) -> float:
        """Pixels of the plan a pixel of the files: 1, or a power of 2."""
        diameter, scale = self.nuclei.diameter_pixels[1], 1.0
        while diameter * scale < DIAMETERS[0]:
            scale *= 2
        while diameter * scale > DIAMETERS[1]:
            scale /= 2
        because = f"the median nucleus is {diameter:.1f} pixels across"
        because += (
            f", {diameter * scale:.1f} at this scale; borders between nuclei need {DIAMETERS[0]:g} and more"
            if scale != 1
            else f", between {DIAMETERS[0]:g} and {DIAMETERS[1]:g}: as the files are"
        )
        self.say("mpp", f"{mpp / scale:.4g}", because)
        return scale

    def _draft(self, scale: float, heads: int, mpp: float) -> Configuration:
        shapes = sorted(min(case.shape[:2]) for case in self.fingerprint.cases)
        median = tuple(
            sorted(case.shape[axis] for case in self.fingerprint.cases)[len(self.fingerprint.cases) // 2]
            for axis in (1, 0)
        )
        network = NetworkPlan(
            architecture=self.asked.get("architecture", ARCHITECTURE),
            dim=2,
            in_channels=3,
            heads=heads,
            deep_supervision=False,
            options=self.asked.get("options", {}),
        )
        window = self._window(shapes[len(shapes) // 2] * scale, network)
        return Configuration(
            name="2d",
            patch_voxels=(window, window),
            batch_size=BATCHES[-1],
            batch_dice=True,
            median_shape=tuple(round(side * scale) for side in median),
            preprocessing=PreprocessingPlan(
                orientation=None,
                axes=(2, 1, 0),
                spacing_mm=(None, mpp / scale / 1000, mpp / scale / 1000),
                normalisation=(ChannelNormalisation(scheme="rgb_to_0_1"),) * 3,
                crop="none",
            ),
            network=network,
            training=self._training(),
            inference=InferencePlan(step=1.0, mirror_axes=()),
            separation=self._separation(scale),
        )

    def _training(self) -> TrainingPlan:
        return TrainingPlan(
            optimizer="adamw",
            learning_rate=1e-3,
            weight_decay=1e-2,
            schedule="cosine",
            warmup_share=0.1,
            precision=self.budget.precision,
            weight_average_decay=0.98,
            foreground_share=0.0,
            augmentation=AugmentationPlan(rotation_degrees=(180.0,), mirror_axes=(0, 1)),
        )

    def _volume_draft(self, heads: int) -> Configuration:
        grid = target_grid(self.fingerprint)
        # Of the network's axes, in millimetres.
        low, median, high = np.array([self.nuclei.extents_mm[axis] for axis in grid.axes]).T
        spacing = self._spacing(grid.spacing_mm, median)
        shape = np.maximum(1, np.rint(grid.median_shape * grid.spacing_mm / spacing)).astype(int)
        strides = _strides(spacing)
        network = NetworkPlan(
            architecture=self.asked.get("architecture", ARCHITECTURE),
            dim=3,
            in_channels=len(self.dataset.channels),
            heads=heads,
            strides=strides,
            deep_supervision=False,
            options=self.asked.get("options", {}),
        )
        self.say(
            "strides",
            " ".join("×".join(map(str, stride)) for stride in strides),
            "an axis is pooled once voxels are less than twice as long along it as along the others",
        )
        first, second, third = (float(length) for length in spacing)
        return Configuration(
            name="3d",
            patch_voxels=self._volume_window(network, median / spacing, high / spacing, shape),
            batch_size=BATCHES[-1],
            batch_dice=True,
            median_shape=tuple(shape.tolist()),
            preprocessing=PreprocessingPlan(
                orientation=None,
                axes=grid.axes,
                spacing_mm=(first, second, third),
                normalisation=choose_normalisation(self.fingerprint, self.dataset.channels),
                crop="none",
            ),
            network=network,
            training=self._training(),
            inference=InferencePlan(step=1.0, mirror_axes=()),
            separation=self._volume_separation(low / spacing, median / spacing, spacing),
        )

    def _spacing(self, found: np.ndarray, extents_mm: np.ndarray) -> np.ndarray:
        """The median spacing of the files, along each axis halved or doubled until nuclei suit."""
        spacing = found.astype(float)
        for axis, extent in enumerate(extents_mm):
            while extent / spacing[axis] < EXTENTS[0]:
                spacing[axis] /= 2
            while extent / spacing[axis] > EXTENTS[1]:
                spacing[axis] *= 2
        voxels = "×".join(f"{extent:.1f}" for extent in extents_mm / spacing)
        self.say(
            "spacing_mm",
            "×".join(f"{length:.4g}" for length in spacing),
            f"the median nucleus is then {voxels} voxels long along the axes; {EXTENTS[0]:g} to {EXTENTS[1]:g} "
            f"are wanted, so that borders are seen and windows hold several nuclei; the files have "
            f"{'×'.join(f'{length:.4g}' for length in found)}",
        )
        return spacing

    def _volume_window(
        self, network: NetworkPlan, median: np.ndarray, high: np.ndarray, shape: np.ndarray
    ) -> tuple[int, ...]:
        """Three median nuclei along each axis, at least one and a half of the large ones; at most a volume."""
        geometry = nuclei_geometry(network)
        wanted = np.minimum(np.maximum(3 * median, 1.5 * high), shape)
        window = tuple(geometry.window_from(math.ceil(side), axis) for axis, side in enumerate(wanted))
        self.say(
            "window",
            "×".join(map(str, window)),
            "three median nuclei along each axis, one and a half of the large ones, at most a median volume "
            f"({'×'.join(map(str, shape))} voxels)",
        )
        return window

    def _volume_separation(self, low: np.ndarray, median: np.ndarray, spacing: np.ndarray) -> Separation:
        kernel = 3 if median.max() < 14 else 5
        settings = Separation(
            slope_pixels=kernel,
            slope_threshold=0.0,
            marker_pixels=max(2, round(0.02 * math.pi / 6 * float(median.prod()))),
            nucleus_pixels=max(5, round(0.25 * math.pi / 6 * float(low.prod()))),
            spacing=tuple(round(float(length / spacing.min()), 4) for length in spacing),
        )
        self.say(
            "separation",
            f"kernel {kernel}, cores from {settings.marker_pixels}, nuclei from {settings.nucleus_pixels} voxels",
            "from the nuclei's sizes; training ends with a calibration on the validation volumes' PQ, which is stored "
            "with the model",
        )
        return settings

    def _window(self, side: float, network: NetworkPlan) -> int:
        """The largest window whose output an image still fills."""
        geometry = nuclei_geometry(network)
        margin = geometry.margin_voxels
        windows = dict.fromkeys(geometry.window_from(size) for size in WINDOWS)
        enough = [size for size in windows if size - 2 * margin >= LEAST_OUTPUT]
        window = next((size for size in enough if size - 2 * margin <= side), enough[-1])
        largest = self.nuclei.largest_pixels
        self.say(
            "window",
            window,
            f"output {window - 2 * margin} in a margin of {margin}, which holds the largest nuclei ({largest} pixels) "
            f"whole{'' if largest <= margin else ' for the most part'}; larger windows waste less on margins, and half "
            f"of the images are {side:.0f} pixels and more",
        )
        return window

    def _separation(self, scale: float) -> Separation:
        low, median, _ = (diameter * scale for diameter in self.nuclei.diameter_pixels)
        kernel = 3 if median < 14 else 5 if median < 30 else 7
        settings = Separation(
            slope_pixels=kernel,
            slope_threshold=-0.04 * 18 / max(median, 1.0),
            marker_pixels=max(2, round(0.02 * math.pi / 4 * median**2)),
            nucleus_pixels=max(5, round(0.25 * math.pi / 4 * low**2)),
        )
        self.say(
            "separation",
            f"kernel {kernel}, cores from {settings.marker_pixels}, nuclei from {settings.nucleus_pixels} pixels",
            f"nuclei are {low:.0f} (5 %) to {median:.0f} (median) pixels across; training ends with a calibration on "
            "the validation images' PQ, which is stored with the model",
        )
        return settings

    def _search(self, plan: Plan, draft: Configuration) -> tuple[Configuration, MemoryPrediction, float]:
        """The largest network that takes enough steps within the budget, and the largest batch that then does."""
        ladder = [{}] if self.asked else [{"width": width, "depths": depths} for width, depths in SIZES]
        told: list[str] = []
        second_a_flop: float | None = None
        for rung in (*ladder[-1:], *ladder):
            # The last, the cheapest, is timed first: those that would take far too long need not be.
            small = draft.model_copy(
                update={"network": draft.network.model_copy(update={"options": {**draft.network.options, **rung}})}
            )
            named = ", ".join(f"{name} {value}" for name, value in small.network.options.items()) or "as published"
            cost = self._cost(plan, small, BATCHES[-1])
            if cost.bytes > self.budget.memory_bytes:
                told.append(f"{named}: {cost.bytes / 2**30:.1f} GiB, too much")
                continue
            guess = None if second_a_flop is None else second_a_flop * cost.flop
            if guess is not None and rung != ladder[-1] and not self._suffices(guess, NEARLY_ENOUGH):
                told.append(f"{named}: about {guess / BATCHES[-1]:.2g} s a window")
                continue
            seconds = LOOP_OVERHEAD * self.measure(plan, small, batch_size=BATCHES[-1], device=self.budget.device.kind)
            if second_a_flop is None and len(ladder) > 1:
                second_a_flop = seconds / cost.flop
                continue
            a_window = seconds / BATCHES[-1]
            told.append(f"{named}: {a_window:.3g} s a window")
            if not self._suffices(seconds, ENOUGH_STEPS) and rung != ladder[-1]:
                continue
            batch, cost = self._batch(plan, small, a_window, cost)
            why = "asked for" if self.asked else f"the largest that takes {ENOUGH_STEPS} steps in the budget"
            if self.budget.time_s is None and not self.asked:
                why = "no time budget, so as published if it fits"
            caution = find_architecture(small.network.architecture).caution
            because = "; ".join([why, *told, *([f"beware: {caution}"] if caution else [])])
            self.say("network", f"{small.network.architecture}, {named}", because)
            return small.model_copy(update={"batch_size": batch}), cost, a_window * batch
        raise PlanError(
            "no network of nuclei fits",
            expected=f"a step of two windows within {self.budget.memory_bytes / 2**30:.2f} GiB",
            found="; ".join(told),
            fix="give more --memory",
        )

    def _suffices(self, seconds: float, steps: int) -> bool:
        return self.budget.time_s is None or self.budget.time_s / seconds >= steps

    def _cost(self, plan: Plan, candidate: Configuration, batch: int) -> MemoryPrediction:
        return predict_memory(plan, candidate, batch_size=batch, device=self.budget.device.kind)

    def _batch(
        self, plan: Plan, candidate: Configuration, a_window: float, smallest: MemoryPrediction
    ) -> tuple[int, MemoryPrediction]:
        for batch in BATCHES[:-1]:
            if not self._suffices(a_window * batch, ENOUGH_STEPS):
                continue
            cost = self._cost(plan, candidate, batch)
            if cost.bytes <= self.budget.memory_bytes:
                self.say("batch", batch, f"fits ({cost.bytes / 2**30:.2f} GiB), and leaves time for enough steps")
                return batch, cost
        self.say("batch", BATCHES[-1], "a larger one does not fit into memory or time")
        return BATCHES[-1], smallest

    def _schedule(self, chosen: Configuration, seconds: float) -> Configuration:
        validation = max(1, math.ceil(16 / chosen.batch_size))
        changes: dict[str, Any] = {"validation_iterations": validation}
        if self.budget.time_s is None:
            changes |= {"epochs": EPOCHS, "iterations_per_epoch": STEPS_AN_EPOCH}
            because = f"no time budget: {EPOCHS * STEPS_AN_EPOCH} steps"
        else:
            timed, because = timed_schedule(self.budget.time_s, seconds)
            changes |= timed
        self.say("schedule", f"epochs of {changes['iterations_per_epoch']} steps", because)
        return chosen.model_copy(update={"training": chosen.training.model_copy(update=changes)})


def _strides(spacing: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Of HoVerNet's stages."""
    strides, lengths = [(1,) * len(spacing)], spacing.copy()
    for _ in range(STAGES - 1):
        pooled = lengths < 1.999 * lengths.min()  # headers round
        strides.append(tuple(2 if axis else 1 for axis in pooled))
        lengths = np.where(pooled, 2 * lengths, lengths)
    return tuple(strides)
