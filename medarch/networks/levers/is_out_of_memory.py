"""Whether an error says that there is no memory left."""

from __future__ import annotations

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # On a CPU torch raises a plain RuntimeError, whose text is all that tells it from others.
    return any(text in str(error) for text in ("out of memory", "can't allocate memory", "not enough memory"))
