"""ResNet and SE-ResNet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.activation import activation
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.blocks.normalisation import normalisation
from medarch.networks.blocks.pool import MaxPool
from medarch.networks.blocks.residual import EXPANSION, Kind, ResidualStyle, residual
from medarch.networks.encoder import Encoder
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.stage_geometry import StageGeometry, stage_geometry

WIDTHS = (64, 64, 128, 256, 512)
"""Of the stem and the four stages."""


def resnet_encoder(
    plan: NetworkPlan,
    *,
    block: Kind,
    depths: Sequence[int],
    width: float = 1.0,
    norm: str = "batch",
    reduction: int | None = None,
    stem_kernel: int = 7,
) -> Encoder:
    """Return the five stages of a ResNet (He et al. 2015, arXiv:1512.03385, table 1).

    Own code, because MONAI's ResNet takes one stride for all axes, always pools after its stem, has biases that the
    paper has not, and in ``resnet18`` and ``resnet34`` cuts the gradient of each shortcut that changes the shape
    (``out.data``). With those put right it is the oracle in ``tests/networks``.

    The published strides are 2 each; stage 0 is the stem, the stride of stage 1 is the max-pooling's (none, if it is 1
    along all axes). For images of 28 voxels MedMNIST (Yang et al. 2023, doi:10.1038/s41597-022-01721-8) uses
    ``strides`` 1, 1, 2, 2, 2 and ``stem_kernel=3``.

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        block: ``basic``, ``bottleneck`` or ``preactivation`` (arXiv:1603.05027).
        depths: blocks of the four stages.
        width: multiplier of all channels.
        norm: normalisation layers.
        reduction: of squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507); None for none.
        stem_kernel: of the first convolution.
    """
    style = ResidualStyle(block, norm, reduction)
    widths = [max(1, round(width * channels)) for channels in WIDTHS]
    geometries = stage_geometry(plan, (2, 2, 2, 2, 2))
    stages: list[nn.Module] = [_stem(plan, widths[0], geometries[0], style, stem_kernel)]
    channels = [widths[0]]
    for number, geometry in enumerate(geometries[1:], 1):
        layers = OrderedDict[str, nn.Module]()
        first = geometry
        if number == 1:
            # The paper's only pooling takes the stride of the first residual stage.
            first = geometry.within
            if geometry.stride != geometry.one:
                layers["pool"] = MaxPool(tuple(3 if step > 1 else 1 for step in geometry.stride), geometry.stride)
        inside = channels[-1]
        for index in range(depths[number - 1]):
            layers[str(index)] = residual(style, inside, widths[number], first if index == 0 else geometry.within)
            inside = widths[number] * EXPANSION[block]
        if block == "preactivation" and number == len(geometries) - 1:
            layers["norm"] = normalisation(norm, inside, plan.dim)
            layers["activation"] = activation("relu")
        stages.append(nn.Sequential(layers))
        channels.append(inside)
    encoder = Encoder(stages, channels=channels, strides=[geometry.stride for geometry in geometries])
    return encoder.apply(initialise_for_relu)


def _stem(plan: NetworkPlan, width: int, geometry: StageGeometry, style: ResidualStyle, kernel: int) -> nn.Module:
    # Pre-activation blocks begin with their own normalisation, but the authors keep the stem's, too.
    return ConvNormActivation(plan.in_channels, width, geometry.kernel(kernel), geometry.stride, norm=style.norm)
