"""Parts of a case against the whole case."""

import nibabel as nib
import numpy as np
import pytest
from untrained_model import AFFINE, smooth_noise

from medarch import api
from medarch.core.errors import UsageError
from medarch.preprocessing.body_mask import body_mask

OPTIONS = {"device": "cpu", "precision": "float32", "mirror": False}


def labels(prediction):
    return {row.case: np.asarray(nib.load(row.output).dataobj) for row in prediction.cases}


def test_inside_the_region_labels_are_those_of_the_whole_case_and_outside_0(model_folder, images, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    inside = {}
    for path in images.iterdir():
        image = nib.load(path)
        mask = np.zeros(image.shape, np.uint8)
        mask[3:9, 12:19, 2:6] = 1
        mask[-1, 0, -1] = 7
        inside[path.name.split(".")[0]] = mask > 0
        nib.save(nib.Nifti1Image(mask, image.affine), masks / path.name)
    whole = labels(api.predict(model_folder, images, tmp_path / "whole", **OPTIONS))
    part = labels(api.predict(model_folder, images, tmp_path / "part", roi=masks, **OPTIONS))
    for case, mask in inside.items():
        np.testing.assert_array_equal(part[case], np.where(mask, whole[case], 0))
        assert part[case].any()


def test_a_mask_on_another_grid_and_a_missing_mask_cost_their_case(model_folder, images, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for number in range(3):
        image = nib.load(images / f"case_{number}.nii.gz")
        affine = image.affine + np.diag([0.5 * (number == 1), 0, 0, 0])
        nib.save(nib.Nifti1Image(np.ones(image.shape, np.uint8), affine), masks / f"case_{number}.nii.gz")
    rows = api.predict(model_folder, images, tmp_path / "out", roi=masks, **OPTIONS).cases
    assert [row.status for row in rows] == ["done", "failed", "done", "failed"]
    assert "lies on another grid" in rows[1].error
    assert "no region of interest for case case_3" in rows[3].error


def test_one_mask_for_one_image_probabilities_refused(model_folder, images, tmp_path):
    one = images / "case_0.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros(nib.load(one).shape, np.uint8), AFFINE), tmp_path / "mask.nii.gz")
    (found,) = labels(
        api.predict(model_folder, one, tmp_path / "out", roi=tmp_path / "mask.nii.gz", **OPTIONS)
    ).values()
    assert not found.any()
    with pytest.raises(UsageError, match="not the regions of interest of 4 case"):
        api.predict(model_folder, images, tmp_path / "out2", roi=tmp_path / "mask.nii.gz", **OPTIONS)
    with pytest.raises(UsageError, match="probabilities"):
        api.predict(model_folder, one, tmp_path / "out3", body=True, probabilities=True, **OPTIONS)


def test_the_body_is_found_with_its_lungs_and_without_the_table():
    grid = np.indices((80, 60, 50)) * np.array([2.0, 2.0, 3.0])[:, None, None, None]
    distance = np.sqrt((((grid - np.array([80, 50, 75])[:, None, None, None]) / (60, 35, 60)[0]) ** 2).sum(0))
    body = distance < 0.7
    lung = distance < 0.3
    table = (grid[1] > 108) & (grid[1] < 112) & (abs(grid[0] - 80) < 30) & (grid[2] < 30)
    noise = np.random.default_rng(0).normal(scale=20, size=body.shape)
    image = np.where(lung, -850, np.where(body, 40, np.where(table, 300, -1000))) + noise
    found = body_mask(image.astype(np.float32), (2.0, 2.0, 3.0))
    assert found[body].all()
    far = distance > 0.7 + 24 / 60
    assert not found[far].any()
    assert table[far].any()


def test_an_image_of_one_value_is_all_body():
    assert body_mask(np.zeros((5, 6, 1), np.float32), (1.0, 1.0, 5.0)).all()


def test_the_body_of_noise_blobs_gets_the_labels_of_the_whole_case(model_folder, tmp_path):
    image = np.full((60, 50, 30), -900.0, np.float32)
    image[5:25, 5:25, 5:15] = smooth_noise((20, 20, 10)) + 100
    nib.save(nib.Nifti1Image(image, np.diag([3.0, 3, 3, 1])), tmp_path / "case.nii.gz")
    whole = labels(api.predict(model_folder, tmp_path / "case.nii.gz", tmp_path / "whole", **OPTIONS))["case"]
    part = labels(api.predict(model_folder, tmp_path / "case.nii.gz", tmp_path / "part", body=True, **OPTIONS))["case"]
    body = body_mask(image, (3.0, 3.0, 3.0))
    assert 0 < body.mean() < 0.6
    np.testing.assert_array_equal(part, np.where(body, whole, 0))
