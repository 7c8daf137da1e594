"""Prepared voxels against nnU-Net 2.8.1's DefaultPreprocessor, on real and on awkward cases."""

import json
import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medarch.core.dataset import Case
from medarch.core.fingerprint import IntensityStatistics
from medarch.core.plan import ChannelNormalisation, PreprocessingPlan
from medarch.io.read_case import read_case
from medarch.preprocessing.prepare_case import prepare_case
from medarch.preprocessing.restore import resample_to_crop

pytestmark = pytest.mark.peer

STATISTICS = IntensityStatistics(
    mean=99.0, median=101.0, std=40.0, min=-20.0, max=400.0, percentile_00_5=10.0, percentile_99_5=180.0
)
NNUNET_SCHEMES = {
    "zscore": "ZScoreNormalization",
    "ct": "CTNormalization",
    "rescale_to_0_1": "RescaleTo01Normalization",
}
ZSCORE = (ChannelNormalisation(scheme="zscore"),)


def recipe(spacing_mm, normalisation=ZSCORE, axes=(2, 1, 0)) -> PreprocessingPlan:
    return PreprocessingPlan(orientation=None, axes=axes, spacing_mm=spacing_mm, normalisation=normalisation)


def ragged_case(folder: Path) -> Case:
    """A turned body with holes in an empty border, two channels, 2.5 mm slices in the last axis."""
    rng = np.random.default_rng(5)
    grid = np.indices((40, 34, 22)).astype(float)
    body = (
        sum(
            ((axis - centre) / radius) ** 2
            for axis, centre, radius in zip(grid, (20, 15, 11), (15, 11, 8), strict=True)
        )
        < 1
    )
    body &= grid.sum(axis=0) % 17 > 1
    affine = np.diag([-0.8, 0.9, 2.5, 1.0])
    images = []
    for number in range(2):
        image = np.where(body, rng.normal(100, 60, body.shape), 0).astype(np.float32)
        images.append(folder / f"ragged_{number:04}.nii.gz")
        nib.save(nib.Nifti1Image(image, affine), images[-1])
    label = np.where(body, np.clip(grid[0] // 9, 0, 3), 0).astype(np.uint8)
    label[2, 2, 2] = 2  # a labelled voxel in the empty border
    nib.save(nib.Nifti1Image(label, affine), folder / "ragged.nii.gz")
    return Case(id="ragged", images=tuple(images), label=folder / "ragged.nii.gz")


@pytest.fixture(scope="module")
def problems(shared_data, tmp_path_factory) -> dict[str, tuple[Case, PreprocessingPlan]]:
    def case(dataset: str, name: str, suffix: str = "") -> Case:
        folder = shared_data / dataset
        return Case(
            id=name,
            images=(folder / "imagesTr" / f"{name}{suffix}.nii.gz",),
            label=folder / "labelsTr" / f"{name}.nii.gz",
        )

    ragged = ragged_case(tmp_path_factory.mktemp("ragged"))
    masked = (
        ChannelNormalisation(scheme="zscore", inside_mask=True),
        ChannelNormalisation(scheme="ct", statistics=STATISTICS),
    )
    rescaled = (ChannelNormalisation(scheme="rescale_to_0_1"), ChannelNormalisation(scheme="zscore"))
    hearts = [
        case("ACDC_subset30", name, "_0000")
        for name in ("patient001_frame01", "patient007_frame07", "patient010_frame13")
    ]
    hippocampus = case("Task04_Hippocampus", "hippocampus_001")
    return {
        "hippocampus": (hippocampus, recipe((1.0, 1.0, 1.0))),
        "hippocampus, other axes, finer": (hippocampus, recipe((0.7, 0.8, 1.3), axes=(0, 2, 1))),
        "heart 3d, as planned": (hearts[0], recipe((9.5, 1.50390625, 1.50390625))),
        "heart 3d, thinner slices": (hearts[1], recipe((4.0, 1.3, 1.3))),
        "heart, 2d": (hearts[2], recipe((None, 1.7, 1.7))),
        "heart, nearly isotropic": (hearts[0], recipe((3.0, 3.0, 3.0))),
        "ragged, masked, finer": (ragged, recipe((1.5, 0.7, 1.1), masked)),
        "ragged, coarser": (ragged, recipe((3.0, 1.6, 1.6), rescaled)),
        "ragged, separate axis": (ragged, recipe((4.0, 1.0, 1.0), masked)),
    }


def job(case: Case, plan: PreprocessingPlan, output: Path) -> dict:
    """The same recipe in nnU-Net's words; its axes count from the file's last."""
    transpose = [2 - axis for axis in plan.axes]
    resampling = {"order_z": 0, "force_separate_z": None}
    configuration = {
        "architecture": {},  # its absence means an old format
        "preprocessor_name": "DefaultPreprocessor",
        "patch_size": [32, 32, 32],
        "spacing": [value for value in plan.spacing_mm if value is not None],
        "normalization_schemes": [NNUNET_SCHEMES[channel.scheme] for channel in plan.normalisation],
        "use_mask_for_norm": [channel.inside_mask for channel in plan.normalisation],
    }
    for name, is_seg, order in (("data", False, 3), ("seg", True, 1), ("probabilities", False, 1)):
        configuration[f"resampling_fn_{name}"] = "resample_data_or_seg_to_shape"
        configuration[f"resampling_fn_{name}_kwargs"] = {"is_seg": is_seg, "order": order, **resampling}
    return {
        "images": [str(path) for path in case.images],
        "label": str(case.label),
        "output": str(output),
        "dataset": {"labels": {"background": 0, "a": 1, "b": 2, "c": 3}, "channel_names": {}, "file_ending": ".nii.gz"},
        "plans": {
            "image_reader_writer": "SimpleITKIO",
            "transpose_forward": transpose,
            "transpose_backward": [transpose.index(axis) for axis in range(3)],
            "label_manager": "LabelManager",
            "foreground_intensity_properties_per_channel": {
                str(number): STATISTICS.model_dump() for number in range(len(plan.normalisation))
            },
            "configurations": {"3d": configuration},
        },
    }


@pytest.fixture(scope="module")
def answers(problems, tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    python = os.environ.get("MEDARCH_PEER_PYTHON")
    if python is None:
        pytest.skip("MEDARCH_PEER_PYTHON does not name a Python with nnU-Net")
    folder = tmp_path_factory.mktemp("answers")
    outputs = {name: folder / f"{number}.npz" for number, name in enumerate(problems)}
    jobs = folder / "jobs.json"
    jobs.write_text(json.dumps([job(*problem, outputs[name]) for name, problem in problems.items()]))
    environment = os.environ | {name: str(folder) for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
    script = Path(__file__).with_name("peer_preprocess.py")
    subprocess.run([python, str(script), str(jobs)], check=True, env=environment, timeout=300)
    return {name: dict(np.load(path)) for name, path in outputs.items()}


NAMES = (
    "hippocampus",
    "hippocampus, other axes, finer",
    "heart 3d, as planned",
    "heart 3d, thinner slices",
    "heart, 2d",
    "heart, nearly isotropic",
    "ragged, masked, finer",
    "ragged, coarser",
    "ragged, separate axis",
)


@pytest.mark.parametrize("name", NAMES)
def test_prepared_voxels_labels_and_restored_scores_are_nnunets(problems, answers, name):
    case, plan = problems[name]
    answer = answers[name]
    volumes = read_case(case, channels=len(case.images))
    prepared = prepare_case(volumes.images, volumes.geometry, case=case.id, recipe=plan, label=volumes.label)
    assert prepared.image.shape == answer["image"].shape
    np.testing.assert_allclose(prepared.image, answer["image"], atol=1e-4)
    # Scores that are equal but for rounding (half-way points) may fall either way.
    assert (prepared.label != answer["label"]).mean() < 1e-4
    np.testing.assert_allclose(resample_to_crop(answer["scores"], prepared.record), answer["restored"], atol=1e-5)
