"""The nuclei of one slide: network and post-processing side by side, everything on disk, memory of one size."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.durations import spoken
from medarch.core.files import remove_leftovers
from medarch.core.parallel import run_parallel
from medarch.core.separation import Separation
from medarch.inference.nuclei.post_process import ChunkJob, finished, post_process
from medarch.inference.nuclei.separate_chunk import ChunkTask, reach
from medarch.inference.nuclei.slide_grid import SlideGrid
from medarch.inference.nuclei.tile_network import TileNetwork
from medarch.inference.nuclei.tile_store import TileStore
from medarch.preprocessing.slides.slide_view import SlideView
from medarch.preprocessing.slides.tissue_mask import TissueMask

log = logging.getLogger(__name__)

CHUNK = 1024
_TELL_EVERY_S = 60.0
_ROWS_AHEAD = 3
"""Rows of chunks that the network may be ahead of post-processing: what lies on disk between them."""


@dataclass(frozen=True)
class FoundNuclei:
    """Where the nuclei of a slide lie on disk."""

    grid: SlideGrid
    parts: dict[int, tuple[Path, ...]]
    """Files of :class:`~medarch.io.nuclei.nuclei_part.NucleiPart` by row of chunks, from left to right."""
    count: int
    cut: int
    """Nuclei at the edge of a square of the lattice by which very long components were separated."""


def find_nuclei(
    view: SlideView,
    tissue: TissueMask,
    network: TileNetwork,
    separation: Separation,
    work: Path,
    *,
    chunk: int = CHUNK,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> FoundNuclei:
    """Find all nuclei; a killed run goes on where it stood when it is called again with the same folder.

    The network runs on one grid of tiles from the slide's corner, each tile once. Nuclei are the same, bit for bit,
    for every ``chunk``, number of ``workers`` and interruption, see
    :func:`~medarch.inference.nuclei.separate_chunk.separate_chunk`.

    Args:
        view: the slide at the network's scale.
        tissue: tiles without tissue are background.
        network: what computes the maps.
        separation: what makes labels of them.
        work: folder for tiles and chunks; of one slide, network and separation.
        chunk: side of a chunk of post-processing, pixels of the view.
        workers: processes of post-processing; 0: none of their own.
        progress: called with tiles done and all.

    Raises:
        SlideError: the slide is damaged.
        WorkerError: a process of post-processing died.
    """
    size = (view.size[1], view.size[0])
    grid = SlideGrid.of(size, tissue, view.downsample, side=network.side, chunk=chunk, reach=reach(separation))
    store = TileStore(work / "tiles", network.channels, network.side)
    parts = work / f"chunks_{chunk}"
    for folder in (store.folder, parts):
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
    jobs = {
        row: [
            ChunkJob(ChunkTask(store, separation, size, grid.box(row, column)), parts / f"{row}_{column}.npz")
            for column in columns
        ]
        for row, columns in grid.chunks.items()
    }
    line = _Line(grid, store, jobs)
    consumer = threading.Thread(target=line.post_process, args=(workers,), daemon=True)
    consumer.start()
    try:
        _compute_tiles(view, network, line, _Teller(grid.tile_count, progress))
    except BaseException:
        line.stop()
        raise
    finally:
        consumer.join()
    if line.error is not None:
        raise line.error
    counts = [result for row in jobs.values() for result in map(finished, row) if result is not None]
    return FoundNuclei(
        grid,
        {row: tuple(job.path for job in row_jobs) for row, row_jobs in jobs.items()},
        sum(count for count, _ in counts),
        sum(cut for _, cut in counts),
    )


class _Stopped(Exception):  # noqa: N818 - it is no error
    """The network has failed: no more tiles will come."""


class _Line(Sequence[ChunkJob]):
    """Chunks in raster order; asking for one waits until all tiles that it may need are on disk.

    One thread computes tiles, another hands chunks to the workers.
    """

    def __init__(self, grid: SlideGrid, store: TileStore, jobs: dict[int, list[ChunkJob]]) -> None:
        self.grid, self.store = grid, store
        self._todo = [(row, job) for row, line in jobs.items() for job in line if finished(job) is None]
        self._open = {row: sum(at == row for at, _ in self._todo) for row in jobs}
        """Chunks of each row that are not done."""
        self._computed = -1
        """The last row of tiles that is complete, and all before it."""
        self._changed = threading.Condition()
        self._asked = -1
        """The last row of tiles that a chunk has been waited for."""
        self._stopped = False
        self.error: Exception | None = None

    def __len__(self) -> int:
        return len(self._todo)

    def __getitem__(self, index: int) -> ChunkJob:  # type: ignore[override]
        row, job = self._todo[index]
        last = self.grid.tile_rows(row)[-1]
        with self._changed:
            self._asked = max(self._asked, last)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._computed >= last or self._stopped)
            if self._stopped:
                raise _Stopped
        return job

    def needed(self, tile_row: int) -> bool:
        """Whether chunks that are not done need a row of tiles."""
        return any(tile_row in self.grid.tile_rows(row) for row, count in self._open.items() if count)

    def wait_for_room(self, tile_row: int) -> None:
        """Wait while the network is too far ahead.

        Raises:
            _Stopped: post-processing has failed.
        """
        ahead = _ROWS_AHEAD * max(self.grid.chunk // self.grid.side, 1)
        with self._changed:
            # What a worker waits for always has room, however long the results of others are under way.
            self._changed.wait_for(lambda: self._stopped or tile_row <= max(self._oldest_wanted() + ahead, self._asked))
            if self._stopped:
                raise _Stopped

    def _oldest_wanted(self) -> int:
        """The last row of tiles that the oldest row of unfinished chunks waits for."""
        rows = [self.grid.tile_rows(row)[-1] for row, count in self._open.items() if count]
        return min(rows, default=max(self.grid.tiles, default=0))

    def computed(self, tile_row: int) -> None:
        """Say that a row of tiles, and all before it, are on disk."""
        with self._changed:
            self._computed = tile_row
            self._changed.notify_all()

    def stop(self) -> None:
        """End both sides."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def post_process(self, workers: int) -> None:
        """Work through the chunks as they come."""
        rows = {job.path: row for row, job in self._todo}
        try:
            for outcome in run_parallel(post_process, self, workers=workers):
                if outcome.error is not None:
                    self._fail(outcome.error)
                    return
                self._finish(rows[outcome.item.path])
        except _Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - carried to the thread that waits for it
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.error = error
        self.stop()

    def _finish(self, row: int) -> None:
        with self._changed:
            self._open[row] -= 1
            free = [] if self._open[row] else [tile for tile in self.grid.tile_rows(row) if not self.needed(tile)]
            self._changed.notify_all()
        for tile_row in free:
            # Rows of chunks before this one may be done too, and their tiles went with them.
            self.store.remove((tile_row, column) for column in self.grid.tiles.get(tile_row, ()))


