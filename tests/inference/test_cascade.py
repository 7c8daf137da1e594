"""The second stage of a cascade sees what the first stage says."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from small_plan import small_plan
from untrained_model import AFFINE, smooth_noise, write_model

from medarch import api
from medarch.core.errors import DatasetError, ModelError
from medarch.core.geometry import Geometry
from medarch.preprocessing.append_one_hot import append_one_hot
from medarch.preprocessing.prepare_case import prepare_case
from medarch.preprocessing.prepare_label import prepare_label

FAST = {"device": "cpu", "precision": "float32", "mirror": False}


def cascade_plan(**changes):
    """One image channel, two label channels."""
    plan = small_plan(**changes)
    fine = plan.configuration()
    foreground = len(plan.labels.foreground_values)
    second = fine.model_copy(
        update={
            "name": "second",
            "previous_stage": "small",
            "network": fine.network.model_copy(update={"in_channels": 1 + foreground}),
        }
    )
    return plan.model_copy(update={"configurations": {"second": second}, "default": "second"})


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("first") / "model", small_plan(spacing_mm=(4.0, 3.0, 3.0)))


@pytest.fixture(scope="module")
def cascade(first_stage, tmp_path_factory):
    folder = write_model(tmp_path_factory.mktemp("second") / "model", cascade_plan())
    shutil.copytree(first_stage, folder / "previous_stage")
    return folder


def arrays(prediction):
    assert [row.error for row in prediction.cases] == [None] * len(prediction.cases)
    return [np.asarray(nib.load(row.output).dataobj) for row in prediction.cases]


def test_both_stages_at_once_equal_one_after_the_other(first_stage, cascade, images, tmp_path):
    at_once = api.predict(cascade, images, tmp_path / "at_once", keep_previous_stage=True, **FAST)
    first = api.predict(first_stage, images, tmp_path / "first", **FAST)
    for row in first.cases:
        assert len(np.unique(nib.load(row.output).dataobj)) > 1
        kept = tmp_path / "at_once" / "previous_stage" / row.output.name
        assert kept.read_bytes() == row.output.read_bytes()
    alone = tmp_path / "alone"
    shutil.copytree(cascade, alone, ignore=shutil.ignore_patterns("previous_stage"))
    then = api.predict(alone, images, tmp_path / "then", previous_stage_predictions=tmp_path / "first", **FAST)
    for one, other in zip(arrays(at_once), arrays(then), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_cascade_tells_its_probabilities_too(cascade, images, tmp_path):
    plain = arrays(api.predict(cascade, images, tmp_path / "plain", **FAST))
    told = api.predict(cascade, images, tmp_path / "told", probabilities=True, **FAST)
    for labels, again, row in zip(plain, arrays(told), told.cases, strict=True):
        np.testing.assert_array_equal(labels, again)
        shares = np.asarray(nib.load(row.probabilities).dataobj)
        np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-5)
        assert len(np.unique(labels)) > 1
        assert (shares.argmax(-1) == labels).mean() > 0.999  # ties


def test_other_labels_of_the_previous_stage_change_the_prediction(cascade, images, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    for path in images.iterdir():
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.full(image.shape, 1, np.uint8), image.affine), given / path.name)
    own = arrays(api.predict(cascade, images, tmp_path / "own", **FAST))
    other = arrays(api.predict(cascade, images, tmp_path / "other", previous_stage_predictions=given, **FAST))
    assert any((one != two).any() for one, two in zip(own, other, strict=True))


def test_the_previous_stage_may_be_of_another_format_and_one_bad_map_costs_one_case(cascade, images, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    for path in sorted(images.iterdir()):
        image = nib.load(path)
        labels = (np.asarray(image.dataobj) > 0).astype(np.uint8)
        nib.save(nib.Nifti1Image(labels, image.affine), given / path.name.replace(".nii.gz", ".nii"))
    moved = np.array(nib.load(given / "case_1.nii").dataobj)  # a copy: the file is overwritten
    nib.save(nib.Nifti1Image(moved, np.diag([2, 2, 2, 1.0])), given / "case_1.nii")
    (given / "case_3.nii").unlink()
    prediction = api.predict(cascade, images, tmp_path / "out", previous_stage_predictions=given, **FAST)
    assert [row.status for row in prediction.cases] == ["done", "failed", "done", "failed"]
    assert "another grid" in prediction.cases[1].error
    assert "no label map of the previous stage for case case_3" in prediction.cases[3].error


def test_a_cascade_without_its_first_stage_is_refused_with_the_way_out(cascade, images, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(cascade, alone, ignore=shutil.ignore_patterns("previous_stage"))
    with pytest.raises(ModelError, match=r"needs the labels of small.*--previous-stage-predictions"):
        api.predict(alone, images, tmp_path / "out", **FAST)
    with pytest.raises(DatasetError, match="no label maps"):
        api.predict(alone, images, tmp_path / "out", previous_stage_predictions=tmp_path / "nowhere", **FAST)


def test_a_single_model_takes_no_previous_stage(first_stage, images, tmp_path):
    out = tmp_path / "out"
    api.predict(first_stage, images, out, **FAST)
    with pytest.raises(ModelError, match="has no previous stage"):
        api.predict(first_stage, images, tmp_path / "again", previous_stage_predictions=out, **FAST)


def test_another_first_stage_is_another_model(cascade, images, tmp_path):
    own = api.predict(cascade, images, tmp_path / "own", **FAST)
    given = api.predict(
        cascade, images, tmp_path / "given", previous_stage_predictions=_empty_maps(images, tmp_path / "maps"), **FAST
    )
    assert own.model_sha256 != given.model_sha256
    assert (own.settings["previous_stage"], given.settings["previous_stage"]) == ("predicted", "given")


def _empty_maps(images, folder):
    folder.mkdir()
    for path in images.iterdir():
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), folder / path.name)
    return folder


def test_one_hot_channels_follow_the_image_in_the_order_of_the_labels():
    plan = cascade_plan(spacing_mm=(2.0, 1.5, 1.5))
    recipe = plan.configuration().preprocessing
    image = smooth_noise((18, 20, 12))
    labels = np.digitize(image, [-5, 15]).astype(np.uint8)
    geometry = Geometry.from_array(image.shape, AFFINE)
    prepared = prepare_case(image[None], geometry, case="a", recipe=recipe, label=labels)
    stacked = append_one_hot(prepared.image, prepared.label, plan.labels.foreground_values)
    assert stacked.shape == (3, *prepared.record.shape)
    np.testing.assert_array_equal(stacked[0], prepared.image[0])
    for channel, value in ((1, 1), (2, 2)):
        np.testing.assert_array_equal(stacked[channel], prepared.label == value)
    # Nothing lies outside the body here, so both ways of preparing a label agree.
    np.testing.assert_array_equal(prepare_label(labels, prepared.record, recipe=recipe), prepared.label)
