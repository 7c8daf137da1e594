"""From nuclei on disk and references to measures: what ``evaluate`` does for nuclei."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.dataset import Case
from medarch.core.errors import EvaluationError, MedarchError
from medarch.core.prediction import CasePrediction, Prediction

if TYPE_CHECKING:
    from medarch.core.nuclei_evaluation import NucleiEvaluation
    from medarch.evaluation.nuclei.evaluate_nuclei import Compared, Nuclei


def is_nuclei(predictions: Path) -> bool:
    """Whether a folder holds nuclei that ``medarch predict`` found."""
    record = predictions / "predictions.json"
    return record.exists() and (Prediction.load(record).model / "nuclei.json").is_file()


def evaluate_nuclei(predictions: Path, references: Path, *, output: Path | None = None) -> NucleiEvaluation:
    """Measure a folder made by ``medarch predict``; write ``evaluation.json``, ``evaluation.csv``, ``evaluation.md``.

    Args:
        predictions: the folder.
        references: a dataset of nuclei, or a folder of instance maps named like the images.
        output: where to write; default the predictions' folder.

    Raises:
        EvaluationError: no predicted image has a reference.
    """
    from medarch.core.nuclei_evaluation import NucleiMeasures
    from medarch.core.nuclei_settings import NucleiSettings
    from medarch.evaluation.nuclei.evaluate_nuclei import Compared
    from medarch.evaluation.nuclei.evaluate_nuclei import evaluate_nuclei as sum_up
    from medarch.evaluation.nuclei.nuclei_tables import write_nuclei_tables

    record = Prediction.load(predictions / "predictions.json")
    settings = NucleiSettings.load(record.model / "nuclei.json")
    known, unknown, name = _references(references)
    compared: list[Compared] = []
    for row in record.cases:
        if row.case not in known:
            continue
        try:
            compared.append(_compare(row, known[row.case], settings.types, unknown=unknown))
        except (MedarchError, OSError) as error:
            compared.append(Compared(NucleiMeasures(case=row.case, status="failed", reason=str(error))))
    if not compared:
        raise EvaluationError(
            "no predicted image has a reference",
            expected=f"maps named {', '.join(row.case for row in record.cases[:3])} ...",
            found=", ".join(list(known)[:3]) or "none",
            fix="name the instance maps like the images",
        )
    evaluation = sum_up(compared, dataset=name, predictions=str(predictions), names=settings.types)
    write_nuclei_tables(evaluation, output or predictions)
    return evaluation


def _references(source: Path) -> tuple[dict[str, Case], int | None, str]:
    """Cases by name, the value of types that nobody knows, and the dataset's name."""
    from medarch.io.nuclei.read_nuclei import INSTANCE_SUFFIXES

    if (source / "dataset.json").is_file() or source.suffix.lower() == ".json":
        from medarch.io.read_dataset import read_dataset

        dataset = read_dataset(source)
        cases = {case.id: case for case in (*dataset.cases, *dataset.test_cases) if case.label is not None}
        return cases, dataset.labels.ignore_value, dataset.name
    if not source.is_dir():
        raise EvaluationError(f"no references at {source}", expected="a dataset or a folder of instance maps")
    maps = sorted(path for path in source.iterdir() if path.suffix.lower() in INSTANCE_SUFFIXES)
    return {path.stem: Case(id=path.stem, images=(), label=path) for path in maps}, None, source.name


def _compare(row: CasePrediction, case: Case, names: tuple[str, ...], *, unknown: int | None) -> Compared:
    from medarch.evaluation.nuclei.evaluate_nuclei import Nuclei, compare_nuclei, types_of
    from medarch.io.nuclei.read_nuclei import read_nuclei

    if row.output is None or case.label is None:
        raise EvaluationError(f"{row.case} was not predicted", found=row.error or "")
    instances, types = read_nuclei(case.label, case.types)
    truth = Nuclei(instances)
    typed = bool(names) and types is not None
    if types is not None and typed:
        truth = Nuclei(instances, types_of(instances, types, unknown=unknown))
    found = _found(row.output.parent, names if typed else ())
    return compare_nuclei(row.case, truth, found, types=len(names) if typed else 0)


def _found(folder: Path, names: tuple[str, ...]) -> Nuclei:
    """Label image and types as ``medarch predict`` writes them."""
    import tifffile

    from medarch.evaluation.nuclei.evaluate_nuclei import Nuclei
    from medarch.inference.nuclei.write_outputs import CSV, LABELS

    instances = tifffile.imread(folder / LABELS)
    if not names:
        return Nuclei(instances)
    with (folder / CSV).open(newline="", encoding="utf-8") as stream:
        kinds = {
            int(row["id"]): names.index(row["class"]) + 1 for row in csv.DictReader(stream) if row["class"] in names
        }
    return Nuclei(instances, kinds)
