"""The default preset: patch, width and batch from the bytes and seconds of a training step on the device at hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from medarch.core.dataset import Dataset
from medarch.core.errors import PlanError, UsageError
from medarch.core.fingerprint import Fingerprint
from medarch.core.labels import LabelScheme
from medarch.core.plan import (
    Configuration,
    Device,
    Estimate,
    NetworkPlan,
    Plan,
    Precision,
    Reason,
    TrainingPlan,
)
from medarch.planning.choose_mirror_axes import choose_mirror_axes
from medarch.planning.detect_device import detect_device, training_precision
from medarch.planning.fit_patch import fit_patch
from medarch.planning.measure_step_seconds import measure_step_seconds
from medarch.planning.nnunet_presets import NNUNET_PRESETS
from medarch.planning.plan_nnunet import plan_nnunet
from medarch.planning.predict_training_bytes import StepCost, predict_training_bytes
from medarch.planning.unet_topology import UNetTopology

MEMORY_SHARE = 0.9
"""Share of the device's free memory a plan may fill."""
WIDTHS = (32, 24, 16)
"""First-stage channels, tried from the widest; wider nets are better per step, narrower ones take more steps in a
given time."""
MOST_FEATURES = {2: 512, 3: 320}
ENOUGH_STEPS = 2000
"""A budgeted run should take at least so many steps; below, width is given up (a 16-wide net with 2,000 steps of 2
hippocampus patches reaches 0.86 DSC, a 32-wide one with 600 steps 0.83; `docs/planning.md`)."""
MANY_STEPS = 20_000
"""Above this the time goes into larger batches instead."""
SMALLEST_BATCH = 2
DATASET_SHARE = 0.05
"""A batch holds at most this share of the dataset's voxels (nnU-Net's rule)."""
OPEN_ENDED = {"epochs": 250, "iterations_per_epoch": 250, "patience_epochs": 50}
"""Without a time budget. Easy datasets reach 99 % of their end value by epoch 40 (`docs/planning.md`); hard ones use
all."""
EPOCHS_IN_BUDGET = 30
LOOP_OVERHEAD = 1.25
"""Data loading, augmentation, optimiser and validation on top of the bare step."""


@dataclass(frozen=True)
class Budget:
    """What a run may use."""

    device: Device
    precision: Precision
    memory_bytes: int
    time_s: float | None


def plan_auto(
    fingerprint: Fingerprint,
    dataset_name: str,
    channels: tuple[str, ...],
    labels: LabelScheme,
    *,
    budget: Budget,
    target_spacing_mm: tuple[float, float, float] | None = None,
    measure: Callable[..., float] = measure_step_seconds,
) -> Plan:
    """Plan for a device and a time budget.

    Target spacing, normalisation, topology rule and data handling are nnU-Net's, which are hard to beat; patch, width,
    batch and schedule come from what a step costs here.

    Args:
        fingerprint: of the dataset.
        dataset_name: for the plan.
        channels: names in file order.
        labels: the label scheme.
        budget: memory and time.
        target_spacing_mm: in place of the data's, along file axes i, j, k.
        measure: times a step; replaceable so that a plan can be made for another machine.

    Raises:
        PlanError: not even the smallest patch fits into the memory.
    """
    base = plan_nnunet(fingerprint, dataset_name, channels, labels, target_spacing_mm=target_spacing_mm)
    draft = base.model_copy(update={"name": "auto", "preset": "auto", "device": budget.device})
    orientation, why = _orientation(fingerprint)
    names = [name for name in base.configurations if name in ("3d_fullres", "3d_lowres")] or ["2d"]
    reasons = [
        _budget_reason(budget),
        Reason(decision="orientation", value=orientation, because=why),
        *(reason for reason in base.reasons if _is_about_data(reason) and not _of_other(reason, names)),
    ]
    axes = base.configuration(names[0]).preprocessing.axes
    mirror, why = choose_mirror_axes(fingerprint, orientation=orientation, axes=axes)
    reasons.append(Reason(decision="mirror_axes", value=str(mirror), because=why))
    configurations: dict[str, Configuration] = {}
    for name in names:
        start = base.configuration(name)
        start = _turned(start, orientation, mirror)
        configurations[name], found = _Search(draft, start, fingerprint, budget, measure).run()
        reasons += found
    default = "3d_fullres" if "3d_fullres" in configurations else next(iter(configurations))
    return draft.model_copy(update={"configurations": configurations, "default": default, "reasons": tuple(reasons)})


