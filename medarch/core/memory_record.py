"""What a run was expected to take, and took (``memory.json`` in a fold's folder)."""

from __future__ import annotations

from typing import Literal

from medarch.core.record import Record


class MemoryRecord(Record):
    """Prediction and measurement side by side."""

    predicted_bytes: int | None
    """Of the allocator: tensors and kernel workspace, without the runtime; None: nobody asked."""
    measured_bytes: int
    """The same, as it was."""
    reserved_bytes: int | None = None
    """What the allocator had taken from the device (CUDA)."""
    how: Literal["torch.cuda.max_memory_allocated", "growth of the process"]
    levers: tuple[str, ...] = ()
    """Pulled after the plan was made, because the run took more than it was to take."""
