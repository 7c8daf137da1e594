"""Keep what the backward pass needs in the host's memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

SMALLEST_BYTES = 2**20
"""Smaller tensors stay: moving them costs more time than they take room."""


def offload_activations(
    *, host: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> AbstractContextManager[Any]:
    """Return a context for the forward pass in which tensors saved for the backward pass leave the device.

    As ``torch.autograd.graph.save_on_cpu``, but weights and small tensors stay where they are. Useful on a GPU; on a
    CPU it is a copy for nothing.

    Args:
        host: entered where memory of the host is taken, so that a prediction can tell it from the device's.
    """

    def pack(tensor: Tensor) -> tuple[Tensor, torch.device | None]:
        # An expanded view is larger than its storage, and stays, too.
        large = SMALLEST_BYTES <= tensor.nbytes <= tensor.untyped_storage().nbytes()
        if not large or isinstance(tensor, nn.Parameter):
            return tensor, None
        with host():
            pinned = tensor.device.type == "cuda"
            kept = torch.empty(tensor.size(), dtype=tensor.dtype, device="cpu", pin_memory=pinned)
        kept.copy_(tensor, non_blocking=pinned)
        return kept, tensor.device

    def unpack(packed: tuple[Tensor, torch.device | None]) -> Tensor:
        kept, device = packed
        if device is None:
            return kept
        back = torch.empty(kept.size(), dtype=kept.dtype, device=device)
        return back.copy_(kept, non_blocking=True)

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)
