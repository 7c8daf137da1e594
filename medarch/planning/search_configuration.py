"""The search for one configuration: the largest patch that fits, the width and batch that the time allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medarch.core.errors import PlanError
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Configuration, Device, Plan, Precision, Reason, TrainingPlan
from medarch.networks.levers.pull import pull
from medarch.planning.lever_ladder import Rung, lever_ladder, needed
from medarch.planning.memory.memory_prediction import MemoryPrediction
from medarch.planning.search_patch import SMALLEST_BATCH, PatchSearch
from medarch.planning.timed_schedule import EPOCHS_IN_BUDGET
from medarch.planning.told_levers import told_levers

WIDTHS = (32, 24, 16)
"""First-stage channels, tried from the widest; wider nets are better per step, narrower ones take more steps in a
given time."""
ENOUGH_STEPS = 2000
"""A budgeted run should take at least so many steps; below, width is given up. (Measured: 300 steps of a 16-wide net
bring hippocampus to 0.875 DSC, `docs/planning.md`.)"""
FEWEST_STEPS = 500
"""When even the narrowest network takes fewer steps in the budget, the patch is made smaller."""
SMALLEST_SHARE = 1 / 8
"""But not below this share of the first patch."""
MANY_STEPS = 20_000
"""Above this the time goes into larger batches instead."""
DATASET_SHARE = 0.05
"""A batch holds at most this share of the dataset's voxels (nnU-Net's rule)."""
OPEN_ENDED = {"epochs": 250, "iterations_per_epoch": 250, "patience_epochs": 50}
"""Without a time budget: a ceiling, and the plateau that ends the run before it."""
AVERAGE_DECAY = 0.99
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
        self.patches = PatchSearch(
            plan, start.model_copy(update={"training": _averaged(start.training, budget.precision)}),
            memory_bytes=budget.memory_bytes, device=budget.device.kind, asked=asked,
        )  # fmt: skip
        self.ladder: list[Rung] = []
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
        configuration, seconds = self._levers(configuration, seconds)
        configuration, cost = self._batch(configuration, seconds)
        training = configuration.training
        seconds = seconds * configuration.batch_size * training.accumulate / SMALLEST_BATCH
        configuration = self._schedule(configuration, seconds)
        estimate = cost.estimate(seconds=seconds, timing="seconds measured on this device", passes=training.accumulate)
        return configuration.model_copy(update={"estimate": estimate}), self.reasons

    def _say(self, decision: str, value: object, because: str) -> None:
        self.reasons.append(Reason(decision=f"{self.start.name}.{decision}", value=str(value), because=because))

    def _largest_patch(self) -> Configuration:
        """The largest patch whose step fits, with whatever levers that takes."""
        plain = self.patches.largest(WIDTHS[0])
        start = plain or self.patches.smallest(WIDTHS[0])
        chosen = plain
        if start is not None and (plain is None or plain.patch_voxels != self.patches.whole(WIDTHS[0])):
            self.ladder = lever_ladder(self.patches, start)
            chosen = self.patches.largest(WIDTHS[0], [rung.lever for rung in self.ladder]) or plain
        if chosen is None:
            raise PlanError(
                f"no patch of {self.start.name} fits",
                expected=f"a training step within {self.budget.memory_bytes / 2**30:.2f} GiB",
                found="even the smallest patch needs more, with every lever pulled",
                fix="give more --memory",
            )
        because = f"the largest patch whose step of {SMALLEST_BATCH} fits; it sees {self.patches.context(chosen):.0%} "
        because += f"of a median case ({'×'.join(map(str, chosen.median_shape))})"
        if plain is not None and chosen.patch_voxels != plain.patch_voxels:
            because += f"; without levers it would be {'×'.join(map(str, plain.patch_voxels))} "
            because += f"({self.patches.context(plain):.0%})"
        self._say("patch", "×".join(map(str, chosen.patch_voxels)), because)
        return chosen

    def _levers(self, plain: Configuration, seconds: float) -> tuple[Configuration, float]:
        """Pull as many levers as this patch and width need, cheapest byte first."""
        rungs = needed(self.patches, plain, self.ladder)
        chosen = pull(plain, [rung.lever for rung in rungs])
        before, after = self.patches.predict(plain), self.patches.predict(chosen)
        levers = [rung.lever for rung in rungs]
        self._say("levers", ", ".join(levers) or "none", told_levers(self.patches, plain, levers))
        return chosen, seconds * after.work * chosen.training.accumulate / before.work

    def _width(self, widest: Configuration) -> tuple[Configuration, float]:
        """Give up width until the time budget holds enough steps."""
        told = []
        for width in WIDTHS:
            network = self.patches.network(widest.network.strides, widest.network.kernels, width)
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
            topology = self.patches.topology(scale)
            if topology is None or math.prod(topology.patch_voxels) < SMALLEST_SHARE * voxels:
                break
            if math.prod(topology.patch_voxels) < math.prod(configuration.patch_voxels):
                configuration = self.patches.configuration(topology, self.width)
        seconds *= math.prod(configuration.patch_voxels) / voxels
        self._say(
            "patch_for_time",
            "×".join(map(str, configuration.patch_voxels)),
            f"instead of {'×'.join(map(str, first.patch_voxels))}, for {self.budget.time_s / seconds:.0f} steps in the "
            f"time budget (wanted: {FEWEST_STEPS}, with no less than {SMALLEST_SHARE:.0%} of the voxels)",
        )
        return configuration, seconds

    def _batch(self, configuration: Configuration, seconds: float) -> tuple[Configuration, MemoryPrediction]:
        if configuration.batch_size < SMALLEST_BATCH:
            self._say("batch", configuration.batch_size, f"gradients of {configuration.training.accumulate} added up")
            return configuration, self.patches.predict(configuration)
        one, two = self.patches.predict(configuration, 1), self.patches.predict(configuration, 2)
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
        cost = self.patches.predict(configuration, batch) if batch > 2 else two
        return configuration.model_copy(update={"batch_size": batch}), cost

    def _schedule(self, configuration: Configuration, seconds: float) -> Configuration:
        training: TrainingPlan = configuration.training.model_copy(
            update={
                "learning_rate": 4e-2,
                "momentum": 0.95,
                "weight_average_decay": AVERAGE_DECAY,
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


def _averaged(training: TrainingPlan, precision: Precision) -> TrainingPlan:
    """What of the training costs memory: the plan will average its weights."""
    return training.model_copy(update={"precision": precision, "weight_average_decay": AVERAGE_DECAY})
