"""What can be wrong with a dataset: every code once, with its severity, its meaning and its cure."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from medarch.core.record import Record

Severity = Literal["error", "warning"]
Topic = Literal["file", "grid", "values", "dataset"]


class CheckCode(Record):
    """One kind of problem. Training and prediction refuse exactly what is an error here and not waived."""

    code: str
    topic: Topic
    severity: Severity
    meaning: str
    fix: str
    waivable: bool = False
    """Whether the user may accept it by name (``--waive CODE``); it is then reported as a warning."""


class Finding(Record):
    """One problem of one file, case or dataset."""

    code: str
    severity: Severity
    case: str = ""
    """Case id; empty when the whole dataset is meant."""
    file: Path | None = None
    expected: str = ""
    found: str = ""
    fix: str = ""


class CheckReport(Record):
    """Everything that ``medarch check`` found, errors first."""

    dataset: str
    cases: int
    """Cases that were looked at, test cases included."""
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop training and prediction."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that stop nothing, waived errors among them."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")


def _error(code: str, topic: Topic, meaning: str, fix: str, *, waivable: bool = False) -> CheckCode:
    return CheckCode(code=code, topic=topic, severity="error", meaning=meaning, fix=fix, waivable=waivable)


def _warning(code: str, topic: Topic, meaning: str, fix: str) -> CheckCode:
    return CheckCode(code=code, topic=topic, severity="warning", meaning=meaning, fix=fix)


_COPY_AGAIN = "copy or export the file again from its source"
_CONVERT = "convert the file, e.g. with nibabel or SimpleITK"

_TABLE = (
    _error("FILE_MISSING", "file", "a file that belongs to this one is not there or cannot be opened",
           "put the file there, or correct its path and permissions"),
    _error("IMAGE_MISSING", "file", "an image file of the case is not there",
           "add the file; waiving leaves such cases out", waivable=True),
    _error("LABEL_MISSING", "file", "the label file of a training case is not there",
           "add the file; waiving leaves such cases out", waivable=True),
    _error("LANDMARKS_UNREADABLE", "file", "the landmark file of the case cannot be read, so its points have no place",
           "write label, x, y, z and a line '# CoordinateSystem = RAS' (or LPS), or remove the file"),
    _error("EMPTY_FILE", "file", "the file has no bytes", _COPY_AGAIN),
    _error("UNKNOWN_FORMAT", "file", "the file name ends in no format that medarch reads", _CONVERT),
    _error("WRONG_EXTENSION", "file", "the content is of another format than the file name says",
           "rename the file to what it is"),
    _error("NOT_NIFTI", "file", "the file has no NIfTI header (size field or magic wrong)", _COPY_AGAIN),
    _error("NOT_AN_IMAGE", "file", "the file is not of the format its name says, nor of any known one", _COPY_AGAIN),
    _error("TRUNCATED", "file", "the file is cut short: fewer data than its header announces", _COPY_AGAIN),
    _error("BAD_CRC", "file", "the checksum of the compressed data is wrong: some bytes have changed", _COPY_AGAIN),
    _error("CORRUPT_STREAM", "file", "the compressed data are damaged", _COPY_AGAIN),
    _error("EXTRA_BYTES", "file", "the file holds more data than its header announces, so the header may be wrong",
           "export the file again with a correct header"),
    _error("BAD_HEADER", "file", "the header holds impossible values", "export the file again with a correct header"),
    _error("UNSUPPORTED_DTYPE", "file", "the voxels are no single real numbers (complex, RGB, 128-bit ...)",
           "save magnitudes or single channels as integers or float32"),
    _error("UNSUPPORTED_ENCODING", "file", "the data are stored in a way that medarch does not read", _CONVERT),
    _error("UNSUPPORTED_DIMS", "file", "the file has more than three spatial axes and one channel axis",
           "split it into one file a time point or channel"),
    _error("READER_DIED", "file", "the process that examined the case died or failed unexpectedly",
           "see the cause given; check the case on its own with --workers 0"),
    _error("BAD_AFFINE", "grid", "the affine is singular or not finite, so voxels have no place in the patient",
           "write a correct affine into the file's sform or qform"),
    _error("SHEARED_AFFINE", "grid", "the axes do not stand at right angles (gantry tilt or an affine registration)",
           "resample the volume to a rectangular grid; waiving takes the axes as orthogonal", waivable=True),
    _error("NO_ORIENTATION", "grid", "the header does not say how the axes lie in the patient; sides are unknown",
           "write a correct sform and qform; waiving takes the voxel sizes alone, as nibabel does", waivable=True),
    _error("FORM_CONFLICT", "grid", "sform and qform (or voxel sizes) of the header put the voxels at different places",
           "write the right affine as both sform and qform; waiving takes the sform", waivable=True),
    _warning("UNITS_NOT_MM", "grid", "the header states metres or micrometres; medarch reads lengths as millimetres",
             "write spacings in millimetres with xyzt_units = mm"),
    _error("SHAPE_MISMATCH", "grid", "the files of a case have different shapes",
           "resample one onto the grid of the other, or pair the right files"),
    _error("GEOMETRY_MISMATCH", "grid", "the files of a case lie at different places or have different spacings",
           "correct or resample one; waiving lays voxel on voxel and keeps the first image's grid", waivable=True),
    _error("ORIENTATION_MISMATCH", "grid", "the files of a case have axes in different directions",
           "reorient one of them; waiving lays voxel on voxel and keeps the first image's grid", waivable=True),
    _warning("ORIENTATION_MIXED", "grid", "cases of the dataset are stored in different orientations",
             "nothing to do if the affines are right; look at one case of each"),
    _warning("SHAPE_OUTLIER", "grid", "a case is over 4 times larger or smaller along an axis than the median",
             "look at the case: is it another region or a scout?"),
    _warning("SPACING_OUTLIER", "grid", "a case's spacing is more than 3 times larger or smaller than the median",
             "look at the case: are its voxel sizes right?"),
    _warning("HUGE_IMAGE", "grid", "a case has more than 10^9 voxels and needs many gigabytes of memory",
             "crop it, or give preprocessing fewer workers"),
    _error("WRONG_CHANNELS", "values", "the case has not the dataset's number of channels, or a label has several",
           "give one file a channel (CASE_0000, CASE_0001 ...) or one 4D file that holds them all"),
    _error("NOT_FINITE", "values", "the image holds NaN or infinite voxels",
           "replace them with a value that you can justify and save the file again"),
    _error("CONSTANT_IMAGE", "values", "all voxels of a channel have one value",
           "export the image again; waive it if a constant channel is meant", waivable=True),
    _error("ALL_ZERO", "values", "all voxels of a channel are 0",
           "export the image again; waive it if an empty channel is meant", waivable=True),
    _error("LABEL_NOT_INTEGER", "values", "the label map holds values that are not whole numbers",
           "save it as integers; never resample label maps with linear interpolation"),
    _error("LABEL_UNDECLARED", "values", "the label map holds values that the dataset does not declare",
           "declare them under `labels`, or correct the label map"),
    _warning("LANDMARK_OUTSIDE", "values", "landmarks lie outside of the image, as if counted the other way round",
             "compare the file's CoordinateSystem (RAS or LPS) with the program that wrote it"),
    _warning("LANDMARK_REPEATED", "values", "several landmarks of a case have one name; only the first is used",
             "give each place a name of its own"),
    _warning("LABEL_EMPTY", "values", "the label map holds background only",
             "nothing to do if the structure is truly absent"),
    _warning("LABEL_VOLUME_OUTLIER", "values", "the volume of a class is far from its median over the cases",
             "look at the case: is it the label of another image?"),
    _warning("CLASS_NEVER_SEEN", "values", "a declared class occurs in no case, so it cannot be learnt",
             "remove it from `labels`, or add cases that show it"),
    _error("DUPLICATE_CASE", "dataset", "two cases hold the same images, which lets folds leak into each other",
           "remove one of them", waivable=True),
    _error("DUPLICATE_LABEL", "dataset", "two cases with different images hold the same label map, voxel for voxel",
           "find out which image it belongs to", waivable=True),
    _error("PATIENT_LEAK", "dataset", "a patient of the training cases is among the test cases, too",
           "move all cases of a patient to one side", waivable=True),
    _warning("NUM_TRAINING", "dataset", "numTraining is not the number of cases found; nnU-Net's rules use it",
             "correct numTraining in dataset.json"),
    _warning("STRAY_FILE", "dataset", "a file in an image or label folder belongs to no case and is ignored",
             "rename it (CASE_0000 for images) or move it away"),
    _warning("TEST_IMAGE_MISSING", "dataset", "a test image that is listed is not there; the case is left out",
             "add the file, or remove it from the list"),
)  # fmt: skip

CODES: dict[str, CheckCode] = {entry.code: entry for entry in _TABLE}
"""Every code, in the order of the documentation."""


def make_finding(
    code: str, *, case: str = "", file: Path | None = None, expected: str = "", found: str = ""
) -> Finding:
    """Return a finding with the severity and the fix of its code."""
    entry = CODES[code]
    return Finding(
        code=code, severity=entry.severity, case=case, file=file, expected=expected, found=found, fix=entry.fix
    )


def codes_table() -> str:
    """Return all codes as a Markdown table, for ``docs/check.md``."""
    rows = ["| code | severity | meaning | fix |", "|---|---|---|---|"]
    for entry in CODES.values():
        severity = entry.severity + (", waivable" if entry.waivable else "")
        rows.append(f"| `{entry.code}` | {severity} | {entry.meaning} | {entry.fix} |")
    return "\n".join(rows)
