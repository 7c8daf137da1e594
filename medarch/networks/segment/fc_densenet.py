"""FC-DenseNet (Tiramisu): a U-Net of dense blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan, Voxels
from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.pool import MaxPool
from medarch.networks.dimension import Dim, transposed_convolution
from medarch.networks.require_topology import require_topology
from medarch.networks.segment.initialise import initialise
from medarch.networks.segment.is_paper import Preset, is_paper
from medarch.networks.segment.paper_topology import PaperTopology
from medarch.networks.segment.up_sample import crop

STEM = 48
"""Channels of the first convolution in the paper."""
PLANNED_WIDTH = 32
"""First-stage channels of a planned U-Net at which the paper's growth is kept; narrower plans grow less."""


class FCDenseNet(nn.Module):
    """Every layer sees all before it in its block; only what a block made new is carried upwards.

    Source: Jégou et al. 2017, arXiv:1611.09326, section 3 and table 1. There is no deep supervision: one output.

    A stage of the plan makes ``features`` new channels in ``blocks`` layers (``decoder_blocks`` on the way up): the
    growth is their quotient. Input ``(B, C, *spatial)`` of any size, output logits ``(B, heads, *spatial)``.

    Args:
        plan: topology.
        stem: channels of the first convolution; default three times the first stage's growth.
        norm: ``batch`` in the paper; default instance.
        dropout: after every convolution; 0.2 in the paper; default 0.
        preset: ``paper`` changes these three defaults.

    Raises:
        PlanError: the topology does not fit together, or features are no multiple of blocks.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        *,
        preset: Preset = "plan",
        stem: int | None = None,
        norm: str | None = None,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        require_topology(plan)
        paper = is_paper(preset)
        growths = _growths(plan)
        make = _Maker(
            plan.dim,
            norm or ("batch" if paper else "instance"),
            (0.2 if paper else 0.0) if dropout is None else dropout,
            # The paper's convolutions have biases, most of which the next normalisation takes out again.
            bias=paper,
        )
        width = stem or (STEM if paper else 3 * growths[0])
        self.stem = convolve(plan.in_channels, width, plan.kernels[0], bias=make.bias)
        self.down = nn.ModuleList()
        self.pools = nn.ModuleList()
        skips = []
        for stage, (growth, layers) in enumerate(zip(growths, plan.blocks, strict=True)):
            if stage:
                self.pools.append(make.transition_down(width, plan.strides[stage]))
            self.down.append(_DenseBlock(make, width, growth, layers, plan.kernels[stage]))
            width += growth * layers
            skips.append(width)
        new = growths[-1] * plan.blocks[-1]
        self.ups = nn.ModuleList()
        self.up = nn.ModuleList()
        for stage in reversed(range(len(growths) - 1)):
            layers = plan.decoder_blocks[stage]
            self.ups.append(make.transition_up(new, plan.strides[stage + 1]))
            width = new + skips[stage]
            self.up.append(_DenseBlock(make, width, growths[stage], layers, plan.kernels[stage]))
            new = growths[stage] * layers
        self.head = convolve(width + new, plan.heads, (1,) * plan.dim, bias=True)
        self.divisor = _product(plan.strides)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits; see the class."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """Return what :attr:`head` turns into logits: the last block's input and output, ``(B, F, *spatial)``."""
        x = self.stem(x)
        skips: list[Tensor] = []
        for stage, block in enumerate(self.down):
            if stage:
                x = self.pools[stage - 1](x)
            new = block(x)
            x = torch.cat([x, new], dim=1)
            skips.append(x)
        skips.pop()
        for up, block in zip(self.ups, self.up, strict=True):
            skip = skips.pop()
            x = torch.cat([crop(up(new), skip.shape[2:]), skip], dim=1)
            new = block(x)
        return torch.cat([x, new], dim=1)


