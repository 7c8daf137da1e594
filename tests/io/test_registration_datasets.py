"""Pairs, atlas, patients and landmarks beside the images; tables of pairs to predict."""

import json

import numpy as np
import pytest

from medarch.core.dataset import Pair
from medarch.core.errors import DatasetError
from medarch.core.geometry import Geometry
from medarch.io.find_pairs import find_pairs
from medarch.io.read_dataset import read_dataset
from medarch.io.write_volume import write_volume

GRID = Geometry.from_array((6, 5, 4), np.eye(4))


@pytest.fixture
def folder(tmp_path):
    """Four training cases and two test cases without any label, in nnU-Net's layout."""
    root = tmp_path / "Scans"
    rng = np.random.default_rng(0)
    for part, names in (("Tr", "abcd"), ("Ts", "xy")):
        (root / f"images{part}").mkdir(parents=True)
        for name in names:
            write_volume(root / f"images{part}/{name}_0000.nii.gz", rng.normal(size=GRID.shape).astype("f4"), GRID)
    write_json(root, task="registration")
    return root


def write_json(root, **keys):
    (root / "dataset.json").write_text(json.dumps({"channel_names": {"0": "MRI"}, "file_ending": ".nii.gz", **keys}))


def write_label(root, name):
    (root / "labelsTr").mkdir(exist_ok=True)
    write_volume(root / f"labelsTr/{name}.nii.gz", np.ones(GRID.shape, np.uint8), GRID)


def test_images_alone_are_a_dataset(folder):
    dataset = read_dataset(folder)
    assert dataset.task == "registration"
    assert dataset.name == "Scans"
    assert [case.label for case in dataset.cases] == [None] * 4
    assert dataset.pairs is dataset.atlas is None


def test_labels_of_some_cases_are_taken_where_they_are(folder):
    write_json(folder, task="registration", labels={"background": 0, "organ": 1})
    write_label(folder, "b")
    assert [case.label is not None for case in read_dataset(folder).cases] == [False, True, False, False]


def test_pairs_patients_and_landmarks_lie_in_tables_beside_the_images(folder):
    (folder / "pairs.csv").write_text("fixed, moving\na,b\nc,d\n")
    (folder / "patients.csv").write_text("case,patient\na,p1\nb,p1\n")
    (folder / "landmarksTr").mkdir()
    (folder / "landmarksTr/c.csv").write_text("label,x,y,z\none,1,2,3\n")
    dataset = read_dataset(folder)
    assert dataset.pairs == (Pair(fixed="a", moving="b"), Pair(fixed="c", moving="d"))
    assert [case.patient for case in dataset.cases] == ["p1", "p1", None, None]
    assert [case.landmarks is not None for case in dataset.cases] == [False, False, True, False]


def test_a_segmentation_dataset_serves_as_well_under_a_name_of_its_own(folder):
    write_json(folder, labels={"background": 0, "whole": [1, 2], "core": 2}, regions_class_order=[1, 2])
    for name in "abcd":
        write_label(folder, name)
    plain, pairs = read_dataset(folder), read_dataset(folder, task="registration")
    assert (plain.task, plain.name) == ("segmentation", "Scans")
    assert (pairs.task, pairs.name) == ("registration", "Scans_registration")
    assert pairs.labels.foreground_values == (1, 2)  # regions overlap, values do not
    assert plain.content_sha256() != pairs.content_sha256()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("pairs.csv", "fixed,moving\na,nobody\n", "nobody"),
        ("pairs.csv", "fixed,moving\na,a\n", "a and a"),
        ("pairs.csv", "first,second\na,b\n", "columns fixed, moving"),
        ("patients.csv", "case\na\n", "columns case, patient"),
    ],
)
def test_a_wrong_table_is_named(folder, file, text, message):
    (folder / file).write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_dataset(folder)


def test_an_atlas_is_a_training_case_and_goes_without_a_list(folder):
    write_json(folder, task="registration", atlas="b")
    assert read_dataset(folder).atlas == "b"
    (folder / "pairs.csv").write_text("fixed,moving\na,b\n")
    with pytest.raises(DatasetError, match="both"):
        read_dataset(folder)
    write_json(folder, task="registration", atlas="x")
    with pytest.raises(DatasetError, match="atlas"):
        read_dataset(folder)


def test_the_test_cases_of_a_dataset_are_registered_pair_by_pair(folder):
    assert [pair.id for pair in find_pairs(folder, channels=1)] == ["y_to_x", "x_to_y"]
    (folder / "pairs.csv").write_text("fixed,moving\na,b\ny,x\n")
    assert [pair.id for pair in find_pairs(folder, channels=1)] == ["x_to_y"]


def test_a_table_names_files_and_what_goes_with_them(folder):
    write_label(folder, "b")
    table = folder / "todo.csv"
    table.write_text(
        "fixed,moving,moving_label,id\n"
        "imagesTr/a_0000.nii.gz,imagesTr/b_0000.nii.gz,labelsTr/b.nii.gz,first\n"
        "imagesTr/a_0000.nii.gz,imagesTs/x_0000.nii.gz,,\n"
    )
    first, second = find_pairs(table, channels=1)
    assert (first.id, first.fixed.id, first.moving.id) == ("first", "a", "b")
    assert first.moving.label == folder / "labelsTr/b.nii.gz"
    assert first.fixed.label is None
    assert second.id == "x_to_a"
    table.write_text("fixed,moving\nimagesTr/a_0000.nii.gz,imagesTr/none.nii.gz\n")
    with pytest.raises(DatasetError, match=r"none\.nii\.gz"):
        find_pairs(table, channels=1)
    table.write_text("fixed,moved\na,b\n")
    with pytest.raises(DatasetError, match="fixed and moving"):
        find_pairs(table, channels=1)
