"""``empty_policy="nnunet"`` against nnU-Net 2.8.1's own summary, live and as numbers stated here."""

import json
import os
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medarch.core.labels import LabelScheme
from medarch.evaluation.evaluate import evaluate

PLAIN = LabelScheme(labels={"background": 0, "a": 1, "b": 2, "c": 3})
REGIONS = LabelScheme(
    labels={"background": 0, "whole": (1, 2, 3), "core": (2, 3), "active": (3,), "ignore": 4},
    regions_class_order=(1, 2, 3),
)
SCHEMES = {"plain": PLAIN, "regions": REGIONS}

# Copied from the summary.json that nnU-Net 2.8.1 wrote for the cases below (the peer test makes it anew).
STATED = {
    "plain": {
        "a": 0.3209744503862151,
        "b": 0.27070707070707073,
        "c": 0.38614718614718613,
        "foreground": 0.3259429024134906,
    },
    "regions": {
        "whole": 0.48484764763834526,
        "core": 0.4470396270396271,
        "active": 0.35942760942760943,
        "foreground": 0.43043829470186057,
    },
}

PEER = """
import json, sys
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
if __name__ == "__main__":
    references, predictions, output, classes, ignore = sys.argv[1:]
    classes = [tuple(c) if len(c) > 1 else c[0] for c in json.loads(classes)]
    compute_metrics_on_folder(
        references, predictions, output, SimpleITKIO(), ".nii.gz", classes, json.loads(ignore), num_processes=1
    )
"""


def write_cases(folder, labels):
    """Blocks of classes with errors, some missed or spurious, and ignored voxels; case 5 is empty, case 6 missed."""
    highest = 4 if labels.ignore_value is not None else 3
    for name, shift in (("references", 0), ("predictions", 1)):
        (folder / name).mkdir()
        for case in range(7):
            array = np.zeros((12, 10, 8), dtype=np.uint8)
            for value in range(1, highest + 1):
                predicted = name == "predictions"
                present = (value + case) % 4 != 0 and case != 5 and not (predicted and value == 4)
                skipped = predicted and ((value, case) in {(1, 0), (2, 3)} or case == 6)
                added = predicted and (value, case) in {(3, 1), (2, 2)}
                if (present and not skipped) or added:
                    start = 2 * value + shift
                    array[start : start + 2 + value % 2, 1 + case % 4 : 6 + shift, 2:6] = value
            nibabel.save(nibabel.Nifti1Image(array, np.diag([1, 1.5, 3, 1])), folder / name / f"case_{case}.nii.gz")


def ours(folder, labels):
    return evaluate(
        folder / "predictions", folder / "references", labels=labels, empty_policy="nnunet", workers=0,
        bootstrap_samples=50,
    )  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_means_equal_what_nnunet_wrote_for_these_cases(tmp_path, scheme):
    labels = SCHEMES[scheme]
    write_cases(tmp_path, labels)
    found = ours(tmp_path, labels)
    assert {label: found.mean(label) for label in STATED[scheme]} == pytest.approx(STATED[scheme], abs=1e-12)


@pytest.mark.peer
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_dice_and_mean_equals_nnunets_summary(tmp_path, scheme):
    if "MEDARCH_PEER_PYTHON" not in os.environ:
        pytest.skip("MEDARCH_PEER_PYTHON does not name a Python with nnU-Net")
    labels = SCHEMES[scheme]
    write_cases(tmp_path, labels)
    (tmp_path / "peer.py").write_text(PEER)
    subprocess.run(
        [
            os.environ["MEDARCH_PEER_PYTHON"],
            "peer.py",
            "references",
            "predictions",
            "summary.json",
            json.dumps([labels.members(name) for name in labels.foreground_names]),
            json.dumps(labels.ignore_value),
        ],
        cwd=tmp_path,
        check=True,
    )
    theirs = json.loads((tmp_path / "summary.json").read_text())
    found = ours(tmp_path, labels)
    keys = {
        name: str(members[0] if len(members) == 1 else members)
        for name, members in ((name, labels.members(name)) for name in labels.foreground_names)
    }
    statuses = {row.status for row in found.rows}
    assert statuses == {"ok", "missed", "spurious", "empty_both"}
    per_case = {
        Path(case["prediction_file"]).name.removesuffix(".nii.gz"): case["metrics"]
        for case in theirs["metric_per_case"]
    }
    for row in found.rows:
        dice = per_case[row.case][keys[row.label]]["Dice"]
        assert row.values["dsc"] == (None if np.isnan(dice) else pytest.approx(dice, abs=1e-12))
    for name, key in keys.items():
        assert found.mean(name) == pytest.approx(theirs["mean"][key]["Dice"], abs=1e-12)
    assert found.mean() == pytest.approx(theirs["foreground_mean"]["Dice"], abs=1e-12)
