"""The search for one configuration: the largest patch that fits, the width and batch that the time allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medarch.core.errors import PlanError
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import (
    Configuration,
    Device,
    NetworkPlan,
    Plan,
    Precision,
    Reason,
    TrainingPlan,
    Voxels,
)
from medarch.networks.build_network import fit_topology
from medarch.planning.fit_patch import fit_patch
from medarch.planning.multiple_of import multiple_of
from medarch.planning.nnunet_presets import NNUNET_PRESETS
from medarch.planning.predict_training_bytes import StepCost, predict_training_bytes
from medarch.planning.unet_topology import UNetTopology

WIDTHS = (32, 24, 16)
"""First-stage channels, tried from the widest; wider nets are better per step, narrower ones take more steps in a
given time."""
MOST_FEATURES = {2: 512, 3: 320}
ENOUGH_STEPS = 2000
"""A budgeted run should take at least so many steps; below, width is given up. (Measured: 300 steps of a 16-wide net
bring hippocampus to 0.875 DSC, `docs/planning.md`.)"""
FEWEST_STEPS = 500
"""When even the narrowest network takes fewer steps in the budget, the patch is made smaller."""
SMALLEST_SHARE = 1 / 8
"""But not below this share of the first patch."""
MANY_STEPS = 20_000
"""Above this the time goes into larger batches instead."""
SMALLEST_BATCH = 2
DATASET_SHARE = 0.05
"""A batch holds at most this share of the dataset's voxels (nnU-Net's rule)."""
OPEN_ENDED = {"epochs": 250, "iterations_per_epoch": 250, "patience_epochs": 50}
"""Without a time budget: a ceiling, and the plateau that ends the run before it."""
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


class ConfigurationSearch:
    """Turns a configuration of nnU-Net's rules into the one that suits a budget.

    Args:
        plan: the plan it will belong to.
        start: target spacing, median shape and data handling are taken from it.
        fingerprint: of the dataset.
        budget: memory and time.
        measure: times a training step.
        asked: architecture and options of the network, in place of the start's.
    """

    def __init__(
        self,
        plan: Plan,
        start: Configuration,
        fingerprint: Fingerprint,
        budget: Budget,
        measure: Callable[..., float],
        *,
        asked: Mapping[str, Any],
    ) -> None:
        self.plan = plan
        self.start = start
        self.fingerprint = fingerprint
        self.budget = budget
        self.measure = measure
        self.asked = asked
        self.width = WIDTHS[0]
        self.reasons: list[Reason] = []

    def run(self) -> tuple[Configuration, list[Reason]]:
        """Return the configuration and the reason of each decision.

        Raises:
            PlanError: not even the smallest patch fits.
        """
        configuration = self._largest_patch()
        configuration, seconds = self._width(configuration)
        configuration, seconds = self._patch_for_time(configuration, seconds)
        configuration, cost = self._batch(configuration, seconds)
        seconds = seconds * configuration.batch_size / SMALLEST_BATCH
        configuration = self._schedule(configuration, seconds)
        estimate = cost.estimate(seconds=seconds, timing="seconds measured on this device")
        return configuration.model_copy(update={"estimate": estimate}), self.reasons

    def _say(self, decision: str, value: object, because: str) -> None:
        self.reasons.append(Reason(decision=f"{self.start.name}.{decision}", value=str(value), because=because))

    def _cost(self, configuration: Configuration, batch_size: int) -> StepCost:
        return predict_training_bytes(self.plan, configuration, batch_size=batch_size, device=self.budget.device.kind)

    def _with_topology(self, topology: UNetTopology, width: int) -> Configuration:
        network = self._network(topology.strides, topology.kernels, width)
        training = self.start.training.model_copy(update={"precision": self.budget.precision})
        patch = multiple_of(topology.patch_voxels, network.divisor)
        return self.start.model_copy(update={"patch_voxels": patch, "network": network, "training": training})

    def _network(self, strides: tuple[Voxels, ...], kernels: tuple[Voxels, ...], width: int) -> NetworkPlan:
        """A U-Net of these stages, or what the architecture asked for makes of them."""
        stages = len(strides)
        plain = self.start.network.model_copy(
            update={
                "features": tuple(
                    min(width * 2**stage, MOST_FEATURES[self.start.network.dim]) for stage in range(stages)
                ),
                "strides": strides,
                "kernels": kernels,
                "blocks": (2,) * stages,
                "decoder_blocks": (2,) * (stages - 1),
            }
        )
        return fit_topology(plain.model_copy(update=dict(self.asked)))

    def _largest_patch(self) -> Configuration:
        """The largest patch whose step fits, by bisection over nnU-Net's shrinking sequence."""
        fits: dict[tuple[int, ...], bool] = {}
        best: Configuration | None = None
        low, high = 1 / 64, 64.0
        scale = 1.0
        while high / low > 1.1:
            topology = self._topology(scale)
            if topology is None:
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
        for width in WIDTHS:
            network = self._network(widest.network.strides, widest.network.kernels, width)
            candidate = widest.model_copy(update={"network": network})
            seconds = LOOP_OVERHEAD * self.measure(
                self.plan, candidate, batch_size=SMALLEST_BATCH, device=self.budget.device.kind
            )
            steps = math.inf if self.budget.time_s is None else self.budget.time_s / seconds
            told.append(f"{width}: {seconds:.3g} s a step" + ("" if math.isinf(steps) else f", {steps:.0f} steps"))
            self.width = width
            if steps >= ENOUGH_STEPS:
                break
        goal = f"the widest with at least {ENOUGH_STEPS} steps in the time budget"
        self._say(
            "width",
            "-".join(map(str, candidate.network.features)),
            "no time budget, so the full width" if self.budget.time_s is None else f"{goal}; " + "; ".join(told),
        )
        return candidate, seconds

    def _patch_for_time(self, configuration: Configuration, seconds: float) -> tuple[Configuration, float]:
        """Give up context, too, where the narrowest network would still take too few steps."""
        first, voxels = configuration, math.prod(configuration.patch_voxels)
        if self.budget.time_s is None or self.budget.time_s / seconds >= FEWEST_STEPS:
            return configuration, seconds
        scale = 1.0
        while self.budget.time_s / (seconds * math.prod(configuration.patch_voxels) / voxels) < FEWEST_STEPS:
            scale *= 0.8
            topology = self._topology(scale)
            if topology is None or math.prod(topology.patch_voxels) < SMALLEST_SHARE * voxels:
                break
            if math.prod(topology.patch_voxels) < math.prod(configuration.patch_voxels):
                configuration = self._with_topology(topology, self.width)
        seconds *= math.prod(configuration.patch_voxels) / voxels
        self._say(
            "patch_for_time",
            "×".join(map(str, configuration.patch_voxels)),
            f"instead of {'×'.join(map(str, first.patch_voxels))}, for {self.budget.time_s / seconds:.0f} steps in the "
            f"time budget (wanted: {FEWEST_STEPS}, with no less than {SMALLEST_SHARE:.0%} of the voxels)",
        )
        return configuration, seconds

    def _topology(self, scale: float) -> UNetTopology | None:
        """The patch and pooling of nnU-Net's rule at a multiple of its own budget; None when nothing fits."""
        preset = NNUNET_PRESETS["nnunet"]
        try:
            return fit_patch(
                [value for value in self.start.preprocessing.spacing_mm if value is not None],
                self.start.median_shape,
                preset=preset,
                memory_gb=preset.memory_gb * scale,
                heads=len(self.plan.labels.labels),
                dataset_voxels=0.0,
            ).topology
        except PlanError:
            return None

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
            "with batches of two, nnU-Net's momentum of 0.99 and rate of 0.01 stood at 0.10 DSC after 300 steps of "
            "hippocampus, 0.95 and twice the rate at 0.85 (docs/planning.md)",
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
