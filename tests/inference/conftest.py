"""An untrained model and images to predict."""

import nibabel as nib
import pytest
from small_plan import small_plan
from untrained_model import AFFINE, smooth_noise, write_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("trained") / "model", small_plan())


@pytest.fixture
def images(tmp_path):
    """Four images of different sizes, RAS."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(4):
        data = smooth_noise((18 + number, 20, 12), seed=number)
        nib.save(nib.Nifti1Image(data, AFFINE), folder / f"case_{number}.nii.gz")
    return folder
