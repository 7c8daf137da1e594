"""``medarch check`` names every fault of every case at once, and calls what is fine fine."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medarch.core.check import CODES, CheckReport
from medarch.core.errors import MedarchError, UsageError
from medarch.core.geometry import Geometry
from medarch.io.check_dataset import check_dataset
from medarch.io.dataset_findings import HUGE_VOXELS, dataset_findings
from medarch.io.examine_case import CaseFacts
from medarch.io.read_case import read_case
from medarch.io.read_dataset import read_dataset
from medarch.io.read_geometry import read_geometry
from medarch.io.write_volume import write_volume

DERIVED_FAULTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # file: (errors, warnings) of a dataset of two good cases and one with this file
    "truncated_gz.nii.gz": (("TRUNCATED",), ()),
    "zero_bytes.nii.gz": (("EMPTY_FILE",), ()),
    "not_gz.nii.gz": (("WRONG_EXTENSION",), ()),
    "bad_magic.nii": (("NOT_NIFTI",), ()),
    "random.nii.gz": (("NOT_NIFTI",), ()),
    "dim_negative.nii": (("BAD_HEADER",), ()),
    "nan_inf.nii.gz": (("NOT_FINITE",), ()),
    "constant.nii.gz": (("CONSTANT_IMAGE",), ()),
    "all_zero.nii.gz": (("ALL_ZERO",), ()),
    "four_d_single.nii.gz": ((), ()),
    "four_d_three.nii.gz": (("WRONG_CHANNELS",), ()),
    "one_slice.nii.gz": ((), ("SHAPE_OUTLIER",)),
    "nifti2.nii.gz": ((), ()),
    "float64.nii.gz": ((), ()),
    "lps_flip.nii.gz": ((), ("ORIENTATION_MIXED",)),
    "oblique20.nii.gz": ((), ()),
    "sheared_sform.nii.gz": (("SHEARED_AFFINE",), ()),
    "no_qs_codes.nii.gz": (("NO_ORIENTATION",), ("ORIENTATION_MIXED",)),
    "singular_sform.nii": (("BAD_AFFINE",), ()),
    "label_extra_class.nii.gz": (("LABEL_UNDECLARED",), ()),
    "label_wrong_shape.nii.gz": (("SHAPE_MISMATCH",), ()),
    "label_wrong_affine.nii.gz": (("GEOMETRY_MISMATCH",), ()),
    "label_empty.nii.gz": ((), ("LABEL_EMPTY",)),
    "reference_image.nii.gz": ((), ()),
    "reference_label.nii.gz": ((), ()),
}


def codes(report: CheckReport, case: str | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Codes of errors and of warnings, each once."""
    return tuple(
        tuple(sorted({finding.code for finding in part if case in (None, finding.case)}))
        for part in (report.errors, report.warnings)
    )  # type: ignore[return-value]


def label_on_the_grid_of(image: Path, target: Path) -> Path:
    """A label with both classes exactly where the image lies, if the image's header can be read; made with nibabel."""
    shape, affine = (35, 51, 35), np.eye(4)
    try:
        shape = read_geometry(image)[0].shape
        affine = nibabel.load(image).affine
    except MedarchError:
        pass
    label = np.zeros(shape, np.uint8)
    label[10:20, 10:20] = 1
    label[20:25, 10:20] = 2
    made = nibabel.Nifti1Image(label, affine)
    if image.name == "no_qs_codes.nii.gz":
        made.header.set_sform(affine, code=1)
    nibabel.save(made, target)
    return target


def test_the_table_names_every_derived_fault(shared_data: Path) -> None:
    manifest = json.loads((shared_data / "nifti_oddities" / "derived_faults" / "manifest.json").read_text())
    assert sorted(DERIVED_FAULTS) == sorted(manifest)


