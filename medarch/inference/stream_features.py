"""What a network says about a case that is larger than its patch, slab by slab, each as soon as it is finished."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.core.geometry import Triple
from medarch.inference.engines.engine import Engine
from medarch.inference.footing import Footing
from medarch.inference.linear_head import LinearHead
from medarch.inference.tile_grid import TileGrid
from medarch.inference.tiles import gaussian_weights, line_weights
from medarch.inference.window import Window

Place = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Slab:
    """Finished planes of a case along one axis."""

    axis: int
    """0, 1 or 2: the network axis that ``start`` counts along."""
    start: int
    features: Tensor
    """``(F, N0, N1, N2)`` float32, with the number of finished planes in place of ``N[axis]``; in memory the features
    of a voxel lie together (channels last). Valid until the next."""


def stream_features(
    engines: Sequence[Engine],
    head: LinearHead,
    image: Tensor,
    *,
    window: Window,
    axis: int | None = None,
    needed: np.ndarray | None = None,
    footing: Footing | None = None,
) -> Iterator[Slab]:
    """Yield blended features of all engines and flips; ``head`` turns them into the mean logits.

    The last layer of a segmentation network is linear and looks at one voxel. So it commutes with the average over
    tiles, flips and folds, and instead of ``classes`` logits a voxel only the features before it are summed: 16 to 32
    a fold, whatever the number of classes. Tiles run along ``axis``; planes that no later tile touches are divided by
    their weights and handed out, and only ``patch[axis]`` planes are ever held.

    Two kinds of tiles cost nothing: those without needed voxels, and those whose voxels all have one value a channel
    (air): the same input has the same output, so it is computed once.

    Args:
        engines: one a fold, for the device and in the precision of ``image``.
        head: made from the same networks.
        image: ``(C, N0, N1, N2)``; a 2D network is applied to the planes along axis 0.
        window: the tiling.
        axis: along which to go; default where least has to be held.
        needed: ``(N0, N1, N2)`` bool: features elsewhere may be anything. Those of needed voxels do not depend on it.
        footing: how much is computed at once, and where sums are held.
    """
    footing = footing or Footing.of(image.device)
    layout = _Layout.of(image, window, axis)
    if any(layout.padding):
        image = F.pad(image, layout.padding)
    step = layout.tiles_per_pass(footing, window)
    tiles = layout.tiles if needed is None else layout.touching(needed)
    chunks = [tiles[start : start + step] for start in range(0, len(tiles), step)]
    accumulator = torch.zeros((*layout.held_shape(chunks), head.features), device=footing.hold_on).permute(3, 0, 1, 2)
    weights = layout.weights(footing.hold_on)
    ask = _Asked(engines, window, layout.flat, footing)
    front, end = 0, layout.grid.padded[layout.axis]
    for chunk in [*chunks, None]:
        first = end if chunk is None else chunk[0][layout.axis].start
        while front < first:  # more than once where tiles were left out
            planes = min(first - front, accumulator.shape[layout.axis + 1])
            yield from layout.finished(accumulator, front, front + planes)
            front += planes
            if front < end:
                _move_up(accumulator, layout.axis + 1, planes)
        for place, found in zip(chunk or (), ask(image, chunk or ()), strict=True):
            target = accumulator[(slice(None), *layout.moved(place, -front))]
            if weights is None:
                target += found
            else:
                target.addcmul_(found, weights)


@dataclass(frozen=True)
class _Layout:
    """The tiles of one case, in the order in which they are computed."""

    grid: TileGrid
    axis: int
    tiles: list[Place]
    flat: bool
    """Whether the network is 2D."""

    @classmethod
    def of(cls, image: Tensor, window: Window, axis: int | None) -> _Layout:
        grid = TileGrid.of((image.shape[1], image.shape[2], image.shape[3]), window)
        along = grid.longest if axis is None else axis
        corners = sorted(grid.corners(), key=lambda corner: corner[along])
        places = [_box(corner, grid.patch) for corner in corners]
        return cls(grid, along, places, len(window.patch) == 2)

    @property
    def padding(self) -> list[int]:
        """As :func:`torch.nn.functional.pad` wants it, last axis first."""
        return [amount for side in reversed(self.grid.margins) for amount in side]

    def tiles_per_pass(self, footing: Footing, window: Window) -> int:
        return max(1, footing.voxels_per_pass // (math.prod(self.grid.patch) * len(window.flips)))

    def touching(self, needed: np.ndarray) -> list[Place]:
        """The tiles that hold any of these voxels; the first one if there are none."""
        padded = np.pad(needed, self.grid.margins)
        return [place for place in self.tiles if padded[place].any()] or self.tiles[:1]

    def held_shape(self, chunks: Sequence[Sequence[Place]]) -> tuple[int, ...]:
        """Shape of the accumulator: long enough for all tiles of one pass."""
        sides = list(self.grid.padded)
        sides[self.axis] = max(chunk[-1][self.axis].stop - chunk[0][self.axis].start for chunk in chunks)
        return tuple(sides)

    def moved(self, place: Place, planes: int) -> Place:
        """The same place in a tensor that starts at another plane."""
        at = list(place)
        at[self.axis] = slice(at[self.axis].start + planes, at[self.axis].stop + planes)
        return at[0], at[1], at[2]

    def weights(self, device: torch.device) -> Tensor | None:
        """``(*patch)`` weights of a tile; None for a single tile, which needs none."""
        if len(self.tiles) == 1:
            return None
        weights = gaussian_weights(self.grid.patch[1:])[None] if self.flat else gaussian_weights(self.grid.patch)
        return weights.to(device)

    def _line(self, axis: int) -> Tensor:
        return torch.ones(1) if self.flat and axis == 0 else line_weights(self.grid.patch[axis])

    def _total(self, axis: int, low: int, high: int, device: torch.device) -> Tensor:
        """Sum of the tiles' weights along one axis. Tiles form a grid, so their total is a product of three lines."""
        total = torch.zeros(self.grid.padded[axis])
        for start in self.grid.starts[axis]:
            total[start : start + self.grid.patch[axis]] += self._line(axis)
        line = total[low:high].to(device)
        return line.reshape([-1 if number == axis else 1 for number in range(3)])

    def finished(self, accumulator: Tensor, low: int, high: int) -> Iterator[Slab]:
        """Planes ``low`` to ``high`` (padded counting) as a slab without padding, divided by their weights in place."""
        spans = [(0, size) for size in self.grid.padded]
        spans[self.axis] = (low, high)
        held = accumulator.narrow(self.axis + 1, 0, high - low)
        if len(self.tiles) > 1:
            for number, (start, stop) in enumerate(spans):
                held /= self._total(number, start, stop, accumulator.device)
        inner = []
        for number, (start, stop) in enumerate(spans):
            first, last = self.grid.before[number], self.grid.before[number] + self.grid.grid[number]
            inner.append(slice(max(first, start) - start, min(last, stop) - start))
        own = inner[self.axis]
        if own.stop > own.start:
            yield Slab(self.axis, low + own.start - self.grid.before[self.axis], held[(slice(None), *inner)])


