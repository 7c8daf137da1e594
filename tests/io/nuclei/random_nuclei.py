"""Many nuclei without a slide: discs of about 10 px radius, described by the engine."""

from pathlib import Path

import numpy as np

from medarch.inference.nuclei.describe_nuclei import describe_nuclei

PITCH = 26


def labelled_discs(side: int, seed: int = 0, first: int = 1) -> np.ndarray:
    """Uneven discs on a jittered grid in ``(side, side)`` pixels."""
    rng = np.random.default_rng(seed)
    count = side // PITCH
    labels = np.zeros((side, side), np.int32)
    rows, columns = np.mgrid[-11:12, -11:12]
    for number in range(count * count):
        y, x = np.array(divmod(number, count)) * PITCH + PITCH // 2 + rng.integers(-1, 2, 2)
        stretch = rng.uniform(0.8, 1.2)
        slant = rng.uniform(-0.4, 0.4) * rows * columns
        disc = (rows / stretch) ** 2 + (columns * stretch) ** 2 + slant <= rng.uniform(7, 8.5) ** 2
        labels[y - 11 : y + 12, x - 11 : x + 12][disc] = first + number
    return labels


def write_parts(folder: Path, rows: int, columns: int, side: int = 1040) -> dict[int, tuple[Path, ...]]:
    """A grid of parts, all of the same few patterns, at their own places."""
    folder.mkdir(parents=True, exist_ok=True)
    patterns = []
    for seed in range(3):
        labels = labelled_discs(side, seed)
        rng = np.random.default_rng(seed + 100)
        types = rng.random((4, side, side)).astype(np.float32)
        patterns.append(describe_nuclei(labels, rng.random((side, side)).astype(np.float32), types, corner=(0, 0)))
    grid = {}
    for row in range(rows):
        paths = []
        for column in range(columns):
            part = patterns[(row + column) % 3]
            shift = np.array((row * side, column * side))
            moved = type(part)(
                **vars(part) | {
                    "first": part.first + shift,
                    "box": part.box + np.tile(shift, 2),
                    "centroid": part.centroid + shift[::-1],
                    "points": part.points + 2 * shift[::-1],
                    "runs": part.runs + shift[[0, 1, 1]],
                }
            )  # fmt: skip
            path = folder / f"{row}_{column}.npz"
            moved.save(path)
            paths.append(path)
        grid[row] = tuple(paths)
    return grid
