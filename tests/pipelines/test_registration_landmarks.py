"""Places taken from label maps, and who is trained on."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from medarch.core.geometry import Geometry

BENCHMARKS = Path(__file__).parents[2] / "pipelines" / "benchmarks"
OBLIQUE = np.array([[0.8, -0.6, 0, 5], [0.6, 0.8, 0, -7], [0, 0, -2, 11], [0, 0, 0, 1]])


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))  # scripts import each other by name
    return importlib.import_module("registration_landmarks")


def two_boxes():
    labels = np.zeros((12, 40, 10), np.uint8)
    labels[3:9, 20:34, 2:8] = 1
    labels[3:9, 6:20, 2:8] = 2
    return labels


def test_places_are_centroids_ends_and_the_face_between_the_labels(benchmark):
    labels = two_boxes()
    found = benchmark.places(labels, Geometry.from_array(labels.shape, np.eye(4)))
    points = dict(zip(found.names, found.array, strict=True))
    for name, value in benchmark.LABELS.items():
        assert points[f"{name} centroid"] == pytest.approx(ndimage.center_of_mass(labels == value))
    assert points["between"] == pytest.approx([5.5, 19.5, 4.5])
    # A fifth of 14 planes: the last three.
    assert points["anterior front"] == pytest.approx([5.5, 32, 4.5])
    assert points["posterior back"] == pytest.approx([5.5, 7, 4.5])
    assert len(points) == 7


def test_places_move_with_the_patient(benchmark):
    labels = two_boxes()
    upright = benchmark.places(labels, Geometry.from_array(labels.shape, np.eye(4)))
    turned = benchmark.places(labels, Geometry.from_array(labels.shape, OBLIQUE))
    assert turned.names == upright.names
    assert turned.array == pytest.approx(upright.array @ OBLIQUE[:3, :3].T + OBLIQUE[:3, 3])


def test_nobody_is_measured_who_was_trained_on(benchmark, shared_data, tmp_path):
    pairs = benchmark.pair_set("hippocampus")
    benchmark.write_dataset(pairs, tmp_path / "data", tmp_path)
    trained = {path.name.removesuffix("_0000.nii.gz") for path in (tmp_path / "data/imagesTr").iterdir()}
    learnt = {path.stem for path in (tmp_path / "data/landmarksTr").iterdir()}
    assert trained == learnt
    assert len(trained) == 208 - 37
    assert not (tmp_path / "data/labelsTr").exists()
    for which, count in (("tuning", 100), ("test", 20)):
        measured = benchmark.measured_pairs(pairs, which)
        assert len(set(measured)) == count
        assert not {case for pair in measured for case in pair} & trained
