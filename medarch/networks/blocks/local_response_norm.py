"""AlexNet's normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LocalResponseNorm(nn.Module):
    """Divide by the energy of five channels around each (Krizhevsky et al. 2012, doi:10.1145/3065386, section 3.3)."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, *spatial)`` → the same."""
        # torch's uses an average pooling, which it has for no half precision on a CPU.
        half = x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16)
        image = x.float() if half else x
        return F.local_response_norm(image, 5, alpha=1e-4, beta=0.75, k=2.0).to(x.dtype)