def fc_densenet_topology(
    plan: NetworkPlan,
    *,
    growth: int,
    layers: Sequence[int],
    preset: Preset = "plan",
) -> NetworkPlan:
    """The paper's where asked for or left open; else its depths and growth over the plan's stages.

    Args:
        plan: whose strides and kernels are kept; ``features[0]`` says how wide, 32 for the paper's growth.
        growth: channels a layer adds.
        layers: of the blocks on the way down, bottleneck last. Plans with fewer stages use the first.
        preset: ``paper`` or ``plan``.
    """
    plan = plan.model_copy(update={"deep_supervision": False})
    if is_paper(preset) or not plan.strides:
        made = PaperTopology(
            tuple(growth * count for count in layers), blocks=tuple(layers), decoder_blocks=tuple(layers[:-1])
        )
        return made.of(plan)
    stages = len(plan.strides)
    counts = tuple(layers[min(stage, len(layers) - 1)] for stage in range(stages))
    growth = max(1, round(growth * plan.features[0] / PLANNED_WIDTH))
    features = tuple(growth * count for count in counts)
    return plan.model_copy(update={"features": features, "blocks": counts, "decoder_blocks": counts[:-1]})


class _Maker:
    """Makes the layers of one network, which share dimensions, normalisation and dropout."""

    def __init__(self, dim: Dim, norm: str, dropout: float, *, bias: bool) -> None:
        self.dim = dim
        self.norm = norm
        self.dropout = dropout
        self.bias = bias

    def layer(self, width: int, out: int, kernel: Voxels) -> nn.Sequential:
        """Normalisation, ReLU, convolution, dropout."""
        drop = [nn.Dropout(self.dropout)] if self.dropout else []
        before = [normalisation(self.norm, width, self.dim), nn.ReLU()]
        return nn.Sequential(*before, convolve(width, out, kernel, bias=self.bias), *drop)

    def transition_down(self, width: int, stride: Voxels) -> nn.Sequential:
        return nn.Sequential(*self.layer(width, width, (1,) * self.dim), MaxPool(stride, stride))

    def transition_up(self, width: int, stride: Voxels) -> nn.Module:
        """A transposed convolution with kernels of 3 (of 1 along an axis without stride)."""
        kernel = tuple(max(3, step) if step > 1 else 1 for step in stride)
        padding = tuple((size - step + 1) // 2 for size, step in zip(kernel, stride, strict=True))
        extra = tuple(step - size + 2 * pad for size, step, pad in zip(kernel, stride, padding, strict=True))
        return transposed_convolution(self.dim)(
            width,
            width,
            kernel,  # type: ignore[arg-type]
            stride,  # type: ignore[arg-type]
            padding,  # type: ignore[arg-type]
            extra,  # type: ignore[arg-type]
            bias=self.bias,
        )


class _DenseBlock(nn.Module):
    """``(B, in, *spatial)`` → ``(B, layers × growth, *spatial)``: the new channels only."""

    def __init__(self, make: _Maker, width: int, growth: int, layers: int, kernel: Voxels) -> None:
        super().__init__()
        self.layers = nn.ModuleList(make.layer(width + growth * index, growth, kernel) for index in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        made: list[Tensor] = []
        for layer in self.layers:
            made.append(layer(torch.cat([x, *made], dim=1)))
        return torch.cat(made, dim=1)


def _growths(plan: NetworkPlan) -> tuple[int, ...]:
    if any(new % layers for new, layers in zip(plan.features, plan.blocks, strict=True)):
        raise PlanError(
            "the stages of FC-DenseNet do not fit together",
            expected="features that are multiples of blocks: each layer of a stage adds as many channels",
            found=f"features {plan.features}, blocks {plan.blocks}",
            fix="correct network.features or network.blocks",
        )
    return tuple(new // layers for new, layers in zip(plan.features, plan.blocks, strict=True))


def _product(strides: Sequence[Voxels]) -> Voxels:
    whole = (1,) * len(strides[0])
    for stride in strides:
        whole = tuple(total * step for total, step in zip(whole, stride, strict=True))
    return whole
