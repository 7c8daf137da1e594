"""Volumes through a network that gives back the perfect maps that their channels hold: all but the network is real."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from oblique_grid import oblique_grid
from torch import nn
from volume_of_nuclei import nuclei_volume

from medarch.core.dataset import Case
from medarch.core.nuclei_settings import NucleiSettings
from medarch.core.plan import ChannelNormalisation, NetworkPlan, PreprocessingPlan
from medarch.core.separation import Separation
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.panoptic_quality import panoptic_quality
from medarch.inference.nuclei.nuclei_model import NucleiModel
from medarch.inference.nuclei.predict_volumes import predict_volumes
from medarch.inference.nuclei.tile_network import TileNetwork
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume
from medarch.tasks.nuclei.distance_maps import distance_maps


class GivesBack(nn.Module):
    """Channels probability, x, y, z → logits and distances."""

    def forward(self, tiles):
        nucleus = (tiles[:, :1] - 0.5) * 20
        return torch.cat([torch.zeros_like(nucleus), nucleus, tiles[:, 1:]], dim=1)


def model(spacing, *, window=(16, 32, 24), margin=(2, 4, 4), batch=1, files_mm=None):
    recipe = PreprocessingPlan(
        orientation=None,
        axes=(2, 1, 0),
        spacing_mm=tuple(1e-3 * length for length in spacing),
        normalisation=(ChannelNormalisation(scheme="none"),) * 4,
        crop="none",
        image_order=1,
    )
    separation = Separation(
        slope_pixels=3, slope_threshold=0.02, marker_pixels=2, nucleus_pixels=5,
        spacing=tuple(length / min(spacing) for length in spacing),
    )  # fmt: skip
    settings = NucleiSettings(
        network=NetworkPlan(architecture="hovernet", dim=3, in_channels=4, heads=1),
        window_pixels=window,
        preprocessing=recipe,
        separation=separation,
    )
    network = TileNetwork(
        (GivesBack(),), window=window, margin=margin, types=0, mpp=0.0, device=torch.device("cpu"), batch=batch
    )
    return NucleiModel(Path("model"), "ab" * 32, network, settings)


def put(folder, seed, *, spacing, planes, axcodes="RAS"):
    labels, _ = nuclei_volume(seed, shape=(planes, 64, 60), spacing_um=spacing, count=50)
    maps = np.concatenate([(labels > 0)[None], distance_maps(labels)]).astype(np.float32)
    grid = oblique_grid(axcodes, shape=labels.shape[::-1], spacing_mm=tuple(1e-3 * length for length in spacing[::-1]))
    write_volume(folder / "v.nii.gz", maps.transpose(0, 3, 2, 1), grid)
    return labels.transpose(2, 1, 0), Case(id="v", images=(folder / "v.nii.gz",))


@pytest.mark.parametrize(("spacing", "planes", "least"), [((1.0, 1.0, 1.0), 60, 0.99), ((2.0, 1.0, 1.0), 32, 0.99)])
@pytest.mark.parametrize("axcodes", ["LPS", "SRA"])
def test_perfect_maps_give_the_nuclei_back_on_the_files_own_grid(tmp_path, spacing, planes, least, axcodes):
    truth, case = put(tmp_path, 0, spacing=spacing, planes=planes, axcodes=axcodes)
    prediction = predict_volumes(model(spacing), [case], tmp_path / "out")
    assert not prediction.failed
    found = read_volume(tmp_path / "out" / "v" / "labels.nii.gz")
    np.testing.assert_array_equal(
        nibabel.load(tmp_path / "out" / "v" / "labels.nii.gz").affine, nibabel.load(case.images[0]).affine
    )
    quality = panoptic_quality(overlap_table(truth, found.array[0].astype(np.int32)))
    assert quality.missed == quality.spurious == 0
    assert quality.quality >= least


def test_nothing_depends_on_how_a_volume_is_divided(tmp_path):
    spacing = (2.0, 1.0, 1.0)
    _, case = put(tmp_path, 1, spacing=spacing, planes=26)
    divisions = (
        {},
        {"window": (40, 80, 72), "margin": (1, 2, 2)},
        {"window": (9, 20, 17), "margin": (1, 3, 2), "batch": 5},
    )
    written = []
    for number, division in enumerate(divisions):
        folder = tmp_path / f"out{number}"
        predict_volumes(model(spacing, **division), [case], folder)
        written.append({path.name: path.read_bytes() for path in (folder / "v").iterdir()})
    assert set(written[0]) == {"labels.nii.gz", "nuclei.csv", "nuclei.parquet", "summary.json"}
    assert written[0] == written[1] == written[2]


def test_a_coarser_grid_is_gone_to_and_come_back_from(tmp_path):
    truth, case = put(tmp_path, 2, spacing=(1.0, 1.0, 1.0), planes=60)
    predict_volumes(model((2.0, 1.0, 1.0)), [case], tmp_path / "out")
    found = read_volume(tmp_path / "out" / "v" / "labels.nii.gz").array[0]
    assert found.shape == truth.shape
    # Maps of two planes of one nucleus, or of two, are averaged: not perfect any more.
    assert panoptic_quality(overlap_table(truth, found.astype(np.int32))).quality > 0.8
