"""Initial weights for networks of rectified linear units."""

from __future__ import annotations

from torch import nn


def initialise_for_relu(module: nn.Module) -> None:
    """He initialisation by the number of outputs (He et al. 2015, arXiv:1502.01852); for ``network.apply``."""
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
