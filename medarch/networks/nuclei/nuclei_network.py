"""The contract of networks of nuclei."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from torch import nn

from medarch.core.errors import PlanError


class NucleiNetwork(nn.Module):
    """``(B, C, *window)``, intensities from 0 to 1 → logits ``(B, 2 + dim + types, *output)``.

    Channels of the output, in this order: background and nucleus (logits); for each axis, the last one first (x, y
    and in 3D z), the signed distance to the centre of the voxel's nucleus, from -1 to 1; the types, background first
    (logits), if there are any. The output lies in the middle of the window.
    """

    name: str
    """For messages."""

    @property
    @abstractmethod
    def margin_voxels(self) -> int:
        """What the output lacks at each end of each axis."""

    @abstractmethod
    def window_from(self, side: int, axis: int = -1) -> int:
        """Return the smallest side of a window that suits, of at least ``side``; of one window only, that.

        Args:
            side: in voxels.
            axis: along which; a network may pool axes of longer voxels less.
        """

    def output_voxels(self, window: Sequence[int]) -> tuple[int, ...]:
        """Return the size of the output for a window.

        Raises:
            PlanError: the window does not suit the network, or is too small to leave anything.
        """
        output = tuple(side - 2 * self.margin_voxels for side in window)
        if any(self.window_from(side, axis) != side for axis, side in enumerate(window)) or min(output) < 1:
            fitting = dict.fromkeys(self.window_from(side) for side in (256, 512))
            raise PlanError(
                f"the window does not suit {self.name}",
                expected=self._suiting(),
                found="×".join(map(str, window)),
                fix=f"choose another window, e.g. {' or '.join(map(str, fitting))}",
            )
        return output

    @abstractmethod
    def _suiting(self) -> str:
        """Which windows suit, for people."""
