"""The patches that nnU-Net's rule allows, what a step of each takes, and the largest that fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from medarch.core.errors import PlanError
from medarch.core.plan import Configuration, NetworkPlan, Plan, Voxels
from medarch.networks.build_network import fit_topology
from medarch.networks.levers.pull import pull
from medarch.networks.levers.without_levers import without_levers
from medarch.planning.fit_patch import fit_patch
from medarch.planning.memory.memory_prediction import MemoryPrediction
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.multiple_of import multiple_of
from medarch.planning.nnunet_presets import NNUNET_PRESETS
from medarch.planning.unet_topology import UNetTopology

MOST_FEATURES = {2: 512, 3: 320}
SMALLEST_BATCH = 2
LEAST_SCALE, MOST_SCALE = 1 / 64, 64.0
"""Of nnU-Net's own budget, between which patches are looked for."""


class PatchSearch:
    """Candidates for one configuration, in one memory.

    Args:
        plan: the plan it will belong to.
        start: target spacing, median shape, precision and data handling are taken from it.
        memory_bytes: what a step may take.
        device: its kind.
        asked: architecture and options of the network, in place of the start's.
    """

    def __init__(
        self, plan: Plan, start: Configuration, *, memory_bytes: int, device: str, asked: Mapping[str, Any]
    ) -> None:
        self.plan = plan
        self.start = without_levers(start)
        self.memory_bytes = memory_bytes
        self.device = device
        self.asked = asked
        self._known: dict[tuple[object, ...], MemoryPrediction] = {}

    def topology(self, scale: float) -> UNetTopology | None:
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

    def network(self, strides: tuple[Voxels, ...], kernels: tuple[Voxels, ...], width: int) -> NetworkPlan:
        """A U-Net of these stages, or what the architecture asked for makes of them."""
        stages, most = len(strides), MOST_FEATURES[self.start.network.dim]
        plain = self.start.network.model_copy(
            update={
                "features": tuple(min(width * 2**stage, most) for stage in range(stages)),
                "strides": strides,
                "kernels": kernels,
                "blocks": (2,) * stages,
                "decoder_blocks": (2,) * (stages - 1),
            }
        )
        return fit_topology(plain.model_copy(update=dict(self.asked)))

    def configuration(self, topology: UNetTopology, width: int) -> Configuration:
        """The start with this topology, a batch of two, and no lever pulled."""
        network = self.network(topology.strides, topology.kernels, width)
        patch = multiple_of(topology.patch_voxels, network.divisor)
        return self.start.model_copy(update={"patch_voxels": patch, "network": network, "batch_size": SMALLEST_BATCH})

    def predict(self, configuration: Configuration, batch_size: int | None = None) -> MemoryPrediction:
        """What a step takes; asked twice, answered once."""
        training = configuration.training
        rows = batch_size or configuration.batch_size
        key = (
            configuration.network.to_json(), configuration.patch_voxels, rows, training.precision, training.optimizer,
            training.checkpoint, training.offload_activations, training.weight_average_decay,
        )  # fmt: skip
        if key not in self._known:
            self._known[key] = predict_memory(self.plan, configuration, batch_size=rows, device=self.device)
        return self._known[key]

    def fits(self, configuration: Configuration) -> bool:
        """Whether its step fits into the memory."""
        return self.predict(configuration).bytes <= self.memory_bytes

    def largest(self, width: int, levers: Sequence[str] = ()) -> Configuration | None:
        """The largest patch whose step fits with these levers, by bisection over nnU-Net's shrinking sequence.

        The configuration comes without the levers.
        """
        best: Configuration | None = None
        low, high, scale = LEAST_SCALE, MOST_SCALE, 1.0
        while high / low > 1.1:
            topology = self.topology(scale)
            if topology is None:
                low = scale
            else:
                candidate = self.configuration(topology, width)
                if self.fits(pull(candidate, levers)):
                    best, low = candidate, scale
                else:
                    high = scale
            scale = math.sqrt(low * high)
        return best

    def smallest(self, width: int) -> Configuration | None:
        """The smallest patch of the sequence; None where no patch can be pooled."""
        scale = LEAST_SCALE
        while scale < MOST_SCALE:
            topology = self.topology(scale)
            if topology is not None:
                return self.configuration(topology, width)
            scale *= 1.5
        return None

    def whole(self, width: int) -> Voxels | None:
        """The patch that memory without end would give: of the median case, or nnU-Net's largest."""
        topology = self.topology(MOST_SCALE)
        return self.configuration(topology, width).patch_voxels if topology else None

    def context(self, configuration: Configuration) -> float:
        """Share of a median case that a patch sees."""
        shape = configuration.median_shape
        seen = (min(side, size) for side, size in zip(configuration.patch_voxels, shape, strict=True))
        return math.prod(seen) / math.prod(shape)
