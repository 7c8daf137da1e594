"""How much is computed at once and where sums are held; and what to try when memory does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from medarch.inference.window import VOXELS_PER_PASS

FEWER = 8
"""After an allocation failed, so many times fewer voxels go through the network at once."""


@dataclass(frozen=True)
class Footing:
    """On what footing a case is predicted."""

    device: torch.device
    """Where networks run."""
    hold_on: torch.device
    """Where the sums over tiles are held."""
    voxels_per_pass: int
    """Voxels of tiles and flips that go through the network at once; at least one tile does."""

    @classmethod
    def of(cls, device: torch.device) -> Footing:
        """As fast as the device allows."""
        return cls(device, device, VOXELS_PER_PASS[device.type])

    def __str__(self) -> str:
        return f"at most {self.voxels_per_pass} voxels at once on {self.device.type}, sums on {self.hold_on.type}"

    def slower(self) -> Iterator[Footing]:
        """What takes less memory of the device, step by step: fewer voxels at once, sums on the CPU, all on the CPU."""
        fewer = replace(self, voxels_per_pass=self.voxels_per_pass // FEWER)
        single = replace(self, voxels_per_pass=1)
        yield fewer
        yield single
        if self.device.type != "cpu":
            cpu = torch.device("cpu")
            yield replace(single, hold_on=cpu)
            yield Footing.of(cpu)
            yield Footing(cpu, cpu, 1)
