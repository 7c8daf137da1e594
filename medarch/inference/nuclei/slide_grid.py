"""Where a slide's network tiles and its chunks of post-processing lie."""

from __future__ import annotations

from dataclasses import dataclass

from medarch.preprocessing.slides.tissue_mask import TissueMask

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class SlideGrid:
    """Two grids from the slide's corner, in pixels of the view; rows and columns count from 0."""

    size: tuple[int, int]
    """Rows and columns of the view."""
    side: int
    """Of a tile."""
    chunk: int
    """Side of a chunk."""
    reach: int
    """How far around a chunk tiles may be needed."""
    tiles: dict[int, tuple[int, ...]]
    """Columns of the tiles with tissue, by row."""
    chunks: dict[int, tuple[int, ...]]
    """Columns of the chunks that meet such a tile, by row."""

    @classmethod
    def of(
        cls, size: tuple[int, int], tissue: TissueMask, downsample: float, *, side: int, chunk: int, reach: int
    ) -> SlideGrid:
        """Lay both grids over a view of ``size`` rows and columns, ``downsample`` level-0 pixels a pixel."""
        rows, columns = size
        tiles: dict[int, tuple[int, ...]] = {}
        chunks: dict[int, set[int]] = {}
        for row in range(-(-rows // side)):
            found = []
            for column in range(-(-columns // side)):
                box = (column * side, row * side, min((column + 1) * side, columns), min((row + 1) * side, rows))
                if tissue.touches(*(value * downsample for value in box)):
                    found.append(column)
                    across = range(box[0] // chunk, (box[2] - 1) // chunk + 1)
                    for down in range(box[1] // chunk, (box[3] - 1) // chunk + 1):
                        chunks.setdefault(down, set()).update(across)
            if found:
                tiles[row] = tuple(found)
        return cls(size, side, chunk, reach, tiles, {row: tuple(sorted(chunks[row])) for row in sorted(chunks)})

    @property
    def tile_count(self) -> int:
        """Tiles with tissue."""
        return sum(map(len, self.tiles.values()))

    def box(self, row: int, column: int) -> Box:
        """A chunk: first row and column, row and column behind the last."""
        return (
            row * self.chunk,
            column * self.chunk,
            min((row + 1) * self.chunk, self.size[0]),
            min((column + 1) * self.chunk, self.size[1]),
        )

    def tile_rows(self, chunk_row: int) -> range:
        """Rows of tiles that a row of chunks may need."""
        top = max(chunk_row * self.chunk - self.reach, 0)
        bottom = min((chunk_row + 1) * self.chunk + self.reach, self.size[0])
        return range(top // self.side, -(-bottom // self.side))
