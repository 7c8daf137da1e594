"""Which foreground voxels nnU-Net's intensity statistics look at, as counts instead of a hundred million floats."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

SEED = 1234
"""nnU-Net restarts this stream for every case."""
TOTAL_DRAWS = 100_000_000
"""Voxels drawn from the whole dataset, with replacement; every case gets the same share."""
_BLOCK = 1 << 20


def foreground_draws(population: int, *, draws: int, channels: int) -> np.ndarray:
    """Count how often nnU-Net draws each foreground voxel of one case.

    Equal to ``np.bincount(RandomState(1234).choice(population, draws))``, channel after channel from one stream. The
    legacy generator keeps the low bits of each 32-bit word and rejects words outside the population, so the words are
    counted as they come, without picking the accepted ones out.

    Args:
        population: foreground voxels of the case, in reader order.
        draws: voxels drawn for each channel.
        channels: image channels; the stream goes on from one to the next.

    Returns:
        ``(channels, population)`` counts, uint32.
    """
    counts = np.zeros((channels, population), dtype=np.uint32)
    if population == 1:  # the generator spends no words when there is nothing to choose
        counts += np.uint32(draws)
    elif population > 1:
        stream = _Stream()
        for channel in counts:
            _count(stream, channel, draws)
    return counts


def _count(stream: _Stream, counts: np.ndarray, draws: int) -> None:
    population = counts.size
    span = 1 << (population - 1).bit_length()
    # One look at the words usually suffices: this many hold the wanted draws, and a little more.
    share = population / span
    while draws:
        words = stream.peek()[: int(draws / share * 1.02) + 1000] & np.uint32(span - 1)
        accepted = words < population
        used = _words_used(accepted, draws)
        if span <= _BLOCK:
            counts += np.bincount(words[:used], minlength=span)[:population].astype(np.uint32)
        else:
            np.add.at(counts, words[:used][accepted[:used]], np.uint32(1))
        draws -= int(np.count_nonzero(accepted[:used]))
        stream.advance(used)


def _words_used(accepted: np.ndarray, wanted: int) -> int:
    """Length of the shortest prefix with ``wanted`` true entries; everything if there are fewer."""
    width = 4096
    whole = accepted[: accepted.size // width * width].reshape(-1, width)
    totals = np.cumsum(np.count_nonzero(whole, axis=1))
    rows = int(np.searchsorted(totals, wanted))
    missing = wanted - (int(totals[rows - 1]) if rows else 0)
    rest = np.flatnonzero(accepted[rows * width : (rows + 2) * width])
    return rows * width + int(rest[missing - 1]) + 1 if rest.size >= missing else accepted.size


class _Stream:
    """The 32-bit words of the generator, in order; the first block is the same for every case and computed once."""

    def __init__(self) -> None:
        self._block, self._state = _first_block()
        self._used = 0
        self._random: np.random.RandomState | None = None

    def peek(self) -> np.ndarray:
        """Words that follow, at least one."""
        if self._used == self._block.size:
            if self._random is None:
                self._random = np.random.RandomState()
                self._random.set_state(self._state)
            self._block, self._used = _words(self._random), 0
        return self._block[self._used :]

    def advance(self, words: int) -> None:
        """Go past ``words`` words of those seen."""
        self._used += words


@functools.cache
def _first_block() -> tuple[np.ndarray, Any]:
    random = np.random.RandomState(SEED)
    words = _words(random)
    return words, random.get_state()


def _words(random: np.random.RandomState) -> np.ndarray:
    return random.randint(0, 1 << 32, _BLOCK, dtype=np.uint32)
