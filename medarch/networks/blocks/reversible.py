"""Reversible residual blocks: activations are computed back from the output instead of kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class ReversibleBlock(nn.Module):
    """``y1 = x1 + f(x2)``, ``y2 = x2 + g(y1)`` on two halves of the channels.

    Source: Gomez, Ren, Urtasun, Grosse 2017, arXiv:1707.04585, equations 6 to 8.
    """

    def __init__(self, f: nn.Module, g: nn.Module) -> None:
        """Take two functions ``(B, C / 2, *spatial)`` → same shape; without dropout and batch statistics."""
        super().__init__()
        self.f = f
        self.g = g

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        """Return both halves of the output."""
        y1 = x1 + self.f(x2)
        return y1, x2 + self.g(y1)


class ReversibleSequence(nn.Module):
    """Reversible blocks one after another, ``(B, C, *spatial)`` → same shape, C even.

    For the backward pass only the output is kept, however many blocks there are. The halves are summed up in float32
    (or float64) in mixed precision, too, or they could not be computed back.

    Args:
        blocks: in order.
        reversible: False keeps every activation, as autograd does; for comparison.
    """

    def __init__(self, blocks: Iterable[ReversibleBlock], *, reversible: bool = True) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.reversible = reversible

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the last block."""
        if x.dtype in (torch.bfloat16, torch.float16) and self.training:
            x = x.float()
        if not (self.reversible and torch.is_grad_enabled() and torch.amp.is_autocast_available(x.device.type)):
            return _run(self.blocks, x)  # The last: a tensor of the meta device, which has nothing to keep.
        if torch.compiler.is_compiling():
            return _run(self.blocks, x)
        parameters = [parameter for parameter in self.blocks.parameters() if parameter.requires_grad]
        found: Tensor = _Reversible.apply(x, self.blocks, *parameters)  # type: ignore[no-untyped-call]
        return found


def _run(blocks: Iterable[nn.Module], x: Tensor) -> Tensor:
    x1, x2 = _halves(x)
    for block in blocks:
        x1, x2 = block(x1, x2)
    return torch.cat([x1, x2], dim=1)


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Whole tensors, for a convolution would copy a view each time; channels-last ones stay as they are."""
    x1, x2 = x.chunk(2, dim=1)
    return (x1.contiguous(), x2.contiguous()) if x.is_contiguous() else (x1, x2)


class _Reversible(torch.autograd.Function):
    """A whole sequence as one operation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, blocks: nn.ModuleList, *parameters: nn.Parameter) -> Tensor:
        kind = x.device.type
        ctx.blocks, ctx.parameters = blocks, parameters
        ctx.autocast = {
            "device_type": kind,
            "dtype": torch.get_autocast_dtype(kind),
            "enabled": torch.is_autocast_enabled(kind),
        }
        y = _run(blocks, x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        y1, y2 = _halves(y)
        d1, d2 = _halves(gradient)
        found: dict[nn.Parameter, Tensor] = {}
        with torch.autocast(**ctx.autocast):
            for block in reversed(ctx.blocks):
                y2, step = _undo(block.g, y1, y2, d2, found)
                d1 = d1 + step
                y1, step = _undo(block.f, y2, y1, d1, found)
                d2 = d2 + step
        return (torch.cat([d1, d2], dim=1), None, *(found.get(parameter) for parameter in ctx.parameters))


def _undo(
    part: nn.Module, given: Tensor, total: Tensor, gradient: Tensor, found: dict[nn.Parameter, Tensor]
) -> tuple[Tensor, Tensor]:
    """Take ``part(given)`` off ``total`` again; return that and the gradient of ``given``; keep those of the weights.

    The graph of this one part lives no longer than this call.
    """
    parameters: Sequence[nn.Parameter] = [entry for entry in part.parameters() if entry.requires_grad]
    with torch.enable_grad():
        given = given.detach().requires_grad_()
        added = part(given)
    before = total - added.detach()
    step, *gradients = torch.autograd.grad(added, [given, *parameters], gradient.to(added.dtype))
    found.update(zip(parameters, gradients, strict=True))
    return before, step
