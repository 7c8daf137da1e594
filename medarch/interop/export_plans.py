"""A plan as nnU-Net v2's plans.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Configuration, Plan, PreprocessingPlan
from medarch.interop.export_configuration import export_configuration
from medarch.interop.nnunet_plans_name import PLANS_NAMES, nnunet_plans_name
from medarch.interop.nnunet_reader import nnunet_reader, reader_order
from medarch.interop.not_expressible import not_expressible

PLANNERS = {
    "resenc-m": "nnUNetPlannerResEncM",
    "resenc-l": "nnUNetPlannerResEncL",
    "resenc-xl": "nnUNetPlannerResEncXL",
}
"""Preset → nnU-Net's planner; for any other its default one, of which nnU-Net asks how to name folders."""


def export_plans(
    plan: Plan, *, dataset_name: str, file_ending: str, fingerprint: Fingerprint | None = None
) -> dict[str, Any]:
    """Return the content of plans.json.

    Args:
        plan: a segmentation plan.
        dataset_name: nnU-Net's, ``Dataset004_Hippocampus``.
        file_ending: of the images, which decides nnU-Net's reader.
        fingerprint: of the training cases, if it is known: it has statistics and medians that the plan has not.

    Raises:
        PlanError: nnU-Net cannot express a decision; the message names it.
    """
    if plan.task != "segmentation":
        raise not_expressible("the task", expected="segmentation", found=plan.task)
    recipe = _common_recipe(plan)
    forward = [2 - axis for axis in recipe.axes]
    name = nnunet_plans_name(plan)
    content: dict[str, Any] = {"dataset_name": dataset_name, "plans_name": name}
    if fingerprint is not None:
        order = [reader_order(case, recipe.orientation) for case in fingerprint.cases]
        spacings = _median([case.spacing_mm for case in fingerprint.cases], order)
        shapes = _median([case.shape_after_crop for case in fingerprint.cases], order)
        content["original_median_spacing_after_transp"] = [spacings[axis] for axis in forward]
        content["original_median_shape_after_transp"] = [round(shapes[axis]) for axis in forward]
    return content | {
        "image_reader_writer": nnunet_reader(recipe.orientation, file_ending, fingerprint),
        "transpose_forward": forward,
        "transpose_backward": [forward.index(axis) for axis in range(3)],
        "configurations": _configurations(plan, name),
        "experiment_planner_used": PLANNERS.get(plan.preset, "ExperimentPlanner"),
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": _intensities(plan, recipe, fingerprint),
    }


def _common_recipe(plan: Plan) -> PreprocessingPlan:
    """Return any recipe of the plan; what nnU-Net says once for all configurations must be the same in all."""
    recipes = [configuration.preprocessing for configuration in plan.configurations.values()]
    for what, values in (
        ("axes that differ between configurations", {recipe.axes for recipe in recipes}),
        ("orientations that differ between configurations", {recipe.orientation for recipe in recipes}),
        (
            "CT statistics that differ between configurations",
            {tuple(channel.statistics for channel in recipe.normalisation) for recipe in recipes},
        ),
    ):
        if len(values) > 1:
            raise not_expressible(what, expected="the same in every configuration", found=sorted(map(str, values)))
    return recipes[0]


def _configurations(plan: Plan, name: str) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, configuration in plan.configurations.items():
        stages = {configuration.previous_stage, configuration.next_stage} - {None}
        if unknown := sorted(str(stage) for stage in stages - set(plan.configurations)):
            raise not_expressible(
                f"{key}: a stage that the plan does not have", expected=", ".join(plan.configurations), found=unknown
            )
        parent = plan.configurations.get("3d_fullres")
        if configuration.previous_stage and parent and _like(configuration, parent):
            entries[key] = {"inherits_from": "3d_fullres", "previous_stage": configuration.previous_stage}
            continue
        # nnU-Net's residual presets differ from its default in the network only and share what that one prepared.
        shared = name in PLANS_NAMES.values() and key in ("2d", "3d_fullres")
        identifier = f"{PLANS_NAMES['nnunet'] if shared else name}_{key}"
        entries[key] = export_configuration(configuration, data_identifier=identifier)
    return entries


def _like(cascade: Configuration, parent: Configuration) -> bool:
    """Whether a cascade stage is another configuration but for its place and its input channels."""
    network = cascade.network.model_copy(update={"in_channels": parent.network.in_channels})
    place = {"name": parent.name, "previous_stage": None, "estimate": parent.estimate}
    return cascade.model_copy(update={"network": network, **place}) == parent


def _median(triples: Sequence[Sequence[float]], orders: Sequence[Sequence[int]]) -> list[float]:
    """Median over cases in the reader's axes."""
    read = [[triple[axis] for axis in order] for triple, order in zip(triples, orders, strict=True)]
    return [float(value) for value in np.median(read, axis=0)]


def _intensities(plan: Plan, recipe: PreprocessingPlan, fingerprint: Fingerprint | None) -> dict[str, Any]:
    """Statistics a channel; those that the plan normalises with go before those of the fingerprint."""
    found: dict[str, Any] = {}
    for index, channel in enumerate(recipe.normalisation):
        known = channel.statistics or (fingerprint.intensities[index] if fingerprint is not None else None)
        if known is None and channel.scheme == "ct":
            raise not_expressible(
                f"channel {plan.channels[index]}: CT normalisation without statistics", expected="statistics",
                found="none", fix="plan again",
            )  # fmt: skip
        found[str(index)] = {} if known is None else known.model_dump()
    return found
