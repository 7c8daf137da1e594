"""FCN-32s, FCN-16s and FCN-8s: VGG-16 with its fully connected layers as convolutions."""

from __future__ import annotations

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.convolve import convolve
from medarch.networks.blocks.pool import MaxPool
from medarch.networks.encoder import Encoder
from medarch.networks.full_resolution import FullResolution
from medarch.networks.require_topology import require_topology
from medarch.networks.segment.conv_stack import ConvStack
from medarch.networks.segment.encoder_decoder import EncoderDecoder
from medarch.networks.segment.fcn_decoder import FCNDecoder
from medarch.networks.segment.initialise import initialise
from medarch.networks.segment.is_paper import Preset, is_paper
from medarch.networks.segment.no_skip import NoSkip
from medarch.networks.segment.paper_topology import PaperTopology

_VGG16 = PaperTopology(
    (64, 128, 256, 512, 512, 4096), blocks=(2, 2, 3, 3, 3, 2), decoder_blocks=(1,) * 5, last_kernel=7
)


def fcn(
    plan: NetworkPlan,
    *,
    skips: int,
    preset: Preset = "plan",
    norm: str | None = None,
    dropout: float | None = None,
    dense: bool | None = None,
) -> EncoderDecoder:
    """Stages of convolutions with max-pooling after each; the coarsest stage is the classifier, slid over the map.

    Source: Shelhamer, Long, Darrell 2017, arXiv:1605.06211. There is no deep supervision: one output.

    Args:
        plan: topology. The last stage's kernel, width and blocks are those of the fully connected layers.
        skips: 0, 1 or 2 for FCN-32s, 16s, 8s.
        preset: ``paper``: no normalisation, dropout 0.5.
        norm: of the convolutions (not of the classifier); default instance.
        dropout: after each layer of the classifier; default 0.
        dense: see :func:`~medarch.networks.segment.bilinear_deconvolution.bilinear_deconvolution`; default in 2D. In
            3D kernels of 64³ for every pair of classes would be too many.

    Raises:
        PlanError: the topology does not fit together, or there is no such normalisation.
    """
    require_topology(plan)
    paper = is_paper(preset)
    body = _body(
        plan, norm or ("none" if paper else "instance"), (0.5 if paper else 0.0) if dropout is None else dropout
    )
    body.apply(initialise)
    encoder = FullResolution(body, NoSkip(), width=0)
    dense = plan.dim == 2 if dense is None else dense
    decoder = FCNDecoder(plan.dim, encoder, heads=plan.heads, skips=skips, dense=dense)
    return EncoderDecoder(plan.dim, encoder, decoder, heads=None)


def fcn_topology(plan: NetworkPlan, *, preset: Preset = "plan") -> NetworkPlan:
    """VGG-16's where asked for or left open, else the plan's; no deep supervision."""
    plan = plan.model_copy(update={"deep_supervision": False})
    return _VGG16.of(plan) if is_paper(preset) or not plan.strides else plan


def _body(plan: NetworkPlan, norm: str, dropout: float) -> Encoder:
    """Stage ``n`` ends with the pooling of the plan's stage ``n + 1``; the last ends with the classifier."""
    stages, width = [], plan.in_channels
    for level, (features, kernel, count) in enumerate(zip(plan.features, plan.kernels, plan.blocks, strict=True)):
        if level == len(plan.features) - 1:
            break
        stack = ConvStack(width, features, kernel=kernel, count=count, norm=norm)
        stride = plan.strides[level + 1]
        stages.append(nn.Sequential(stack, MaxPool(stride, stride)))
        width = features
    stages[-1].append(_classifier(plan, width, dropout))
    return Encoder(stages, channels=(*plan.features[:-2], plan.features[-1]), strides=plan.strides[1:])


def _classifier(plan: NetworkPlan, width: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(plan.blocks[-1]):
        kernel = plan.kernels[-1] if index == 0 else (1,) * plan.dim
        layers += [
            convolve(width, plan.features[-1], kernel, bias=True),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        ]
        width = plan.features[-1]
    return nn.Sequential(*layers)
