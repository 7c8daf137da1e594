"""Checkpoints that nnU-Net 2.8.1's trainer saved, and its preprocessing, against what is imported."""

import json
import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from nnunet_model_folder import DATASET, STATISTICS, architecture, configuration, double_networks, plans
from scipy.ndimage import gaussian_filter

import medarch
from medarch.core.dataset import Case
from medarch.inference.load_model import load_model
from medarch.interop.nnunet_plans import resolve_configuration
from medarch.interop.nnunet_preprocessing import nnunet_preprocessing
from medarch.io.read_case import read_case
from medarch.preprocessing.prepare_case import prepare_case
from medarch.preprocessing.restore import resample_to_crop

pytestmark = pytest.mark.peer
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    python = os.environ.get("MEDARCH_PEER_PYTHON")
    if python is None:
        pytest.skip("MEDARCH_PEER_PYTHON does not name a Python with nnU-Net")
    folder = tmp_path_factory.mktemp("peer")
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    environment = os.environ | {name: str(folder / name) for name in names} | {"OMP_NUM_THREADS": "1"}

    def run(script, jobs):
        (folder / "jobs.json").write_text(json.dumps(jobs))
        command = [python, str(script), str(folder / "jobs.json")]
        subprocess.run(command, check=True, env=environment, timeout=600, stdout=subprocess.DEVNULL)

    return folder / "nnUNet_results", run


def flat(entry):
    """The configuration as plans before v2.3 have it."""
    entry = dict(entry)
    net = entry.pop("architecture")
    settings = net["arch_kwargs"]
    residual = net["network_class_name"].endswith("ResidualEncoderUNet")
    return entry | {
        "UNet_class_name": net["network_class_name"].rpartition(".")[2],
        "UNet_base_num_features": settings["features_per_stage"][0],
        "unet_max_num_features": settings["features_per_stage"][-1],
        "n_conv_per_stage_encoder": settings["n_blocks_per_stage" if residual else "n_conv_per_stage"],
        "n_conv_per_stage_decoder": settings["n_conv_per_stage_decoder"],
        "num_pool_per_axis": [1, 2, 2],
        "pool_op_kernel_sizes": settings["strides"],
        "conv_kernel_sizes": settings["kernel_sizes"],
    }


