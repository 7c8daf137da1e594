"""Many registered pairs, measured in parallel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from medarch.core.errors import EvaluationError
from medarch.core.evaluation import Interval, Measurement, Summary
from medarch.core.parallel import run_parallel
from medarch.core.registration_evaluation import PAIR_MEASURES, PairMeasures, RegistrationEvaluation
from medarch.evaluation.bootstrap import bootstrap
from medarch.evaluation.registration.measure_registration import Labels, MeasuredPair, measure_registration
from medarch.evaluation.registration.registered_pair import RegisteredPair
from medarch.evaluation.summarise import summarise
from medarch.evaluation.surface_distances import SURFACE_METHOD

logger = logging.getLogger(__name__)


def evaluate_registrations(
    pairs: Sequence[RegisteredPair],
    *,
    labels: Labels,
    dataset: str = "",
    predictions: str = "",
    nsd_tolerance_mm: float = 1.0,
    confidence: float = 0.95,
    bootstrap_samples: int = 2000,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RegistrationEvaluation:
    """Measure every pair by its labels, its landmarks and its transform.

    A pair whose registration failed, or whose transform cannot be read, counts as the worst. One whose labels or
    landmarks cannot be read has no measures, and is named as failed.

    Args:
        pairs: with names of their own.
        labels: names and values of the labels to compare; empty for none.
        dataset: name, for the record.
        predictions: where the transforms lie, for the record.
        nsd_tolerance_mm: tolerance of the normalised surface distance.
        confidence: coverage of the intervals.
        bootstrap_samples: resamples of the pairs.
        workers: processes; default one a core, 0 for none.
        progress: called with the number of pairs done and of all.

    Raises:
        EvaluationError: there are no pairs, a name occurs twice, or no pair could be measured.
    """
    names = [pair.name for pair in pairs]
    if not names or len(set(names)) < len(names):
        raise EvaluationError(
            "the pairs cannot be told apart" if names else "no registered pairs",
            expected="one pair or more, each with a name of its own",
            found=", ".join(names[:5]),
        )
    work = partial(measure_registration, labels=dict(labels), nsd_tolerance_mm=nsd_tolerance_mm)
    measured: dict[str, MeasuredPair] = {}
    for done, outcome in enumerate(run_parallel(work, pairs, workers=workers), start=1):
        pair = outcome.item
        measured[pair.name] = outcome.value or _unmeasured(pair, str(outcome.error))
        if progress is not None:
            progress(done, len(pairs))
    found = [measured[name] for name in names]
    for each in found:
        if each.measures.status == "failed":
            logger.warning("pair %s failed: %s", each.measures.pair, each.measures.reason)
    if not any(each.rows or any(value is not None for value in each.measures.values.values()) for each in found):
        first = found[0].measures
        raise EvaluationError(
            f"none of {len(found)} pairs could be measured; the first is {first.pair}", found=first.reason
        )

    def summaries(rows: Sequence[Measurement]) -> tuple[Summary, ...]:
        if not rows:
            return ()
        return summarise(rows, empty_policy="medarch", confidence=confidence, bootstrap_samples=bootstrap_samples)

    rows = [row for each in found for row in each.rows]
    before = [row for each in found for row in each.before]
    measures = tuple(each.measures for each in found)
    return RegistrationEvaluation(
        dataset=dataset,
        predictions=predictions,
        nsd_tolerance_mm=nsd_tolerance_mm,
        surface_method=SURFACE_METHOD,
        confidence=confidence,
        bootstrap_samples=bootstrap_samples,
        rows=tuple(rows),
        before=tuple(before),
        pairs=measures,
        summaries=summaries(rows),
        summaries_before=summaries(before),
        pair_summaries=_pair_summaries(measures, confidence=confidence, bootstrap_samples=bootstrap_samples),
    )


def _unmeasured(pair: RegisteredPair, reason: str) -> MeasuredPair:
    values: dict[str, float | None] = dict.fromkeys(PAIR_MEASURES)
    measures = PairMeasures(
        pair=pair.name, fixed=pair.fixed, moving=pair.moving, status="failed", reason=reason, values=values
    )
    return MeasuredPair(measures, [], [])


def _pair_summaries(pairs: Sequence[PairMeasures], *, confidence: float, bootstrap_samples: int) -> dict[str, Interval]:
    summaries = {}
    for name in PAIR_MEASURES:
        values = np.array([np.nan if (value := pair.values[name]) is None else value for pair in pairs])
        if np.isfinite(values).any():
            summaries[name] = bootstrap(values, confidence=confidence, samples=bootstrap_samples)
    return summaries
