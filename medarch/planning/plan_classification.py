"""A plan for a classification: one look at a whole case, with what the device and the time allow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medarch.core.classes import ClassScheme
from medarch.core.dataset import Dataset
from medarch.core.errors import PlanError
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import (
    AugmentationPlan,
    Configuration,
    InferencePlan,
    NetworkPlan,
    Plan,
    PreprocessingPlan,
    TrainingPlan,
)
from medarch.planning.choose_normalisation import choose_normalisation
from medarch.planning.class_weights import class_weights
from medarch.planning.classifier_strides import classifier_strides
from medarch.planning.common_orientation import common_orientation
from medarch.planning.make_splits import make_splits
from medarch.planning.measure_step_seconds import measure_step_seconds
from medarch.planning.memory.memory_prediction import MemoryPrediction
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.planner import Planner
from medarch.planning.search_configuration import LOOP_OVERHEAD, Budget
from medarch.planning.target_spacing import TargetGrid, target_grid
from medarch.planning.timed_schedule import timed_schedule
from medarch.planning.whole_case_size import PERCENTILE, whole_case_size

ARCHITECTURE = "resnet18"
WIDTHS = (1.0, 0.5, 0.25)
"""Multipliers of the default network's channels, tried from the widest."""
SMALLEST_SIDE = 16
BATCH = 16
ENOUGH_PASSES = 15
"""A budgeted run should see every case so often; below, width is given up, then resolution."""
COARSER = 2 ** (1 / 3)
"""A spacing so many times larger halves the voxels."""
SMALLEST_SHARE = 1 / 16
"""Of the voxels of the finest input that are kept in any case."""
OPEN_ENDED = {"epochs": 200, "patience_epochs": 50}
"""Without a time budget: passes through the data at most, and the plateau that ends the run before."""


