"""nnU-Net's rules, on cases made so that each of them decides once; and its own choice, live."""

import json
import os
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medarch.core.labels import LabelScheme
from medarch.evaluation.determine_postprocessing import determine_postprocessing

PLAIN = LabelScheme(labels={"background": 0, "a": 1, "b": 2, "c": 3})
IGNORING = LabelScheme(labels={"background": 0, "a": 1, "b": 2, "c": 3, "ignore": 4})
REGIONS = LabelScheme(
    labels={"background": 0, "whole": (1, 2, 3), "core": (2, 3), "active": (3,)}, regions_class_order=(1, 2, 3)
)
SHAPE = (14, 16, 12)
PEER = """
import json, sys
from nnunetv2.postprocessing.remove_connected_components import determine_postprocessing
if __name__ == "__main__":
    plans = {"image_reader_writer": "SimpleITKIO", "plans_name": "x", "configurations": {}, "dataset_name": "x"}
    plans["label_manager"] = "LabelManager"
    determine_postprocessing("predictions", "references", plans, json.load(open("dataset.json")), 1, True)
"""


def base(value_shift=0):
    """Nested blocks: 1 around 2 around 3."""
    array = np.zeros(SHAPE, np.uint8)
    array[2:9, 2:10, 2:8] = 1
    array[3:8, 3:8, 3:7] = 2
    array[4:6, 4:6, 4:6] = 3
    return array


def write_cases(folder, scheme_name):
    """References of one piece of each label, or of several; predictions with pieces apart."""
    rng = np.random.default_rng(4)
    for name in ("references", "predictions"):
        (folder / name).mkdir()
    for case in range(4):
        truth = base()
        guess = base()
        guess[tuple(rng.integers(4, 7, size=3))] = 0
        if scheme_name in ("far pieces", "regions", "ignored"):  # far from everything, wrong
            guess[12:14, 13:16, 9:12] = 1 + case % 3
        if scheme_name == "two organs":  # far pieces are right for label 1, wrong for label 2
            truth[12:14, 12:14, 9:12] = guess[12:14, 12:14, 9:12] = 1
            guess[0, 0, 0:2] = 2
        if scheme_name == "regions" and case % 2:
            guess[8, 9, 7] = 3
        if scheme_name == "spurious":  # label 3 is nowhere but in far pieces of the prediction
            truth[truth == 3] = 2
            guess[guess == 3] = 2
            guess[13, 15, 11 - case % 2 :] = 3
        if scheme_name == "ignored":
            truth[10:, 11:, 8:] = 4
            truth[0, :2, :2] = 4
        affine = np.diag([1, 1.5, 3, 1])
        nibabel.save(nibabel.Nifti1Image(truth, affine), folder / "references" / f"case_{case}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(guess, affine), folder / "predictions" / f"case_{case}.nii.gz")


CASES = {
    "far pieces": (PLAIN, [(1, 2, 3)]),
    "two organs": (PLAIN, [(2,)]),
    "regions": (REGIONS, [(1, 2, 3), (2, 3)]),
    "spurious": (PLAIN, []),
    "ignored": (IGNORING, []),
    "perfect": (PLAIN, []),
}


def chosen(folder, scheme, **options):
    return determine_postprocessing(folder / "predictions", folder / "references", labels=scheme, workers=0, **options)


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_taken_where_it_helps_and_harms_no_class(tmp_path, name):
    scheme, expected = CASES[name]
    write_cases(tmp_path, name)
    found = chosen(tmp_path, scheme)
    assert [step.values for step in found.steps] == expected
    assert (found.dsc_after > found.dsc_before) == bool(expected)


def test_workers_and_the_order_they_end_in_change_nothing(tmp_path):
    write_cases(tmp_path, "regions")
    steps = []
    alone = chosen(tmp_path, REGIONS, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(number, 4) for number in range(1, 5)]
    assert alone == determine_postprocessing(
        tmp_path / "predictions", tmp_path / "references", labels=REGIONS, workers=2
    )


@pytest.mark.peer
@pytest.mark.parametrize("name", CASES)
def test_the_steps_are_nnunets(tmp_path, name):
    if "MEDARCH_PEER_PYTHON" not in os.environ:
        pytest.skip("MEDARCH_PEER_PYTHON does not name a Python with nnU-Net")
    scheme, _ = CASES[name]
    write_cases(tmp_path, name)
    content = {
        "labels": {key: list(value) if isinstance(value, tuple) else value for key, value in scheme.labels.items()},
        "file_ending": ".nii.gz",
        "channel_names": {"0": "x"},
        "regions_class_order": list(scheme.regions_class_order or []) or None,
    }
    if content["regions_class_order"] is None:
        del content["regions_class_order"]
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (tmp_path / "peer.py").write_text(PEER)
    subprocess.run([os.environ["MEDARCH_PEER_PYTHON"], "peer.py"], cwd=tmp_path, check=True)
    theirs = json.loads((tmp_path / "predictions" / "postprocessing.json").read_text())
    values = [_flat(arguments["labels_or_regions"]) for arguments in theirs["postprocessing_kwargs"]]
    ours = chosen(tmp_path, scheme)
    assert [step.values for step in ours.steps] == values
    if name != "spurious":  # nnU-Net's mean is undefined there
        assert ours.dsc_before == pytest.approx(theirs["input_folder"]["foreground_mean"]["Dice"], abs=1e-12)
        assert ours.dsc_after == pytest.approx(theirs["postprocessed"]["foreground_mean"]["Dice"], abs=1e-12)
    _label_maps_equal(tmp_path, ours)


def _flat(value):
    return (value,) if isinstance(value, int) else tuple(value)


def _label_maps_equal(folder: Path, ours):
    from medarch.tasks.apply_postprocessing import apply_postprocessing

    for path in sorted((folder / "predictions").glob("*.nii.gz")):
        theirs = np.asarray(nibabel.load(folder / "predictions" / "postprocessed" / path.name).dataobj)
        before = np.asarray(nibabel.load(path).dataobj)
        np.testing.assert_array_equal(apply_postprocessing(before, ours.steps), theirs)
