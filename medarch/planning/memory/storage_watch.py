"""Every allocation of tensors while a program runs, on real tensors or on fake ones."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from medarch.planning.memory.allocation import Allocation, Kind

Workspace = Callable[[Any, tuple[Any, ...], Any], int]
"""``workspace(operation, arguments, result)``: bytes that the kernel takes beside its arguments and results."""


class StorageWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A diary of storages: made, freed, by which layer; and the operations counted.

    Tensors that share a storage (views, results written in place) count once.

    Args:
        layer: says where the program is.
        workspace: of one kernel.
        granule: the allocator gives multiples of so many bytes.
    """

    def __init__(self, layer: Callable[[], str], workspace: Workspace, *, granule: int = 1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flop = 0.0
        self.traffic_bytes = 0.0
        """Read and written by operations that make something new; views move nothing."""
        self.host_bytes = 0
        """Largest sum of what was kept outside the device, see :meth:`elsewhere`."""
        self._layer, self._workspace, self._granule = layer, workspace, granule
        self._diary: list[tuple[Allocation, bool]] = []
        self._living: dict[int, Allocation] = {}
        self._elsewhere: dict[int, int] = {}
        self._away = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        moved = 0
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                new = self._see(leaf.untyped_storage())
                moved += leaf.nbytes if new or any(leaf is given for given in args) else 0
        if moved:
            self.traffic_bytes += moved + sum(tensor.nbytes for tensor in _tensors(args))
        hidden = self._workspace(func, args, result)
        if hidden:
            taken = Allocation(hidden, self._layer(), "workspace")
            self._diary += [(taken, True), (taken, False)]
        count = flop_registry.get(getattr(func, "_overloadpacket", None))
        if count is not None:
            self.flop += float(count(*args, **(kwargs or {}), out_val=result))
        return result

    def adopt(self, tensor: Tensor, kind: Kind, layer: str) -> None:
        """Say what a tensor is, made before or under the watch."""
        storage = tensor.untyped_storage()
        self._see(storage)
        allocation = self._living.get(storage._cdata)
        if allocation is not None:
            allocation.kind, allocation.layer = kind, layer

    def mark_saved(self) -> None:
        """Call at the end of the forward pass: what lives and is nothing else is kept for the backward pass."""
        for allocation in self._living.values():
            if allocation.kind == "temporary":
                allocation.kind = "saved"

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """What is made inside lies in the host's memory, not on the device."""
        self._away = True
        try:
            yield
        finally:
            self._away = False

    def at_peak(self) -> list[Allocation]:
        """Return what lived when most did."""
        total = most = when = 0
        for number, (allocation, made) in enumerate(self._diary):
            total += allocation.bytes if made else -allocation.bytes
            if total > most:
                most, when = total, number
        living: dict[int, Allocation] = {}
        for allocation, made in self._diary[: when + 1]:
            if made:
                living[id(allocation)] = allocation
            else:
                del living[id(allocation)]
        return list(living.values())

    def _see(self, storage: torch.UntypedStorage) -> bool:
        """Whether the storage is new."""
        key = storage._cdata
        if key in self._living or key in self._elsewhere:
            return False
        size = -(-storage.nbytes() // self._granule) * self._granule
        weakref.finalize(storage, self._free, key)
        if self._away:
            self._elsewhere[key] = size
            self.host_bytes = max(self.host_bytes, sum(self._elsewhere.values()))
            return True
        self._living[key] = Allocation(size, self._layer())
        self._diary.append((self._living[key], True))
        return True

    def _free(self, key: int) -> None:
        if self._elsewhere.pop(key, None) is None and key in self._living:
            self._diary.append((self._living.pop(key), False))


def _tensors(args: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor)]
