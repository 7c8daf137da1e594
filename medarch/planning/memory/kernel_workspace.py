"""What kernels take for themselves: memory that no tensor shows.

Only convolutions take much. The rules below were found on a CPU with AVX-512 (torch 2.13, oneDNN) by measuring 90
convolutions of both directions one by one with the allocator's own count; they give these within 3 %, and a bound where
threads may or may not share bfloat16 buffers (docs/memory.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

FORWARD, BACKWARD = torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default
FEW_CHANNELS = 16
"""oneDNN reads images with fewer as they are."""
MAP_FOR_ALL_THREADS = 512
"""Voxels of a map whose matrix product all threads compute together."""
COLUMNS = 256
"""Voxels that a depthwise convolution turns into columns at once."""


def workspace_of(device: str) -> Callable[[Any, tuple[Any, ...], Any], int]:
    """Return the rule of a kind of device, see :data:`medarch.planning.memory.storage_watch.Workspace`.

    ``cuda`` and ``mps`` get a bound, not a measurement: copies of a convolution's input and output in another layout,
    which is what cuDNN's kernels for tensor cores take when the tensors are not channels-last.
    """
    return _on_cpu if device == "cpu" else _on_gpu


@dataclass(frozen=True)
class _Convolution:
    """One call: ``(B, C, *spatial)`` tensors of the forward pass, whichever direction is computed."""

    x: Tensor
    w: Tensor
    y: Tensor
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int

    @cached_property
    def kernel_voxels(self) -> int:
        return math.prod(self.w.shape[2:])

    @cached_property
    def block(self) -> int:
        """Channels that lie side by side in oneDNN's layouts."""
        return 16 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 8

    def blocked(self, tensor: Tensor) -> int:
        """Bytes of the tensor in oneDNN's layout."""
        rows, channels, *size = tensor.shape
        return int(rows * self._whole(channels) * math.prod(size) * tensor.element_size())

    @cached_property
    def blocked_weights(self) -> int:
        """Bytes of the weights in oneDNN's layout."""
        rows, channels, *size = self.w.shape
        return int(self._whole(rows) * self._whole(channels) * math.prod(size) * self.w.element_size())

    def _whole(self, channels: int) -> int:
        return -(-channels // self.block) * self.block

    @cached_property
    def thin(self) -> bool:
        """So few planes that oneDNN's own kernels for the gradient of the weights refuse them, in 3D."""
        if self.x.dim() != 5 or self.transposed or _half(self.x) or not self.padding[0]:
            return False
        return self.x.shape[2] <= self.dilation[0] * (self.w.shape[2] - 1) + 1 - self.padding[0]

    @cached_property
    def depthwise(self) -> bool:
        return 1 < self.groups == self.x.shape[1] and not self.transposed

    @cached_property
    def channels_last(self) -> bool:
        return not self.x.is_contiguous() and _in_one_piece(self.x)

    @cached_property
    def columns(self) -> int:
        """Bytes of the im2col matrix."""
        small, large = (self.x, self.y) if self.transposed else (self.y, self.x)
        rows = 1 if self.transposed else self.x.shape[0]
        return int(rows * large.shape[1] * self.kernel_voxels * math.prod(small.shape[2:]) * self.x.element_size())

    @cached_property
    def by_onednn(self) -> bool:
        """Which kernels torch chooses depends on sizes, precision and threads; it is asked itself."""
        arguments = (
            self.x, self.w, None, list(self.stride), list(self.padding), list(self.dilation), self.transposed,
            list(self.output_padding), self.groups,
        )  # fmt: skip
        mode = getattr(self.x, "fake_mode", None)
        if mode is None:
            chosen = torch._C._select_conv_backend(*arguments)
        else:
            with mode:
                chosen = torch._C._select_conv_backend(*arguments)
        return chosen not in _IM2COL


_IM2COL = {
    getattr(torch._C._ConvBackend, name)  # type: ignore[attr-defined]
    for name in ("Slow2d", "Slow3d", "SlowDilated2d", "SlowDilated3d", "SlowTranspose2d", "SlowTranspose3d")
}


def _read(func: Any, args: tuple[Any, ...], result: Any) -> _Convolution | None:
    if func is FORWARD:
        x, w, _, *geometry = args
        y = result
    elif func is BACKWARD:
        y, x, w, _, *geometry = args[:-1]
    else:
        return None
    stride, padding, dilation, transposed, output_padding, groups = geometry
    return _Convolution(
        x, w, y, tuple(stride), tuple(padding), tuple(dilation), transposed, tuple(output_padding), groups
    )


def _on_cpu(func: Any, args: tuple[Any, ...], result: Any) -> int:
    found = _read(func, args, result)
    if found is None:
        return 0
    read = (found.x,) if func is FORWARD else (found.x, found.y)
    # Kernels copy what does not lie in one piece, such as half the channels of a tensor.
    copied = sum(tensor.nbytes for tensor in read if not _in_one_piece(tensor))
    if not found.by_onednn:
        whole = found.kernel_voxels == 1
        return copied + (0 if whole and func is FORWARD else found.columns)
    if func is FORWARD:
        return copied + max(0, _onednn_forward(found) - found.y.nbytes)
    wants_input, wants_weight, _ = args[-1]
    gradients: int = found.x.nbytes * wants_input + found.w.nbytes * wants_weight
    return copied + max(0, _onednn_backward(found, wants_input=wants_input) - gradients)


def _onednn_forward(found: _Convolution) -> int:
    """Bytes taken at most, the result among them: its blocked copy and it, or all blocked copies."""
    x, y = found.blocked(found.x), found.blocked(found.y)
    if found.transposed:
        return 2 * y + found.y.nbytes
    if found.groups > 1:
        return x + y + found.y.nbytes
    read = 0 if found.x.shape[1] < FEW_CHANNELS else x
    if _half(found.x) and found.kernel_voxels == 1:
        y += 2 * y // found.y.shape[0]  # sums of one sample, in float32
    return max(read + y + found.w.nbytes, found.blocked(found.y) + found.y.nbytes)


def _onednn_backward(found: _Convolution, *, wants_input: bool) -> int:
    """Bytes taken at most, both gradients among them: that of the input comes first, that of the weights beside it."""
    x, y = found.blocked(found.x), found.blocked(found.y)
    if found.depthwise:
        return _depthwise_backward(found, wants_input=wants_input)
    first = 0
    if wants_input:
        first = max(x + y + found.blocked_weights, x + found.x.nbytes)
        if any(step > 1 for step in found.stride) and not found.transposed:
            first = max(first, 2 * x + found.x.nbytes)
        if _half(found.x) and found.kernel_voxels == 1:
            first += 2 * x // found.x.shape[0]
    return max(first, (found.x.nbytes if wants_input else 0) + _onednn_weights(found, x, y))


def _depthwise_backward(found: _Convolution, *, wants_input: bool) -> int:
    """Bytes taken at most, both gradients among them.

    Channels that lie side by side are turned into columns, 256 voxels at a time, in 2D for the weights only.
    """
    weights, columns = found.w.nbytes, COLUMNS * found.w.nbytes
    own = 2 * weights + columns
    if not found.channels_last or found.thin:
        plane = found.kernel_voxels * math.prod(found.y.shape[3:]) * found.x.element_size()
        own = weights + torch.get_num_threads() * (4 * weights + plane)
    if not wants_input:
        return own
    turned = found.x.nbytes
    if found.channels_last:
        turned = columns if found.x.dim() == 5 and found.x.shape[2] >= found.padding[0] else weights
    return found.x.nbytes + max(turned, own)


def _onednn_weights(found: _Convolution, x: int, y: int) -> int:
    """Bytes taken at most for the gradient of the weights, itself among them; each thread may have its own."""
    if found.thin and found.groups == 1:
        planes = math.prod(found.y.shape[3:])
        # Matrix products, plane by plane, with four sums of the weights; where maps are small each thread has its own.
        apart = torch.get_num_threads() if planes * found.y.shape[2] < MAP_FOR_ALL_THREADS else 1
        columns = found.x.shape[1] * found.kernel_voxels * planes * found.x.element_size()
        return found.w.nbytes + apart * (4 * found.w.nbytes + columns)
    few = found.x.shape[1] < FEW_CHANNELS
    if found.groups > 1 or (few and found.y.shape[1] < FEW_CHANNELS):
        return 2 * found.w.nbytes
    rows = found.x.shape[0]
    threads = 1 if few else min(rows, torch.get_num_threads())
    read = y + (0 if few else x)
    if not _half(found.x) or found.kernel_voxels == 1:
        # Beside the sums of all threads nothing else lives, beside their total its copy in torch's layout.
        return max(read + threads * found.blocked_weights, found.blocked_weights + found.w.nbytes)
    # Each thread turns one sample over, the finer map with a margin, and sums in float32.
    large = y if found.transposed else x
    width = (found.y if found.transposed else found.x).shape[-1]
    margin = 2 * found.stride[-1] * large // width
    turned = threads * (read + (0 if few else margin)) // rows
    return read + turned + (2 * threads + 1) * found.blocked_weights


def _on_gpu(func: Any, args: tuple[Any, ...], result: Any) -> int:
    found = _read(func, args, result)
    return 0 if found is None else found.x.nbytes + found.y.nbytes


def _in_one_piece(tensor: Tensor) -> bool:
    last = torch.channels_last if tensor.dim() == 4 else torch.channels_last_3d
    return tensor.is_contiguous() or (tensor.dim() > 3 and tensor.is_contiguous(memory_format=last))


def _half(tensor: Tensor) -> bool:
    return tensor.element_size() == 2
