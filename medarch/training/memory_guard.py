"""Watches what the first steps of a run take."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from medarch.core.memory_record import MemoryRecord
from medarch.core.process_peak_bytes import process_peak_bytes

WATCHED_STEPS = 3
"""The second step is the first that has the optimiser's state, too."""
TOLERANCE = {"cuda": 1.0, "cpu": 1.25, "mps": 1.25}
FLOOR_BYTES = {"cuda": 0, "cpu": 2**28, "mps": 2**28}
"""A process keeps some of what it has freed and reads data meanwhile: on a CPU its growth is more than its tensors."""


class MemoryPassed(Exception):  # noqa: N818
    """A step took more than predicted; caught by the trainer, which pulls a lever."""


class MemoryGuard(Callback):
    """Measures, and stops a run in its first steps when it passes the prediction."""

    def __init__(self, device: str, *, limit_bytes: int | None, may_stop: bool) -> None:
        self.device = device
        self.limit_bytes = limit_bytes
        self.may_stop = may_stop
        self.steps = 0
        self._before = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin counting."""
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        else:
            # Weights and their average are there already.
            self._before = _grown(forget=True) - sum(tensor.nbytes for tensor in pl_module.state_dict().values())

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *unused: Any) -> None:
        """Compare."""
        self.steps += 1
        if not self.may_stop or self.limit_bytes is None or self.steps > WATCHED_STEPS:
            return
        if self.measured() > TOLERANCE[self.device] * self.limit_bytes + FLOOR_BYTES[self.device]:
            raise MemoryPassed

    def measured(self) -> int:
        """Bytes at most so far."""
        return torch.cuda.max_memory_allocated() if self.device == "cuda" else max(0, _grown() - self._before)

    def record(self, levers: tuple[str, ...]) -> MemoryRecord:
        """Prediction and measurement."""
        on_gpu = self.device == "cuda"
        return MemoryRecord(
            predicted_bytes=self.limit_bytes,
            measured_bytes=self.measured(),
            reserved_bytes=torch.cuda.max_memory_reserved() if on_gpu else None,
            how="torch.cuda.max_memory_allocated" if on_gpu else "growth of the process",
            levers=levers,
        )


def _grown(*, forget: bool = False) -> int:
    """Bytes that the process had at most; ``forget`` asks Linux to count anew, and returns what it has now."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if forget and clear.exists():
        # A container may forbid it: then the peak is that of the whole process.
        with suppress(OSError):
            clear.write_text("5")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmRSS" if forget else "VmHWM"].split()[0]) * 1024
    return process_peak_bytes()