def _box(corner: Triple, patch: Triple) -> Place:
    first, second, third = (slice(start, start + side) for start, side in zip(corner, patch, strict=True))
    return first, second, third


def _move_up(accumulator: Tensor, axis: int, planes: int) -> None:
    """Drop ``planes`` finished planes; what is held moves to the front, zeros come in at the end."""
    length = accumulator.shape[axis]
    for plane in range(length - planes):
        accumulator.select(axis, plane).copy_(accumulator.select(axis, plane + planes))
    accumulator.narrow(axis, max(length - planes, 0), min(planes, length)).zero_()


class _Asked:
    """What networks say about tiles."""

    def __init__(self, engines: Sequence[Engine], window: Window, flat: bool, footing: Footing) -> None:
        self.engines, self.window, self.flat, self.footing = engines, window, flat, footing
        self._constant: tuple[tuple[float, ...], Tensor] | None = None

    @torch.inference_mode()
    def __call__(self, image: Tensor, places: Sequence[Place]) -> list[Tensor]:
        """``(F, *patch)`` float32 of each tile, averaged over flips, where sums are held."""
        boxes = [image[(slice(None), *place)] for place in places]
        values = [_constant(box) for box in boxes]
        varied = [box for box, value in zip(boxes, values, strict=True) if value is None]
        found = iter(self._features(torch.stack(varied)).to(self.footing.hold_on) if varied else ())
        return [
            next(found) if value is None else self._of_constant(value, box)
            for value, box in zip(values, boxes, strict=True)
        ]

    def _of_constant(self, value: tuple[float, ...], box: Tensor) -> Tensor:
        if self._constant is None or self._constant[0] != value:
            self._constant = value, self._features(box[None])[0].to(self.footing.hold_on)
        return self._constant[1]

    def _features(self, tiles: Tensor) -> Tensor:
        """``(T, C, *patch)`` → ``(T, F, *patch)``, one network's features after another."""
        if self.flat:
            tiles = tiles.squeeze(2)
        axes = [[axis + 2 for axis in flip] for flip in self.window.flips]
        group = max(1, self.footing.voxels_per_pass // (tiles[0, 0].numel() * len(tiles)))
        layout = torch.channels_last if self.flat else torch.channels_last_3d
        sums: list[Tensor | None] = [None] * len(self.engines)
        for start in range(0, len(axes), group):
            some = axes[start : start + group]
            batch = torch.cat([tiles.flip(flip) if flip else tiles for flip in some]).to(memory_format=layout)
            for number, engine in enumerate(self.engines):
                features = torch.split(engine(batch), len(tiles))
                for flip, found in zip(some, features, strict=True):
                    upright = (found.flip(flip) if flip else found).float()
                    total = sums[number]
                    sums[number] = upright if total is None else total.add_(upright)
        joined = torch.cat([total for total in sums if total is not None], dim=1)
        if len(axes) > 1:
            joined /= len(axes)
        return joined.unsqueeze(2) if self.flat else joined


def _constant(box: Tensor) -> tuple[float, ...] | None:
    """The value of each channel of ``(C, *patch)`` if it has only one, else None."""
    corner = box[:, 0, 0, 0]
    # Almost every tile is told from its first planes.
    if bool((box[:, 0] != corner[:, None, None]).any()) or bool((box != corner[:, None, None, None]).any()):
        return None
    return tuple(corner.tolist())
