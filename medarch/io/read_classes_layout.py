"""Images that have a class as a whole: a table of labels beside the images, or one folder a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medarch.core.check import Finding, make_finding
from medarch.core.classes import ClassScheme
from medarch.core.dataset import Case, Dataset, Split
from medarch.core.errors import DatasetError
from medarch.core.labels import LabelScheme
from medarch.io.class_folders import find_class_folders
from medarch.io.class_table import ClassRow, read_class_table
from medarch.io.dataset_json import channel_names, dataset_name, load_splits
from medarch.io.find_inputs import find_inputs
from medarch.io.inventory import Inventory

TABLE = "labels.csv"
IMAGE_FOLDERS = ("images", "imagesTr", "imagesVal", "imagesTs")


def read_classes_layout(folder: Path, meta: Mapping[str, Any]) -> Inventory:
    """Read a classification dataset: dataset.json with ``"task": "classification"`` and ``channel_names``.

    With ``labels.csv`` (see :func:`~medarch.io.class_table.read_class_table`) the images lie in ``images`` (or
    ``imagesTr`` and ``imagesTs``), named by case. Without, every folder is a class and its images are the cases, the
    class folders perhaps inside ``train``, ``val`` and ``test``. ``classes`` in dataset.json gives the order of the
    classes; default: the table's columns, or the alphabet.

    Raises:
        DatasetError: names, labels or images cannot be used.
    """
    path = folder / "dataset.json"
    channels = channel_names(meta.get("channel_names", meta.get("channels")), path)
    findings: list[Finding] = []
    if (folder / TABLE).is_file():
        table = read_class_table(folder / TABLE)
        rows, columns, multi_label = table.rows, table.columns, table.multi_label
        cases = _with_images(folder, rows, len(channels), findings)
    else:
        rows = find_class_folders(folder, channels=len(channels))
        cases = {row.case: row.images for row in rows}
        columns, multi_label = tuple(sorted({name for row in rows for name in row.classes or ()})), False
    classes = _scheme(meta.get("classes"), columns, multi_label=multi_label, path=path)
    _refuse_unknown(rows, classes, path)
    parts: dict[str, list[Case]] = {"train": [], "val": [], "test": []}
    for row in sorted(rows, key=lambda row: row.case):
        case = Case(id=row.case, images=cases[row.case], classes=row.classes, patient=row.patient)
        parts[row.part].append(case)
    known = {row.case for row in rows}
    unlabelled = [Case(id=case, images=images) for case, images in cases.items() if case not in known]
    training = sorted([*parts["train"], *parts["val"]], key=lambda case: case.id)
    if not training:
        raise DatasetError(f"no training cases in {folder}", expected="cases with split train, val or none", fix="add")
    dataset = Dataset(
        name=dataset_name(meta, folder),
        task="classification",
        root=folder,
        layout="classes",
        channels=channels,
        labels=LabelScheme(labels={"background": 0}),
        classes=classes,
        cases=tuple(training),
        test_cases=tuple([*parts["test"], *unlabelled]),
        splits=_splits(rows) or load_splits(folder / "splits_final.json", {case.id for case in training}),
        licence=str(meta.get("licence", meta.get("license", ""))),
    )
    return Inventory(dataset, findings + _leaks(dataset))


def _with_images(
    folder: Path, rows: Sequence[ClassRow], channels: int, findings: list[Finding]
) -> dict[str, tuple[Path, ...]]:
    """Image files of each case of the table; images of no row are test cases if they lie in ``imagesTs``."""
    found: dict[str, tuple[Path, ...]] = {}
    unlisted: dict[str, tuple[Path, ...]] = {}
    listed = {row.case for row in rows}
    for name in IMAGE_FOLDERS:
        if not (folder / name).is_dir():
            continue
        for case in find_inputs(folder / name, channels=channels):
            if case.id in listed:
                found[case.id] = case.images
            elif name == "imagesTs":
                unlisted[case.id] = case.images
            else:
                findings.append(
                    make_finding("STRAY_FILE", file=case.images[0], expected=f"a row in {TABLE}", found=case.id)
                )
    for row in rows:
        found.setdefault(row.case, row.images or (folder / IMAGE_FOLDERS[0] / f"{row.case}.nii.gz",))
    return {**found, **unlisted}


def _scheme(named: Any, columns: Sequence[str], *, multi_label: bool, path: Path) -> ClassScheme:
    names = columns if named is None else named
    try:
        return ClassScheme.model_validate({"names": names, "multi_label": multi_label})
    except ValidationError as error:
        raise DatasetError(
            f"the classes of {path} cannot be used",
            expected='"classes": ["benign", "malignant"], or none for those that occur',
            found=error.errors()[0]["msg"].removeprefix("Value error, "),
            fix="correct the key `classes`, or the labels",
        ) from error


def _refuse_unknown(rows: Sequence[ClassRow], classes: ClassScheme, path: Path) -> None:
    unknown = sorted({name for row in rows for name in row.classes or ()} - set(classes.names))
    if unknown:
        raise DatasetError(
            f"labels that {path} does not name",
            expected=", ".join(classes.names),
            found=", ".join(unknown[:8]),
            fix="add them to the key `classes`, or correct the labels",
        )


def _splits(rows: Sequence[ClassRow]) -> tuple[Split, ...] | None:
    """Folds by the column ``fold``, or the one fold of cases with split ``val``."""
    cases = sorted((row for row in rows if row.part != "test"), key=lambda row: row.case)
    folds = sorted({row.fold for row in cases if row.fold is not None})
    if folds:
        return tuple(
            Split(
                train=tuple(row.case for row in cases if row.fold != fold),
                val=tuple(row.case for row in cases if row.fold == fold),
            )
            for fold in folds
        )
    val = tuple(row.case for row in cases if row.part == "val")
    return (Split(train=tuple(row.case for row in cases if row.part == "train"), val=val),) if val else None


def _leaks(dataset: Dataset) -> list[Finding]:
    """Patients that are trained and tested on, and classes that no training case has."""
    trained = {case.patient for case in dataset.cases} - {None}
    findings = [
        make_finding("PATIENT_LEAK", case=case.id, expected="a patient of its own", found=f"patient {case.patient}")
        for case in dataset.test_cases
        if case.patient in trained
    ]
    counts = Counter(name for case in dataset.cases for name in case.classes or ())
    unseen = [name for name in (dataset.classes.names if dataset.classes else ()) if not counts[name]]
    if unseen:
        expected, found = "each class in some training case", f"never: {', '.join(unseen)}"
        findings.append(make_finding("CLASS_NEVER_SEEN", expected=expected, found=found))
    return findings