def plan_classification(
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
        dataset: for its classes, channels and folds.
        budget: memory and time.
        target_spacing_mm: in place of the data's, along file axes i, j, k.
        network: architecture and options in place of a ResNet-18.
        measure: times a step; replaceable so that a plan can be made for another machine.

    Raises:
        PlanError: not even the smallest network on the coarsest input fits.
    """
    if dataset.classes is None:
        raise PlanError(f"dataset {dataset.name} names no classes", fix="see `medarch check`")
    planner = _Planner(fingerprint, dataset, budget, network or {}, measure, dataset.classes)
    return planner.run(target_spacing_mm)


@dataclass
class _Planner(Planner):
    classes: ClassScheme

    def run(self, target_spacing_mm: tuple[float, float, float] | None) -> Plan:
        grid = target_grid(self.fingerprint, target_spacing_mm=target_spacing_mm)
        spacing = "×".join(f"{value:.4g}" for value in grid.spacing_mm)
        self.say("spacing_mm", spacing, f"{grid.because}; network axes are file axes {grid.axes}")
        weights = class_weights(self.fingerprint, self.classes)
        counts = ", ".join(f"{name} {self.fingerprint.class_counts.get(name, 0)}" for name in self.classes.names)
        self.say(
            "class_weights",
            ", ".join(f"{weight:g}" for weight in weights),
            f"of {len(self.fingerprint.cases)} cases: {counts}. Weights (root of rarity) in loss and decision; "
            "probabilities have them divided out",
        )
        plan = Plan(
            name="auto",
            preset="auto",
            task="classification",
            dataset=self.dataset.name,
            channels=self.dataset.channels,
            labels=self.dataset.labels,
            classes=self.classes,
            fingerprint_sha256=self.fingerprint.sha256(),
            device=self.budget.device,
            configurations={},
            default="3d" if grid.median_shape[0] > 1 else "2d",
        )
        configuration, seconds = self._search(plan, grid, weights)
        configuration, cost = self._batch(plan, configuration)
        seconds *= configuration.batch_size
        return self.finished(plan, self._schedule(configuration, seconds), cost, seconds)

    def _draft(self, plan: Plan, grid: TargetGrid, weights: tuple[float, ...], *, coarser: float) -> Configuration:
        """The configuration at a multiple of the target spacing, without width, batch and schedule."""
        dim = 3 if plan.default == "3d" else 2
        spacing = [float(value) * coarser for value in grid.spacing_mm]
        size, median = whole_case_size(self.fingerprint, grid, spacing, smallest_side=SMALLEST_SIDE, cropped=True)
        axes = tuple(range(dim))
        network = NetworkPlan(
            architecture=self.asked.get("architecture", ARCHITECTURE),
            dim=dim,  # type: ignore[arg-type]
            in_channels=len(plan.channels),
            heads=len(self.classes.names),
            deep_supervision=False,
            options=self.asked.get("options", {}),
        )
        size, spacing_in = size[3 - dim :], spacing[3 - dim :]
        network = network.model_copy(update={"strides": classifier_strides(network, size, spacing_in)})
        thick = max(spacing_in) > 3 * min(spacing_in)
        return Configuration(
            name=plan.default,
            patch_voxels=size,
            batch_size=BATCH,
            batch_dice=False,
            median_shape=median[3 - dim :],
            preprocessing=PreprocessingPlan(
                orientation=common_orientation(self.fingerprint),
                axes=grid.axes,
                spacing_mm=(None if dim == 2 else spacing[0], spacing[1], spacing[2]),
                normalisation=choose_normalisation(self.fingerprint, plan.channels),
            ),
            network=network,
            training=TrainingPlan(
                optimizer="adamw",
                learning_rate=1e-3,
                weight_decay=5e-2,
                schedule="cosine",
                warmup_share=0.05,
                precision=self.budget.precision,
                weight_average_decay=0.99,
                foreground_share=0.0,
                class_weights=weights,
                augmentation=AugmentationPlan(
                    rotation_degrees=(30.0,) * 3 if dim == 3 else (30.0,), dummy_2d=dim == 3 and thick, mirror_axes=axes
                ),
            ),
            inference=InferencePlan(mirror_axes=axes),
        )

    def _search(self, plan: Plan, grid: TargetGrid, weights: tuple[float, ...]) -> tuple[Configuration, float]:
        """Give up width, then resolution, until the budget holds enough passes; return seconds a case, too."""
        ladder = ({},) if self.asked else tuple({"width": width} for width in WIDTHS)
        told: list[str] = []
        finest, coarser = 0, 1.0
        while True:
            draft = self._draft(plan, grid, weights, coarser=coarser)
            voxels = math.prod(draft.patch_voxels)
            finest = finest or voxels
            for options in ladder:
                network = draft.network.model_copy(update={"options": {**draft.network.options, **options}})
                candidate = draft.model_copy(update={"network": network})
                if self._cost(plan, candidate, 2).bytes > self.budget.memory_bytes:
                    told.append(f"{_named(candidate)} does not fit the memory")
                    continue
                seconds = LOOP_OVERHEAD * self._seconds(plan, candidate)
                passes = self._passes(seconds)
                told.append(
                    f"{_named(candidate)}: {seconds:.3g} s a case" + (f", {passes:.0f} passes" if passes else "")
                )
                if (
                    passes is None
                    or passes >= ENOUGH_PASSES
                    or (voxels / 2 < SMALLEST_SHARE * finest and options == ladder[-1])
                ):
                    self._explain(candidate, grid, told, coarser)
                    return candidate, seconds
            if voxels / 2 < SMALLEST_SHARE * finest:
                raise PlanError(
                    "no input of the network fits",
                    expected=f"a training step within {self.budget.memory_bytes / 2**30:.2f} GiB",
                    found="; ".join(told),
                    fix="give more --memory, or a smaller network (--with)",
                )
            coarser *= COARSER

    def _seconds(self, plan: Plan, candidate: Configuration) -> float:
        """Seconds of one case, measured on a batch of four: batch normalisation wants more than one."""
        seconds: float = self.measure(plan, candidate, batch_size=4, device=self.budget.device.kind)
        return seconds / 4

    def _passes(self, seconds: float) -> float | None:
        if self.budget.time_s is None:
            return None
        return self.budget.time_s / (seconds * len(make_splits(self.dataset)[0].train))

    def _cost(self, plan: Plan, candidate: Configuration, batch: int) -> MemoryPrediction:
        return predict_memory(plan, candidate, batch_size=batch, device=self.budget.device.kind)

    def _explain(self, chosen: Configuration, grid: TargetGrid, told: list[str], coarser: float) -> None:
        size = "×".join(map(str, chosen.patch_voxels))
        because = f"holds {PERCENTILE} % of the cases whole along each axis"
        if coarser > 1:
            because += f", at {coarser:.3g} times the spacing, so that the time suffices"
        self.say("input", size, because)
        goal = (
            "no time budget, so the full width"
            if self.budget.time_s is None
            else (f"the widest and finest that sees every case {ENOUGH_PASSES} times in the budget")
        )
        why = "asked for" if self.asked else "small, well understood, and published with weights"
        self.say("network", _named(chosen), f"{why}; {goal}: {'; '.join(told)}")
        if chosen.network.strides:
            steps = ", ".join("×".join(map(str, stride)) for stride in chosen.network.strides)
            self.say("strides", steps, "the published strides would leave less than 2 voxels along an axis")
        self.say(
            "mirror_axes",
            chosen.inference.mirror_axes,
            "all, as nnU-Net does; take the left-right axis out (--with) if a class is a matter of side",
        )

    def _batch(self, plan: Plan, chosen: Configuration) -> tuple[Configuration, MemoryPrediction]:
        batch = min(BATCH, max(2, len(self.dataset.cases) // 4))
        cost = self._cost(plan, chosen, batch)
        while cost.bytes > self.budget.memory_bytes and batch > 2:
            batch //= 2
            cost = self._cost(plan, chosen, batch)
        self.say(
            "batch", batch, f"at most {BATCH}, a quarter of the cases, and what fits: {cost.bytes / 2**30:.2f} GiB"
        )
        return chosen.model_copy(update={"batch_size": batch}), cost

    def _schedule(self, chosen: Configuration, seconds: float) -> Configuration:
        split = make_splits(self.dataset)[0]
        a_pass = math.ceil(len(split.train) / chosen.batch_size)
        changes: dict[str, Any] = {"validation_iterations": math.ceil(len(split.val) / chosen.batch_size) + 1}
        if self.budget.time_s is None:
            changes |= OPEN_ENDED | {"iterations_per_epoch": a_pass}
            because = "an epoch is one pass through the data; ended earlier when the score stays flat"
        else:
            timed, because = timed_schedule(self.budget.time_s, seconds, least=a_pass)
            changes |= timed
        self.say("schedule", f"epochs of {changes['iterations_per_epoch']} steps", because)
        return chosen.model_copy(update={"training": chosen.training.model_copy(update=changes)})


def _named(configuration: Configuration) -> str:
    options = "".join(f" {name} {value:g}" for name, value in configuration.network.options.items() if name == "width")
    size = "×".join(map(str, configuration.patch_voxels))
    return f"{configuration.network.architecture}{options} on {size}"