@pytest.mark.parametrize("name", DERIVED_FAULTS)
def test_every_derived_fault_gets_its_verdict(
    shared_data: Path, tmp_path: Path, manifest_with: Callable[..., Path], name: str
) -> None:
    folder = shared_data / "nifti_oddities" / "derived_faults"
    errors, warnings = DERIVED_FAULTS[name]
    if "label" in name:
        source = manifest_with(folder / "reference_image.nii.gz", folder / name)
    else:
        source = manifest_with(folder / name, label_on_the_grid_of(folder / name, tmp_path / "label.nii.gz"))
    report = check_dataset(source, workers=0)
    assert codes(report) == (errors, warnings)
    assert report.cases == 3
    assert codes(report, "good_0") == codes(report, "good_1") == ((), ())
    assert not errors or name in {finding.file.name for finding in report.errors if finding.file}
    for finding in report.errors:
        assert finding.expected or finding.found
        assert finding.fix

    # What check calls an error, reading refuses with the same code; what it does not, can be read.
    dataset = read_dataset(source)
    if errors:
        with pytest.raises(MedarchError) as caught:
            read_case(dataset.case("odd"), channels=1, labels=dataset.labels)
        assert caught.value.check in errors
    else:
        assert read_case(dataset.case("odd"), channels=1, labels=dataset.labels).images.ndim == 4


def test_the_original_acdc_header_is_a_conflict_of_forms(shared_data: Path, manifest_with: Callable[..., Path]) -> None:
    folder = shared_data / "nifti_oddities" / "acdc_original_header"
    source = manifest_with(folder / "patient001_frame01.nii.gz", folder / "patient001_frame01_gt.nii.gz")
    errors, _ = codes(check_dataset(source, workers=0))
    assert errors == ("FORM_CONFLICT", "LABEL_UNDECLARED")
    report = check_dataset(source, waive=("FORM_CONFLICT",), workers=0)
    assert codes(report)[0] == ("LABEL_UNDECLARED",)
    waived = [finding for finding in report.warnings if finding.code == "FORM_CONFLICT"]
    assert len(waived) == 2
    assert all("(waived)" in finding.found for finding in waived)


def test_a_qform_that_contradicts_the_sform_is_found(tmp_path: Path, manifest_with: Callable[..., Path]) -> None:
    for name in ("image.nii.gz", "label.nii.gz"):
        made = nibabel.Nifti1Image(np.arange(24000, dtype=np.int16).reshape(20, 30, 40) % 3, np.eye(4))
        made.set_sform(np.diag([1, 1, 1, 1]), code=1)
        made.set_qform(np.diag([-1, 1, 1, 1]), code=1)
        nibabel.save(made, tmp_path / name)
    report = check_dataset(manifest_with(tmp_path / "image.nii.gz", tmp_path / "label.nii.gz"), workers=0)
    assert codes(report)[0] == ("FORM_CONFLICT",)


def test_the_planted_hippocampus_files_are_found(
    shared_data: Path, tmp_path: Path, copy_cases: Callable[..., None]
) -> None:
    copy_cases(tmp_path, "003", "004", "011")
    planted = shared_data / "nifti_oddities" / "hippocampus_planted"
    shutil.copy(planted / "images" / "hippocampus_118.nii.gz", tmp_path / "imagesTr" / "hippocampus_118_0000.nii.gz")
    for number in ("010", "281"):
        shutil.copy(planted / "labels" / f"hippocampus_{number}.nii.gz", tmp_path / "labelsTr")
    meta = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "anterior": 1, "posterior": 2},
            "numTraining": 263, "file_ending": ".nii.gz"}  # fmt: skip
    (tmp_path / "dataset.json").write_text(json.dumps(meta))
    report = check_dataset(tmp_path, workers=0)
    assert codes(report, "hippocampus_118")[0] == ("LABEL_MISSING",)
    assert "IMAGE_MISSING" in codes(report, "hippocampus_010")[0]
    assert "IMAGE_MISSING" in codes(report, "hippocampus_281")[0]
    copies = {(finding.case, finding.found) for finding in report.errors if finding.code == "DUPLICATE_LABEL"}
    assert copies == {("hippocampus_011", "the label map of hippocampus_010")}
    assert "NUM_TRAINING" in codes(report)[1]


def test_real_data_without_faults_has_no_findings(shared_data: Path) -> None:
    for name, count in (("Task04_Hippocampus", 260), ("ACDC_subset30", 40)):
        report = check_dataset(shared_data / name)
        assert (report.cases, report.findings) == (count, ())


def test_workers_and_one_process_report_the_same(nnunet_tree: Path) -> None:
    (nnunet_tree / "imagesTr" / "a_0001.nii.gz").write_bytes(b"")
    calls: list[tuple[int, int]] = []
    report = check_dataset(nnunet_tree, workers=2, progress=lambda *done: calls.append(done))
    assert report == check_dataset(nnunet_tree, workers=0)
    assert codes(report) == (("EMPTY_FILE",), ())
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert CheckReport.parse(report.to_json()) == report


