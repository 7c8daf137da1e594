"""Where the memory of a step goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.errors import UsageError
from medarch.core.plan import Configuration, Device, Plan

if TYPE_CHECKING:
    from medarch.planning.memory.memory_prediction import MemoryPrediction

PATCH = (128, 128, 128)


@dataclass(frozen=True)
class MemoryReport:
    """A prediction, and what it is of."""

    configuration: Configuration
    device: Device
    prediction: MemoryPrediction

    @property
    def fits(self) -> bool:
        """Whether the device has so much."""
        return self.prediction.bytes <= self.device.memory_bytes


def memory(
    source: str,
    *,
    configuration: str | None = None,
    patch_voxels: tuple[int, ...] | None = None,
    batch_size: int | None = None,
    in_channels: int = 1,
    heads: int = 2,
    precision: str | None = None,
    levers: Sequence[str] = (),
    device: str = "auto",
    inference: bool = False,
    picture: Path | None = None,
) -> MemoryReport:
    """Predict the peak of a training step, layer by layer, without the device and without running it.

    Args:
        source: a network of the registry, a plan folder, or a ``plan.json``.
        configuration: of the plan; default the plan's.
        patch_voxels: in place of the plan's; of a network 128 an axis in 3D unless given.
        batch_size: patches a step, in place of the plan's; of a network 2.
        in_channels: of a network's image.
        heads: a network's classes.
        precision: ``float32``, ``bf16`` or ``fp16``, in place of the plan's.
        levers: pulled one after another; see :data:`medarch.networks.levers.lever.LEVERS`.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``, the name of a GPU (``rtx4090``) or a size (``11GiB``,
            ``cpu:8GiB``).
        inference: one tile of a prediction instead of a training step.
        picture: PNG (or SVG, PDF) to draw it into.

    Raises:
        UsageError: unknown lever or device, or neither a network nor a plan.
        PlanError: the network is not made for such patches.
    """
    from medarch.networks.levers.pull import pull
    from medarch.planning.detect_device import KINDS, detect_device
    from medarch.planning.memory.device_memory import device_memory
    from medarch.planning.memory.predict_memory import predict_memory

    on = detect_device(device) if device in KINDS else device_memory(device)
    plan = _plan(source, patch_voxels, in_channels, heads)
    chosen = _changed(plan.configuration(configuration), patch_voxels, batch_size)
    chosen = pull(chosen, [precision] if precision else [])
    chosen = pull(chosen, levers)
    found = predict_memory(plan, chosen, device=on.kind, inference=inference)
    report = MemoryReport(chosen, on, found)
    if picture is not None:
        from medarch.reporting.draw_memory import draw_memory

        draw_memory(found, picture, title=_title(report), limit_bytes=on.memory_bytes)
    return report


def _plan(source: str, patch_voxels: tuple[int, ...] | None, in_channels: int, heads: int) -> Plan:
    from medarch.networks.registry import REGISTRY

    path = Path(source)
    if path.is_dir() or path.suffix == ".json":
        return Plan.load(path / "plan.json" if path.is_dir() else path)
    if source not in REGISTRY and path.exists():
        raise UsageError(f"{source} is no plan", expected="a plan folder or a plan.json", found=source)
    from medarch.planning.memory.sketch_plan import sketch_plan

    return sketch_plan(source, patch_voxels=patch_voxels or PATCH, in_channels=in_channels, heads=heads)


def _changed(
    configuration: Configuration, patch_voxels: tuple[int, ...] | None, batch_size: int | None
) -> Configuration:
    from medarch.networks.registry import find_architecture
    from medarch.planning.multiple_of import multiple_of

    changes: dict[str, object] = {}
    if patch_voxels is not None:
        if len(patch_voxels) != configuration.network.dim:
            raise UsageError(
                "the patch does not fit the network",
                expected=f"{configuration.network.dim} sides",
                found="×".join(map(str, patch_voxels)),
            )
        network = configuration.network
        # Registration networks take images of any size.
        whole = find_architecture(network.architecture).task == "registration"
        changes["patch_voxels"] = patch_voxels if whole else multiple_of(patch_voxels, network.divisor)
    if batch_size is not None:
        changes["batch_size"] = batch_size
    return configuration.model_copy(update=changes)


def _title(report: MemoryReport) -> str:
    chosen, training = report.configuration, report.configuration.training
    levers: list[str] = [training.precision]
    levers += [f"checkpoint {training.checkpoint}"] if training.checkpoint != "none" else []
    levers += ["offload"] if training.offload_activations else []
    size = "×".join(map(str, chosen.patch_voxels))
    return f"{chosen.network.architecture}, {size}, batch {chosen.batch_size}, {', '.join(levers)}"