def _turned(start: Configuration, orientation: str, mirror: tuple[int, ...]) -> Configuration:
    """Give a configuration its orientation and mirror axes (counted along the patch's axes)."""
    dim = start.network.dim
    axes = tuple(axis - (3 - dim) for axis in mirror if axis >= 3 - dim)
    augmentation = start.training.augmentation.model_copy(update={"mirror_axes": axes})
    return start.model_copy(
        update={
            "preprocessing": start.preprocessing.model_copy(update={"orientation": orientation}),
            "training": start.training.model_copy(update={"augmentation": augmentation}),
            "inference": start.inference.model_copy(update={"mirror_axes": axes}),
            "next_stage": None,
        }
    )


KEPT_REASONS = ("axes", "spacing_mm", "normalisation.", ".batch_dice", ".rotation_degrees")


def _is_about_data(reason: Reason) -> bool:
    """Whether a reason of nnU-Net's planner still holds: those about the data do, those about cost do not."""
    return any(word in reason.decision for word in KEPT_REASONS)


def _of_other(reason: Reason, names: list[str]) -> bool:
    """Whether a reason belongs to a configuration that is not planned."""
    first = reason.decision.split(".")[0]
    return first.startswith(("2d", "3d")) and first not in names


def _orientation(fingerprint: Fingerprint) -> tuple[str, str]:
    counts = Counter(case.axcodes for case in fingerprint.cases)
    common, number = counts.most_common(1)[0]
    if len(counts) == 1:
        return common, f"all {number} cases are stored so; a case that comes otherwise is turned before it is predicted"
    return common, (
        f"{number} of {len(fingerprint.cases)} cases are stored so ({dict(counts)}); the others are turned, so that "
        "left is left for the network"
    )


def _budget_reason(budget: Budget) -> Reason:
    time = "no time budget" if budget.time_s is None else f"{budget.time_s:.0f} s of training"
    return Reason(
        decision="budget",
        value=f"{budget.memory_bytes / 2**30:.1f} GiB, {time}, {budget.precision}",
        because=f"{budget.device.kind} device {budget.device.name} with "
        f"{budget.device.memory_bytes / 2**30:.1f} GiB free; "
        f"{MEMORY_SHARE:.0%} of it may be planned with unless --memory says otherwise",
    )


