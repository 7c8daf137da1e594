"""oneDNN for every convolution of a network."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn


def use_onednn(network: nn.Module) -> None:
    """Make all float32 convolutions of a network on the CPU go through oneDNN, in place.

    Left to itself torch takes a kernel of its own for a batch of one with few planes, rows and channels; it is several
    times slower and returns another memory layout.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d) and module.padding_mode == "zeros":
            padding = module.padding
            if not isinstance(padding, str):
                module.forward = functools.partial(_convolve, module, padding)  # type: ignore[method-assign]


def _convolve(layer: nn.Conv2d | nn.Conv3d, padding: tuple[int, ...], x: Tensor) -> Tensor:
    return torch.mkldnn_convolution(x, layer.weight, layer.bias, padding, layer.stride, layer.dilation, layer.groups)