def _compute_tiles(view: SlideView, network: TileNetwork, line: _Line, teller: _Teller) -> None:
    grid, store = line.grid, line.store
    last = max((grid.tile_rows(row)[-1] for row in grid.chunks), default=-1)
    with ThreadPoolExecutor(1) as reader:
        for row in range(last + 1):
            columns = grid.tiles.get(row, ())
            if line.needed(row):
                try:
                    line.wait_for_room(row)
                except _Stopped:
                    return
                missing = [column for column in columns if not store.holds(row, column)]
                batches = [missing[at : at + network.batch] for at in range(0, len(missing), network.batch)]
                for batch, pixels in _read_ahead(reader, view, network, row, batches):
                    for column, maps in zip(batch, network.maps(pixels), strict=True):
                        store.write(row, column, maps)
                    teller.add(len(batch), computed=True)
                teller.add(len(columns) - len(missing), computed=False)
            else:
                teller.add(len(columns), computed=False)
            line.computed(row)


def _read_ahead(
    reader: ThreadPoolExecutor, view: SlideView, network: TileNetwork, row: int, batches: list[list[int]]
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Batches of tiles with their pixels; the next is read while one is computed."""

    def read(columns: list[int]) -> np.ndarray:
        side, margin, window = network.side, network.margin[-1], network.window[-1]
        return np.stack([view.read(column * side - margin, row * side - margin, window, window) for column in columns])

    coming = [reader.submit(read, batch) for batch in batches[:1]]
    for number, batch in enumerate(batches):
        pixels = coming.pop().result()
        coming += [reader.submit(read, further) for further in batches[number + 1 : number + 2]]
        yield batch, pixels


class _Teller:
    """Tiles done so far, and how long the rest takes."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._total, self._progress = total, progress
        self._done = self._computed = 0
        self._start = self._told = time.monotonic()

    def add(self, count: int, *, computed: bool) -> None:
        self._done += count
        self._computed += count * computed
        if self._progress is not None and count:
            self._progress(self._done, self._total)
        now = time.monotonic()
        if self._computed and now - self._told > _TELL_EVERY_S:
            self._told = now
            rest = (self._total - self._done) * (now - self._start) / self._computed
            log.info("%d of %d tiles, %s to go", self._done, self._total, spoken(rest))
