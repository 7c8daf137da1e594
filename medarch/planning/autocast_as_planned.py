"""Mixed precision of a training step outside of Lightning."""

from __future__ import annotations

import torch

from medarch.core.plan import Precision

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast_as_planned(precision: Precision, device: str) -> torch.autocast:
    """Return the context of a forward pass and its loss on a device of this kind; float32: one that does nothing."""
    dtype = DTYPES.get(precision)
    return torch.autocast(device, dtype=dtype or torch.bfloat16, enabled=dtype is not None)