def test_every_fault_of_a_tree_is_listed_at_once(nnunet_tree: Path) -> None:
    images, labels = nnunet_tree / "imagesTr", nnunet_tree / "labelsTr"
    (images / "a_0000.nii.gz").write_bytes((images / "a_0000.nii.gz").read_bytes()[:-20])
    (images / "b_0001.nii.gz").unlink()
    (labels / "b.nii.gz").unlink()
    shutil.copy(images / "c_0000.nii.gz", images / "c_0002.nii.gz")
    shutil.copy(images / "c_0000.nii.gz", images / "scout.nii.gz")
    shutil.copy(labels / "c.nii.gz", labels / "c.nii")
    (labels / "d.nii.gz").write_bytes((labels / "a.nii.gz").read_bytes())
    report = check_dataset(nnunet_tree, workers=0)
    assert codes(report, "a")[0] == ("TRUNCATED",)
    assert codes(report, "b")[0] == ("IMAGE_MISSING", "LABEL_MISSING")
    assert codes(report, "c")[0] == ("WRONG_CHANNELS",)
    assert codes(report, "d")[0] == ("DUPLICATE_LABEL", "IMAGE_MISSING")
    assert codes(report, "")[1] == ("NUM_TRAINING", "STRAY_FILE")
    assert [finding.file.name for finding in report.warnings if finding.code == "STRAY_FILE"] == [
        "scout.nii.gz",
        "c.nii",
    ]
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities)


def test_copied_images_are_found_whatever_the_compression(nnunet_tree: Path) -> None:
    for channel in (0, 1):
        image = nibabel.load(nnunet_tree / "imagesTr" / f"a_{channel:04d}.nii.gz")
        nibabel.save(image, nnunet_tree / "imagesTr" / f"c_{channel:04d}.nii.gz")
    report = check_dataset(nnunet_tree, workers=0)
    assert codes(report, "c")[0] == ("DUPLICATE_CASE",)
    assert codes(check_dataset(nnunet_tree, waive=("DUPLICATE_CASE",), workers=0))[0] == ()


def test_a_class_that_never_occurs_is_named(nnunet_tree: Path) -> None:
    path = nnunet_tree / "dataset.json"
    labels = {"background": 0, "organ": 1, "lesion": 2, "unicorn": 3, "ignore": 4}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"labels": labels}))
    report = check_dataset(nnunet_tree, workers=0)
    assert [(finding.code, finding.found) for finding in report.findings] == [("CLASS_NEVER_SEEN", "never: unicorn")]


def test_orientations_may_differ_between_cases_but_not_within_one(nnunet_tree: Path) -> None:
    flipped = Geometry.from_array((9, 8, 7), np.diag([-1.0, 1.5, 2.0, 1.0]))
    random = np.random.default_rng(5)
    for name in ("a_0000", "a_0001"):
        image = random.normal(size=(9, 8, 7)).astype(np.float32)
        write_volume(nnunet_tree / "imagesTr" / f"{name}.nii.gz", image, flipped)
    report = check_dataset(nnunet_tree, workers=0)
    assert codes(report) == (("ORIENTATION_MISMATCH",), ("ORIENTATION_MIXED",))
    label = nibabel.load(nnunet_tree / "labelsTr" / "a.nii.gz")
    write_volume(nnunet_tree / "labelsTr" / "a.nii.gz", np.asarray(label.dataobj), flipped)
    assert codes(check_dataset(nnunet_tree, workers=0)) == ((), ("ORIENTATION_MIXED",))


def facts(number: int, *, shape: tuple = (50, 50, 50), spacing: float = 1.0, volume: float = 1000.0) -> CaseFacts:
    geometry = Geometry.from_array(shape, np.diag([spacing, spacing, spacing, 1.0]))
    return CaseFacts(f"case_{number}", [], geometry, f"image {number}", f"label {number}", {1: volume, 2: 10.0})


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"shape": (50, 50, 201)}, "SHAPE_OUTLIER"),
        ({"shape": (12, 50, 50)}, "SHAPE_OUTLIER"),
        ({"spacing": 3.1}, "SPACING_OUTLIER"),
        ({"volume": 20000.0}, "LABEL_VOLUME_OUTLIER"),
        ({"volume": 50.0}, "LABEL_VOLUME_OUTLIER"),
        ({}, None),
        ({"shape": (150, 50, 50), "spacing": 0.5, "volume": 3000.0}, None),
    ],
)
def test_outliers_are_those_far_from_the_median(nnunet_tree: Path, odd: dict, code: str | None) -> None:
    dataset = read_dataset(nnunet_tree)
    cases = [facts(number, volume=1000.0 + 40 * number) for number in range(9)] + [facts(9, **odd)]
    findings = dataset_findings(dataset, cases)
    assert [(finding.code, finding.case) for finding in findings] == ([(code, "case_9")] if code else [])