def plan_for_device(
    fingerprint: Fingerprint,
    dataset: Dataset,
    *,
    device: str = "auto",
    memory_gb: float | None = None,
    time_budget_s: float | None = None,
    target_spacing_mm: tuple[float, float, float] | None = None,
) -> Plan:
    """Look at the device, then :func:`plan_auto`.

    Raises:
        UsageError: the device is not there, or a budget is not positive.
        PlanError: nothing fits.
    """
    for name, value in (("--memory", memory_gb), ("--time-budget", time_budget_s)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be positive", found=str(value))
    found = detect_device(device)
    memory = MEMORY_SHARE * found.memory_bytes if memory_gb is None else memory_gb * 1e9
    budget = Budget(found, training_precision(found), int(memory), time_budget_s)
    return plan_auto(
        fingerprint,
        dataset.name,
        dataset.channels,
        dataset.labels,
        budget=budget,
        target_spacing_mm=target_spacing_mm,
    )


class _Search:
    """The search for one configuration."""

    def __init__(
        self, plan: Plan, start: Configuration, fingerprint: Fingerprint, budget: Budget, measure: Callable[..., float]
    ) -> None:
        self.plan = plan
        self.start = start
        self.fingerprint = fingerprint
        self.budget = budget
        self.measure = measure
        self.reasons: list[Reason] = []

    def run(self) -> tuple[Configuration, list[Reason]]:
        configuration = self._largest_patch()
        configuration, seconds = self._width(configuration)
        configuration, cost = self._batch(configuration, seconds)
        seconds = seconds * configuration.batch_size / SMALLEST_BATCH
        configuration = self._schedule(configuration, seconds)
        estimate = Estimate(
            training_bytes=cost.bytes,
            parameters=cost.parameters,
            gflop_per_step=cost.flop / 1e9,
            seconds_per_step=seconds,
            method="tensor bytes by fake-tensor run + 10 % kernel workspace + context; seconds measured on this device",
        )
        return configuration.model_copy(update={"estimate": estimate}), self.reasons

    def _say(self, decision: str, value: object, because: str) -> None:
        self.reasons.append(Reason(decision=f"{self.start.name}.{decision}", value=str(value), because=because))

    def _cost(self, configuration: Configuration, batch_size: int) -> StepCost:
        return predict_training_bytes(self.plan, configuration, batch_size=batch_size, device=self.budget.device.kind)

    def _with_topology(self, topology: UNetTopology, width: int) -> Configuration:
        stages = len(topology.strides)
        network: NetworkPlan = self.start.network.model_copy(
            update={
                "features": tuple(
                    min(width * 2**stage, MOST_FEATURES[self.start.network.dim]) for stage in range(stages)
                ),
                "strides": topology.strides,
                "kernels": topology.kernels,
                "blocks": (2,) * stages,
                "decoder_blocks": (2,) * (stages - 1),
            }
        )
        training = self.start.training.model_copy(update={"precision": self.budget.precision})
        return self.start.model_copy(
            update={"patch_voxels": topology.patch_voxels, "network": network, "training": training}
        )

    def _largest_patch(self) -> Configuration:
        """The largest patch whose step fits, by bisection over nnU-Net's shrinking sequence."""
        spacing = [value for value in self.start.preprocessing.spacing_mm if value is not None]
        preset = NNUNET_PRESETS["nnunet"]
        fits: dict[tuple[int, ...], bool] = {}
        best: Configuration | None = None
        low, high = 1 / 64, 64.0
        scale = 1.0
        while high / low > 1.1:
            try:
                topology = fit_patch(
                    spacing,
                    self.start.median_shape,
                    preset=preset,
                    memory_gb=preset.memory_gb * scale,
                    heads=len(self.plan.labels.labels),
                    dataset_voxels=0.0,
                ).topology
            except PlanError:
                low, scale = scale, math.sqrt(scale * high)
                continue
            candidate = self._with_topology(topology, WIDTHS[0])
            patch = candidate.patch_voxels
            if patch not in fits:
                fits[patch] = self._cost(candidate, SMALLEST_BATCH).bytes <= self.budget.memory_bytes
            if fits[patch]:
                best, low = candidate, scale
            else:
                high = scale
            scale = math.sqrt(low * high)
        if best is None:
            raise PlanError(
                f"no patch of {self.start.name} fits",
                expected=f"a training step within {self.budget.memory_bytes / 2**30:.2f} GiB",
                found="even the smallest patch with batch 2 needs more",
                fix="give more --memory",
            )
        cost = self._cost(best, SMALLEST_BATCH)
        covers = math.prod(min(p, m) for p, m in zip(best.patch_voxels, best.median_shape, strict=True)) / math.prod(
            best.median_shape
        )
        self._say(
            "patch",
            "×".join(map(str, best.patch_voxels)),
            f"the largest patch whose step of {SMALLEST_BATCH} fits: {cost.bytes / 2**30:.2f} of "
            f"{self.budget.memory_bytes / 2**30:.1f} GiB predicted; it sees {covers:.0%} of a median case "
            f"({'×'.join(map(str, best.median_shape))})",
        )
        return best

    def _width(self, widest: Configuration) -> tuple[Configuration, float]:
        """Give up width until the time budget holds enough steps."""
        told = []
        stages = len(widest.network.features)
        for width in WIDTHS:
            features = tuple(min(width * 2**stage, MOST_FEATURES[widest.network.dim]) for stage in range(stages))
            candidate = widest.model_copy(update={"network": widest.network.model_copy(update={"features": features})})
            seconds = LOOP_OVERHEAD * self.measure(
                self.plan, candidate, batch_size=SMALLEST_BATCH, device=self.budget.device.kind
            )
            steps = math.inf if self.budget.time_s is None else self.budget.time_s / seconds
            told.append(f"{width}: {seconds:.3g} s a step" + ("" if math.isinf(steps) else f", {steps:.0f} steps"))
            if steps >= ENOUGH_STEPS:
                break
        goal = f"the widest with at least {ENOUGH_STEPS} steps in the time budget"
        self._say(
            "width",
            "-".join(map(str, candidate.network.features)),
            "no time budget, so the full width" if self.budget.time_s is None else f"{goal}; " + "; ".join(told),
        )
        return candidate, seconds

    def _batch(self, configuration: Configuration, seconds: float) -> tuple[Configuration, StepCost]:
        one, two = self._cost(configuration, 1), self._cost(configuration, 2)
        per_patch = max(1, two.bytes - one.bytes)
        by_memory = 2 + max(0, self.budget.memory_bytes - two.bytes) // per_patch
        voxels = math.prod(configuration.median_shape) * self.fingerprint.num_training
        by_data = round(voxels * DATASET_SHARE / math.prod(configuration.patch_voxels))
        limits = {"memory": by_memory, f"{DATASET_SHARE:.0%} of the dataset's voxels": by_data}
        if self.budget.time_s is not None:
            limits[f"{MANY_STEPS} steps in the time budget"] = int(
                self.budget.time_s / (seconds / SMALLEST_BATCH) / MANY_STEPS
            )
        elif self.budget.device.kind == "cpu":
            limits["a CPU gains nothing from more"] = SMALLEST_BATCH
        name, limit = min(limits.items(), key=lambda item: item[1])
        batch = max(SMALLEST_BATCH, limit)
        self._say(
            "batch",
            batch,
            f"limited by {name}"
            + (f" (at least {SMALLEST_BATCH})" if limit < SMALLEST_BATCH else "")
            + f"; memory alone would allow {by_memory}",
        )
        cost = self._cost(configuration, batch) if batch > 2 else two
        return configuration.model_copy(update={"batch_size": batch}), cost

    def _schedule(self, configuration: Configuration, seconds: float) -> Configuration:
        training: TrainingPlan = configuration.training.model_copy(
            update={
                "learning_rate": 4e-2,
                "momentum": 0.95,
                "weight_average_decay": 0.99,
                "validation_iterations": 10,
            }
        )
        self._say(
            "optimiser",
            "SGD, momentum 0.95, learning rate 0.04, averaged weights",
            "nnU-Net's momentum of 0.99 needs a thousand steps to get going; 0.95 with four times the learning rate does not, "
            "and averaging makes up for small batches (docs/planning.md)",
        )
        if self.budget.time_s is None:
            training = training.model_copy(update=OPEN_ENDED | {"validation_iterations": 25})
            hours = training.epochs * training.iterations_per_epoch * seconds / 3600
            because = f"no time budget: up to {hours:.1f} h here, ended earlier when the score stays flat for "
            because += f"{training.patience_epochs} epochs; give --time-budget for a schedule that fits a given time"
        else:
            steps = self.budget.time_s / seconds
            per_epoch = int(min(250, max(5, steps / EPOCHS_IN_BUDGET)))
            training = training.model_copy(
                update={
                    "time_budget_s": self.budget.time_s,
                    "iterations_per_epoch": per_epoch,
                    "epochs": max(1, math.ceil(4 * steps / per_epoch)),
                    "validation_iterations": max(2, per_epoch // 10),
                }
            )
            because = (
                f"about {steps:.0f} steps fit into {self.budget.time_s:.0f} s; the learning rate ends with the time"
            )
        self._say("schedule", f"epochs of {training.iterations_per_epoch} steps", because)
        return configuration.model_copy(update={"training": training})
