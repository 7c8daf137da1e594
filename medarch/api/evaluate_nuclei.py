"""From nuclei on disk and references to measures: what ``evaluate`` does for nuclei."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.dataset import Case
from medarch.core.errors import EvaluationError, MedarchError
from medarch.core.prediction import CasePrediction, Prediction
from medarch.io.read_geometry import read_geometry

if TYPE_CHECKING:
    import numpy as np

    from medarch.core.nuclei_evaluation import NucleiEvaluation
    from medarch.core.nuclei_settings import NucleiSettings
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
    known, unknown, name = _references(references, settings.network.dim)
    compared: list[Compared] = []
    for row in record.cases:
        if row.case not in known:
            continue
        try:
            compared.append(_compare(row, known[row.case], settings, unknown=unknown))
        except (MedarchError, OSError) as error:
            compared.append(Compared(NucleiMeasures(case=row.case, status="failed", reason=str(error))))
    if not compared:
        raise EvaluationError(
            "no predicted image has a reference",
            expected=f"maps named {', '.join(row.case for row in record.cases[:3])} ...",
            found=", ".join(list(known)[:3]) or "none",
            fix="name the instance maps like the images",
        )
    evaluation = sum_up(
        compared,
        dataset=name,
        predictions=str(predictions),
        names=settings.types,
        radius_mm=settings.detection_radius_mm,
    )
    write_nuclei_tables(evaluation, output or predictions)
    return evaluation


def _references(source: Path, dim: int) -> tuple[dict[str, Case], int | None, str]:
    """Cases by name, the value of types that nobody knows, and the dataset's name."""
    from medarch.io.nuclei.read_nuclei import INSTANCE_SUFFIXES
    from medarch.io.suffix import is_volume_file, split_suffix

    if (source / "dataset.json").is_file() or source.suffix.lower() == ".json":
        from medarch.io.read_dataset import read_dataset

        dataset = read_dataset(source)
        cases = {case.id: case for case in (*dataset.cases, *dataset.test_cases) if case.label is not None}
        return cases, dataset.labels.ignore_value, dataset.name
    if not source.is_dir():
        raise EvaluationError(f"no references at {source}", expected="a dataset or a folder of instance maps")
    if dim == 3:
        stems = {split_suffix(path)[0]: path for path in sorted(source.iterdir()) if is_volume_file(path)}
        return {stem: Case(id=stem, images=(), label=path) for stem, path in stems.items()}, None, source.name
    maps = sorted(path for path in source.iterdir() if path.suffix.lower() in INSTANCE_SUFFIXES)
    return {path.stem: Case(id=path.stem, images=(), label=path) for path in maps}, None, source.name


def _compare(row: CasePrediction, case: Case, settings: NucleiSettings, *, unknown: int | None) -> Compared:
    from medarch.evaluation.nuclei.evaluate_nuclei import Nuclei, compare_nuclei, types_of
    from medarch.evaluation.nuclei.pair_centroids import RADIUS_PIXELS
    from medarch.io.nuclei.read_nuclei import read_nuclei, read_volume_instances

    if row.output is None or case.label is None:
        raise EvaluationError(f"{row.case} was not predicted", found=row.error or "")
    names, volume = settings.types, settings.network.dim == 3
    radius, steps = RADIUS_PIXELS, None
    if volume:
        instances, types, grid = read_volume_instances(case.label, case.types)
        radius, steps = settings.detection_radius_mm or RADIUS_PIXELS, grid.matrix[:3, :3]
        if differences := grid.differences(read_geometry(row.output)[0]):
            raise EvaluationError(
                f"reference and prediction of {row.case} lie on different grids",
                expected="one grid",
                found="; ".join(differences),
                fix="give the reference on the grid of the image that was predicted",
            )
    else:
        instances, types = _as_seen(*read_nuclei(case.label, case.types), folder=row.output.parent)
    truth = Nuclei(instances)
    typed = bool(names) and types is not None
    if types is not None and typed:
        truth = Nuclei(instances, types_of(instances, types, unknown=unknown))
    found = _found(row.output.parent, names if typed else (), volume=volume)
    return compare_nuclei(row.case, truth, found, types=len(names) if typed else 0, radius=radius, steps=steps)


def _as_seen(instances: np.ndarray, types: np.ndarray | None, *, folder: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """A reference as large as the predicted image, at the resolution that the network saw that at."""
    from medarch.io.nuclei.output_names import SUMMARY
    from medarch.io.nuclei.slide_summary import SlideSummary
    from medarch.preprocessing.nuclei.resize_nearest import resize_nearest

    summary = SlideSummary.load(folder / SUMMARY)
    if not summary.resampled or instances.shape != summary.size[::-1]:
        return instances, types
    size = _slide_labels(folder).shape
    return resize_nearest(instances, size), None if types is None else resize_nearest(types, size)


def _found(folder: Path, names: tuple[str, ...], *, volume: bool) -> Nuclei:
    """Label image and types as ``medarch predict`` writes them."""
    from medarch.evaluation.nuclei.evaluate_nuclei import Nuclei
    from medarch.io.nuclei.output_names import CSV

    instances = _volume_labels(folder) if volume else _slide_labels(folder)
    if not names:
        return Nuclei(instances)
    with (folder / CSV).open(newline="", encoding="utf-8") as stream:
        kinds = {
            int(row["id"]): names.index(row["class"]) + 1 for row in csv.DictReader(stream) if row["class"] in names
        }
    return Nuclei(instances, kinds)


def _slide_labels(folder: Path) -> np.ndarray:
    import tifffile

    from medarch.io.nuclei.output_names import LABELS

    labels: np.ndarray = tifffile.imread(folder / LABELS)
    return labels


def _volume_labels(folder: Path) -> np.ndarray:
    from medarch.io.nuclei.output_names import VOLUME_LABELS
    from medarch.io.read_volume import read_volume

    labels: np.ndarray = read_volume(folder / VOLUME_LABELS).array[0]
    return labels