DOUBLING = {"features_per_stage": [4, 8, 10]}
DROPOUT = {"dropout_op": "torch.nn.modules.dropout.Dropout3d", "dropout_op_kwargs": {"p": 0.3}}
REGIONS = {
    "labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3, "ignore": 4},
    "regions_class_order": [1, 2, 3],
}
CASCADE = {
    "3d_lowres": configuration(next_stage="3d_cascade_fullres"),
    "3d_fullres": configuration(),
    "3d_cascade_fullres": {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"},
}
MODELS = {
    "Plain": ({"3d_fullres": configuration()}, {}),
    "Residual": ({"3d_fullres": configuration(architecture("ResidualEncoderUNet"))}, {}),
    "Plain2d": ({"2d": configuration(architecture(dim=2))}, {}),
    "Residual2d": ({"2d": configuration(architecture("ResidualEncoderUNet", dim=2))}, {}),
    "Cascade": (CASCADE, {}),
    "Regions": ({"3d_fullres": configuration()}, REGIONS),
    "CascadeRegions": (CASCADE, REGIONS),
    "Old": ({"3d_fullres": flat(configuration(architecture(**DOUBLING)))}, {}),
    "OldResidual": ({"3d_fullres": flat(configuration(architecture("ResidualEncoderUNet", **DOUBLING)))}, {}),
    "Dropout": ({"3d_fullres": configuration(architecture(**DROPOUT))}, {}),
    "ResidualDropout": ({"3d_fullres": configuration(architecture("ResidualEncoderUNet", **DROPOUT))}, {}),
    "NoBias": ({"3d_fullres": configuration(architecture(conv_bias=False))}, {}),
    "Numbers": ({"3d_fullres": configuration(architecture(n_conv_per_stage=2, n_conv_per_stage_decoder=1))}, {}),
}


@pytest.fixture(scope="module")
def models(peer):
    results, run = peer
    jobs = []
    for name, (configurations, dataset) in MODELS.items():
        content = plans(configurations, dataset_name=f"Dataset777_{name}")
        for each in configurations:
            if name.startswith("Cascade") and each == "3d_fullres":
                continue
            job = {"plans": content, "dataset": DATASET | dataset, "configuration": each, "fold": 0}
            jobs.append(job)
            folder = results / content["dataset_name"] / f"nnUNetTrainer__nnUNetPlans__{each}"
            folder.mkdir(parents=True)
            (folder / "plans.json").write_text(json.dumps(job["plans"]))
            (folder / "dataset.json").write_text(json.dumps(job["dataset"]))
    run(HERE / "peer_make_models.py", jobs)
    return results


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_nnunets(models, tmp_path, name):
    for folder in (models / f"Dataset777_{name}").iterdir():
        output = tmp_path / folder.name
        summary = medarch.import_model(folder, output)
        answer = np.load(folder / "fold_0" / "answer.npz")
        [network] = load_model(output).networks
        assert summary.mirror_axes == tuple(range(answer["x"].ndim - 2))
        with torch.no_grad():
            exact = double_networks(output)[0](torch.from_numpy(answer["x"]).double()).numpy()
            rounded = network(torch.from_numpy(answer["x"])).numpy()
        np.testing.assert_allclose(exact, answer["y"], atol=1e-5, rtol=0)
        np.testing.assert_allclose(rounded, answer["y"], atol=1e-5, rtol=0)
        assert answer["y"].std() > 0.01
        assert (output / "previous_stage").is_dir() == ("cascade" in folder.name)


def resampled(name="resample_data_or_seg_to_shape", **kwargs):
    """Resampling of all three kinds by one function."""
    entry = {}
    for stage, order in (("data", 3), ("seg", 1), ("probabilities", 1)):
        own = {} if name == "no_resampling_hack" else {"is_seg": stage == "seg"}
        own |= {"order": order} if name == "resample_data_or_seg_to_shape" else {}
        entry |= {f"resampling_fn_{stage}": name, f"resampling_fn_{stage}_kwargs": own | kwargs}
    return entry


TORCH = {"force_separate_z": None, "memefficient_seg_resampling": False}
MASKED = {"use_mask_for_norm": [True, True], "normalization_schemes": ["ZScoreNormalization", "CTNormalization"]}
THICK = {"spacing": [4.0, 1.0, 1.0]}
RECIPES = {
    "transposed": ({"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}, {}),
    "transposed, masked": ({"transpose_forward": [1, 0, 2], "transpose_backward": [1, 0, 2]}, MASKED),
    "thick slices": ({}, THICK | MASKED),
    "thick slices, transposed": ({"transpose_forward": [1, 2, 0], "transpose_backward": [2, 0, 1]}, THICK),
    "2d": ({}, {"spacing": [1.3, 0.9]}),
    "other threshold": ({}, resampled(order_z=0, force_separate_z=None, separate_z_anisotropy_threshold=2)),
    "always apart": ({}, resampled(order_z=0, force_separate_z=True)),
    "always apart, linear": ({}, resampled(order_z=1, force_separate_z=True)),
    "never apart": ({}, THICK | resampled(force_separate_z=False)),
    "arguments left out": ({}, THICK | resampled()),
    "torch": ({}, resampled("resample_torch_fornnunet", **TORCH)),
    "torch, thick slices": ({}, THICK | resampled("resample_torch_fornnunet", **TORCH)),
    "torch, never apart": ({}, THICK | resampled("resample_torch_fornnunet", **TORCH | {"force_separate_z": False})),
    "no resampling": ({}, resampled("no_resampling_hack")),
    "nibabel": ({"image_reader_writer": "NibabelIO"}, {}),
    "nibabel, reoriented": ({"image_reader_writer": "NibabelIOWithReorient"}, THICK),
    "SimpleITK, reoriented": ({"image_reader_writer": "SimpleITKIOWithReorient"}, MASKED),
    "other schemes": ({}, {"normalization_schemes": ["RescaleTo01Normalization", "NoNormalization"]}),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Two channels with an empty border, in a file whose axes run to the feet, the left and the front."""
    folder = tmp_path_factory.mktemp("case")
    rng = np.random.default_rng(5)
    shape = (15, 34, 40)
    grid = np.indices(shape).astype(float)
    inside = sum(((a - c) / r) ** 2 for a, c, r in zip(grid, (7, 15, 21), (6, 12, 15), strict=True)) < 1
    affine = np.array([[0, -0.9, 0, 12], [0, 0, 0.8, -7], [-2.5, 0, 0, 31], [0, 0, 0, 1.0]])
    assert nib.aff2axcodes(affine) == ("I", "L", "A")
    paths = []
    for number in range(2):
        noise = gaussian_filter(rng.normal(size=shape), 1) * 200 + 90
        paths.append(folder / f"case_{number:04}.nii.gz")
        nib.save(nib.Nifti1Image(np.where(inside, noise, 0).astype(np.float32), affine), paths[-1])
    label = np.where(inside, np.clip(grid[1] // 9, 0, 2), 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(label, affine), folder / "case.nii.gz")
    return Case(id="case", images=tuple(paths), label=folder / "case.nii.gz")


def plans_of(name):
    top, changes = RECIPES[name]
    entry = configuration(normalization_schemes=["ZScoreNormalization"] * 2, use_mask_for_norm=[False] * 2) | changes
    statistics = {"foreground_intensity_properties_per_channel": {"0": STATISTICS, "1": STATISTICS}}
    return plans({"3d": entry}, **statistics, **top)


@pytest.fixture(scope="module")
def prepared(peer, case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    dataset = DATASET | {"channel_names": {"0": "a", "1": "b"}}
    common = {"images": list(map(str, case.images)), "label": str(case.label), "dataset": dataset}
    jobs = [common | {"plans": plans_of(name), "output": str(folder / f"{name}.npz")} for name in RECIPES]
    peer[1](HERE.parent / "preprocessing" / "peer_preprocess.py", jobs)
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_cases_are_prepared_and_scores_restored_as_nnunet_does(prepared, case, name):
    content = plans_of(name)
    recipe = nnunet_preprocessing(content, resolve_configuration(content, "3d"), channels=2)
    answer = np.load(prepared / f"{name}.npz")
    volumes = read_case(case, channels=2)
    found = prepare_case(volumes.images, volumes.geometry, case="case", recipe=recipe, label=volumes.label)
    assert found.image.shape == answer["image"].shape
    np.testing.assert_allclose(found.image, answer["image"], atol=1e-4)
    # Half-way points may fall either way.
    assert (found.label != answer["label"]).mean() < 1e-3
    np.testing.assert_allclose(resample_to_crop(answer["scores"], found.record), answer["restored"], atol=1e-5)
