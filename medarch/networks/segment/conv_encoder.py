"""The contracting path of U-Net, UNet++ and FCN: convolutions, then max-pooling."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.pool import MaxPool
from medarch.networks.encoder import Encoder
from medarch.networks.segment.conv_stack import ConvStack


class ConvEncoder(Encoder):
    """One stack of convolutions a stage of the plan, max-pooled before each by the stage's stride."""

    def __init__(self, plan: NetworkPlan, *, norm: str) -> None:
        stages, width = [], plan.in_channels
        for features, stride, kernel, count in zip(plan.features, plan.strides, plan.kernels, plan.blocks, strict=True):
            stack = ConvStack(width, features, kernel=kernel, count=count, norm=norm)
            stages.append(nn.Sequential(MaxPool(stride, stride), stack) if max(stride) > 1 else stack)
            width = features
        super().__init__(stages, channels=plan.features, strides=plan.strides)

    def forward(self, x: Tensor, *, stages: int | None = None) -> list[Tensor]:
        """Return one feature map a stage, finest first; of the first ``stages`` only, if given."""
        maps = []
        for stage in self.stages[:stages]:
            x = stage(x)
            maps.append(x)
        return maps
