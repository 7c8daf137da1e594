"""How much of the image one voxel of a map depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def receptive_field(network: nn.Module, image: Tensor) -> tuple[int, ...]:
    """Return its size in voxels along each axis, for the deepest map of an encoder or the output of a network.

    Followed through every convolution, pooling and up-sampling of a run without data. What sees the whole image
    whatever its size is left aside: means over all voxels (gates, instance normalisation).

    Args:
        network: gives a map or a list of maps; the last one counts for an :class:`~medarch.networks.encoder.Encoder`.
        image: ``(B, C, *spatial)``; only its shape is used.
    """
    dim = image.dim() - 2
    with FakeTensorMode(allow_non_fake_inputs=True):
        shape = torch.empty(image.shape)
        watch = _Watch(shape, dim)
        with torch.no_grad(), watch:
            found = network.eval()(shape)
        last = found[-1] if isinstance(found, list | tuple) else found
    return tuple(int(size) for size in watch.seen[id(last)].field)


@dataclass(frozen=True)
class _Reach:
    """Along each axis: voxels of the image that one voxel sees, and that lie between two neighbours."""

    field: tuple[Fraction, ...]
    jump: tuple[Fraction, ...]

    def through(self, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> _Reach:
        wider = zip(self.field, self.jump, kernel, dilation, strict=True)
        return _Reach(
            tuple(field + (size - 1) * step * jump for field, jump, size, step in wider),
            tuple(jump * step for jump, step in zip(self.jump, stride, strict=True)),
        )

    def up(self, neighbours: Sequence[int], scale: Sequence[Fraction]) -> _Reach:
        return _Reach(
            tuple(field + more * jump for field, jump, more in zip(self.field, self.jump, neighbours, strict=True)),
            tuple(jump / factor for jump, factor in zip(self.jump, scale, strict=True)),
        )


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows :class:`_Reach` from operator to operator."""

    def __init__(self, image: Tensor, dim: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dim = dim
        one = (Fraction(1),) * dim
        self.seen = {id(image): _Reach(one, one)}
        self.kept: list[Tensor] = [image]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and id(leaf) in self.seen]
        if not inputs:
            return result
        states = [self.seen[id(tensor)] for tensor in inputs]
        fields = zip(*(state.field for state in states), strict=True)
        jumps = zip(*(state.jump for state in states), strict=True)
        reach = _Reach(tuple(map(max, fields)), tuple(map(max, jumps)))
        name = func.overloadpacket.__name__
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.seen[id(leaf)] = self._after(name, args, inputs[0], leaf, reach)
                self.kept.append(leaf)
        return result

    def _after(self, name: str, args: Any, before: Tensor, after: Tensor, reach: _Reach) -> _Reach:
        if name == "convolution":
            kernel, stride, dilation, transposed = args[1].shape[2:], args[3], args[5], args[6]
            if not transposed:
                return reach.through(kernel, self._each(stride), self._each(dilation))
            steps = self._each(stride)
            return reach.up(
                [-(-size // step) - 1 for size, step in zip(kernel, steps, strict=True)], [Fraction(s) for s in steps]
            )
        if name.startswith(("max_pool", "avg_pool")):
            kernel = self._each(args[1])
            stride = self._each(args[2]) if len(args) > 2 and args[2] else kernel
            return reach.through(kernel, stride, (1,) * self.dim)
        if name.startswith("upsample"):
            sizes = zip(after.shape[2:], before.shape[2:], strict=True)
            scale = [Fraction(large, small) for large, small in sizes]
            linear = 1 if "linear" in name else 0
            return reach.up([linear if factor != 1 else 0 for factor in scale], scale)
        return reach

    def _each(self, value: int | Sequence[int]) -> tuple[int, ...]:
        entries = (value,) if isinstance(value, int) else tuple(value)
        return entries * self.dim if len(entries) == 1 else entries
