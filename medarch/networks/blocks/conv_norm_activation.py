"""Convolution, normalisation, activation."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from medarch.core.plan import Voxels
from medarch.networks.blocks.activation import activation as activation_named
from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.normalisation import normalisation


class ConvNormActivation(nn.Sequential):
    """``(B, in, *spatial)`` → ``(B, out, *ceil(spatial / stride))``.

    Without normalisation the convolution has a bias; behind one a normalisation would take it out again.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Voxels,
        stride: Voxels | None = None,
        *,
        groups: int = 1,
        norm: str = "batch",
        eps: float = 1e-5,
        activation: str = "relu",
        bias: bool | None = None,
    ) -> None:
        with_bias = norm == "none" if bias is None else bias
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv"] = convolve(in_channels, out_channels, kernel, stride, groups=groups, bias=with_bias)
        if norm != "none":
            layers["norm"] = normalisation(norm, out_channels, len(kernel), eps=eps)
        if activation != "none":
            layers["activation"] = activation_named(activation)
        super().__init__(layers)
