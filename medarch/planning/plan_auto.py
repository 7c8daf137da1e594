"""The default preset: patch, width and batch from the bytes and seconds of a training step on the device at hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from medarch.core.dataset import Dataset
from medarch.core.errors import UsageError
from medarch.core.fingerprint import Fingerprint
from medarch.core.labels import LabelScheme
from medarch.core.plan import Configuration, Plan, Reason
from medarch.planning.choose_mirror_axes import choose_mirror_axes
from medarch.planning.detect_device import detect_device, training_precision
from medarch.planning.measure_step_seconds import measure_step_seconds
from medarch.planning.memory_to_plan_with import MEMORY_SHARE, memory_to_plan_with
from medarch.planning.plan_classification import plan_classification
from medarch.planning.plan_nnunet import plan_nnunet
from medarch.planning.plan_nuclei import plan_nuclei
from medarch.planning.plan_registration import plan_registration
from medarch.planning.search_configuration import Budget, ConfigurationSearch

MOST_DEGREES = 30.0
"""Largest rotation where classes lie in one order (nnU-Net's for cubic patches)."""


def plan_auto(
    fingerprint: Fingerprint,
    dataset_name: str,
    channels: tuple[str, ...],
    labels: LabelScheme,
    *,
    budget: Budget,
    target_spacing_mm: tuple[float, float, float] | None = None,
    network: Mapping[str, Any] | None = None,
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
        network: architecture and options to plan for, in place of nnU-Net's plain U-Net.
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
        configurations[name], found = ConfigurationSearch(
            draft, start, fingerprint, budget, measure, asked=network or {}
        ).run()
        reasons += [_rotation_reason(configurations[name]), *found]
    default = "3d_fullres" if "3d_fullres" in configurations else next(iter(configurations))
    return draft.model_copy(update={"configurations": configurations, "default": default, "reasons": tuple(reasons)})


def _rotation_reason(configuration: Configuration) -> Reason:
    augmentation = configuration.training.augmentation
    free = len(augmentation.mirror_axes) == configuration.network.dim
    where = (
        "in the plane of the slices" if augmentation.dummy_2d or configuration.network.dim == 2 else "about each axis"
    )
    return Reason(
        decision=f"{configuration.name}.rotation_degrees",
        value="×".join(f"{angle:g}" for angle in augmentation.rotation_degrees),
        because=f"nnU-Net's angles, {where}"
        if free
        else f"{where}, at most {MOST_DEGREES:g}: half a turn swaps what lies in one order just as a mirror does",
    )


def _turned(start: Configuration, orientation: str, mirror: tuple[int, ...]) -> Configuration:
    """Give a configuration its orientation and mirror axes (counted along the patch's axes)."""
    dim = start.network.dim
    axes = tuple(axis - (3 - dim) for axis in mirror if axis >= 3 - dim)
    augmentation = start.training.augmentation.model_copy(update={"mirror_axes": axes})
    if len(axes) < dim:
        # Half a turn swaps what lies in one order just as a mirror does.
        angles = tuple(min(angle, MOST_DEGREES) for angle in augmentation.rotation_degrees)
        augmentation = augmentation.model_copy(update={"rotation_degrees": angles})
    return start.model_copy(
        update={
            "preprocessing": start.preprocessing.model_copy(update={"orientation": orientation}),
            "training": start.training.model_copy(update={"augmentation": augmentation}),
            "inference": start.inference.model_copy(update={"mirror_axes": axes}),
            "next_stage": None,
        }
    )


KEPT_REASONS = ("axes", "spacing_mm", "normalisation.", ".batch_dice")


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
    network: Mapping[str, Any] | None = None,
) -> Plan:
    """Look at the device, then make the plan of the dataset's task.

    Raises:
        UsageError: the device is not there, or a budget is not positive.
        PlanError: nothing fits.
    """
    for name, value in (("--memory", memory_gb), ("--time-budget", time_budget_s)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} must be positive", found=str(value))
    found = detect_device(device)
    memory = memory_to_plan_with(found, memory_gb)
    budget = Budget(found, training_precision(found), memory, time_budget_s)
    if dataset.task == "registration":
        return plan_registration(
            fingerprint, dataset, budget=budget, target_spacing_mm=target_spacing_mm, network=network
        )
    if dataset.task == "nuclei":
        return plan_nuclei(fingerprint, dataset, budget=budget, network=network)
    if dataset.classes is not None:
        return plan_classification(
            fingerprint, dataset, budget=budget, target_spacing_mm=target_spacing_mm, network=network
        )
    return plan_auto(
        fingerprint,
        dataset.name,
        dataset.channels,
        dataset.labels,
        budget=budget,
        target_spacing_mm=target_spacing_mm,
        network=network,
    )
