"""A plan for a registration: both images whole, on one grid, with what the device and the time allow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from medarch.core.dataset import Dataset
from medarch.core.errors import PlanError
from medarch.core.fingerprint import Fingerprint, PairStatistics
from medarch.core.pairing import Pairing
from medarch.core.plan import (
    REFINE_ITERATIONS,
    AugmentationPlan,
    ChannelNormalisation,
    Configuration,
    InferencePlan,
    NetworkPlan,
    Plan,
    PreprocessingPlan,
    RegistrationPlan,
    TrainingPlan,
)
from medarch.networks.build_network import fit_topology
from medarch.planning.choose_normalisation import choose_normalisation
from medarch.planning.common_orientation import common_orientation
from medarch.planning.make_splits import make_splits
from medarch.planning.measure_step_seconds import measure_step_seconds
from medarch.planning.memory.memory_prediction import MemoryPrediction
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.planner import Planner
from medarch.planning.search_configuration import LOOP_OVERHEAD, Budget
from medarch.planning.target_spacing import TargetGrid, target_grid
from medarch.planning.timed_schedule import timed_schedule
from medarch.planning.unet_topology import unet_topology
from medarch.planning.whole_case_size import PERCENTILE, whole_case_size

ARCHITECTURE = "pyramid"
SMALLEST_SIDE = 8
WIDTHS = (1.5, 1.0)
"""Multiples of the network's own features, tried from the widest."""
WINDOW = 5
SMOOTHNESS = 0.2
"""Neither follows the range of displacements, as too little is gained: docs/registration_networks.md."""
LABEL_WEIGHT = 2.0
MANY_LABELS = 4
"""More are compared at half the resolution: every label is an image to warp."""
CLEARLY = 0.05
"""Overlap by which centres must be better than the world's places to be trusted more."""
NEARER = 0.9
"""Share of the landmarks' distance that has to be left, likewise."""
ENOUGH_STEPS = 5000
"""A budgeted run should take so many pairs; below, width is given up. (Measured: docs/registration.md.)"""
FEWEST_STEPS = 1500
"""When even the narrowest network takes fewer, resolution is given up."""
COARSER = 2 ** (1 / 3)
"""A spacing so many times larger halves the voxels."""
SMALLEST_SHARE = 1 / 16
"""Of the voxels of the finest grid that are kept in any case."""
VALIDATED = 20
"""Pairs that every epoch is scored on."""
OPEN_ENDED = {"epochs": 200, "iterations_per_epoch": 250, "patience_epochs": 50}
"""Without a time budget: a ceiling, and the plateau that ends the run before it."""


def plan_registration(
    fingerprint: Fingerprint,
    dataset: Dataset,
    *,
    budget: Budget,
    target_spacing_mm: tuple[float, float, float] | None = None,
    network: Mapping[str, Any] | None = None,
    measure: Callable[..., float] = measure_step_seconds,
) -> Plan:
    """Plan for a device and a time budget.

    Args:
        fingerprint: of the dataset.
        dataset: for its pairs, channels and folds.
        budget: memory and time.
        target_spacing_mm: in place of the data's, along file axes i, j, k.
        network: architecture and options in place of the pyramid.
        measure: times a step; replaceable so that a plan can be made for another machine.

    Raises:
        PlanError: not even the coarsest grid fits.
    """
    if fingerprint.pairs is None:
        raise PlanError(f"the fingerprint of {dataset.name} is of no registration", fix="plan with --task registration")
    planner = _Planner(fingerprint, dataset, budget, network or {}, measure, fingerprint.pairs)
    return planner.run(target_spacing_mm)


