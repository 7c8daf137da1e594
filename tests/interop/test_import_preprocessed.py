"""Datasets that nnU-Net preprocessed: the same training without the raw images."""

import json
import os
import pickle
import shutil
import sys
from collections import OrderedDict

import blosc2
import numpy as np
import pytest
from blobs import NAME, plan_small, shrink, write_preprocessed, write_raw
from safetensors.torch import load_file
from typer.testing import CliRunner

from medarch import api
from medarch.cli.app import app
from medarch.core.errors import DatasetError, MedarchError, PreprocessingError, UsageError
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Plan
from medarch.interop.read_properties import read_properties
from medarch.io.read_volume import read_volume

RECIPES = {"as stored": {}, "turned to RAS, axes swapped": {"orientation": "RAS", "axes": (1, 2, 0)}}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("raw") / NAME)


@pytest.fixture(scope="module")
def plan(raw, tmp_path_factory):
    return plan_small(raw, tmp_path_factory.mktemp("from_raw"))


@pytest.fixture(scope="module")
def original(plan, tmp_path_factory):
    return write_preprocessed(plan, tmp_path_factory.mktemp("preprocessed") / NAME)


@pytest.fixture
def preprocessed(original, tmp_path):
    return shutil.copytree(original, tmp_path / "preprocessed" / NAME)


def import_it(source, workspace):
    return api.import_preprocessed(source, workspace, workers=0)


def without_hashes(record):
    return record.model_dump(exclude={"source_sha256", "recipe_sha256", "content_sha256", "label_centroids_mm"})


@pytest.mark.parametrize("form", ["b2nd", "npz", "npy"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_imported_cases_are_the_ones_that_medarch_prepares_of_the_raw_images(raw, tmp_path, recipe, form):
    plan = plan_small(raw, tmp_path / "from_raw", recipe=RECIPES[recipe])
    source = write_preprocessed(plan, tmp_path / "preprocessed" / NAME, form=form)
    result = import_it(source, tmp_path / "workspace")
    assert (result.cases, result.plans) == (6, {"nnUNetPlans": ("2d", "3d_fullres")})
    imported = result.folder / "nnUNetPlans"
    assert without_hashes(Plan.load(imported / "plan.json").configuration("2d").preprocessing) == (
        without_hashes(Plan.load(plan / "plan.json").configuration("2d").preprocessing)
    )
    for configuration in ("2d", "3d_fullres"):
        ours, theirs = (api.preprocess(each, configuration=configuration, workers=0) for each in (plan, imported))
        assert ours.ids() == theirs.ids()
        for case in ours.ids():
            assert np.array_equal(ours.read_image(case), theirs.read_image(case))
            assert np.array_equal(ours.read_label(case), theirs.read_label(case))
            assert without_hashes(ours.record(case)) == without_hashes(theirs.record(case))
            one, other = ours.locations(case), theirs.locations(case)
            assert one.keys() == other.keys()
            assert all(np.array_equal(one[value], other[value]) for value in one)


def test_the_fingerprint_is_the_one_of_the_raw_images(plan, preprocessed, tmp_path):
    imported = Fingerprint.load(import_it(preprocessed, tmp_path / "workspace").folder / "fingerprint.json")
    own = Fingerprint.load(plan.parent / "fingerprint.json")
    assert [without_hashes(case) for case in imported.cases] == [without_hashes(case) for case in own.cases]
    assert imported.intensities == own.intensities
    assert imported.median_relative_size_after_crop == own.median_relative_size_after_crop


def test_training_and_validation_without_the_raw_images_are_the_same_to_the_bit(tmp_path):
    raw = write_raw(tmp_path / "raw" / NAME)
    plan = plan_small(raw, tmp_path / "from_raw")
    source = write_preprocessed(plan, tmp_path / "preprocessed" / NAME)
    ours = api.train(plan, configuration="3d_fullres", device="cpu", workers=0)
    shutil.rmtree(raw)
    imported = import_it(source, tmp_path / "workspace").folder / "nnUNetPlans"
    shrink(imported / "plan.json")
    theirs = api.train(imported, configuration="3d_fullres", device="cpu", workers=0)
    one, other = (load_file(each.model / "weights_fold_0.safetensors") for each in (ours, theirs))
    assert all(np.array_equal(one[name].numpy(), other[name].numpy()) for name in one)
    mine, found = (sorted((each.folder / "validation").glob("*.nii.gz")) for each in (ours, theirs))
    assert [path.name for path in found] == [path.name for path in mine] != []
    for first, second in zip(mine, found, strict=True):
        a, b = read_volume(first), read_volume(second)
        assert np.array_equal(a.array, b.array)
        assert a.geometry.differences(b.geometry) == []
    assert theirs.evaluation.mean() == ours.evaluation.mean()


def test_a_second_import_writes_nothing_and_a_changed_file_is_taken_over_again(preprocessed, tmp_path):
    folder = import_it(preprocessed, tmp_path / "workspace").folder
    stores = sorted(folder.glob("prepared/*/*.safetensors"))
    assert len(stores) == 12
    before = {path: path.stat().st_ino for path in stores}
    import_it(preprocessed, tmp_path / "workspace")
    assert {path: path.stat().st_ino for path in stores} == before
    os.utime(preprocessed / "gt_segmentations" / "blob_3.nii.gz", ns=(1, 1))
    import_it(preprocessed, tmp_path / "workspace")
    assert {path.stem for path in stores if path.stat().st_ino != before[path]} == {"blob_3"}


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_pickle_is_refused_by_name_and_writes_nothing(preprocessed, tmp_path, protocol):
    file = preprocessed / "nnUNetPlans_2d" / "blob_2.pkl"
    properties = pickle.loads(file.read_bytes())
    evil = tmp_path / "evil"
    file.write_bytes(pickle.dumps(properties | {"more": Evil(evil)}, protocol=protocol))
    with pytest.raises(PreprocessingError, match=r"(?s)1 of 6 cases.*blob_2.*system has no place") as caught:
        import_it(preprocessed, tmp_path / "workspace")
    assert "blob_1" not in str(caught.value)
    assert not evil.exists()
    assert not (tmp_path / "workspace" / NAME / "nnUNetPlans").exists()
    file.write_bytes(pickle.dumps(properties, protocol=protocol))
    assert import_it(preprocessed, tmp_path / "workspace").cases == 6


@pytest.mark.parametrize(
    "code",
    [
        b'cbuiltins\neval\n(S\'open("evil", "w")\'\ntR.',
        b"cnumpy\nload\n(S'evil'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(S'/etc/passwd'\ntR.",
        b"c_codecs\nencode\n(Vabc\nVzip\ntR.",
        b"\x80\x04\x8c\x0anumpy.core\x8c\x1emultiarray._reconstruct.__call__\x93.",
        b"garbage",
        b"",
    ],
)
def test_a_pickle_of_anything_else_is_refused(tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "case.pkl"
    file.write_bytes(code)
    with pytest.raises(PreprocessingError, match="cannot read"):
        read_properties(file)
    assert [path.name for path in tmp_path.iterdir()] == ["case.pkl"]


@pytest.mark.parametrize("protocol", range(6))
def test_properties_with_numpy_values_are_read_in_every_protocol(tmp_path, protocol):
    file = tmp_path / "case.pkl"
    properties = OrderedDict(
        spacing=np.array([2.0, 1.0, 1.5]),
        shape_before_cropping=(np.int64(9), 8, 7),
        bbox_used_for_cropping=[[0, 9], (np.int32(1), 8), np.array([2, 7])],
        shape_after_cropping_and_before_resampling=np.array([9, 7, 5]),
        class_locations={1: np.zeros((3, 4), np.int64), (1, 2): []},
    )
    file.write_bytes(pickle.dumps(properties, protocol=protocol))
    found = read_properties(file)
    assert found.spacing_mm == (2.0, 1.0, 1.5)
    assert found.crop == ((0, 9), (1, 8), (2, 7))
    assert found.cropped_shape == (9, 7, 5)


def damage_image(folder):
    path = folder / "nnUNetPlans_3d_fullres" / "blob_0.b2nd"
    path.write_bytes(path.read_bytes()[:200])


def swap_cases(folder):
    for kind in (".b2nd", "_seg.b2nd", ".pkl"):
        one, other = (folder / "nnUNetPlans_3d_fullres" / f"blob_{number}{kind}" for number in (0, 1))
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)


def other_spacing(folder):
    plans = folder / "nnUNetPlans.json"
    content = json.loads(plans.read_text())
    content["configurations"]["3d_fullres"]["spacing"] = [3.0, 3.0, 3.0]
    plans.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damage_image, "(?s)blob_0.*cannot read"),
        (swap_cases, "(?s)blob_1.*do not fit each other"),
        (other_spacing, "shape after resampling"),
    ],
)
def test_parts_that_do_not_fit_are_refused(preprocessed, tmp_path, change, message):
    change(preprocessed)
    with pytest.raises(PreprocessingError, match=message):
        import_it(preprocessed, tmp_path / "workspace")


