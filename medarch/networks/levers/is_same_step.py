"""When gradients of half batches, added up, are the gradient of the whole one."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from medarch.core.plan import Configuration
from medarch.networks.build_network import build_network


def is_same_step(configuration: Configuration) -> bool:
    """Whether accumulation leaves the step as it is: no Dice over the batch, and no batch normalisation."""
    if configuration.batch_dice:
        return False
    with torch.device("meta"):
        network: nn.Module = build_network(configuration.network)
    return not any(isinstance(module, _BatchNorm) for module in network.modules())
