"""Probabilities made plane by plane against those of logits that were resampled whole."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from small_plan import small_network
from streamed_logits import streamed_logits
from whole_probabilities import whole_probabilities

from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.core.prepared import PreparedCase
from medarch.inference import footing
from medarch.inference.engines.load_engine import load_engine
from medarch.inference.file_probabilities import FileProbabilities
from medarch.inference.label_assembler import LabelAssembler
from medarch.inference.linear_head import LinearHead
from medarch.inference.stored_logits import StoredLogits
from medarch.inference.stream_features import Slab, stream_features
from medarch.inference.window import Window
from medarch.io import plane_spans
from medarch.io.write_planes import write_planes
from medarch.networks.build_network import build_network
from medarch.tasks.decode_planes import decode_planes
from medarch.tasks.mean_planes import MeanPlanes

SCHEMES = {
    "labels": LabelScheme(labels={"background": 0, **{f"class{value}": value for value in range(1, 7)}}),
    "regions": LabelScheme(labels={"background": 0, "whole": (1, 2), "core": 2}, regions_class_order=(1, 2)),
}
PATCH = (8, 16, 16)
CASES = {
    "finer file grid": ((17, 30, 21), (25, 41, 37), {}),
    "coarser file grid": ((17, 30, 21), (12, 21, 15), {}),
    "same grid": ((17, 30, 21), (17, 30, 21), {}),
    "turned": ((17, 30, 21), (25, 41, 37), {"permutation": (2, 0, 1), "flips": (True, False, True)}),
    "turned otherwise": ((17, 30, 21), (25, 41, 37), {"permutation": (2, 1, 0), "flips": (False, True, False)}),
    "thick slices apart": ((17, 30, 21), (25, 44, 30), {"spacing_mm": (9.0, 1.5, 1.5), "permutation": (2, 1, 0)}),
    "thick slices across the planes": ((17, 30, 21), (25, 44, 30), {"spacing_mm": (9.0, 1.5, 1.5)}),
    "thick slices apart, linear": ((17, 30, 21), (25, 44, 30), {"spacing_mm": (9.0, 1.5, 1.5), "coarse_order": 1}),
    "nearest": ((17, 30, 21), (25, 41, 37), {"score_order": 0}),
    "cubic": ((17, 30, 21), (25, 41, 37), {"score_order": 3, "permutation": (1, 2, 0)}),
    "cubic, thick slices": ((17, 30, 21), (25, 44, 30), {"score_order": 3, "spacing_mm": (9.0, 1.5, 1.5)}),
}


def record_of(shape, crop, *, spacing_mm=(2.0, 2.0, 2.0), permutation=(0, 1, 2), flips=(False,) * 3, **fields):
    """A case with 3 planes cut off before and 2 behind along each network axis."""
    full = tuple(size + 5 for size in crop)
    stored = tuple(full[permutation.index(axis)] for axis in range(3))
    cropped_mm = tuple(old * size / new for old, size, new in zip(spacing_mm, shape, crop, strict=True))
    return PreparedCase(
        id="case", geometry=Geometry.from_array(stored, np.eye(4)), permutation=permutation, flips=flips,
        full_shape=full, crop=tuple((3, 3 + size) for size in crop), cropped_shape=crop,
        cropped_spacing_mm=cropped_mm, shape=shape, spacing_mm=spacing_mm, **fields,
    )  # fmt: skip


@torch.inference_mode()
def stored_case(networks, image, record, folder, *, heads, axis=None):
    engines = [load_engine("channels_last", network, torch.device("cpu")) for network in networks]
    head = LinearHead.of(networks, classes=heads)
    stored = None
    for slab in stream_features(engines, head, image, window=Window(PATCH), axis=axis):
        stored = stored or StoredLogits.create(record, heads, along=slab.axis, folder=folder)
        stored.add(slab, head)
    return stored if LabelAssembler.can_decode(record) else stored.on_file_grid(folder)


@pytest.fixture
def in_pieces(monkeypatch):
    """One tile a pass and a few planes at once, so that even small cases come in many pieces."""
    monkeypatch.setitem(footing.VOXELS_PER_PASS, "cpu", 1)
    monkeypatch.setattr(plane_spans, "SLAB_BYTES", 2**16)


def networks_of(scheme, count=1):
    networks = []
    for seed in range(count):
        torch.manual_seed(seed)
        network = build_network(small_network(heads=scheme.heads)).eval()
        with torch.no_grad():
            network.head.weight *= 8  # decided voxels as trained networks have them, not all classes alike
        networks.append(network)
    return networks


@pytest.mark.parametrize("labels", SCHEMES)
@pytest.mark.parametrize("name", CASES)
def test_planes_are_those_of_the_whole_computation(name, labels, in_pieces, tmp_path):
    scheme = SCHEMES[labels]
    shape, crop, fields = CASES[name]
    record = record_of(shape, crop, **fields)
    image = torch.randn(1, *shape, generator=torch.Generator().manual_seed(5))
    networks = networks_of(scheme, 2)
    logits = streamed_logits(networks, image, heads=scheme.heads, window=Window(PATCH)).numpy()
    expected = whole_probabilities(logits, record, scheme)
    assert expected.min() < 0.1
    assert expected.max() > 0.9
    k = expected.shape[-1]
    for axis in (0, 1, 2) if "turned" in name else (None,):
        found = FileProbabilities(
            stored_case(networks, image, record, tmp_path, heads=scheme.heads, axis=axis), scheme, tmp_path
        )
        assert found.shape == expected.shape
        # Class by class before anything else was asked for, and all classes at once.
        for channel in reversed(range(scheme.heads)):
            np.testing.assert_allclose(
                found.planes(slice(channel, channel + 1), 1, k - 2)[0], expected[channel, ..., 1 : k - 2], atol=1e-5
            )
        for low, high in ((0, k), (0, 1), (k - 1, k), (5, 9)):
            np.testing.assert_allclose(found.planes(slice(None), low, high), expected[..., low:high], atol=1e-5)
        found.close()


@pytest.mark.parametrize("labels", SCHEMES)
def test_the_mean_of_two_models_on_two_grids_and_its_labels_are_those_of_whole_arrays(labels, in_pieces, tmp_path):
    scheme = SCHEMES[labels]
    records = [
        record_of((17, 30, 21), (25, 41, 37), permutation=(2, 1, 0), flips=(False, True, True)),
        record_of((20, 14, 22), (37, 41, 25), permutation=(0, 1, 2), spacing_mm=(3.0, 3.0, 2.0)),
    ]
    assert records[0].geometry.shape == records[1].geometry.shape
    wholes, members = [], []
    for number, record in enumerate(records):
        networks = networks_of(scheme, 2)[number:]
        image = torch.randn(1, *record.shape, generator=torch.Generator().manual_seed(number))
        logits = streamed_logits(networks, image, heads=scheme.heads, window=Window(PATCH)).numpy()
        wholes.append(whole_probabilities(logits, record, scheme))
        stored = stored_case(networks, image, record, tmp_path, heads=scheme.heads)
        members.append(FileProbabilities(stored, scheme, tmp_path))
    expected = np.mean(wholes, axis=0)
    mean = MeanPlanes(members)
    np.testing.assert_allclose(mean.planes(slice(None), 0, mean.shape[-1]), expected, atol=1e-5)
    found = decode_planes(mean, scheme)
    if scheme.has_regions:
        decided = (np.abs(expected - 0.5) > 1e-5).all(axis=0)
        labels_of_arrays = np.where(expected[1] > 0.5, 2, np.where(expected[0] > 0.5, 1, 0))
    else:
        decided = np.diff(np.sort(expected, axis=0)[-2:], axis=0)[0] > 1e-5
        labels_of_arrays = expected.argmax(axis=0)
    assert decided.mean() > 0.999
    assert len(np.unique(labels_of_arrays)) >= (3 if scheme.has_regions else 5)
    np.testing.assert_array_equal(found[decided], labels_of_arrays[decided])


def test_memory_does_not_grow_with_the_volume(monkeypatch, tmp_path):
    """numpy tells tracemalloc of its arrays; torch has no part in what is measured."""
    monkeypatch.setattr(plane_spans, "SLAB_BYTES", 2**17)
    scheme = LabelScheme(labels={"background": 0, **{f"class{value}": value for value in range(1, 20)}})
    rng = np.random.default_rng(0)
    head = LinearHead(torch.eye(20), torch.zeros(20))
    peaks = {}
    for suffix in (".nii.gz", ".nrrd"):
        for planes in (40, 160):
            record = record_of((planes, 12, 12), (2 * planes, 24, 24), permutation=(2, 1, 0))
            features = torch.from_numpy(rng.normal(size=(planes, 12, 12, 20)).astype(np.float32))
            stored = StoredLogits.create(record, 20, along=0, folder=tmp_path)
            stored.add(Slab(0, 0, features.permute(3, 0, 1, 2)), head)
            found = FileProbabilities(stored, scheme, tmp_path)
            tracemalloc.start()
            write_planes(tmp_path / f"shares{suffix}", found, record.geometry)
            peaks[suffix, planes] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            found.close()
        array_bytes = 20 * np.prod(record.geometry.shape) * 4
        # Only the interpolation matrix of the long axis grows.
        assert peaks[suffix, 160] < 1.5 * peaks[suffix, 40]
        assert peaks[suffix, 160] < array_bytes / 8


def test_scratch_has_no_name_and_is_gone_when_closed(tmp_path):
    record = record_of((17, 30, 21), (25, 41, 37))
    stored = StoredLogits.create(record, 3, along=1, folder=tmp_path)
    found = FileProbabilities(stored, SCHEMES["labels"], tmp_path)
    assert not list(tmp_path.iterdir())
    descriptors = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert sum(str(tmp_path) in target for target in descriptors) == 2
    found.close()
    descriptors = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert not any(str(tmp_path) in target for target in descriptors)
