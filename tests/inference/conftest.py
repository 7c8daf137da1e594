"""A model folder as `medarch train` writes it, with untrained weights, and images to predict."""

import nibabel as nib
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_plan import small_plan

from medarch.inference.load_model import ModelInfo
from medarch.networks.build_network import build_network


def write_model(folder, plan):
    torch.manual_seed(3)
    folder.mkdir(parents=True)
    plan.save(folder / "plan.json")
    configuration = plan.configuration()
    network = build_network(configuration.network)
    save_file(network.state_dict(), folder / "weights_fold_0.safetensors")
    ModelInfo(configuration=configuration.name, folds=("0",)).save(folder / "model.json")
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("trained") / "model", small_plan())


def smooth_noise(shape, *, seed=0):
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5).astype(np.float32) * 100


AFFINE = np.array([[1.5, 0, 0, -20], [0, 1.4, 0, 7], [0, 0, 2.5, -30], [0, 0, 0, 1.0]])


@pytest.fixture
def images(tmp_path):
    """Four images of different sizes, RAS."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(4):
        data = smooth_noise((18 + number, 20, 12), seed=number)
        nib.save(nib.Nifti1Image(data, AFFINE), folder / f"case_{number}.nii.gz")
    return folder
