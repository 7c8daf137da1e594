"""A dataset of eight small cases with made-up, and therefore known, predictions."""

import json
import shutil
from pathlib import Path

import pytest
from box_study import Study, boxes, write_map

CASES = 8


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Two frames of four patients; two folds of its own, each with two patients to validate on."""
    folder = tmp_path_factory.mktemp("dataset") / "Boxes"
    names = [f"patient{number}_frame{frame}" for number in range(4) for frame in range(2)]
    for name in names:
        write_map(folder / "imagesTr" / f"{name}_0000.nii.gz", boxes() * 40 + 5)
        write_map(folder / "labelsTr" / f"{name}.nii.gz", boxes())
    content = {"channel_names": {"0": "MR"}, "labels": {"background": 0, "a": 1, "b": 2}, "numTraining": CASES,
               "file_ending": ".nii.gz", "name": "Boxes"}  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(content))
    parts = [names[:4], names[4:]]
    splits = [{"train": parts[1 - fold], "val": parts[fold]} for fold in range(2)]
    (folder / "splits_final.json").write_text(json.dumps(splits))
    return folder


@pytest.fixture(scope="session")
def finished(dataset, tmp_path_factory):
    """Finished predictions: ``good`` one voxel off, ``bad`` two, one folder a fold."""
    folder = tmp_path_factory.mktemp("finished")
    splits = json.loads((dataset / "splits_final.json").read_text())
    for method, shift in (("good", 1), ("bad", 2)):
        for fold, split in enumerate(splits):
            for number, case in enumerate(split["val"]):
                write_map(folder / method / f"fold_{fold}" / f"{case}.nii.gz", boxes(shift if number else 0))
    return folder


@pytest.fixture
def own_finished(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "finished"))


@pytest.fixture
def study(dataset, finished, tmp_path):
    """Return a function that writes the study file with changes and runs it."""
    return Study(dataset, finished, tmp_path)
