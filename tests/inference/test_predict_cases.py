import json

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from small_plan import small_plan
from typer.testing import CliRunner
from untrained_model import AFFINE, smooth_noise, write_model

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import ModelError, PredictionError

FAST = {"device": "cpu", "precision": "float32", "mirror": False}


def statuses(prediction):
    return [row.status for row in prediction.cases]


def reoriented(image, codes):
    return image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(codes)))


def test_the_prediction_lies_on_the_inputs_grid(model_folder, images, tmp_path):
    prediction = api.predict(model_folder, images, tmp_path / "out", **FAST)
    assert statuses(prediction) == ["done"] * 4
    for row in prediction.cases:
        image, output = nib.load(row.images[0]), nib.load(row.output)
        assert output.shape == image.shape
        np.testing.assert_allclose(output.affine, image.affine, atol=1e-5)
        labels = np.asarray(output.dataobj)
        assert labels.dtype == np.uint8
        assert len(np.unique(labels)) > 1
        assert row.voxels == {"organ": int((labels == 1).sum()), "lesion": int((labels == 2).sum())}


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("codes", ["LPS", "SAR", "PIR"])
def test_a_reoriented_copy_gets_the_reoriented_prediction(model_folder, tmp_path, codes, oblique):
    affine = AFFINE.copy()
    if oblique:
        angle = np.deg2rad(12)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        affine[:3, :3] = turn @ affine[:3, :3]
    image = nib.Nifti1Image(smooth_noise((18, 20, 12)), affine)
    folder = tmp_path / "images"
    folder.mkdir()
    nib.save(image, folder / "ras.nii.gz")
    nib.save(reoriented(image, codes), folder / "turned.nii.gz")
    prediction = api.predict(model_folder, folder, tmp_path / "out", **FAST)
    plain, turned = (nib.load(row.output) for row in prediction.cases)
    np.testing.assert_allclose(turned.affine, nib.load(folder / "turned.nii.gz").affine, atol=1e-5)
    expected = np.asarray(reoriented(plain, codes).dataobj)
    assert len(np.unique(expected)) > 1
    assert (np.asarray(turned.dataobj) == expected).mean() > 0.9999


def test_probabilities_sum_to_one_and_their_largest_is_the_label(model_folder, images, tmp_path):
    prediction = api.predict(model_folder, images, tmp_path / "out", probabilities=True, **FAST)
    for row in prediction.cases:
        shares = np.asarray(nib.load(row.probabilities).dataobj)
        labels = np.asarray(nib.load(row.output).dataobj)
        shares = np.moveaxis(shares, int(np.flatnonzero(np.array(shares.shape) == 3)[-1]), 0)
        assert shares.shape == (3, *labels.shape)
        np.testing.assert_allclose(shares.sum(0), 1, atol=1e-5)
        assert (shares.argmax(0) == labels).all()


def test_a_2d_model_predicts_volumes(images, tmp_path):
    plan = small_plan(dim=2, spacing_mm=(None, 1.5, 1.5))
    prediction = api.predict(write_model(tmp_path / "model", plan), images, tmp_path / "out", **FAST)
    assert statuses(prediction) == ["done"] * 4


def test_a_second_run_skips_what_is_done(model_folder, images, tmp_path):
    out = tmp_path / "out"
    first = api.predict(model_folder, images, out, **FAST)
    written = {row.output: row.output.stat().st_mtime_ns for row in first.cases}
    second = api.predict(model_folder, images, out, **FAST)
    assert statuses(second) == ["skipped"] * 4
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert statuses(api.predict(model_folder, images, out, restart=True, **FAST)) == ["done"] * 4


def test_a_changed_or_missing_output_is_predicted_again(model_folder, images, tmp_path):
    out = tmp_path / "out"
    first = api.predict(model_folder, images, out, **FAST)
    kept = {row.case: row.output.read_bytes() for row in first.cases}
    first.cases[1].output.write_bytes(b"changed")
    first.cases[2].output.unlink()
    second = api.predict(model_folder, images, out, **FAST)
    assert statuses(second) == ["skipped", "done", "done", "skipped"]
    assert {row.case: row.output.read_bytes() for row in second.cases} == kept


def test_other_settings_do_not_mix_in_one_folder(model_folder, images, tmp_path):
    out = tmp_path / "out"
    api.predict(model_folder, images, out, **FAST)
    with pytest.raises(PredictionError, match=r"mirror_axes.*--restart"):
        api.predict(model_folder, images, out, **(FAST | {"mirror": True}))
    other = write_model(tmp_path / "model", small_plan(batch_dice=True))
    with pytest.raises(PredictionError, match="model_sha256"):
        api.predict(other, images, out, **FAST)


def test_a_ledger_line_cut_short_by_a_kill_is_passed_over(model_folder, images, tmp_path):
    out = tmp_path / "out"
    api.predict(model_folder, images, out, **FAST)
    ledger = out / "ledger.jsonl"
    whole = ledger.read_text()
    ledger.write_text(whole[:-40])
    assert statuses(api.predict(model_folder, images, out, **FAST)) == ["skipped"] * 3 + ["done"]
    assert statuses(api.predict(model_folder, images, out, **FAST)) == ["skipped"] * 4
    # A kill while the first line was written leaves nothing to go on from.
    ledger.write_text(whole[:20])
    assert statuses(api.predict(model_folder, images, out, **FAST)) == ["done"] * 4


def test_a_damaged_case_fails_alone_with_exit_code_1(model_folder, images, tmp_path):
    damaged = images / "case_1.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:300])
    out = tmp_path / "out"
    command = ["predict", str(model_folder), str(images), str(out), "--device", "cpu", "--no-mirror"]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 1
    rows = {row["case"]: row for row in json.loads(result.stdout.splitlines()[-1])["cases"]}
    assert {case: row["status"] for case, row in rows.items()} == {
        "case_0": "done",
        "case_1": "failed",
        "case_2": "done",
        "case_3": "done",
    }
    assert "case_1" in rows["case_1"]["error"]
    assert not (out / "case_1.nii.gz").exists()
    # The failed one is tried again, the others are not.
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1
    assert "0 done, 3 done before, 1 failed" in again.stdout


def test_a_folder_that_is_no_model_and_a_fold_it_lacks_are_named(model_folder, images, tmp_path):
    with pytest.raises(ModelError, match="no fold 4"):
        api.predict(model_folder, images, tmp_path / "out", folds=["4"], **FAST)
    weights = tmp_path / "model"
    write_model(weights, small_plan())
    (weights / "weights_fold_0.safetensors").write_bytes(b"short")
    with pytest.raises(ModelError, match="cannot load the weights"):
        api.predict(weights, images, tmp_path / "out", **FAST)


def test_what_a_killed_run_left_half_written_is_removed(model_folder, images, tmp_path):
    out = tmp_path / "out"
    (out / "probabilities").mkdir(parents=True)
    leftovers = [out / ".tmp-1-case_0.nii.gz", out / "probabilities" / ".tmp-2-case_0.nii.gz"]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    api.predict(model_folder, images, out, **FAST)
    assert not any(leftover.exists() for leftover in leftovers)
