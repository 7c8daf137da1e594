"""Classification datasets as people have them: a table beside the images, or one folder a class."""

import json

import numpy as np
import pytest
from PIL import Image

from medarch.core.dataset import Split
from medarch.core.errors import DatasetError
from medarch.io.check_dataset import check_dataset
from medarch.io.find_inputs import find_inputs
from medarch.io.read_dataset import read_dataset


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 255, (8, 9), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def dataset(folder, table=None, *, cases=(), **meta):
    folder.mkdir(parents=True, exist_ok=True)
    meta = {"task": "classification", "channel_names": {"0": "grey"}} | meta
    (folder / "dataset.json").write_text(json.dumps(meta))
    if table is not None:
        (folder / "labels.csv").write_text(table)
    for number, case in enumerate(cases):
        picture(folder / "images" / f"{case}.png", number)
    return folder


def test_a_table_gives_classes_splits_and_patients(tmp_path):
    table = "case,label,split,patient\na,cat,train,1\nb,dog,,1\nc,cat,val,2\nd,dog,test,3\ne,,test,4\n"
    found = read_dataset(dataset(tmp_path / "pets", table, cases="abcde"))
    assert found.task == "classification"
    assert found.classes.names == ("cat", "dog")
    assert not found.classes.multi_label
    assert {case.id: (case.classes, case.patient) for case in found.cases} == {
        "a": (("cat",), "1"),
        "b": (("dog",), "1"),
        "c": (("cat",), "2"),
    }
    assert found.splits == (Split(train=("a", "b"), val=("c",)),)
    assert [(case.id, case.classes) for case in found.test_cases] == [("d", ("dog",)), ("e", None)]


def test_columns_of_0_and_1_are_findings(tmp_path):
    table = "case;effusion;nodule\na;1;0\nb;1;1\nc;0;0\n"
    found = read_dataset(dataset(tmp_path / "chest", table, cases="abc"))
    assert found.classes.multi_label
    assert found.classes.names == ("effusion", "nodule")
    assert [case.classes for case in found.cases] == [("effusion",), ("effusion", "nodule"), ()]


def test_the_fold_column_makes_folds(tmp_path):
    table = "case,label,fold\na,x,0\nb,y,1\nc,x,1\nd,y,0\n"
    found = read_dataset(dataset(tmp_path / "folds", table, cases="abcd"))
    assert [split.val for split in found.splits] == [("a", "d"), ("b", "c")]


def test_one_folder_a_class(tmp_path):
    folder = dataset(tmp_path / "pets")
    for number, name in enumerate(("cat/tom", "cat/felix", "dog/rex")):
        picture(folder / f"{name}.png", number)
    found = read_dataset(folder)
    assert {case.id: case.classes for case in found.cases} == {"tom": ("cat",), "felix": ("cat",), "rex": ("dog",)}


def test_class_folders_in_train_and_test_with_equal_names(tmp_path):
    folder = dataset(tmp_path / "pets", classes=["dog", "cat"])
    for number, name in enumerate(("train/cat/1", "train/dog/1", "test/cat/1", "test/dog/1")):
        picture(folder / f"{name}.png", number)
    found = read_dataset(folder)
    assert found.classes.names == ("dog", "cat")
    assert [case.id for case in found.cases] == ["train_cat_1", "train_dog_1"]
    assert [case.id for case in found.test_cases] == ["test_cat_1", "test_dog_1"]


def test_a_dataset_stands_for_its_test_cases_at_prediction(tmp_path):
    table = "case,label,split\na,x,train\nb,y,train\nc,x,test\n"
    folder = dataset(tmp_path / "pets", table, cases="abc")
    assert [case.id for case in find_inputs(folder, channels=1)] == ["c"]
    assert [case.id for case in find_inputs(folder / "images", channels=1)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("case\na\n", "columns case"),
        ("case,label,nodule\na,x,1\n", "columns case, label, nodule"),
        ("case,label\na,x\na,y\n", "twice"),
        ("case,label\na,\nb,x\n", "case a without a label"),
        ("case,nodule\na,yes\n", "case a without a label"),
        ("case,label,split\na,x,later\n", "split 'later'"),
        ("case,label\na,x\n", "2 or more different names"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_reason(tmp_path, table, found):
    with pytest.raises(DatasetError, match=found):
        read_dataset(dataset(tmp_path / "bad", table, cases="ab"))


def test_labels_that_are_not_declared_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="bird"):
        read_dataset(dataset(tmp_path / "pets", "case,label\na,cat\nb,bird\n", cases="ab", classes=["cat", "dog"]))


def test_check_finds_leaks_missing_images_stray_files_and_classes_without_cases(tmp_path):
    table = "case,label,split,patient\na,cat,train,1\nb,cat,train,2\nc,cat,test,1\nmissing,cat,train,3\n"
    folder = dataset(tmp_path / "pets", table, cases="abcz", classes=["cat", "dog"])
    report = check_dataset(folder, workers=0)
    assert {(finding.code, finding.case) for finding in report.findings} == {
        ("PATIENT_LEAK", "c"),
        ("IMAGE_MISSING", "missing"),
        ("STRAY_FILE", ""),
        ("CLASS_NEVER_SEEN", ""),
    }


def test_a_sound_dataset_has_no_findings(tmp_path):
    folder = dataset(tmp_path / "pets", "case,label\na,cat\nb,dog\n", cases="ab")
    assert check_dataset(folder, workers=0).findings == ()
