"""Pooling along the axes that have a stride."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medarch.core.plan import Voxels
from medarch.networks.dimension import Dim, max_pool


class MaxPool(nn.Module):
    """``(B, C, *spatial)`` → ``(B, C, *ceil(spatial / stride))``, maximum over windows of ``kernel``.

    Windows of an odd kernel are centred on every ``stride``-th voxel, unless ``centred`` is False: then they begin
    there, as those of an even kernel do. What lies outside the image never is the maximum. Along an axis with stride 1,
    ``kernel`` should be 1, or the image is only blurred.
    """

    def __init__(self, kernel: Voxels, stride: Voxels, *, centred: bool = True) -> None:
        super().__init__()
        dim: Dim = 3 if len(kernel) == 3 else 2
        padding = tuple(size // 2 if centred and size % 2 else 0 for size in kernel)
        # With its padding an odd kernel gives ceil(n / stride) windows by rounding down; up would be one too many.
        up = not all(padding[axis] or size == 1 for axis, size in enumerate(kernel))
        missing = [size - step - pad for size, step, pad in zip(kernel, stride, padding, strict=True)]
        # torch takes no window that begins outside of the image: pad at the end, so that ceil(n / stride) begin inside.
        self.beyond = [] if centred else [extent for size in reversed(missing) for extent in (0, max(0, size))]
        self.pool = max_pool(dim)(kernel, stride, padding, ceil_mode=up)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima."""
        if any(self.beyond):
            x = F.pad(x, self.beyond, value=float("-inf"))
        pooled: Tensor = self.pool(x)
        return pooled


class AveragePool(nn.Module):
    """``(B, C, *spatial)`` → ``(B, C, *ceil(spatial / stride))``, mean over the part of each window that is image."""

    def __init__(self, stride: Voxels) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the means."""
        pool = F.avg_pool3d if len(self.stride) == 3 else F.avg_pool2d
        # torch refuses a window larger than the image, and averages no bfloat16 on a CPU, where prediction runs in it.
        window = [min(step, size) for step, size in zip(self.stride, x.shape[2:], strict=True)]
        half = x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16)
        image = x.float() if half else x
        return pool(image, window, self.stride, ceil_mode=True, count_include_pad=False).to(x.dtype)


class GlobalPool(nn.Module):
    """``(B, C, *spatial)`` → ``(B, C)``: mean of each channel (Lin et al. 2013, arXiv:1312.4400), or its maximum."""

    def __init__(self, *, maximum: bool = False) -> None:
        super().__init__()
        self.maximum = maximum

    def forward(self, x: Tensor) -> Tensor:
        """Return one number a channel."""
        flat = x.flatten(2)
        return flat.amax(-1) if self.maximum else flat.mean(-1)


class MaxPoolWithIndices(nn.Module):
    """Maxima of windows, and where they were: ``(pooled, indices)``, for :class:`MaxUnpool`."""

    def __init__(self, stride: Voxels) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, *spatial)`` → two of ``(B, C, *ceil(spatial / stride))``."""
        pool = F.max_pool3d if len(self.stride) == 3 else F.max_pool2d
        pooled, indices = pool(x, self.stride, self.stride, ceil_mode=True, return_indices=True)
        return pooled, indices


class MaxUnpool(nn.Module):
    """Put each maximum back where it came from, 0 elsewhere (Zeiler & Fergus 2014, arXiv:1311.2901; SegNet)."""

    def __init__(self, stride: Voxels) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, pooled: Tensor, indices: Tensor, size: Voxels) -> Tensor:
        """``(B, C, *ceil(size / stride))`` → ``(B, C, *size)``."""
        unpool = F.max_unpool3d if len(self.stride) == 3 else F.max_unpool2d
        full: Tensor = unpool(pooled, indices, self.stride, self.stride, output_size=list(size))  # type: ignore[arg-type]
        # Under bfloat16 autocast torch gives float32 here.
        return full.to(pooled.dtype)
