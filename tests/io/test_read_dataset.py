"""Three layouts in, one record out; what cannot be understood is said with a cure."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medarch.core.errors import DatasetError, UsageError
from medarch.io.read_case import read_case
from medarch.io.read_dataset import read_dataset


def change(folder: Path, **keys: object) -> None:
    """Change keys of dataset.json; None removes one."""
    path = folder / "dataset.json"
    meta = json.loads(path.read_text()) | keys
    path.write_text(json.dumps({key: value for key, value in meta.items() if value is not None}))


def msd_tree(folder: Path) -> Path:
    """Two 4D cases of two channels, as the Decathlon ships them, with Apple's rubbish beside them."""
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / name).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in (1, 2):
        image = random.normal(size=(6, 5, 4, 2)).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), folder / "imagesTr" / f"brats_{number}.nii.gz")
        label = random.integers(0, 3, size=(6, 5, 4)).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(label, np.eye(4)), folder / "labelsTr" / f"brats_{number}.nii.gz")
    shutil.copy(folder / "imagesTr" / "brats_1.nii.gz", folder / "imagesTs" / "brats_9.nii.gz")
    (folder / "imagesTr" / "._brats_1.nii.gz").write_bytes(b"rubbish")
    meta = {
        "name": "BRATS 2021/x", "licence": "CC-BY-SA", "numTraining": 2, "numTest": 1,
        "modality": {"0": "FLAIR", "1": "T1w"}, "labels": {"0": "background", "1": "edema", "2": "tumour"},
        "training": [
            {"image": f"./imagesTr/brats_{n}.nii.gz", "label": f"./labelsTr/brats_{n}.nii.gz"} for n in (2, 1)
        ],
        "test": ["./imagesTs/brats_9.nii.gz"],
    }  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(meta))
    return folder


def test_nnunet_layout_is_read_from_any_folder(nnunet_tree: Path) -> None:
    dataset = read_dataset(nnunet_tree)
    assert (dataset.layout, dataset.name) == ("nnunet", "any_folder")
    assert dataset.channels == ("CT", "PET")
    assert dataset.labels.foreground_names == ("organ", "lesion")
    assert [case.id for case in dataset.cases] == ["a", "b", "c"]
    assert [path.name for path in dataset.cases[0].images] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    assert all(path.is_file() and path.is_absolute() for case in dataset.cases for path in case.files())
    assert (dataset.splits, dataset.test_cases, dataset.num_training) == (None, (), 3)
    assert read_dataset(nnunet_tree / "dataset.json") == dataset


def test_old_modality_key_missing_ending_and_reader_name_are_understood(nnunet_tree: Path) -> None:
    expected = read_dataset(nnunet_tree).cases
    change(
        nnunet_tree, channel_names=None, modality={"0": "CT", "1": "PET"}, file_ending=None,
        overwrite_image_reader_writer="NibabelIO", labels={"0": "nothing", "1": "organ", "2": "lesion"},
    )  # fmt: skip
    dataset = read_dataset(nnunet_tree)
    assert dataset.cases == expected
    assert dataset.labels.labels == {"background": 0, "organ": 1, "lesion": 2}


def test_regions_ignore_label_and_own_splits_are_kept(nnunet_tree: Path) -> None:
    labels = {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}
    change(nnunet_tree, labels=labels, regions_class_order=[1, 2])
    splits = [{"train": ["a", "b"], "val": ["c"]}, {"train": ["c"], "val": ["a", "b"]}]
    (nnunet_tree / "splits_final.json").write_text(json.dumps(splits))
    dataset = read_dataset(nnunet_tree)
    assert dataset.labels.has_regions
    assert dataset.labels.members("whole") == (1, 2)
    assert dataset.labels.ignore_value == 3
    assert dataset.labels.regions_class_order == (1, 2)
    assert [split.val for split in dataset.splits] == [("c",), ("a", "b")]