@dataclass
class _Planner(Planner):
    pairs: PairStatistics

    def __post_init__(self) -> None:
        self.alignment, self.range_mm = self._alignment()

    def run(self, target_spacing_mm: tuple[float, float, float] | None) -> Plan:
        grid = target_grid(self.fingerprint, target_spacing_mm=target_spacing_mm)
        spacing = "×".join(f"{value:.4g}" for value in grid.spacing_mm)
        self.say("spacing_mm", spacing, f"{grid.because}; network axes are file axes {grid.axes}")
        plan = Plan(
            name="auto",
            preset="auto",
            task="registration",
            dataset=self.dataset.name,
            channels=self.dataset.channels,
            labels=self.dataset.labels,
            fingerprint_sha256=self.fingerprint.sha256(),
            device=self.budget.device,
            configurations={},
            default="3d" if grid.median_shape[0] > 1 else "2d",
        )
        configuration, cost, seconds = self._search(plan, grid)
        return self.finished(plan, self._schedule(configuration, seconds), cost, seconds)

    def _alignment(self) -> tuple[Literal["world", "centres"], float]:
        found = self.pairs
        marks = found.landmarks if found.of == "brightness" else None
        if marks is None:
            better = found.overlap_centres > found.overlap_world + CLEARLY
            what = "labels" if found.of == "labels" else "bright voxels"
            measured = (
                f"{what} of {found.pairs} pairs overlap by {found.overlap_world:.2f} (Dice) in the world, by "
                f"{found.overlap_centres:.2f} with the images' centres on each other"
            )
        else:
            better = marks.distance_centres_mm < NEARER * marks.distance_world_mm
            measured = (
                f"landmarks of {marks.pairs} pairs lie {marks.distance_world_mm:.3g} mm apart in the world, "
                f"{marks.distance_centres_mm:.3g} mm with the images' centres on each other"
            )
        chosen: Literal["world", "centres"] = "centres" if better and not found.one_grid else "world"
        ranges = marks or found
        range_mm = ranges.range_centres_mm if chosen == "centres" else ranges.range_world_mm
        grids = "all images lie on one grid; " if found.one_grid else ""
        self.say("alignment", chosen, f"{grids}{measured}; the field then has to reach {range_mm:.3g} mm")
        return chosen, range_mm

    def _draft(self, plan: Plan, grid: TargetGrid, *, coarser: float, width: float) -> Configuration:
        """The configuration at a multiple of the target spacing and of the features, without the schedule."""
        dim: Literal[2, 3] = 3 if plan.default == "3d" else 2
        spacing = [float(value) * coarser for value in grid.spacing_mm]
        size, median = whole_case_size(self.fingerprint, grid, spacing, smallest_side=SMALLEST_SIDE, cropped=False)
        size, spacing_in = size[3 - dim :], spacing[3 - dim :]
        thick = max(spacing_in) > 3 * min(spacing_in)
        return Configuration(
            name=plan.default,
            patch_voxels=size,
            batch_size=1,
            batch_dice=False,
            median_shape=median[3 - dim :],
            preprocessing=PreprocessingPlan(
                orientation=common_orientation(self.fingerprint),
                axes=grid.axes,
                spacing_mm=(None if dim == 2 else spacing[0], spacing[1], spacing[2]),
                normalisation=self._normalisation(plan),
                crop="none",
            ),
            network=self._network(plan, dim, size, spacing_in, width=width),
            training=TrainingPlan(
                optimizer="adamw",
                learning_rate=1e-3,
                weight_decay=1e-4,
                schedule="cosine",
                warmup_share=0.02,
                # With 12, as elsewhere, one training in three without labels ended with all images thrown off the
                # grid, where nothing pulls them back: docs/registration_networks.md.
                gradient_clip=1.0,
                precision=self.budget.precision,
                weight_average_decay=0.99,
                foreground_share=0.0,
                augmentation=AugmentationPlan(
                    rotation_degrees=(10.0,) * 3 if dim == 3 else (10.0,),
                    dummy_2d=dim == 3 and thick,
                    mirror_axes=(),
                ),
            ),
            inference=InferencePlan(mirror_axes=()),
            registration=self._registration(plan),
        )

    def _normalisation(self, plan: Plan) -> tuple[ChannelNormalisation, ...]:
        """As for any other task, but with the surroundings in: 0 has to stay the darkest value."""
        chosen = choose_normalisation(self.fingerprint, plan.channels)
        return tuple(channel.model_copy(update={"inside_mask": False}) for channel in chosen)

    def _network(
        self, plan: Plan, dim: Literal[2, 3], size: tuple[int, ...], spacing_mm: list[float], *, width: float
    ) -> NetworkPlan:
        topology = unet_topology(spacing_mm, size)
        stages = len(topology.strides)
        network = NetworkPlan(
            architecture=self.asked.get("architecture", ARCHITECTURE),
            dim=dim,
            in_channels=2 * len(plan.channels),
            heads=dim,
            features=topology.features,
            strides=topology.strides,
            kernels=topology.kernels,
            blocks=(2,) * stages,
            decoder_blocks=(2,) * (stages - 1),
            deep_supervision=False,
            options=self.asked.get("options", {}),
        )
        fitted = fit_topology(network)
        return fitted.model_copy(update={"features": tuple(round(width * count) for count in fitted.features)})

    def _registration(self, plan: Plan) -> RegistrationPlan:
        labels = len(plan.labels.foreground_values)
        labelled = labels and all(case.label is not None for case in self.dataset.cases)
        return RegistrationPlan(
            alignment=self.alignment,
            similarity="lncc",
            window=WINDOW,
            smoothness_weight=SMOOTHNESS,
            label_weight=LABEL_WEIGHT if labelled else 0.0,
            label_stride=2 if labels > MANY_LABELS else 1,
            landmark_weight=self._landmark_weight() if self.marked > 1 else 0.0,
        )

    @property
    def marked(self) -> int:
        """Cases with landmarks."""
        return sum(case.landmarks is not None for case in self.dataset.cases)

    def _landmark_weight(self) -> float:
        """What a mm costs if landmarks as far apart as a field has to reach cost 1, as images without likeness do."""
        finest_mm = min(side for case in self.fingerprint.cases for side in case.spacing_mm)
        return float(f"{1 / max(self.range_mm, finest_mm):.2g}")

    def _search(self, plan: Plan, grid: TargetGrid) -> tuple[Configuration, MemoryPrediction, float]:
        """Give up width, then resolution, until memory and budget suffice; return seconds a step, too."""
        told: list[str] = []
        widths = (1.0,) if self.asked else WIDTHS
        finest, coarser = 0, 1.0
        while True:
            for width in widths:
                candidate = self._draft(plan, grid, coarser=coarser, width=width)
                voxels = math.prod(candidate.patch_voxels)
                finest = finest or voxels
                last = width == widths[-1] and voxels / 2 < SMALLEST_SHARE * finest
                cost = predict_memory(plan, candidate, device=self.budget.device.kind)
                if cost.bytes > self.budget.memory_bytes:
                    told.append(f"{_named(candidate)} does not fit the memory")
                    continue
                seconds = LOOP_OVERHEAD * self.measure(plan, candidate, batch_size=1, device=self.budget.device.kind)
                steps = None if self.budget.time_s is None else self.budget.time_s / seconds
                told.append(f"{_named(candidate)}: {seconds:.3g} s a pair" + (f", {steps:.0f} pairs" if steps else ""))
                enough = ENOUGH_STEPS if width > widths[-1] else FEWEST_STEPS
                if steps is None or steps >= enough or last:
                    self._explain(candidate, told, cost)
                    return candidate, cost, seconds
            if voxels / 2 < SMALLEST_SHARE * finest:
                raise PlanError(
                    "no grid of the network fits",
                    expected=f"a training step within {self.budget.memory_bytes / 2**30:.2f} GiB",
                    found="; ".join(told),
                    fix="give more --memory, or a smaller network (--with)",
                )
            coarser *= COARSER

    def _explain(self, chosen: Configuration, told: list[str], cost: MemoryPrediction) -> None:
        network, settings = chosen.network, chosen.registration or RegistrationPlan()
        self.say(
            "grid",
            "×".join(map(str, chosen.patch_voxels)),
            f"holds {PERCENTILE} % of the cases whole along each axis; {'; '.join(told)}; "
            f"{cost.bytes / 2**30:.2f} GiB for a step",
        )
        spacing = [side for side in chosen.preprocessing.spacing_mm if side is not None]
        coarsest = min(side * step for side, step in zip(spacing[-network.dim :], network.divisor, strict=True))
        self.say(
            "levels",
            len(network.strides),
            f"as many as the grid has room for: a voxel of the coarsest is {coarsest:.3g} mm; the field has to reach "
            f"{self.range_mm:.3g} mm; one level less gained nothing on training data",
        )
        self.say(
            "augmentation",
            "moved, turned and scaled",
            "both images alike, and one against the other; not mirrored, as anatomy is not, unless mirror_axes of the "
            "plan are set: then both alike",
        )
        self.say(
            "similarity",
            f"{settings.similarity}, window {settings.window}",
            f"one modality, contrast may differ; the window is no other for {self.range_mm:.3g} mm than for less or "
            "more: on training data none gained half a percent of mean DSC",
        )
        self.say(
            "smoothness",
            f"{settings.smoothness} × {settings.smoothness_weight:g}",
            "squared gradients in mm per mm, so that spacing does not matter; nor does how far a field has to reach: "
            "other weights gained less than half a percent of DSC, near or far",
        )
        labelled = (
            "every case has a label map: its overlap is trained on, too"
            if settings.label_weight
            else "not every case has a label map"
        )
        self.say("label_weight", f"{settings.label_weight:g}", labelled)
        marked = (
            f"{self.marked} cases have landmarks; {self.range_mm:.3g} mm, as far as the field has to reach, cost "
            "as much as images without any likeness"
            if settings.landmark_weight
            else "no two cases have landmarks"
        )
        self.say("landmark_weight", f"{settings.landmark_weight:g} a mm", marked)
        alone = (
            "images alone are trained on: each prediction goes on so far for its own pair, by the same similarity"
            if settings.refinement
            else "by images alone, which would give up what labels and landmarks taught; "
            f"{REFINE_ITERATIONS} if both weights are set to 0"
        )
        self.say("refine_iterations", settings.refinement, alone)

    def _schedule(self, chosen: Configuration, seconds: float) -> Configuration:
        validated = min(VALIDATED, len(Pairing(self.dataset, make_splits(self.dataset)[0].val)))
        changes: dict[str, Any] = {"validation_iterations": validated}
        if self.budget.time_s is None:
            changes |= OPEN_ENDED
            because = "pairs are drawn anew in every epoch; ended when the score stays flat"
        else:
            timed, because = timed_schedule(self.budget.time_s, seconds)
            changes |= timed
        self.say("schedule", f"epochs of {changes['iterations_per_epoch']} pairs", because)
        return chosen.model_copy(update={"training": chosen.training.model_copy(update=changes)})


def _named(configuration: Configuration) -> str:
    network = configuration.network
    width = f" {network.features[0]} wide" if network.features else ""
    return f"{network.architecture}{width} on {'×'.join(map(str, configuration.patch_voxels))}"
