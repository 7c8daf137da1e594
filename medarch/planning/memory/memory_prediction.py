"""What a step takes, and where."""

from __future__ import annotations

from medarch.core.plan import Estimate
from medarch.core.record import Record
from medarch.planning.memory.allocation import KINDS

METHOD = "tensors by a run without data, kernel workspace by rule, context and allocator's slack by device"
BALANCE = {"cpu": 6.0, "cuda": 25.0, "mps": 15.0}
"""Operations that a device does while it moves one byte to or from its memory, roughly."""
HOST_BALANCE = 1500.0
"""The same for one byte over the bus to the host (30 TFLOP/s beside 20 GB/s)."""


class LayerMemory(Record):
    """Bytes of one layer at the moment when the step takes most."""

    layer: str
    """Dotted path in the network; empty: the loss and the batch."""
    parts: dict[str, int]
    """Kind (see :data:`medarch.planning.memory.allocation.KINDS`) → bytes."""

    @property
    def bytes(self) -> int:
        """All parts."""
        return sum(self.parts.values())


class MemoryPrediction(Record):
    """Peak of one training or inference step."""

    device: str
    """Its kind: cpu, cuda or mps."""
    layers: tuple[LayerMemory, ...]
    """In the order of the network; loss and batch last."""
    context_bytes: int
    """What the runtime takes before the first tensor."""
    slack_bytes: int
    """Left free for the allocator."""
    host_bytes: int = 0
    """Activations kept in the host's memory, in addition."""
    parameters: int
    flop: float
    """Operations, those of activations computed again among them."""
    traffic_bytes: float
    """Read and written by all operations."""

    @property
    def parts(self) -> dict[str, int]:
        """Bytes of each kind over all layers."""
        return {kind: sum(layer.parts.get(kind, 0) for layer in self.layers) for kind in KINDS}

    @property
    def work(self) -> float:
        """Time in units of one operation of the device: predicted times are compared by it."""
        return self.flop + BALANCE[self.device] * self.traffic_bytes + HOST_BALANCE * 2 * self.host_bytes

    def grouped(self, most: int = 24) -> list[LayerMemory]:
        """Neighbouring layers put together by their common path, to at most so many rows (or the shortest paths)."""
        depth = max(layer.layer.count(".") + 1 for layer in self.layers)
        while True:
            rows: dict[str, dict[str, int]] = {}
            for layer in self.layers:
                row = rows.setdefault(".".join(layer.layer.split(".")[:depth]), {})
                for kind, size in layer.parts.items():
                    row[kind] = row.get(kind, 0) + size
            if len(rows) <= most or depth == 1:
                return [LayerMemory(layer=name or "loss and batch", parts=parts) for name, parts in rows.items()]
            depth -= 1

    @property
    def tensor_bytes(self) -> int:
        """Tensors and workspace: what the allocator of the device counts."""
        return sum(layer.bytes for layer in self.layers)

    @property
    def bytes(self) -> int:
        """What the device must have."""
        return self.tensor_bytes + self.context_bytes + self.slack_bytes

    def estimate(self, *, seconds: float | None, timing: str, passes: int = 1) -> Estimate:
        """As a plan states it.

        Args:
            seconds: of a step.
            timing: where they come from.
            passes: forward and backward, before the weights are changed (accumulation).
        """
        return Estimate(
            training_bytes=self.bytes,
            parameters=self.parameters,
            gflop_per_step=self.flop * passes / 1e9,
            seconds_per_step=seconds,
            method=f"{METHOD}; {timing}",
        )