def test_explicit_paths_of_the_dataset_key_count(nnunet_tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "x.nii.gz"
    shutil.move(nnunet_tree / "imagesTr" / "a_0000.nii.gz", moved)
    entry = {"images": [str(moved), "imagesTr/a_0001.nii.gz"], "label": "labelsTr/a.nii.gz"}
    change(nnunet_tree, dataset={"only": entry})
    dataset = read_dataset(nnunet_tree)
    assert [case.id for case in dataset.cases] == ["only"]
    assert dataset.cases[0].images == (moved, nnunet_tree / "imagesTr" / "a_0001.nii.gz")
    assert read_case(dataset.cases[0], channels=2, labels=dataset.labels).images.shape == (2, 9, 8, 7)


def test_explicit_paths_may_name_environment_variables_as_nnunet_allows(nnunet_tree, monkeypatch) -> None:
    monkeypatch.setenv("MEDARCH_TEST_RAW", str(nnunet_tree))
    images = [f"$MEDARCH_TEST_RAW/imagesTr/a_000{channel}.nii.gz" for channel in (0, 1)]
    change(nnunet_tree, dataset={"a": {"images": images, "label": "${MEDARCH_TEST_RAW}/labelsTr/a.nii.gz"}})
    assert all(path.is_file() for path in read_dataset(nnunet_tree).cases[0].files())


def test_test_images_become_test_cases(nnunet_tree: Path) -> None:
    shutil.copytree(nnunet_tree / "imagesTr", nnunet_tree / "imagesTs")
    (nnunet_tree / "labelsTs").mkdir()
    shutil.copy(nnunet_tree / "labelsTr" / "b.nii.gz", nnunet_tree / "labelsTs" / "b.nii.gz")
    tests = read_dataset(nnunet_tree).test_cases
    assert [case.id for case in tests] == ["a", "b", "c"]
    assert [case.label is not None for case in tests] == [False, True, False]


def test_a_missing_file_keeps_its_case_until_it_is_waived(nnunet_tree: Path) -> None:
    (nnunet_tree / "imagesTr" / "a_0001.nii.gz").unlink()
    (nnunet_tree / "labelsTr" / "b.nii.gz").unlink()
    splits = [{"train": ["a", "c"], "val": ["b"]}, {"train": ["a", "b"], "val": ["c"]}]
    (nnunet_tree / "splits_final.json").write_text(json.dumps(splits))
    assert len(read_dataset(nnunet_tree).cases) == 3
    dataset = read_dataset(nnunet_tree, waive=("IMAGE_MISSING",))
    assert [case.id for case in dataset.cases] == ["b", "c"]
    assert dataset.waived == ("IMAGE_MISSING",)
    assert [split.train for split in dataset.splits] == [("c",), ("b",)]
    dataset = read_dataset(nnunet_tree, waive=("LABEL_MISSING",))
    assert [case.id for case in dataset.cases] == ["a", "c"]


def test_only_codes_that_may_be_waived_are_taken(nnunet_tree: Path) -> None:
    with pytest.raises(UsageError, match="GEOMETRY_MISMATCH"):
        read_dataset(nnunet_tree, waive=("GEOMETRY_MISMACH",))
    with pytest.raises(UsageError, match="cannot be waived"):
        read_dataset(nnunet_tree, waive=("TRUNCATED",))


def test_msd_layout_holds_channels_in_one_4d_file(tmp_path: Path) -> None:
    dataset = read_dataset(msd_tree(tmp_path / "Task01"))
    assert (dataset.layout, dataset.name, dataset.licence) == ("msd", "BRATS_2021_x", "CC-BY-SA")
    assert dataset.channels == ("FLAIR", "T1w")
    assert dataset.labels.labels == {"background": 0, "edema": 1, "tumour": 2}
    assert [case.id for case in dataset.cases] == ["brats_1", "brats_2"]
    assert [case.id for case in dataset.test_cases] == ["brats_9"]
    volumes = read_case(dataset.cases[0], channels=2, labels=dataset.labels)
    stored = nibabel.load(tmp_path / "Task01" / "imagesTr" / "brats_1.nii.gz").get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(volumes.images, stored.transpose(3, 0, 1, 2))


def test_nnunet_v1_lists_names_without_channel_numbers(nnunet_tree: Path) -> None:
    training = [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in "abc"]
    change(nnunet_tree, training=training)
    dataset = read_dataset(nnunet_tree)
    assert dataset.layout == "msd"
    assert [path.name for path in dataset.cases[0].images] == ["a_0000.nii.gz", "a_0001.nii.gz"]


def test_real_hippocampus_and_acdc_are_read(shared_data: Path) -> None:
    hippocampus = read_dataset(shared_data / "Task04_Hippocampus")
    assert (hippocampus.layout, len(hippocampus.cases), hippocampus.num_training) == ("msd", 260, 260)
    assert hippocampus.labels.foreground_names == ("Anterior", "Posterior")
    acdc = read_dataset(shared_data / "ACDC_subset30")
    assert (acdc.layout, len(acdc.cases), acdc.channels) == ("nnunet", 40, ("cineMRI",))
    volumes = read_case(acdc.case("patient001_frame01"), channels=1, labels=acdc.labels)
    assert volumes.images.shape == (1, 216, 256, 10)
    # The volume that the data's own table states.
    assert abs((volumes.label == 3).sum() * np.prod(volumes.geometry.spacing_mm) / 1000 - 295.5) < 0.05


def csv_manifest(folder: Path, text: str, **names: object) -> Path:
    path = folder / "list.csv"
    path.write_text(text)
    meta = {"labels": {"background": 0, "organ": 1, "lesion": 2}} | names
    path.with_suffix(".json").write_text(json.dumps(meta))
    return path


def test_a_csv_names_channels_folds_and_parts(nnunet_tree: Path) -> None:
    header = "id;image_PET;image_CT;label;fold;split\n"
    row = "{0};imagesTr/{0}_0001.nii.gz;imagesTr/{0}_0000.nii.gz;{1};{2};{3}\n"
    rows = [("b", "labelsTr/b.nii.gz", "1", "train"), ("a", "labelsTr/a.nii.gz", "0", ""), ("c", "", "", "test")]
    path = csv_manifest(nnunet_tree, header + "".join(row.format(*r) for r in rows), channels=["CT", "PET"])
    dataset = read_dataset(path)
    assert dataset.layout == "manifest"
    assert dataset.channels == ("CT", "PET")
    assert [path.name for path in dataset.case("a").images] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    assert [case.id for case in dataset.test_cases] == ["c"]
    assert [(split.train, split.val) for split in dataset.splits] == [(("b",), ("a",)), (("a",), ("b",))]


def test_a_json_manifest_holds_names_and_cases(nnunet_tree: Path) -> None:
    entry = {"id": "a", "image": "imagesTr/a_0000.nii.gz", "label": "labelsTr/a.nii.gz"}
    meta = {"channels": ["CT"], "labels": {"background": 0, "all": [1, 2]}, "regions_class_order": [1]}
    path = nnunet_tree / "cohort.json"
    path.write_text(json.dumps({**meta, "cases": [entry]}))
    dataset = read_dataset(path)
    assert (dataset.name, dataset.channels) == ("cohort", ("CT",))
    assert read_case(dataset.cases[0], channels=1, labels=dataset.labels).label.max() == 2


@pytest.mark.parametrize(
    ("text", "names", "words"),
    [
        ("id,label\na,l.nii\n", {}, "image_<channel>"),
        ("id,image,image_CT\na,i.nii,j.nii\n", {}, "image_<channel>"),
        ("id,image\na,i.nii\na,j.nii\n", {"channels": ["CT"]}, "twice"),
        ("id,image\n,i.nii\n", {"channels": ["CT"]}, "has no id"),
        ("id,image\n../a,i.nii\n", {"channels": ["CT"]}, "file name"),
        ("id,image\na,i.nii\n", {}, "does not name its channels"),
        ("id,image_MR\na,i.nii\n", {"channels": ["CT"]}, "image_MR"),
        ("id,image,split\na,i.nii,val\n", {"channels": ["CT"]}, "neither train nor test"),
        ("id,image,fold\na,i.nii,one\n", {"channels": ["CT"]}, "fold 'one'"),
        ("id,image,fold\na,i.nii,1\nb,j.nii,\n", {"channels": ["CT"]}, "without a gap"),
        ("id,image,split\na,i.nii,test\n", {"channels": ["CT"]}, "no training cases"),
        ("id,image\n", {"channels": ["CT"]}, "no cases"),
        ("id,image\na,i.nii\n", {"channels": ["CT"], "labels": {"background": 0, "organ": 2}}, "consecutive"),
        (
            "id,image\na,i.nii\n",
            {"channels": ["CT"], "labels": {"background": 0, "all": [1, 2]}},
            "regions_class_order",
        ),
        ("id,image\na,i.nii\n", {"channels": ["CT"], "labels": {}}, "does not declare its labels"),
    ],
)
def test_unusable_manifests_say_why(tmp_path: Path, text: str, names: dict, words: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_dataset(csv_manifest(tmp_path, text, **names))
    assert words in str(caught.value)
    assert caught.value.fix


def test_unusable_trees_say_what_to_do(nnunet_tree: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="any folder"):  # the parent was given
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no such file"):
        read_dataset(tmp_path / "nothing.csv")
    (nnunet_tree / "splits_final.json").write_text(json.dumps([{"train": ["a", "zebra"], "val": ["a"]}]))
    with pytest.raises(DatasetError, match=r"unknown: \['zebra'\]; in both: \['a'\]"):
        read_dataset(nnunet_tree)
    (nnunet_tree / "splits_final.json").unlink()
    change(nnunet_tree, file_ending=".nrrd")
    with pytest.raises(DatasetError, match="no training cases"):
        read_dataset(nnunet_tree)
    (nnunet_tree / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match="not JSON"):
        read_dataset(nnunet_tree)


def test_a_dataset_survives_its_json(nnunet_tree: Path, make_case: Callable[..., None]) -> None:
    dataset = read_dataset(nnunet_tree)
    dataset.save(nnunet_tree / "record.json")
    assert type(dataset).load(nnunet_tree / "record.json") == dataset
    before = dataset.content_sha256()
    make_case(nnunet_tree, "a", channels=2, seed=9)
    assert dataset.content_sha256() != before