def test_a_file_that_holds_a_program_instead_of_voxels_is_refused(preprocessed, tmp_path):
    path = preprocessed / "nnUNetPlans_3d_fullres" / "blob_0.b2nd"
    voxels = blosc2.asarray(np.ones((1, 4, 4, 4), np.float32), urlpath=str(tmp_path / "voxels.b2nd"))
    path.unlink()
    (voxels + 1).save(str(path))
    with pytest.raises(PreprocessingError, match=r"(?s)1 of 6.*blob_0"):
        import_it(preprocessed, tmp_path / "workspace")


def test_a_missing_label_map_is_told_with_where_it_belongs(preprocessed, tmp_path):
    (preprocessed / "gt_segmentations" / "blob_5.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"blob_5.*gt_segmentations"):
        import_it(preprocessed, tmp_path / "workspace")


def test_without_blosc2_the_error_says_what_to_install(preprocessed, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "blosc2", None)
    with pytest.raises(UsageError, match=r"medarch\[nnunet\]"):
        import_it(preprocessed, tmp_path / "workspace")


def test_a_workspace_with_another_dataset_of_that_name_is_left_alone(raw, preprocessed, tmp_path):
    api.plan(raw, tmp_path / "workspace", preset="nnunet", workers=0)
    before = (tmp_path / "workspace" / NAME / "dataset.json").read_bytes()
    with pytest.raises(UsageError, match="another dataset of that name"):
        import_it(preprocessed, tmp_path / "workspace")
    assert (tmp_path / "workspace" / NAME / "dataset.json").read_bytes() == before


def test_the_import_command_tells_datasets_from_models(preprocessed, tmp_path):
    command = ["import", str(preprocessed), "-w", str(tmp_path / "w"), "-c", "2d", "-j", "0", "--json"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout.splitlines()[-1])["plans"] == {"nnUNetPlans": ["2d"]}
    assert len(list((tmp_path / "w" / NAME / "prepared").iterdir())) == 1
    (preprocessed / "fold_0").mkdir()
    (preprocessed / "fold_0" / "checkpoint_final.pth").write_text("")
    assert CliRunner().invoke(app, [*command, "--dry-run"]).exit_code == 2
    with pytest.raises(MedarchError, match="not prepared"):
        api.import_preprocessed(preprocessed, tmp_path / "other", configuration="3d_lowres", workers=0)
