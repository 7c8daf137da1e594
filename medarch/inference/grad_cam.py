"""Where a classifier looked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALLEST_MAP = 7
"""The map that is looked at has this many voxels along its longest axis, if any map of the network has: as many as the
last map of a ResNet has for a picture of 224 pixels."""


def grad_cam(network: nn.Module, image: Tensor, channels: Sequence[int]) -> Tensor:
    """Return how much each place of the image speaks for some outputs: Grad-CAM.

    The last feature maps of the network that are not too coarse, weighted by the mean gradient of the outputs' sum,
    negative sums dropped (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74, equations 1 and 2).

    Args:
        network: in evaluation mode; logits ``(1, K)``.
        image: ``(1, C, *spatial)``.
        channels: of the outputs to explain.

    Returns:
        ``(*spatial)`` float32, 0 to 1; 0 everywhere where nothing speaks for them.
    """
    with torch.enable_grad():
        maps, logits = _watch(network, image.detach().requires_grad_())
        chosen = _choose(maps, spatial=image.dim() - 2)
        gradient = torch.autograd.grad(logits[0, list(channels)].sum(), chosen)[0]
    axes = tuple(range(2, image.dim()))
    weights = gradient.mean(axes, keepdim=True)
    cam = (weights * chosen.detach()).sum(1, keepdim=True).relu().float()
    mode = "trilinear" if len(axes) == 3 else "bilinear"
    cam = F.interpolate(cam, size=tuple(image.shape[2:]), mode=mode, align_corners=False)[0, 0]
    highest = cam.max()
    return cam / highest if highest > 0 else cam


def _watch(network: nn.Module, image: Tensor) -> tuple[list[Tensor], Tensor]:
    """Run the network; return every feature map in the order they were made, and the logits."""
    maps: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == image.dim() and output.requires_grad:
            maps.append(output)

    hooks = [module.register_forward_hook(keep) for module in network.modules() if module is not network]
    try:
        outputs = network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return maps, outputs if isinstance(outputs, Tensor) else outputs[0]


def _choose(maps: Sequence[Tensor], *, spatial: int) -> Tensor:
    """The last map of enough voxels; where all are small, the largest of them."""
    longest = [max(each.shape[-spatial:]) for each in maps]
    wanted = min(SMALLEST_MAP, max(longest))
    return [each for each, side in zip(maps, longest, strict=True) if side >= wanted][-1]
