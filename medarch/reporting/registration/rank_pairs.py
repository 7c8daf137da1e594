"""Pairs from the worst to the best."""

from __future__ import annotations

from collections.abc import Sequence

from medarch.core.evaluation import Measurement
from medarch.core.registration_evaluation import PairMeasures, RegistrationEvaluation


def pair_dsc(rows: Sequence[Measurement]) -> dict[str, float | None]:
    """Return the mean DSC over the labels of each pair; None where no label is defined."""
    found: dict[str, list[float]] = {}
    for row in rows:
        values = found.setdefault(row.case, [])
        if (value := row.values.get("dsc")) is not None:
            values.append(value)
    return {pair: sum(values) / len(values) if values else None for pair, values in found.items()}


def rank_pairs(evaluation: RegistrationEvaluation) -> list[PairMeasures]:
    """Return failed pairs first, then by DSC, or without labels by landmark error; ties by name."""
    dsc = pair_dsc(evaluation.rows)

    def badness(pair: PairMeasures) -> tuple[bool, float, float, str]:
        score = dsc.get(pair.pair)
        error = pair.values.get("tre_mm")
        return (
            pair.status == "ok",
            1.0 if score is None else score,
            0.0 if error is None else -error,
            pair.pair,
        )

    return sorted(evaluation.pairs, key=badness)
