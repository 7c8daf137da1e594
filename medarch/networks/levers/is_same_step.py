"""When gradients of half batches, added up, are the gradient of the whole one."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from medarch.core.plan import Configuration
from medarch.networks.build_network import build_network
from medarch.networks.without_weights import without_weights


def is_same_step(configuration: Configuration) -> bool:
    """Whether accumulation leaves the step as it is: no Dice over the batch, and no batch normalisation."""
    if configuration.batch_dice:
        return False
    with without_weights():
        network: nn.Module = build_network(configuration.network)
    return not any(isinstance(module, _BatchNorm) for module in network.modules())
