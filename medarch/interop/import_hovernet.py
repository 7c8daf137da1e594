"""A HoVerNet that its authors or TIAToolbox trained, as a model of nuclei."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from medarch.core.errors import ModelError
from medarch.core.nuclei_settings import NucleiSettings
from medarch.core.plan import NetworkPlan
from medarch.core.separation import Separation
from medarch.inference.nuclei.model_files import save_nuclei_model
from medarch.networks.build_network import build_network
from medarch.networks.weights.fit_weights import fit_weights
from medarch.training.read_weights import read_weights

log = logging.getLogger(__name__)

WINDOWS = {"fast": 256, "original": 270}
"""What the authors' networks see."""
TRAINED_MPP = 0.25
"""Their data sets were scanned at 40×, about 0.25 µm a pixel."""


def import_hovernet(
    source: Path,
    output: Path,
    *,
    types: Sequence[str] = (),
    mode: Literal["fast", "original"] = "fast",
    mpp: float = TRAINED_MPP,
    window: int | None = None,
    separation: Separation | None = None,
) -> NucleiSettings:
    """Write a model folder from a checkpoint, whose pickle is read without running code.

    Args:
        source: ``.tar``, ``.pth`` or ``.safetensors``.
        output: folder.
        types: names of the checkpoint's types in their order, background not among them.
        mode: which of the two forms it is.
        mpp: micrometres a pixel that it was trained at.
        window: side of the tiles; default the authors'. A larger one is faster, needs more memory and finds the same.
        separation: constants; default ours.

    Raises:
        ModelError: the weights are damaged or of another network.
    """
    architecture = "hovernet" if mode == "fast" else "hovernet_original"
    plan = NetworkPlan(architecture=architecture, dim=2, in_channels=3, heads=len(types) + 1, deep_supervision=False)
    network = build_network(plan)
    report = fit_weights(network, read_weights(source))
    if report.missing or report.resized:
        raise ModelError(
            f"{source} is not a HoVerNet of mode {mode} with {len(types)} types",
            expected="all weights of that network",
            found=str(report),
            fix="give the other --mode, or the names of all its types in their order",
        )
    log.info("%s: %s", source, report)
    settings = NucleiSettings(
        network=plan,
        window_pixels=window or WINDOWS[mode],
        mpp=mpp,
        types=tuple(types),
        separation=separation or Separation(),
        source=source.name,
    )
    network.output_voxels((settings.window_pixels,) * 2)  # type: ignore[operator] # refuses windows that do not suit
    save_nuclei_model(output, network, settings)
    return settings
