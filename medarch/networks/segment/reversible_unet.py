"""A U-Net whose stages are reversible."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.reversible import ReversibleBlock, ReversibleSequence
from medarch.networks.conv_block import NEGATIVE_SLOPE, ConvBlock
from medarch.networks.decoder import Decoder
from medarch.networks.dimension import transposed_convolution
from medarch.networks.encoder import Encoder
from medarch.networks.require_topology import require_topology
from medarch.networks.segment.encoder_decoder import EncoderDecoder


def reversible_unet(plan: NetworkPlan, *, reversible: bool = True) -> EncoderDecoder:
    """Return the partially reversible U-Net.

    Source: Brügger, Baumgartner, Konukoglu 2019, arXiv:1906.06148: what changes size or channels is ordinary, the rest
    of each stage is a sequence of reversible blocks, so that a stage may be deeper at no memory. Here strided
    convolutions and transposed convolutions change the size, as in the plan's other U-Nets, and a skip is added to the
    up-sampled map instead of put beside it. A stage begins with one convolution; ``blocks`` counts its reversible
    blocks of two convolutions on half of the channels.

    Args:
        plan: topology; features are even.
        reversible: False keeps activations, for comparison.

    Raises:
        PlanError: the topology does not fit together.
    """
    require_topology(plan)
    encoder = _encoder(plan, reversible=reversible)
    decoder = _Decoder(plan, reversible=reversible)
    network = EncoderDecoder(plan.dim, encoder, decoder, heads=plan.heads, deep_supervision=plan.deep_supervision)
    return network.apply(_initialise)


def reversible_unet_topology(plan: NetworkPlan) -> NetworkPlan:
    """The plan's stages with even widths, or five of its own where it has none."""
    if not plan.strides:
        stages = 5
        plan = plan.model_copy(
            update={
                "features": tuple(32 * 2**stage for stage in range(stages)),
                "strides": ((1,) * plan.dim, *((2,) * plan.dim,) * (stages - 1)),
                "kernels": ((3,) * plan.dim,) * stages,
                "blocks": (2,) * stages,
                "decoder_blocks": (2,) * (stages - 1),
            }
        )
    return plan.model_copy(update={"features": tuple(width + width % 2 for width in plan.features)})


def _encoder(plan: NetworkPlan, *, reversible: bool) -> Encoder:
    stages, width = [], plan.in_channels
    for stage, features in enumerate(plan.features):
        kernel, stride = plan.kernels[stage], plan.strides[stage]
        first = ConvBlock(plan.dim, width, features, kernel=kernel, stride=stride)
        stages.append(nn.Sequential(first, _sequence(plan, stage, plan.blocks[stage], reversible=reversible)))
        width = features
    return Encoder(stages, channels=plan.features, strides=plan.strides)


class _Decoder(Decoder):
    """Up-sample, add the encoder's map of that size, and a reversible sequence; once a level."""

    def __init__(self, plan: NetworkPlan, *, reversible: bool) -> None:
        super().__init__(plan.features, plan.strides)
        self.channels = plan.features[:-1]
        self.ups = nn.ModuleList()
        self.levels = nn.ModuleList()
        for level in reversed(range(len(self.channels))):
            stride = plan.strides[level + 1]
            deep, width = plan.features[level + 1], plan.features[level]
            self.ups.append(transposed_convolution(plan.dim)(deep, width, stride, stride))  # type: ignore[arg-type]
            self.levels.append(_sequence(plan, level, plan.decoder_blocks[level], reversible=reversible))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return decoded maps, finest first."""
        *skips, x = maps
        decoded = []
        for up, level in zip(self.ups, self.levels, strict=True):
            x = level(up(x) + skips.pop())
            decoded.append(x)
        return decoded[::-1]


def _sequence(plan: NetworkPlan, stage: int, count: int, *, reversible: bool) -> ReversibleSequence:
    half, kernel, one = plan.features[stage] // 2, plan.kernels[stage], (1,) * plan.dim
    blocks = [
        ReversibleBlock(*(ConvBlock(plan.dim, half, half, kernel=kernel, stride=one) for _ in range(2)))
        for _ in range(count)
    ]
    return ReversibleSequence(blocks, reversible=reversible)


def _initialise(module: nn.Module) -> None:
    """He initialisation for leaky ReLU (He et al. 2015, arXiv:1502.01852)."""
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
