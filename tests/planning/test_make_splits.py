"""Folds against scikit-learn's, which nnU-Net uses."""

import hashlib
import json
import logging
import os
import subprocess
from pathlib import Path

import pytest

from medarch.core.dataset import Case, Dataset, Split
from medarch.core.errors import DatasetError
from medarch.core.labels import LabelScheme
from medarch.planning.make_splits import make_splits
from medarch.planning.split_file import load_splits, save_splits


def dataset(ids: list[str], splits: tuple[Split, ...] | None = None) -> Dataset:
    return Dataset(
        name="Test",
        root=Path(),
        layout="nnunet",
        channels=("CT",),
        labels=LabelScheme(labels={"background": 0, "organ": 1}),
        cases=tuple(Case(id=name, images=(Path(name),)) for name in ids),
        splits=splits,
    )


def test_eight_cases_fall_into_the_folds_scikit_learn_makes() -> None:
    splits = make_splits(dataset([f"case_{number}" for number in reversed(range(8))]))
    assert [split.val for split in splits] == [
        ("case_3", "case_7"),
        ("case_0", "case_4"),
        ("case_1", "case_6"),
        ("case_5",),
        ("case_2",),
    ]
    assert all(sorted(split.train + split.val) == [f"case_{number}" for number in range(8)] for split in splits)


def test_hippocampus_folds_are_nnunets_to_the_byte(shared_data: Path) -> None:
    ids = [
        path.name.removesuffix(".nii.gz") for path in (shared_data / "Task04_Hippocampus/labelsTr").glob("h*.nii.gz")
    ]
    splits = [split.model_dump(mode="json") for split in make_splits(dataset(ids))]
    # sha256 of what nnunetv2.utilities.crossval_split.generate_crossval_split returns (nnU-Net 2.8.1, scikit-learn)
    expected = "ede13c859ca421bda2732395e3bec81ab66f6318c34c7e708557484d549d0f0c"
    assert hashlib.sha256(json.dumps(splits, sort_keys=True).encode()).hexdigest() == expected


@pytest.mark.peer
@pytest.mark.parametrize("count", [5, 6, 9, 100, 1001])
def test_folds_equal_nnunets_own_code_run_now(count: int) -> None:
    ids = [f"case_{number:05d}" for number in range(count)]
    script = (
        "import json, sys; from nnunetv2.utilities.crossval_split import generate_crossval_split as split;"
        "print(json.dumps([{k: list(map(str, v)) for k, v in f.items()} for f in split(json.loads(sys.argv[1]))]))"
    )
    command = [os.environ["MEDARCH_PEER_PYTHON"], "-c", script, json.dumps(ids)]
    theirs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [split.model_dump(mode="json") for split in make_splits(dataset(ids))] == theirs


@pytest.mark.parametrize("count", [2, 3, 4])
def test_fewer_than_five_cases_are_left_out_one_at_a_time(count: int) -> None:
    ids = [f"case_{number}" for number in range(count)]
    splits = make_splits(dataset(ids))
    assert sorted(split.val for split in splits) == [(name,) for name in ids]
    assert all(set(split.train) == set(ids) - set(split.val) for split in splits)


def test_a_single_case_is_trained_and_validated_on_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert make_splits(dataset(["only"])) == (Split(train=("only",), val=("only",)),)
    assert "one case" in caplog.text


def test_folds_the_user_brought_are_kept() -> None:
    mine = (Split(train=("b", "c"), val=("a",)),)
    assert make_splits(dataset(["a", "b", "c"], mine)) == mine


@pytest.mark.parametrize("bad", [Split(train=("a",), val=("z",)), Split(train=("a", "b"), val=())])
def test_folds_with_unknown_or_no_cases_are_refused(bad: Split) -> None:
    with pytest.raises(DatasetError, match="fold 1"):
        make_splits(dataset(["a", "b"], (Split(train=("a",), val=("b",)), bad)))


def test_no_case_means_no_folds() -> None:
    with pytest.raises(DatasetError, match="no training case"):
        make_splits(dataset([]))


def test_folds_survive_the_file_in_nnunets_form(tmp_path: Path) -> None:
    splits = make_splits(dataset([f"case_{number}" for number in range(7)]))
    save_splits(splits, tmp_path / "splits_final.json")
    assert load_splits(tmp_path / "splits_final.json") == splits
    content = json.loads((tmp_path / "splits_final.json").read_text())
    assert [sorted(fold) for fold in content] == [["train", "val"]] * 5


@pytest.mark.parametrize("content", [None, "{", '{"train": []}', '[{"train": ["a"]}]'])
def test_a_splits_file_of_another_form_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "splits_final.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DatasetError, match="cannot read the splits"):
        load_splits(path)
