"""GoogLeNet with its auxiliary classifiers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.conv_norm_activation import ConvNormActivation
from medarch.networks.blocks.grid_pool import GridPool
from medarch.networks.blocks.inception import EPS, Inception
from medarch.networks.blocks.pool import GlobalPool, MaxPool
from medarch.networks.classifier import Classifier
from medarch.networks.encoder import Encoder
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.stage_geometry import StageGeometry, stage_geometry

STEM = (64, 64, 192)
BLOCKS: dict[int, dict[str, tuple[int, ...]]] = {
    2: {"3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64)},
    3: {
        "4a": (192, 96, 208, 16, 48, 64),
        "4b": (160, 112, 224, 24, 64, 64),
        "4c": (128, 128, 256, 24, 64, 64),
        "4d": (112, 144, 288, 32, 64, 64),
        "4e": (256, 160, 320, 32, 128, 128),
    },
    4: {"5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128)},
}
"""Table 1 of the paper, by stage."""
AUXILIARY_STAGE = 3
AUXILIARY = ("4a", "4d")
"""Blocks behind which the auxiliary classifiers look."""


def googlenet_encoder(plan: NetworkPlan, *, width: float = 1.0, wide_kernel: int = 3) -> Encoder:
    """Return the five stages (Szegedy et al. 2014, arXiv:1409.4842, table 1), with batch normalisation.

    Args:
        plan: for ``in_channels``, ``strides``, ``kernels``.
        width: multiplier of all channels.
        wide_kernel: of the widest branch: 5 in the paper, 3 in torchvision and its weight file.
    """
    geometries = stage_geometry(plan, (2, 2, 2, 2, 2))
    first, second, third = (_scaled(features, width) for features in STEM)
    stages: list[nn.Module] = [_conv(plan.in_channels, first, geometries[0], 7, geometries[0].stride)]
    channels = [first]
    for number, geometry in enumerate(geometries[1:], 1):
        layers = OrderedDict[str, nn.Module](_pool(number, geometry))
        if number == 1:
            layers["reduce"] = _conv(first, second, geometry, 1)
            layers["conv"] = _conv(second, third, geometry, 3)
        inside = third if number == 1 else channels[-1]
        for name, widths in BLOCKS.get(number, {}).items():
            block = Inception(inside, [_scaled(entry, width) for entry in widths], geometry, wide=wide_kernel)
            layers[name] = block
            inside = block.channels
        stages.append(nn.Sequential(layers))
        channels.append(inside)
    encoder = Encoder(stages, channels=channels, strides=[geometry.stride for geometry in geometries])
    return encoder.apply(initialise_for_relu)


class GoogLeNet(Classifier):
    """``(B, C, *spatial)`` → logits ``(B, heads)``.

    In training with ``deep_supervision``: a list of three, the network's and those of the auxiliary classifiers, the
    deeper first; the paper adds their losses with a weight of 0.3. Without ``deep_supervision`` they do not exist.
    """

    def __init__(self, plan: NetworkPlan, encoder: Encoder, *, hidden: int = 1024, dropout: float = 0.2) -> None:
        head = OrderedDict[str, nn.Module](
            pool=GlobalPool(), dropout=nn.Dropout(dropout), linear=nn.Linear(encoder.channels[-1], plan.heads)
        )
        super().__init__(encoder, nn.Sequential(head))
        self.auxiliary = nn.ModuleList()
        if plan.deep_supervision and len(encoder.stages) > AUXILIARY_STAGE:
            stage = encoder.stages[AUXILIARY_STAGE]
            self.auxiliary.extend(_auxiliary(plan, stage.get_submodule(name), hidden) for name in AUXILIARY)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:  # type: ignore[override]
        """Return logits; see the class."""
        if not (self.training and self.auxiliary):
            return super().forward(x)
        seen = []
        for number, stage in enumerate(self.encoder.stages):
            for name, layer in stage.named_children():
                x = layer(x)
                if number == AUXILIARY_STAGE and name in AUXILIARY:
                    seen.append(x)
        others = [look(features) for look, features in zip(self.auxiliary, seen, strict=True)]
        return [self.head(x), *reversed(others)]


def _auxiliary(plan: NetworkPlan, block: nn.Module, hidden: int) -> nn.Sequential:
    grid = 4
    inside = 128
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            pool=GridPool(grid),
            conv=ConvNormActivation(int(block.channels), inside, (1,) * plan.dim, eps=EPS),  # type: ignore[arg-type]
            flatten=nn.Flatten(),
            linear1=nn.Linear(inside * grid**plan.dim, hidden),
            activation=nn.ReLU(inplace=True),
            dropout=nn.Dropout(0.7),
            linear2=nn.Linear(hidden, plan.heads),
        )
    )


def _conv(
    in_channels: int, out_channels: int, geometry: StageGeometry, size: int, stride: Sequence[int] | None = None
) -> ConvNormActivation:
    return ConvNormActivation(
        in_channels, out_channels, geometry.kernel(size), tuple(stride) if stride else None, eps=EPS
    )


def _pool(number: int, geometry: StageGeometry) -> dict[str, nn.Module]:
    """Windows of 3 that begin at their voxel; before stage 4 torchvision has windows of 2."""
    if geometry.stride == geometry.one:
        return {}
    size = 2 if number == len(BLOCKS) + 1 else 3
    kernel = tuple(size if step > 1 else 1 for step in geometry.stride)
    return {"pool": MaxPool(kernel, geometry.stride, centred=False)}


def _scaled(features: int, width: float) -> int:
    return max(1, round(features * width))
