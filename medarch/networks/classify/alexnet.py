"""AlexNet, of one tower or of two."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.core.plan import NetworkPlan
from medarch.networks.blocks.local_response_norm import LocalResponseNorm
from medarch.networks.blocks.pad_to import PadTo
from medarch.networks.classify.fully_connected_head import Ending, fully_connected_head
from medarch.networks.dimension import convolution, max_pool
from medarch.networks.initialise import initialise_for_relu
from medarch.networks.stage_geometry import StageGeometry, stage_geometry

GRID = 6
STRIDES = (4, 2, 2, 2)


class AlexNet(nn.Module):
    """``(B, C, *spatial)`` → logits ``(B, heads)``.

    Two towers: Krizhevsky et al. 2012 (doi:10.1145/3065386), whose second, fourth and fifth convolution see one half of
    the channels each and whose first two are followed by a local response normalisation. One tower: Krizhevsky 2014
    (arXiv:1404.5997), without it. ``strides`` are those of the first convolution and the three poolings.

    Its convolutions and poolings drop what does not fill a window, so it is no encoder for a decoder, and an image
    smaller than their windows take (63 voxels an axis with the published strides) is padded with zeros.

    Args:
        plan: for ``dim``, ``in_channels``, ``heads``, ``strides``, ``kernels``.
        widths: of the five convolutions.
        towers: 1 or 2.
        hidden: width of the fully connected layers.
        ending: see :func:`~medarch.networks.classify.fully_connected_head.fully_connected_head`.
        dropout: behind the fully connected layers.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        *,
        widths: tuple[int, int, int, int, int],
        towers: int = 1,
        hidden: int = 4096,
        ending: Ending | None = None,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        stem, *pools = geometries = _four(plan)
        one, two, three, four, five = widths
        normalise: list[nn.Module] = [LocalResponseNorm()] if towers == 2 else []
        self.convolutions = nn.Sequential(
            _conv(plan.in_channels, one, stem, kernel=11, padding=2),
            *normalise,
            _pool(pools[0]),
            _conv(one, two, pools[0].within, kernel=5, groups=towers),
            *normalise,
            _pool(pools[1]),
            _conv(two, three, pools[1].within, kernel=3),
            _conv(three, four, pools[1].within, kernel=3, groups=towers),
            _conv(four, five, pools[1].within, kernel=3, groups=towers),
            _pool(pools[2]),
        ).apply(initialise_for_relu)
        self.head = fully_connected_head(plan, five, grid=GRID, hidden=hidden, ending=ending, dropout=dropout)
        self.pad = PadTo(
            tuple(_smallest([geometry.stride[axis] for geometry in geometries]) for axis in range(plan.dim))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.convolutions(self.pad(x)))
        return logits


def _four(plan: NetworkPlan) -> list[StageGeometry]:
    """A plan may give fewer strides; the poolings it does not name do nothing."""
    geometries = stage_geometry(plan, STRIDES)
    return geometries + [geometries[-1].within] * (len(STRIDES) - len(geometries))


def _conv(
    in_channels: int, out_channels: int, geometry: StageGeometry, *, kernel: int, padding: int = -1, groups: int = 1
) -> nn.Sequential:
    size = geometry.kernel(kernel)
    pad = tuple((edge - 1) // 2 if padding < 0 else min(padding, (edge - 1) // 2) for edge in size)
    conv = convolution(3 if len(size) == 3 else 2)
    return nn.Sequential(
        conv(in_channels, out_channels, size, geometry.stride, pad, groups=groups),  # type: ignore[arg-type]
        nn.ReLU(inplace=True),
    )


def _pool(geometry: StageGeometry) -> nn.Module:
    """Windows of 3 that overlap (section 3.4)."""
    kernel = tuple(3 if step > 1 else 1 for step in geometry.stride)
    return max_pool(3 if len(kernel) == 3 else 2)(kernel, geometry.stride)  # type: ignore[arg-type]


def _smallest(strides: list[int]) -> int:
    """Voxels of one axis that leave one voxel at the end."""
    size = 1
    for stride in reversed(strides[1:]):
        size = (size - 1) * stride + (3 if stride > 1 else 1)
    return (size - 1) * strides[0] + 11 - 4