def test_a_huge_image_is_named_before_memory_runs_out(nnunet_tree: Path) -> None:
    side = round(HUGE_VOXELS ** (1 / 3)) + 1
    findings = dataset_findings(read_dataset(nnunet_tree), [facts(0, shape=(side, side, side))])
    assert [finding.code for finding in findings] == ["HUGE_IMAGE"]


def test_faults_that_cannot_be_lived_with_cannot_be_waived(nnunet_tree: Path) -> None:
    with pytest.raises(UsageError):
        check_dataset(nnunet_tree, waive=("NOT_FINITE",))
    assert CODES["GEOMETRY_MISMATCH"].waivable
    assert not CODES["SHAPE_MISMATCH"].waivable


def landmark_cases(root: Path, files: dict[str, str]) -> CheckReport:
    """Check a registration dataset of one image a case, on a grid of 8 mm about (10, 0, 0), with these landmarks."""
    (root / "imagesTr").mkdir()
    (root / "landmarksTr").mkdir()
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[0, 3] = 6.0
    grid = Geometry.from_array((8, 6, 4), affine)
    rng = np.random.default_rng(0)
    for name, text in files.items():
        case = name.split(".")[0]
        write_volume(root / f"imagesTr/{case}_0000.nii.gz", rng.normal(size=grid.shape).astype("f4"), grid)
        (root / "landmarksTr" / name).write_text(text)
    described = {"channel_names": {"0": "MRI"}, "file_ending": ".nii.gz", "task": "registration"}
    (root / "dataset.json").write_text(json.dumps(described))
    return check_dataset(root, workers=0)


def test_landmark_files_are_read_and_bad_ones_named(tmp_path: Path) -> None:
    report = landmark_cases(
        tmp_path,
        {
            "good.csv": "# CoordinateSystem = RAS\nlabel,x,y,z\ntip,13,5,6\n",
            "voxels.csv": "label,i,j,k\ntip,7,5,3\n",
            "slicer.fcsv": "# CoordinateSystem = LPS\n# columns = id,x,y,z\nF-1,-8,-1,2\n",
            "signless.csv": "label,x,y,z\ntip,13,5,6\n",
            "wordy.csv": "# CoordinateSystem = RAS\nlabel,x,y,z\ntip,13,five,6\n",
            "empty.csv": "",
            "mirrored.csv": "# CoordinateSystem = LPS\nlabel,x,y,z\ntip,13,0,6\ntail,-8,0,2\n",
            "twice.csv": "# CoordinateSystem = RAS\nlabel,x,y,z\ntip,13,5,6\ntip,9,1,2\n",
        },
    )
    found = {finding.case: finding for finding in report.findings}
    assert {case: (finding.code, finding.severity) for case, finding in found.items()} == {
        "signless": ("LANDMARKS_UNREADABLE", "error"),
        "wordy": ("LANDMARKS_UNREADABLE", "error"),
        "empty": ("EMPTY_FILE", "error"),
        "mirrored": ("LANDMARK_OUTSIDE", "warning"),
        "twice": ("LANDMARK_REPEATED", "warning"),
    }
    assert "'five'" in found["wordy"].found
    assert found["wordy"].file == tmp_path / "landmarksTr/wordy.csv"
    assert "1 of 2 outside: tip" in found["mirrored"].found


def test_landmarks_are_looked_at_where_the_image_cannot_be_read(tmp_path: Path) -> None:
    landmark_cases(tmp_path, {"a.csv": "label,x,y,z\ntip,13,5,6\n", "b.csv": "label,i,j,k\ntip,7,5,3\n"})
    for case in "ab":
        (tmp_path / f"imagesTr/{case}_0000.nii.gz").write_bytes(b"")
    codes = sorted((finding.case, finding.code) for finding in check_dataset(tmp_path, workers=0).errors)
    assert codes == [("a", "EMPTY_FILE"), ("a", "LANDMARKS_UNREADABLE"), ("b", "EMPTY_FILE")]
