"""Local correlation with one fixed image, for many moving ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from medarch.core.errors import PlanError
from medarch.tasks.registration.box_sum import box_sum
from medarch.tasks.registration.full_precision import full_precision

WINDOW = 9
"""Side of the window in voxels (Avants et al. 2011, doi:10.1016/j.neuroimage.2010.09.025)."""
EPSILON = 1e-5
"""Added to both variances, of images whose variance as a whole is 1."""
TINY = 1e-12

Moments: TypeAlias = "tuple[Tensor, Tensor, Tensor, Tensor]"


class LocalCorrelation:
    """Squared correlation of two images in a window around every voxel, as a loss between 0 and 1.

    Source: Avants et al. 2008, "Symmetric diffeomorphic image registration with cross-correlation", equation 4;
    Balakrishnan et al. 2019, arXiv:1809.05231, equation 6. At the border of the grid and of the mask, windows are cut
    off. The sums of the fixed image are made once; the gradient is written down, not traced, so that one call costs six
    windowed sums and keeps one image. All of it runs in float32 whatever comes in, on images brought to mean 0 and
    variance 1, which changes no correlation: regions without contrast are finite, in float16 as well, and correlate
    with nothing.

    Args:
        fixed: ``(B, C, *grid)``; channels are compared one by one.
        window: odd side in voxels, one number or one for each axis.
        mask: ``(B or 1, 1, *grid)`` weights from 0 to 1: which voxels windows are made of and are averaged.
        epsilon: added to the variances; the loss falls short by it where there is no contrast.
        noise: let both images share noise of variance epsilon, so it is added to the covariance as well: regions
            without contrast match each other, and two equal images are a minimum whatever epsilon is. Without it
            stretching the moving image's contrast into a low one gains, which an optimiser of a pair finds out.

    Raises:
        PlanError: a side is even or below 1.
    """

    def __init__(
        self,
        fixed: Tensor,
        *,
        window: int | Sequence[int] = WINDOW,
        mask: Tensor | None = None,
        epsilon: float = EPSILON,
        noise: bool = False,
    ) -> None:
        self.window = _sides(window, fixed.dim() - 2)
        self.epsilon = epsilon
        with torch.no_grad(), torch.autocast(fixed.device.type, enabled=False):
            weights = None if mask is None else full_precision(mask)
            ones = torch.ones_like(full_precision(fixed[:1, :1])) if weights is None else weights
            count = box_sum(ones, self.window).clamp_min(1e-6)
            share = 1 / (fixed.shape[1] * fixed.shape[0] * ones.flatten(1).sum(1).clamp_min(1e-6))
            per_image = share.view(-1, *[1] * (fixed.dim() - 1))
            self._grid = _Grid(self.window, epsilon, epsilon if noise else 0.0, weights, 1 / count, per_image)
            self._fixed = fixed
            self._moments = None if fixed.requires_grad else _moments(fixed, self._grid)

    def __call__(self, moving: Tensor) -> Tensor:
        """Return one minus the mean squared correlation of ``(B, C, *grid)`` with the fixed image.

        Raises:
            ValueError: the shapes differ.
        """
        if moving.shape != self._fixed.shape:
            raise ValueError(f"images of shape {tuple(self._fixed.shape)} and {tuple(moving.shape)}")
        loss: Tensor = _LocalCorrelation.apply(  # type: ignore[no-untyped-call]
            self._fixed, moving, self._moments, self._grid
        )
        return loss


class _Grid:
    """What depends on the grid and the mask only."""

    def __init__(
        self,
        window: tuple[int, ...],
        epsilon: float,
        noise: float,
        weights: Tensor | None,
        per_count: Tensor,
        share: Tensor,
    ) -> None:
        self.window = window
        self.epsilon = epsilon
        self.noise = noise
        self.weights = weights
        self.per_count = per_count
        self.share = share

    def overall(self, x: Tensor) -> Tensor:
        """Weighted mean of each image, ``(B, C, 1, ...)``."""
        axes = tuple(range(2, x.dim()))
        if self.weights is None:
            return x.mean(axes, keepdim=True)
        return (x * self.weights).sum(axes, keepdim=True) / self.weights.sum(axes, keepdim=True).clamp_min(1e-6)

    def mean(self, x: Tensor) -> Tensor:
        """Weighted mean in every window."""
        weighted = x if self.weights is None else x * self.weights
        return box_sum(weighted, self.window).mul_(self.per_count)

    def spread(self, x: Tensor) -> Tensor:
        """The other way round: what every voxel gets from the windows that it is part of."""
        spread = box_sum(x.mul_(self.per_count), self.window)
        return spread if self.weights is None else spread.mul_(self.weights)


def _moments(image: Tensor, grid: _Grid) -> Moments:
    """The image at mean 0 and size 1, its mean and variance (with epsilon) in every window, and its size before."""
    image = full_precision(image)
    centred = image - grid.overall(image)
    size = grid.overall(centred * centred).sqrt_()
    size = torch.where(size > TINY, size, 1)
    centred.div_(size)
    means = grid.mean(centred)
    variance = grid.mean(centred * centred).sub_(means * means).clamp_min_(0).add_(grid.epsilon)
    return centred, means, variance, size


class _LocalCorrelation(Function):
    @staticmethod
    def forward(ctx: Any, fixed: Tensor, moving: Tensor, moments: Moments | None, grid: _Grid) -> Tensor:
        with torch.autocast(moving.device.type, enabled=False):
            f, mean_f, var_f, size_f = moments if moments is not None else _moments(fixed, grid)
            m, mean_m, var_m, size_m = _moments(moving, grid)
            covariance = grid.mean(f * m).sub_(mean_f * mean_m).add_(grid.noise)
            slope = covariance / (var_f * var_m)
            squared = covariance * slope
            weights = grid.share if grid.weights is None else grid.weights * grid.share
            loss = 1 - (squared * weights).sum()
            # The loss is one number: its gradient is made here, and backward only scales it.
            wanted = ctx.needs_input_grad[:2]
            if any(wanted):
                slope.mul_(weights).mul_(-2)
                squared.mul_(weights).mul_(2)
            gradients = (
                _gradient(m, mean_m, f, mean_f, slope, squared / var_f, grid).div_(size_f) if wanted[0] else None,
                _gradient(f, mean_f, m, mean_m, slope, squared / var_m, grid).div_(size_m) if wanted[1] else None,
            )
        ctx.save_for_backward(*gradients)
        ctx.dtypes = fixed.dtype, moving.dtype
        return loss

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        fixed, moving = (
            None if gradient is None else (gradient * scale).to(dtype)
            for gradient, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        )
        return fixed, moving, None, None


def _gradient(  # the names are those of the formula
    other: Tensor, mean_other: Tensor, image: Tensor, mean_image: Tensor, slope: Tensor, own: Tensor, grid: _Grid
) -> Tensor:
    """``slope (other - its mean) + own (image - its mean)``, summed over the windows around each voxel."""
    means = grid.spread(slope * mean_other + own * mean_image)
    return grid.spread(slope.clone()).mul_(other).add_(grid.spread(own).mul_(image)).sub_(means)


def _sides(window: int | Sequence[int], spatial: int) -> tuple[int, ...]:
    sides = (window,) * spatial if isinstance(window, int) else tuple(window)
    if len(sides) != spatial or any(side < 1 or side % 2 == 0 for side in sides):
        raise PlanError(
            "the window of the local correlation does not fit",
            expected=f"{spatial} odd numbers of voxels",
            found=str(window),
            fix="give an odd window, such as 5 or 9",
        )
    return sides
