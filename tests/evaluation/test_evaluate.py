"""Folders of real files: matching, failures, summaries, parallel runs."""

import re
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK

from medarch.core.errors import EvaluationError, UsageError
from medarch.core.evaluation import Evaluation
from medarch.core.labels import LabelScheme
from medarch.evaluation.evaluate import evaluate
from medarch.evaluation.format_table import format_table
from medarch.evaluation.write_tables import write_tables

LABELS = LabelScheme(labels={"background": 0, "a": 1, "b": 2})
AFFINE = np.diag([1.0, 2.0, 3.0, 1.0])
SHAPE = (20, 20, 20)
DIAGONAL = float(np.linalg.norm([20, 40, 60]))


def label_map(a=True, b=True, shift=0):
    found = np.zeros(SHAPE, dtype=np.uint8)
    found[2 + shift : 8 + shift, 4:12, 4:12] = 1 if a else 0
    found[12 + shift : 17 + shift, 4:12, 4:12] = 2 if b else 0
    return found


def write(folder, name, array, affine=AFFINE):
    folder.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), folder / name)


@pytest.fixture
def folders(tmp_path):
    """Case ``good`` is one voxel off in both classes; ``same`` is perfect."""
    predictions, references = tmp_path / "predictions", tmp_path / "references"
    for case, shift in (("good", 1), ("same", 0)):
        write(references, f"{case}.nii.gz", label_map())
        write(predictions, f"{case}.nii.gz", label_map(shift=shift))
    return predictions, references


def run(folders, **options):
    return evaluate(*folders, labels=LABELS, **{"workers": 0, "bootstrap_samples": 200, **options})


def rows(evaluation, case):
    return [row for row in evaluation.rows if row.case == case]


def test_two_cases_by_hand(folders):
    found = run(folders, dataset="boxes")
    assert [(row.case, row.label, row.status) for row in found.rows] == [
        ("good", "a", "ok"), ("good", "b", "ok"), ("same", "a", "ok"), ("same", "b", "ok"),
    ]  # fmt: skip
    # One of 6 and one of 5 slices lies off: DSC 5/6 and 4/5.
    assert [row.values["dsc"] for row in found.rows] == pytest.approx([5 / 6, 4 / 5, 1, 1])
    assert found.mean("a") == pytest.approx((5 / 6 + 1) / 2)
    assert found.mean() == pytest.approx((5 / 6 + 4 / 5 + 2) / 4)
    assert found.mean("foreground", "hd95_mm") == pytest.approx(0.5)
    assert [summary.label for summary in found.summaries] == ["a", "b", "foreground"]
    interval = found.summaries[0].measures["dsc"]
    assert (interval.used, interval.total) == (2, 2)
    assert 5 / 6 <= interval.low <= interval.high <= 1
    assert found.summaries[2].statuses == {"ok": 4}
    assert found.dataset == "boxes"


def test_worker_processes_give_the_same_record(folders):
    calls = []
    parallel = run(folders, workers=2, progress=lambda done, total: calls.append((done, total)))
    assert parallel == run(folders)
    assert calls == [(1, 2), (2, 2)]


def test_formats_are_matched_by_name_without_suffix(folders):
    predictions, references = folders
    image = SimpleITK.ReadImage(str(predictions / "good.nii.gz"))
    (predictions / "good.nii.gz").unlink()
    SimpleITK.WriteImage(image, str(predictions / "good.nrrd"))
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(references / "same.nii.gz")), str(references / "same.mha"))
    (references / "same.nii.gz").unlink()
    assert run(folders).mean() == pytest.approx((5 / 6 + 4 / 5 + 2) / 4)


