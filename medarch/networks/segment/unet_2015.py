"""The U-Net as published, over any topology."""

from __future__ import annotations

from medarch.core.plan import NetworkPlan
from medarch.networks.require_topology import require_topology
from medarch.networks.segment.conv_encoder import ConvEncoder
from medarch.networks.segment.encoder_decoder import EncoderDecoder
from medarch.networks.segment.initialise import initialise
from medarch.networks.segment.is_paper import Preset, is_paper
from medarch.networks.segment.paper_topology import PaperTopology
from medarch.networks.segment.unet_decoder import UNetDecoder

_PAPER = PaperTopology((64, 128, 256, 512, 1024), blocks=(2,) * 5, decoder_blocks=(2,) * 4)


def unet_2015(plan: NetworkPlan, *, preset: Preset = "plan", norm: str | None = None) -> EncoderDecoder:
    """Double convolutions, max-pooling, transposed convolutions, skips.

    Source: Ronneberger, Fischer, Brox 2015, arXiv:1505.04597. Convolutions are padded, so that the output is as large
    as the input. ``norm`` is none in the paper; a plan's batches of two train with instance normalisation.

    Raises:
        PlanError: the topology does not fit together, or there is no such normalisation.
    """
    require_topology(plan)
    norm = norm or ("none" if is_paper(preset) else "instance")
    encoder = ConvEncoder(plan, norm=norm)
    decoder = UNetDecoder(
        plan.dim,
        encoder,
        widths=plan.features[:-1],
        kernels=plan.kernels,
        blocks=plan.decoder_blocks,
        up="deconv",
        norm=norm,
    )
    network = EncoderDecoder(plan.dim, encoder, decoder, heads=plan.heads, deep_supervision=plan.deep_supervision)
    network.apply(initialise)
    return network


def unet_2015_topology(plan: NetworkPlan, *, preset: Preset = "plan") -> NetworkPlan:
    """The paper's where asked for or left open, else the plan's; no deep supervision, which is younger."""
    plan = plan.model_copy(update={"deep_supervision": False})
    return _PAPER.of(plan) if is_paper(preset) or not plan.strides else plan
