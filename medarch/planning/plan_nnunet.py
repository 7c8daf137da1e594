"""nnU-Net's plan for a dataset: the same configurations, each decision with its reason."""

from __future__ import annotations

import math

from medarch.core.errors import PlanError
from medarch.core.fingerprint import Fingerprint
from medarch.core.labels import LabelScheme
from medarch.core.plan import Configuration, Plan, Reason
from medarch.planning.explain_configuration import explain_configuration, explain_dataset
from medarch.planning.fit_lowres import fit_lowres
from medarch.planning.fit_patch import cannot_pool
from medarch.planning.nnunet_configuration import ConfigurationBuilder
from medarch.planning.nnunet_presets import NNUNET_PRESETS, PresetName
from medarch.planning.target_spacing import TargetGrid, target_grid


def plan_nnunet(
    fingerprint: Fingerprint,
    dataset_name: str,
    channels: tuple[str, ...],
    labels: LabelScheme,
    *,
    preset: PresetName = "nnunet",
    memory_gb: float | None = None,
    target_spacing_mm: tuple[float, float, float] | None = None,
) -> Plan:
    """Plan exactly as nnU-Net v2.8 does, from the fingerprint alone (Isensee et al. 2021; 2024 for ResEnc M, L, XL).

    Where nnU-Net fails this leaves out what cannot work: 3D for images with an axis of one voxel, whichever it is, and
    networks for patches too small to be pooled.

    Args:
        fingerprint: of the dataset.
        dataset_name: for the plan.
        channels: names in file order; they decide the normalisation.
        labels: the label scheme.
        preset: which of nnU-Net's planners.
        memory_gb: scales the preset's memory budget linearly; default its own (8, 8, 24 or 40 GB).
        target_spacing_mm: replaces the full-resolution spacing, along file axes i, j, k.

    Returns:
        A plan with ``2d`` and, for volumes, ``3d_fullres``; also with ``3d_lowres`` and ``3d_cascade_fullres`` when a
        full-resolution patch sees too little of a case.

    Raises:
        PlanError: nothing fits into the memory, or the fingerprint does not suit the channels.
    """
    if preset not in NNUNET_PRESETS:
        raise PlanError(f"no preset {preset!r}", expected=", ".join(NNUNET_PRESETS), found=str(preset))
    if len(channels) != len(fingerprint.intensities):
        raise PlanError(
            "the fingerprint does not fit the channels",
            expected=f"{len(channels)} channels: {', '.join(channels)}",
            found=f"statistics of {len(fingerprint.intensities)}",
            fix="extract the fingerprint again",
        )
    settings = NNUNET_PRESETS[preset]
    memory_gb = settings.memory_gb if memory_gb is None else memory_gb
    if not (math.isfinite(memory_gb) and memory_gb > 0):
        raise PlanError("memory_gb is not a positive number", expected="gigabytes above 0", found=str(memory_gb))
    grid = target_grid(fingerprint, target_spacing_mm=target_spacing_mm)
    builder = ConfigurationBuilder(fingerprint, channels, labels, grid, settings, memory_gb)
    configurations, reasons = _configurations(builder, grid)
    return Plan(
        name=preset,
        preset=preset,
        dataset=dataset_name,
        channels=channels,
        labels=labels,
        fingerprint_sha256=fingerprint.sha256(),
        configurations=configurations,
        default="3d_fullres" if "3d_fullres" in configurations else "2d",
        reasons=(*explain_dataset(fingerprint, grid, channels, builder.normalisation, settings, memory_gb), *reasons),
    )


def _configurations(builder: ConfigurationBuilder, grid: TargetGrid) -> tuple[dict[str, Configuration], list[Reason]]:
    found: dict[str, Configuration] = {}
    reasons: list[Reason] = []
    flat = builder.fit(grid.spacing_mm[1:], grid.median_shape[1:])
    if flat.pools:
        found["2d"] = builder.build("2d", flat, grid.spacing_mm[1:], grid.median_shape[1:], batch_dice=True)
        reasons += explain_configuration(found["2d"], flat)
    else:
        reasons.append(Reason(decision="2d", value="not planned", because=cannot_pool(flat.topology).found))
    if grid.median_shape[0] == 1:
        why = f"the cases have one voxel along network axis 0 (file axis {grid.axes[0]}): they are 2D images"
        reasons.append(Reason(decision="3d_fullres", value="not planned", because=why))
    else:
        volumes, why_volumes = _volumes(builder, grid)
        found |= volumes
        reasons += why_volumes
    if not found:
        raise cannot_pool(flat.topology)
    return found, reasons


def _volumes(builder: ConfigurationBuilder, grid: TargetGrid) -> tuple[dict[str, Configuration], list[Reason]]:
    full = builder.fit(grid.spacing_mm, grid.median_shape)
    if not full.pools:
        return {}, [Reason(decision="3d_fullres", value="not planned", because=cannot_pool(full.topology).found)]
    low, low_reason = fit_lowres(builder, grid, full)
    # Dice over the batch suits patches that see a small part of a case; these exist only beside a lowres stage.
    fullres = builder.build("3d_fullres", full, grid.spacing_mm, grid.median_shape, batch_dice=low is not None)
    reasons = [*explain_configuration(fullres, full), low_reason]
    if low is None:
        return {"3d_fullres": fullres}, reasons
    lowres = builder.build("3d_lowres", low.fit, low.spacing_mm, low.median_shape, batch_dice=False)
    lowres = lowres.model_copy(update={"next_stage": "3d_cascade_fullres"})
    found = {"3d_fullres": fullres, "3d_lowres": lowres, "3d_cascade_fullres": builder.cascade(fullres)}
    return found, [*reasons, *explain_configuration(lowres, low.fit)]
