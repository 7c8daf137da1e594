"""How a network's tensors lie in memory."""

from __future__ import annotations

import torch
from torch import nn


def channels_last(network: nn.Module) -> torch.memory_format:
    """Return the layout with the channels of a voxel side by side, for a 2D or 3D network."""
    flat = any(isinstance(module, nn.Conv2d) for module in network.modules())
    return torch.channels_last if flat else torch.channels_last_3d
