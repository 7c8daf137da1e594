"""Volumes of nuclei and their maps: each file is read once, and maps that do not fit are refused."""

import sys
from collections import Counter

import numpy as np
import pytest
from oblique_grid import oblique_grid

from medarch.core.dataset import Case
from medarch.core.errors import GeometryError, VolumeError
from medarch.io.nuclei.read_nuclei import read_volume_instances, read_volume_of_nuclei
from medarch.io.write_volume import write_volume

LARGE = 2**24 + 1
"""The first whole number that a float32 cannot hold."""


@pytest.fixture
def case(tmp_path):
    grid = oblique_grid("LPS", shape=(5, 6, 7), spacing_mm=(1e-3, 1e-3, 2e-3))
    labels = np.zeros(grid.shape, np.int32)
    labels[1:3, 1:3, 1:3], labels[3:, 3:, 3:] = 1, LARGE
    image = np.random.default_rng(0).random(grid.shape, np.float32)
    for name, array in (("image", image), ("labels", labels), ("types", (labels > 0).astype(np.uint8))):
        write_volume(tmp_path / f"{name}.nii.gz", array, grid)
    return Case(
        id="v", images=(tmp_path / "image.nii.gz",), label=tmp_path / "labels.nii.gz", types=tmp_path / "types.nii.gz"
    )


@pytest.fixture
def reads(monkeypatch):
    # Not the attribute of the package, which is the function of the same name.
    module = sys.modules["medarch.io.read_volume"]
    counted, read = Counter(), module.read_bytes

    def counting(path, *arguments):
        counted[path.name] += 1
        return read(path, *arguments)

    monkeypatch.setattr(module, "read_bytes", counting)
    return counted


def test_image_instances_and_types_are_read_once(case, reads):
    volumes, types = read_volume_of_nuclei(case, channels=1)
    assert reads == {"image.nii.gz": 1, "labels.nii.gz": 1, "types.nii.gz": 1}
    assert np.array_equal(np.unique(volumes.label), [0, 1, LARGE])
    assert np.array_equal(types > 0, volumes.label > 0)


def test_maps_alone_are_read_once_and_keep_large_numbers(case, reads):
    instances, types, grid = read_volume_instances(case.label, case.types)
    assert reads == {"labels.nii.gz": 1, "types.nii.gz": 1}
    assert (instances.dtype, instances.max(), grid.shape) == (np.int32, LARGE, (5, 6, 7))
    assert np.array_equal(types > 0, instances > 0)


def test_a_reference_without_nuclei_is_one(case):
    grid = oblique_grid("LPS", shape=(5, 6, 7), spacing_mm=(1e-3, 1e-3, 2e-3))
    for path in (case.label, case.types):
        write_volume(path, np.zeros(grid.shape, np.uint8), grid)
    instances, types, _ = read_volume_instances(case.label, case.types)
    assert not instances.any()
    assert not types.any()


@pytest.mark.parametrize("kind", ["types", "labels"])
def test_maps_on_another_grid_or_with_other_numbers_are_refused(case, kind):
    path = case.types if kind == "types" else case.label
    shape = (5, 6, 7)
    write_volume(path, np.ones(shape, np.uint8), oblique_grid("LPS", shape=shape, spacing_mm=(1e-3, 1e-3, 2.1e-3)))
    with pytest.raises(GeometryError, match="GEOMETRY_MISMATCH"):
        read_volume_of_nuclei(case, channels=1)
    with pytest.raises(GeometryError, match="GEOMETRY_MISMATCH"):
        read_volume_instances(case.label, case.types)
    grid = oblique_grid("LPS", shape=shape, spacing_mm=(1e-3, 1e-3, 2e-3))
    write_volume(path, np.full(shape, 0.5, np.float32), grid)
    with pytest.raises(VolumeError, match="LABEL_NOT_INTEGER"):
        read_volume_of_nuclei(case, channels=1)
    with pytest.raises(VolumeError, match="LABEL_NOT_INTEGER"):
        read_volume_instances(case.label, case.types)
