"""Chunks agree with the whole done at once, whatever their size and the foreground."""

import numpy as np
import pytest
from scipy import ndimage

from medarch.core.separation import Separation
from medarch.inference.nuclei import separate_chunk as module
from medarch.inference.nuclei.separate_chunk import ChunkTask, separate_chunk
from medarch.inference.nuclei.tile_store import TileStore
from medarch.tasks.nuclei.separate_nuclei import separate_nuclei

SIZE = (330, 290)
SEPARATION = Separation(slope_threshold=-0.08, nucleus_pixels=6)


def maps(seed, *, threshold_share=0.45):
    """Smooth random maps: blobs of foreground of all sizes, float16 as the tiles on disk."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal((5, *SIZE)), (0, 4, 4))
    probability = noise[0] / noise[0].std() * 0.2
    probability += 0.5 - np.quantile(probability, 1 - threshold_share)
    distances = noise[1:3] / noise[1:3].std() * 0.6
    types = np.exp(noise[3:] * 20)
    types /= types.sum(axis=0)
    return np.concatenate((probability[None], distances, types)).astype(np.float16)


def store_of(folder, content, side=37):
    folder.mkdir()
    store = TileStore(folder, len(content), side)
    padded = np.pad(content, ((0, 0), (0, side), (0, side)))
    for row in range(-(-SIZE[0] // side)):
        for column in range(-(-SIZE[1] // side)):
            part = padded[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
            store.write(row, column, part)
    return store


def painted(store, chunk):
    """All chunks' nuclei drawn into one image numbered by first pixel, their rows, and how many were cut."""
    image = np.zeros(SIZE, np.int64)
    rows, cut = [], 0
    for top in range(0, SIZE[0], chunk):
        for left in range(0, SIZE[1], chunk):
            box = (top, left, min(top + chunk, SIZE[0]), min(left + chunk, SIZE[1]))
            part, here = separate_chunk(ChunkTask(store, SEPARATION, SIZE, box))
            cut += here
            for index in range(len(part)):
                number = int(part.first[index] @ (SIZE[1], 1)) + 1
                for row, first, last in part.runs[part.run_nucleus == index]:
                    assert not image[row, first:last].any()
                    image[row, first:last] = number
                rings = part.ring_nucleus == index
                rows.append((*part.first[index].tolist(), part.area[index], part.centroid[index].tobytes(),
                             part.axes[index].tobytes(), part.types[index].tobytes(), part.probability[index],
                             part.perimeter[index], part.points[part.ring_start[:-1][rings][0]].tolist()))  # fmt: skip
    return image, sorted(rows), cut


def by_first_pixel(labels):
    found, first = np.unique(labels, return_index=True)
    numbers = np.zeros(int(found.max()) + 1, np.int64)
    numbers[found] = first + 1
    numbers[0] = 0
    return numbers[labels]


@pytest.mark.parametrize("seed", range(4))
def test_chunks_of_any_size_give_the_nuclei_of_the_whole(tmp_path, seed):
    content = maps(seed, threshold_share=0.25)
    store = store_of(tmp_path / "tiles", content)
    whole = separate_nuclei(content[0].astype(np.float32), content[1:3].astype(np.float32), SEPARATION)
    reference, rows, cut = painted(store, 1000)
    assert cut == 0
    assert np.array_equal(reference, by_first_pixel(whole))
    for chunk in (64, 101, 256):
        image, others, cut = painted(store, chunk)
        assert np.array_equal(image, reference)
        assert others == rows
        assert cut == 0


@pytest.mark.parametrize("share", [0.45, 0.7, 1.0])
def test_foreground_without_end_is_divided_by_a_fixed_lattice(tmp_path, monkeypatch, share):
    monkeypatch.setattr(module, "LARGEST_COMPONENT", 90)
    store = store_of(tmp_path / "tiles", maps(9, threshold_share=share))
    reference, rows, cut = painted(store, 1000)
    assert cut > 0
    assert len(rows) > 20
    for chunk in (64, 100, 170):
        image, others, here = painted(store, chunk)
        assert np.array_equal(image, reference)
        assert others == rows
        assert here == cut


def test_a_component_inside_a_ring_is_separated_on_its_own(tmp_path):
    content = np.zeros((5, *SIZE), np.float16)
    rows, columns = np.indices(SIZE)
    radius = np.hypot(rows - 150, columns - 140)
    content[0] = ((radius > 80) & (radius < 100)) | (radius < 20)
    store = store_of(tmp_path / "tiles", content)
    reference, _, _ = painted(store, 1000)
    assert len(np.unique(reference)) == 3
    assert (reference[radius < 20] == reference[150, 140]).all()
    assert reference[150, 140] != reference[150, 50]
    for chunk in (64, 120):
        assert np.array_equal(painted(store, chunk)[0], reference)


def test_a_nucleus_does_not_go_on_behind_a_component_in_its_hole(tmp_path):
    content = np.zeros((5, *SIZE), np.float16)
    rows, columns = np.indices(SIZE)
    content[0] = (np.hypot(rows - 150, columns - 140) < 20) & (np.maximum(abs(rows - 150), abs(columns - 140)) > 6)
    diamond = abs(rows - 150) + abs(columns - 140) == 3
    content[0][diamond] = 1  # its pixels touch at corners only: what is inside is filled for nobody
    store = store_of(tmp_path / "tiles", content)
    reference, nuclei, _ = painted(store, 1000)
    assert reference[134, 140] > 0
    assert reference[145, 140] == reference[134, 140]
    assert reference[150, 140] == 0
    assert len(nuclei) == len(np.unique(reference)) - 1
    for number in np.unique(reference)[1:]:
        assert ndimage.label(reference == number)[1] == 1
    for chunk in (64, 150):
        assert np.array_equal(painted(store, chunk)[0], reference)


def test_tiles_that_are_not_there_are_background(tmp_path):
    content = maps(2)
    store = store_of(tmp_path / "tiles", content)
    store.remove([(1, 2)])
    read = store.read(30, 60, 120, 150)
    expected = content[:, 30:120, 60:150].astype(np.float32)
    expected[:, 7:44, 14:51] = 0
    assert np.array_equal(read, expected)
    path = store.path(0, 0)
    path.write_bytes(path.read_bytes()[:-1])
    assert not store.holds(0, 0)
