"""LeNet-5 as published in 1998."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.plan import NetworkPlan, Voxels
from medarch.networks.blocks.grid_pool import GridPool
from medarch.networks.blocks.pad_to import PadTo
from medarch.networks.blocks.pool import AveragePool
from medarch.networks.dimension import convolution
from medarch.networks.stage_geometry import stage_geometry

WIRING = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
"""Which maps of S2 each map of C3 sees (table I)."""
CODE = 84
"""Length of the output codes: bitmaps of 7×12."""


class LeNet1998(nn.Module):
    """LeNet-5 with partial wiring, trainable sub-sampling and a radial basis output.

    Source: LeCun et al. 1998, doi:10.1109/5.726791, section II.B. Input ``(B, C, *spatial)``, published for 32×32;
    other sizes are averaged to 5 voxels an axis before C5. Output ``(B, heads)``: minus the squared distance of F6 to
    the fixed code of each class, so that the nearest code has the highest logit. The codes are +1 and -1 at random,
    which the paper names as the other choice beside its bitmaps of characters. ``strides`` are those of S2 and S4.
    """

    codes: Tensor

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        first, second = stage_geometry(plan, (2, 2))
        self.pad = PadTo(tuple(4 * step + 5 for step in first.stride))
        self.c1 = convolution(plan.dim)(plan.in_channels, 6, first.kernel(5))  # type: ignore[arg-type]
        self.s2 = _SubSampling(6, first.stride)
        self.c3 = _WiredConvolution(second.kernel(5))
        self.s4 = _SubSampling(16, second.stride)
        self.pool = GridPool(5)
        self.c5 = convolution(plan.dim)(16, 120, 5)
        self.f6 = nn.Linear(120, CODE)
        generator = torch.Generator().manual_seed(1998)
        codes = torch.randint(0, 2, (plan.heads, CODE), generator=generator, device="cpu") * 2.0 - 1.0
        self.register_buffer("codes", codes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = self.s2(_squash(self.c1(self.pad(x))))
        x = self.s4(_squash(self.c3(x)))
        x = _squash(self.f6(_squash(self.c5(self.pool(x))).flatten(1)))
        return -(x[:, None] - self.codes).square().sum(-1)


class _SubSampling(nn.Module):
    """The sum of each window, times a coefficient, plus a bias, squashed."""

    def __init__(self, channels: int, stride: Voxels) -> None:
        super().__init__()
        self.mean = AveragePool(stride)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        shape = (-1, *[1] * (x.dim() - 2))
        return _squash(self.mean(x) * self.weight.view(shape) + self.bias.view(shape))


class _WiredConvolution(nn.Module):
    """C3: each of 16 maps sees some of the 6 before it; the weights that are not there are no parameters."""

    outputs: Tensor
    inputs: Tensor

    def __init__(self, kernel: Voxels) -> None:
        super().__init__()
        wires = [(output, source) for output, sources in enumerate(WIRING) for source in sources]
        self.register_buffer("outputs", torch.tensor([output for output, _ in wires], device="cpu"), persistent=False)
        self.register_buffer("inputs", torch.tensor([source for _, source in wires], device="cpu"), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(wires), 1, *kernel))
        self.bias = nn.Parameter(torch.zeros(len(WIRING)))
        # The paper draws from ±2.4 / number of inputs (section II.B); C3 has 3 to 6 maps of 25.
        bound = 2.4 / (4 * self.weight[0].numel())
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        full = self.weight.new_zeros(len(WIRING), x.shape[1], *self.weight.shape[2:])
        full = full.index_put((self.outputs, self.inputs), self.weight[:, 0])
        convolve = F.conv3d if full.dim() == 5 else F.conv2d
        return convolve(x, full, self.bias)


def _squash(x: Tensor) -> Tensor:
    """The paper's scaled hyperbolic tangent: f(±1) = ±1."""
    return 1.7159 * torch.tanh(x * (2 / 3))
