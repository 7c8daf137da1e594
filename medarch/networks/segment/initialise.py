"""How convolutions before a ReLU begin."""

from __future__ import annotations

from torch import nn


def initialise(module: nn.Module) -> None:
    """He initialisation (He et al. 2015, arXiv:1502.01852), biases 0; for ``network.apply``."""
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
