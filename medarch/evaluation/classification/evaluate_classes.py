"""Judgements of cases against what they are."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medarch.core.classes import ClassScheme
from medarch.core.classification_evaluation import (
    OVERALL,
    CaseJudgement,
    ClassificationEvaluation,
    ClassSummary,
)
from medarch.core.errors import EvaluationError
from medarch.core.evaluation import Interval
from medarch.core.prediction import CasePrediction
from medarch.evaluation.bootstrap import SEED
from medarch.evaluation.classification.calibration import calibration_points, reliability
from medarch.evaluation.classification.class_measures import class_measures
from medarch.evaluation.classification.judgements import Judgements
from medarch.evaluation.classification.overall_measures import overall_measures
from medarch.evaluation.classification.ranking import curves

BATCH_VALUES = 4_000_000
"""Weights of resamples in memory at a time; bounds the memory, not the result."""
CURVE_POINTS = 200
"""Points that are kept of a curve."""


@dataclass(frozen=True)
class Reference:
    """What a case is."""

    classes: tuple[str, ...]
    patient: str | None = None


def evaluate_classes(
    predictions: Sequence[CasePrediction],
    references: Mapping[str, Reference],
    *,
    classes: ClassScheme,
    dataset: str = "",
    places: tuple[str, str] = ("", ""),
    confidence: float = 0.95,
    bootstrap_samples: int = 2000,
) -> ClassificationEvaluation:
    """Measure the judgement of every reference's case.

    A case that failed, or was not predicted, counts as the worst: probability 0 for what it is, and nothing right.
    Intervals are percentiles over resamples of patients, all cases of a patient together.

    Args:
        predictions: rows of a prediction.
        references: what each case is.
        classes: in the order of the output.
        dataset: name, for the record.
        places: of predictions and references, for the record.
        confidence: coverage of the intervals.
        bootstrap_samples: resamples.

    Raises:
        EvaluationError: there is no case, or a prediction has no reference.
    """
    said = {row.case: row for row in predictions}
    unknown = sorted(set(said) - set(references))
    if unknown or not references:
        raise EvaluationError(
            f"{len(unknown)} prediction(s) without a reference",
            expected="the classes of every predicted case",
            found=", ".join(unknown[:10]) or "no case at all",
            fix="give the dataset or the table of labels that names them",
        )
    rows = tuple(_row(case, references[case], said.get(case), classes) for case in sorted(references))
    judged = _arrays(rows, classes)
    patients = [f"patient {row.patient}" if row.patient is not None else f"case {row.case}" for row in rows]
    summaries = _summaries(judged, classes, patients, confidence, bootstrap_samples, name=dataset)
    confusion = () if classes.multi_label else judged.truth.T.astype(int) @ judged.decided.astype(int)
    return ClassificationEvaluation(
        dataset=dataset,
        predictions=places[0],
        references=places[1],
        classes=classes,
        confidence=confidence,
        bootstrap_samples=bootstrap_samples,
        patients=len(set(patients)),
        rows=rows,
        summaries=tuple(summaries),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        reliability=reliability(*calibration_points(judged)),
    )


def _row(case: str, reference: Reference, said: CasePrediction | None, classes: ClassScheme) -> CaseJudgement:
    if said is None or not said.class_probabilities:
        wrong = {name: float(name not in reference.classes) for name in classes.names}
        share = 1.0 if classes.multi_label else 1.0 / max(1, sum(map(bool, wrong.values())))
        return CaseJudgement(
            case=case,
            patient=reference.patient,
            truth=reference.classes,
            # Of one class a case, no class is wrong; of findings, all that it has not.
            decided=tuple(name for name, bad in wrong.items() if bad) if classes.multi_label else (),
            probabilities={name: bad * share for name, bad in wrong.items()},
            status="failed",
            reason="not predicted" if said is None else said.error or "no probabilities",
        )
    decided = said.classes or ()
    return CaseJudgement(
        case=case,
        patient=reference.patient,
        truth=reference.classes,
        decided=decided,
        probabilities={name: said.class_probabilities[name] for name in classes.names},
        status="right" if set(decided) == set(reference.classes) else "wrong",
    )


def _arrays(rows: Sequence[CaseJudgement], classes: ClassScheme) -> Judgements:
    return Judgements(
        truth=np.array([classes.indicator(row.truth) for row in rows], dtype=bool),
        decided=np.array([classes.indicator(row.decided) for row in rows], dtype=bool),
        probabilities=np.array([[row.probabilities[name] for name in classes.names] for row in rows]),
        multi_label=classes.multi_label,
    )


def _summaries(
    judged: Judgements,
    classes: ClassScheme,
    patients: Sequence[str],
    confidence: float,
    samples: int,
    *,
    name: str,
) -> list[ClassSummary]:
    point = _measure(judged, np.ones((1, len(patients))))
    drawn = [_measure(judged, weights) for weights in _resamples(patients, samples, name=name)]
    found = []
    for label in (OVERALL, *classes.names):
        number = None if label == OVERALL else classes.names.index(label)
        key = -1 if number is None else number
        intervals = {
            measure: _interval(
                float(value[0]), np.concatenate([part[key][measure] for part in drawn]), confidence, len(patients)
            )
            for measure, value in point[key].items()
        }
        shape = {} if number is None else _shape(judged, number)
        found.append(ClassSummary(label=label, measures=intervals, **shape))
    return found


def _measure(judged: Judgements, weights: np.ndarray) -> dict[int, dict[str, np.ndarray]]:
    """Measures ``(samples,)`` of each class by its index, and of all under -1."""
    found = {index: class_measures(judged, index, weights) for index in range(judged.truth.shape[1])}
    return {**found, -1: overall_measures(judged, list(found.values()), weights)}


def _resamples(patients: Sequence[str], samples: int, *, name: str) -> list[np.ndarray]:
    """How often each case is drawn, ``(samples, cases)`` in parts: patients with replacement, all their cases along."""
    names, owner = np.unique(np.array(patients), return_inverse=True)
    count = len(names)
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    step = max(1, BATCH_VALUES // len(patients))
    sizes = [min(step, samples - start) for start in range(0, samples, step)]
    return [
        generator.multinomial(count, np.full(count, 1 / count), size=size)[:, owner].astype(float) for size in sizes
    ]


def _interval(value: float, drawn: np.ndarray, confidence: float, cases: int) -> Interval:
    if not np.isfinite(value):
        return Interval(mean=None, low=None, high=None, used=0, total=cases)
    defined = drawn[np.isfinite(drawn)]
    if len(defined) < 2 or cases < 2:
        return Interval(mean=value, low=None, high=None, used=cases, total=cases)
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean=value, low=float(low), high=float(high), used=cases, total=cases)


def _shape(judged: Judgements, index: int) -> dict[str, object]:
    truth, decided = judged.truth[:, index], judged.decided[:, index]
    roc, precision_recall = curves(truth, judged.probabilities[:, index])
    return {
        "counts": {
            "true_positive": int((truth & decided).sum()),
            "false_positive": int((~truth & decided).sum()),
            "false_negative": int((truth & ~decided).sum()),
            "true_negative": int((~truth & ~decided).sum()),
        },
        "roc": _points(roc),
        "precision_recall": _points(precision_recall),
    }


def _points(curve: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Corners evenly thinned out to :data:`CURVE_POINTS`, the ends kept."""
    if len(curve) > CURVE_POINTS:
        curve = curve[np.unique(np.linspace(0, len(curve) - 1, CURVE_POINTS).round().astype(int))]
    return tuple((float(x), float(y)) for x, y in curve)
