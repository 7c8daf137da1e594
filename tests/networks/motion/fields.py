"""Smooth random fields and images for the tests of motion."""

import torch
from torch.nn import functional as F

MODES = {2: "bicubic", 3: "trilinear"}


def smooth_field(size, *, largest=3.0, seed=0, dtype=torch.float64):
    """A field ``(1, D, *size)`` that is 0 at the faces and moves by up to ``largest`` voxels."""
    dim = len(size)
    generator = torch.Generator().manual_seed(seed)
    field = F.pad(torch.randn(1, dim, *[3] * dim, generator=generator, dtype=dtype), [1] * 2 * dim)
    field = F.interpolate(field, size, mode=MODES[dim], align_corners=True)
    kernel = torch.ones(dim, 1, *[5] * dim, dtype=dtype) / 5**dim
    convolve = F.conv3d if dim == 3 else F.conv2d
    for _ in range(2):
        field = convolve(F.pad(field, [2] * 2 * dim, mode="replicate"), kernel, groups=dim)
    return field * (largest / field.abs().max())


def smooth_image(size, *, seed=1, dtype=torch.float64):
    """``(1, 1, *size)`` between 0 and 200 or so, with structure a few voxels wide."""
    dim = len(size)
    generator = torch.Generator().manual_seed(seed)
    small = [max(2, length // 3) for length in size]
    image = torch.rand(1, 1, *small, generator=generator, dtype=dtype) * 200
    return F.interpolate(image, size, mode=MODES[dim], align_corners=True)
