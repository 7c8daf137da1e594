"""Any encoder of the registry with any decoder: ResNet-U-Nets, Eff-UNet, ConvNeXt with UNet++ and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan, Voxels
from medarch.networks.build_network import build_encoder
from medarch.networks.decoder import Decoder
from medarch.networks.encoder import Encoder
from medarch.networks.full_resolution import FullResolution
from medarch.networks.require_topology import require_topology
from medarch.networks.segment.conv_stack import ConvStack
from medarch.networks.segment.encoder_decoder import EncoderDecoder
from medarch.networks.segment.fcn_decoder import FCNDecoder
from medarch.networks.segment.initialise import initialise
from medarch.networks.segment.is_paper import Preset, is_paper
from medarch.networks.segment.nested_decoder import NestedDecoder
from medarch.networks.segment.no_skip import NoSkip
from medarch.networks.segment.unet_decoder import UNetDecoder
from medarch.networks.segment.up_sample import UpName
from medarch.networks.without_weights import without_weights

PAPER_WIDTHS = (16, 32, 64, 128, 256)
"""Decoder channels of Eff-UNet's released implementation and of smp, finest first."""
FCN_SKIPS = 2
DECODERS = ("unet", "unet++", "fcn")
DecoderName = Literal["unet", "unet++", "fcn"]


@dataclass(frozen=True)
class _Style:
    """How the parts are joined."""

    up: UpName
    norm: str
    head_kernel: int
    image_skip: bool


_STYLES = {
    False: _Style(up="deconv", norm="instance", head_kernel=1, image_skip=True),
    True: _Style(up="nearest", norm="batch", head_kernel=3, image_skip=False),
}


def composed(
    plan: NetworkPlan,
    *,
    encoder: str,
    decoder: DecoderName,
    encoder_options: Mapping[str, Any] | None = None,
    preset: Preset = "plan",
    norm: str | None = None,
    image_skip: bool | None = None,
) -> EncoderDecoder:
    """Return a segmentation network from the encoder of a classifier.

    The plan's first stage is the image's resolution, where the encoder has no map; its other strides run over the
    encoder's stages. ``features`` are the decoder's channels (the last entry is the encoder's own business).

    Source of the composition: Baheti et al. 2020, doi:10.1109/CVPRW50498.2020.00187 (Eff-UNet); the layout with
    ``preset: paper`` is that of segmentation_models_pytorch.

    Args:
        plan: topology.
        encoder: name of a classifier of the registry with stages.
        decoder: ``unet``, ``unet++`` or ``fcn``.
        encoder_options: in place of single values of the classifier's preset.
        preset: ``paper`` interpolates, uses batch normalisation, no skip at full resolution and heads of 3×3.
        norm: of the decoder.
        image_skip: convolve the image at full resolution beside the encoder, and skip to the finest level.

    Raises:
        PlanError: unknown encoder or decoder, or the topology does not fit them.
    """
    require_topology(plan)
    style = _STYLES[is_paper(preset)]
    norm = norm or style.norm
    found = build_encoder(encoder, _inner(plan), encoder_options)
    if len(found.channels) != len(plan.features) - 1:
        raise PlanError(
            f"the plan has not as many stages as {encoder}",
            expected=f"{len(found.channels) + 1}: one at full resolution and one a stage of the encoder",
            found=str(len(plan.features)),
            fix="plan again with this architecture, or correct network in plan.json",
        )
    skip = decoder != "fcn" and (style.image_skip if image_skip is None else image_skip)
    width = plan.features[0] if skip else 0
    stem: nn.Module = NoSkip()
    if skip:
        stem = ConvStack(plan.in_channels, width, kernel=plan.kernels[0], count=2, norm=norm).apply(initialise)
    whole = FullResolution(found, stem, width=width)
    decoded = _decoder(decoder)(plan, whole, style.up, norm)
    network = EncoderDecoder(
        plan.dim,
        whole,
        decoded,
        heads=None if decoder == "fcn" else plan.heads,
        deep_supervision=plan.deep_supervision and decoder != "fcn",
        head_kernel=style.head_kernel,
    )
    network.heads.apply(initialise)
    return network


def composed_topology(
    plan: NetworkPlan,
    *,
    encoder: str,
    encoder_options: Mapping[str, Any] | None = None,
    preset: Preset = "plan",
) -> NetworkPlan:
    """The encoder's own strides where asked for or left open; else the plan's, as many as the encoder has stages."""
    open_plan = is_paper(preset) or not plan.strides
    inner = plan.model_copy(update={"strides": (), "kernels": ()}) if open_plan else _inner(plan)
    with without_weights():
        found = build_encoder(encoder, inner, encoder_options)
    stages = len(found.channels) + 1
    widths = PAPER_WIDTHS if open_plan else plan.features
    changes: dict[str, Any] = {
        "features": (*widths[: stages - 1], found.channels[-1]),
        "strides": ((1,) * plan.dim, *found.strides),
        "kernels": ((3,) * plan.dim,) * stages if open_plan else plan.kernels[:stages],
        "blocks": (2,) * stages,
        "decoder_blocks": (2,) * (stages - 1),
        "deep_supervision": False,
    }
    return plan.model_copy(update=changes)


def _inner(plan: NetworkPlan) -> NetworkPlan:
    """The plan of the encoder, whose stages begin below full resolution."""
    return plan.model_copy(update={"strides": plan.strides[1:], "kernels": plan.kernels[1:]})


def _decoder(name: str) -> Callable[[NetworkPlan, Encoder, UpName, str], Decoder]:
    found = {"unet": _unet, "unet++": _nested, "fcn": _fcn}.get(name)
    if found is None:
        raise PlanError(
            f"unknown decoder {name!r}",
            expected=", ".join(DECODERS),
            found=str(name),
            fix="correct network.options.decoder",
        )
    return found


def _unet(plan: NetworkPlan, encoder: Encoder, up: UpName, norm: str) -> Decoder:
    return UNetDecoder(plan.dim, encoder, **_levels(plan), up=up, norm=norm).apply(initialise)


def _nested(plan: NetworkPlan, encoder: Encoder, up: UpName, norm: str) -> Decoder:
    return NestedDecoder(plan.dim, encoder, **_levels(plan), up=up, norm=norm).apply(initialise)


def _fcn(plan: NetworkPlan, encoder: Encoder, up: UpName, norm: str) -> Decoder:
    return FCNDecoder(plan.dim, encoder, heads=plan.heads, skips=FCN_SKIPS, dense=plan.dim == 2)


def _levels(plan: NetworkPlan) -> dict[str, Any]:
    kernels: tuple[Voxels, ...] = plan.kernels
    return {"widths": plan.features[:-1], "kernels": kernels, "blocks": plan.decoder_blocks}
