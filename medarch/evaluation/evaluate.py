"""A folder of predictions against a folder of references."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.errors import EvaluationError, GeometryError, MedarchError, UsageError
from medarch.core.evaluation import EmptyPolicy, Evaluation, Measurement
from medarch.core.labels import LabelScheme
from medarch.core.parallel import run_parallel
from medarch.evaluation.match_files import FilePair, Files, match_files
from medarch.evaluation.measure_case import MEASURES, measure_case, worst_values
from medarch.evaluation.summarise import summarise
from medarch.evaluation.surface_distances import SURFACE_METHOD
from medarch.io.read_volume import Volume, read_volume

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Job:
    """What a worker needs for one case."""

    pair: FilePair
    labels: LabelScheme
    nsd_tolerance_mm: float
    empty_policy: EmptyPolicy


@dataclass(frozen=True)
class _Measured:
    """What a worker found: rows, or why there are none, beside the reference's volumes and size."""

    rows: list[Measurement]
    diagonal_mm: float
    reason: str = ""


def evaluate(  # noqa: PLR0913
    predictions: Files,
    references: Files,
    *,
    labels: LabelScheme,
    dataset: str = "",
    nsd_tolerance_mm: float = 1.0,
    empty_policy: EmptyPolicy = "medarch",
    confidence: float = 0.95,
    bootstrap_samples: int = 2000,
    workers: int | None = None,
    cases: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure every reference's prediction, matched by file name, in parallel.

    A case whose prediction is missing, unreadable, on another grid or not a label map has status ``failed``. With
    policy ``medarch`` it counts as the worst: DSC and NSD 0, distances the image diagonal; with ``nnunet`` it is left
    out, as nnU-Net's ``--chill`` does. Its volume errors are None. The same holds for a reference that cannot be read,
    with the longest diagonal of the other cases.

    Args:
        predictions: folder of label maps, or label maps by case.
        references: folder of label maps, or label maps by case.
        labels: classes and regions, ignore label.
        dataset: name, for the record.
        nsd_tolerance_mm: tolerance of the normalised surface distance.
        empty_policy: see :func:`~medarch.evaluation.measure_case.measure_case`.
        confidence: coverage of the intervals.
        bootstrap_samples: resamples of the cases.
        workers: processes; default one a core, 0 for none.
        cases: evaluate these only, e.g. a validation fold.
        progress: called with the number of cases done and of all.

    Raises:
        UsageError: a number is out of its range.
        EvaluationError: the folders do not match (see :func:`~medarch.evaluation.match_files.match_files`), or no
            case could be measured.
    """
    _check_arguments(nsd_tolerance_mm, confidence, bootstrap_samples)
    pairs = match_files(predictions, references, cases=cases)
    jobs = [_Job(pair, labels, nsd_tolerance_mm, empty_policy) for pair in pairs]
    measured: dict[str, _Measured] = {}
    lost: dict[str, str] = {}
    for done, outcome in enumerate(run_parallel(_measure_files, jobs, workers=workers), start=1):
        case = outcome.item.pair.case
        if outcome.value is not None:
            measured[case] = outcome.value
        else:
            lost[case] = str(outcome.error)
        if progress is not None:
            progress(done, len(jobs))
    if not measured:
        case, reason = next(iter(lost.items()))
        raise EvaluationError(f"none of {len(lost)} cases could be measured; the first is {case}", found=reason)
    longest_mm = max(result.diagonal_mm for result in measured.values())
    for case, reason in lost.items():
        measured[case] = _Measured(_blank_rows(case, labels), longest_mm, reason)
    rows = [row for pair in pairs for row in _final_rows(measured[pair.case], empty_policy)]
    return Evaluation(
        dataset=dataset,
        predictions=_place(predictions),
        references=_place(references),
        empty_policy=empty_policy,
        nsd_tolerance_mm=nsd_tolerance_mm,
        surface_method=SURFACE_METHOD,
        confidence=confidence,
        bootstrap_samples=bootstrap_samples,
        rows=tuple(rows),
        summaries=summarise(
            rows, empty_policy=empty_policy, confidence=confidence, bootstrap_samples=bootstrap_samples
        ),
    )


def _place(files: Files) -> str:
    if isinstance(files, Path):
        return str(files)
    folders = {str(path.parent) for path in files.values()}
    return folders.pop() if len(folders) == 1 else f"{len(files)} files"


def _check_arguments(nsd_tolerance_mm: float, confidence: float, bootstrap_samples: int) -> None:
    for name, value, good, expected in (
        ("nsd_tolerance_mm", nsd_tolerance_mm, 0 <= nsd_tolerance_mm < math.inf, "0 mm or more"),
        ("confidence", confidence, 0 < confidence < 1, "between 0 and 1, e.g. 0.95"),
        ("bootstrap_samples", bootstrap_samples, bootstrap_samples >= 1, "1 or more, e.g. 2000"),
    ):
        if not good:
            raise UsageError(f"{name} is out of range", expected=expected, found=str(value))


def _measure_files(job: _Job) -> _Measured:
    """Measure one case. A fault of the prediction is a result; a fault of the reference is an error."""
    reference = read_volume(job.pair.reference)
    truth = _only_channel(reference)
    diagonal_mm = math.hypot(*np.multiply(truth.shape, reference.geometry.spacing_mm))

    def rows(prediction: np.ndarray) -> list[Measurement]:
        return measure_case(
            prediction,
            truth,
            labels=job.labels,
            spacing_mm=reference.geometry.spacing_mm,
            case=job.pair.case,
            nsd_tolerance_mm=job.nsd_tolerance_mm,
            empty_policy=job.empty_policy,
        )

    try:
        return _Measured(rows(_read_prediction(job.pair, reference)), diagonal_mm)
    except MedarchError as error:
        # Against nothing, for the volumes of the reference; and once more an error if the reference is at fault.
        return _Measured(rows(np.zeros_like(truth)), diagonal_mm, str(error))


def _read_prediction(pair: FilePair, reference: Volume) -> np.ndarray:
    if pair.prediction is None:
        raise EvaluationError("no prediction", expected=f"a file named {pair.case} among the predictions")
    prediction = read_volume(pair.prediction)
    if differences := reference.geometry.differences(prediction.geometry):
        raise GeometryError(
            "the prediction lies on another grid than its reference",
            expected="one grid",
            found="; ".join(differences) + " (reference against prediction)",
            fix="resample the prediction to the reference's grid, with nearest neighbours",
        )
    return _only_channel(prediction)


def _only_channel(volume: Volume) -> np.ndarray:
    if len(volume.array) != 1:
        raise EvaluationError(
            f"{volume.path.name} is not a label map",
            expected="one channel",
            found=f"{len(volume.array)} channels",
            fix="write one label value a voxel, not probabilities",
        )
    channel: np.ndarray = volume.array[0]
    return channel


def _blank_rows(case: str, labels: LabelScheme) -> list[Measurement]:
    values = dict.fromkeys(MEASURES)
    return [
        Measurement(case=case, label=name, status="failed", values=values, reference_ml=0.0, prediction_ml=0.0)
        for name in labels.foreground_names
    ]


def _final_rows(measured: _Measured, empty_policy: EmptyPolicy) -> list[Measurement]:
    """Give the rows of a failed case the worst values, or none; leave others as they are."""
    if not measured.reason:
        return measured.rows
    logger.warning("case %s failed: %s", measured.rows[0].case, measured.reason)
    values: dict[str, float | None] = dict.fromkeys(MEASURES)
    if empty_policy == "medarch":
        values |= worst_values(measured.diagonal_mm, empty_policy=empty_policy)
    update = {"status": "failed", "values": values, "reason": measured.reason}
    return [row.model_copy(update=update) for row in measured.rows]
