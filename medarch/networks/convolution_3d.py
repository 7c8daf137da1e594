"""A 3D convolution whose gradient can be trusted in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Convolution3d(nn.Conv3d):
    """``nn.Conv3d``, ``(B, in, I, J, K)`` → ``(B, out, I', J', K')``.

    On CPUs torch 2.13 (oneDNN) fills the bfloat16 gradient of a padded kernel with garbage, even with infinities, where
    the map is exactly as thick as the kernel less its padding: two voxels for a kernel of three. There, and only
    there, this one computes in float32; a map so thin costs little.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved map."""
        if x.device.type == "cpu" and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu") and self._thin(x):
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float())
        return super().forward(x)

    def _thin(self, x: Tensor) -> bool:
        reach, padding = self.dilation[0] * (self.kernel_size[0] - 1) + 1, int(self.padding[0])
        return padding > 0 and x.shape[2] == reach - padding