FAILURES = {
    "missing": (lambda folder: (folder / "same.nii.gz").unlink(), "no prediction"),
    "truncated": (lambda folder: (folder / "same.nii.gz").write_bytes((folder / "same.nii.gz").read_bytes()[:100]), ""),
    "other shape": (
        lambda folder: write(folder, "same.nii.gz", label_map()[:-1]),
        r"shape \(20, 20, 20\) against \(19",
    ),
    "other place": (
        lambda folder: write(folder, "same.nii.gz", label_map(), AFFINE + np.eye(4, k=3) * 5),
        "another grid",
    ),
    "unknown value": (lambda folder: write(folder, "same.nii.gz", label_map() * 3), "not labels"),
    "probabilities": (
        lambda folder: write(folder, "same.nii.gz", np.stack([label_map()] * 2, axis=-1)),
        "one channel",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_failed_case_is_counted_as_the_worst_and_says_why(folders, failure, workers):
    spoil, reason = FAILURES[failure]
    spoil(folders[0])
    found = run(folders, workers=workers)
    for row, reference_ml in zip(rows(found, "same"), (6 * 64 * 6 / 1000, 5 * 64 * 6 / 1000), strict=True):
        assert row.status == "failed"
        assert (row.values["dsc"], row.values["nsd"]) == (0, 0)
        assert row.values["hd95_mm"] == row.values["assd_mm"] == pytest.approx(DIAGONAL)
        assert row.values["volume_error_ml"] is None
        assert row.reference_ml == pytest.approx(reference_ml)
        assert row.reason
        assert re.search(reason, row.reason)
    assert found.mean("a") == pytest.approx(5 / 6 / 2)
    assert found.summaries[0].statuses == {"ok": 1, "failed": 1}
    assert (found.summaries[0].measures["volume_error_ml"].used, found.summaries[0].measures["dsc"].used) == (1, 2)
    assert "FAILED same:" in format_table(found)


def test_an_unreadable_reference_fails_its_case_only(folders):
    (folders[1] / "same.nii.gz").write_bytes(b"nothing")
    found = run(folders)
    assert [row.status for row in rows(found, "same")] == ["failed", "failed"]
    assert [row.values["hd95_mm"] for row in rows(found, "same")] == pytest.approx([DIAGONAL] * 2)
    assert found.mean("a") == pytest.approx(5 / 6 / 2)


def test_nothing_but_unreadable_references_is_an_error(folders):
    for path in folders[1].iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(EvaluationError, match="none of 2 cases could be measured; the first is good"):
        run(folders)


def test_nnunet_policy_leaves_a_failed_case_out_and_counts_it(folders):
    (folders[0] / "same.nii.gz").unlink()
    found = run(folders, empty_policy="nnunet")
    assert found.mean("a") == pytest.approx(5 / 6)
    assert (found.summaries[0].measures["dsc"].used, found.summaries[0].measures["dsc"].total) == (1, 2)
    assert found.summaries[0].statuses == {"ok": 1, "failed": 1}


def test_missed_and_spurious_cases_pull_the_mean_down(folders):
    write(folders[1], "third.nii.gz", label_map(b=False))
    write(folders[0], "third.nii.gz", label_map(a=False))
    found = run(folders)
    assert [row.status for row in rows(found, "third")] == ["missed", "spurious"]
    assert found.mean("a") == pytest.approx((5 / 6 + 1 + 0) / 3)
    assert found.mean("b") == pytest.approx((4 / 5 + 1 + 0) / 3)
    assert found.mean("a", "hd95_mm") == pytest.approx((1 + 0 + DIAGONAL) / 3)


def test_foreground_is_a_mean_over_cases_or_over_classes(folders):
    # Only class a exists in the third case and it is perfect: medarch sees case means 49/60, 1, 1.
    write(folders[1], "third.nii.gz", label_map(b=False))
    write(folders[0], "third.nii.gz", label_map(b=False))
    assert run(folders).mean() == pytest.approx(((5 / 6 + 4 / 5) / 2 + 1 + 1) / 3)
    assert run(folders, empty_policy="nnunet").mean() == pytest.approx(((5 / 6 + 2) / 3 + (4 / 5 + 1) / 2) / 2)
    assert run(folders).summaries[1].measures["dsc"].used == 2
    assert run(folders).summaries[1].statuses == {"ok": 2, "empty_both": 1}


def test_a_class_that_never_occurs_has_no_mean(folders):
    for folder in folders:
        for case in ("good", "same"):
            write(folder, f"{case}.nii.gz", label_map(b=False))
    found = run(folders)
    assert found.mean("b") is None
    assert found.mean() == 1
    assert run(folders, empty_policy="nnunet").mean() is None
    assert "NaN" not in found.to_json()
    assert "nan" not in format_table(found)


def test_files_can_be_given_by_case_instead_of_by_folder(folders):
    predictions, references = ({path.name[:4]: path for path in folder.iterdir()} for folder in folders)
    found = run((predictions, references))
    assert found.rows == run(folders).rows
    assert found.predictions == str(folders[0])
    with pytest.raises(EvaluationError, match="without a reference"):
        run((predictions | {"more": folders[0] / "good.nii.gz"}, references))


def test_only_the_named_cases_are_evaluated(folders):
    found = run(folders, cases=["good"])
    assert {row.case for row in found.rows} == {"good"}
    with pytest.raises(EvaluationError, match=r"1 case\(s\) without a reference.*other"):
        run(folders, cases=["good", "other"])


def test_predictions_without_reference_are_listed(folders):
    for name in ("x.nii.gz", "y.nii"):
        write(folders[0], name, label_map())
    with pytest.raises(EvaluationError, match=r"2 prediction\(s\) without a reference.*found: x, y"):
        run(folders)


def test_two_files_of_one_name_are_an_error(folders):
    write(folders[0], "good.nii", label_map())
    with pytest.raises(EvaluationError, match=r"two files for case good"):
        run(folders)


def test_folders_that_do_not_fit_are_an_error(folders, tmp_path):
    with pytest.raises(EvaluationError, match=r"no label maps in .*nowhere.*no such folder"):
        run((folders[0], tmp_path / "nowhere"))
    other = tmp_path / "other"
    write(other, "same.nii.gz", label_map())
    with pytest.raises(EvaluationError, match="no prediction for any case"):
        run((other, folders[1]), cases=["good"])


@pytest.mark.parametrize("option", [{"confidence": 1.0}, {"nsd_tolerance_mm": -1.0}, {"bootstrap_samples": 0}])
def test_arguments_out_of_range_are_an_error(folders, option):
    with pytest.raises(UsageError, match=next(iter(option))):
        run(folders, **option)


def test_pictures_among_volumes_are_not_predictions(folders):
    from PIL import Image

    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(folders[0] / "curve.png")
    assert len(run(folders).rows) == 4


def test_images_are_measured_in_2d(tmp_path):
    from PIL import Image

    array = np.zeros((30, 40), dtype=np.uint8)
    array[10:20, 10:20] = 1
    for folder, shift in (("predictions", 1), ("references", 0)):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.roll(array, shift, 0)).save(tmp_path / folder / "a.png")
    labels = LabelScheme(labels={"background": 0, "a": 1})
    found = evaluate(tmp_path / "predictions", tmp_path / "references", labels=labels, workers=0)
    assert found.mean("a") == pytest.approx(0.9)
    assert found.mean("a", "hd95_mm") == 1.0


def test_tables_hold_what_the_record_holds(folders, tmp_path):
    write(folders[1], "third.nii.gz", label_map(b=False))
    write(folders[0], "third.nii.gz", label_map(b=False))
    found = run(folders)
    record, table, summary = write_tables(found, tmp_path / "out")
    assert Evaluation.load(record) == found
    lines = table.read_text().splitlines()
    assert lines[0] == (
        "case,label,status,dsc,nsd,hd95_mm,assd_mm,volume_error_ml,relative_volume_error,"
        "reference_ml,prediction_ml,reason"
    )
    assert len(lines) == 1 + 6
    assert lines[1].startswith("good,a,ok,0.83333")
    assert lines[6] == "third,b,empty_both,,,,,0.0,,0.0,0.0,"
    text = summary.read_text()
    assert text == format_table(found)
    assert "0.944 [" in text
    assert "n=2/3" in text
    assert "empty_both 1, ok 2" in text
    assert "NSD 1 mm" in text


def test_evaluating_imports_no_torch(folders):
    code = (
        "import sys; from pathlib import Path; from medarch.core.labels import LabelScheme;"
        "from medarch.evaluation.evaluate import evaluate;"
        "evaluate(Path(sys.argv[1]), Path(sys.argv[2]), workers=0,"
        "labels=LabelScheme(labels={'background': 0, 'a': 1, 'b': 2}));"
        "sys.exit('torch' in sys.modules or 'monai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, *map(str, folders)], check=False).returncode == 0
