"""Measures of many images of nuclei."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from medarch.core.evaluation import Summary
from medarch.core.nuclei_evaluation import IMAGE_MEASURES, NucleiEvaluation, NucleiMeasures
from medarch.evaluation.bootstrap import bootstrap
from medarch.evaluation.nuclei.aggregated_jaccard import aggregated_jaccard
from medarch.evaluation.nuclei.centroids import centroids
from medarch.evaluation.nuclei.detection_scores import PairedTypes, detection_scores
from medarch.evaluation.nuclei.multi_class_quality import multi_class_quality
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.pair_centroids import RADIUS_PIXELS, pair_centroids
from medarch.evaluation.nuclei.panoptic_quality import PanopticQuality, panoptic_quality
from medarch.evaluation.nuclei.panoptic_quality_of_types import panoptic_quality_of_types
from medarch.evaluation.nuclei.pixel_dice import pixel_dice

CONFIDENCE, SAMPLES = 0.95, 2000


@dataclass(frozen=True)
class Nuclei:
    """One reading of an image."""

    instances: np.ndarray
    """``(*shape)`` integers, 0 outside."""
    types: Mapping[int, int] | None = None
    """Number of a nucleus → its type from 1, 0 for not known; None where there are no types."""


@dataclass(frozen=True)
class Compared:
    """An image's measures and the counts that are added over images."""

    row: NucleiMeasures
    quality: PanopticQuality = field(default_factory=PanopticQuality)
    pairs: PairedTypes | None = None
    of_types: tuple[PanopticQuality, ...] = ()


def types_of(instances: np.ndarray, types: np.ndarray, *, unknown: int | None = None) -> dict[int, int]:
    """Return the most frequent type of each nucleus' pixels.

    Args:
        instances: ``(J, I)``.
        types: ``(J, I)``, 0 outside of nuclei.
        unknown: the value that means "nobody knows", which becomes 0.
    """
    inside = instances > 0
    numbers, code = np.unique(instances[inside], return_inverse=True)
    counts = np.zeros((len(numbers), int(types.max(initial=0)) + 1), int)
    np.add.at(counts, (code, types[inside]), 1)
    winners = counts.argmax(axis=1)
    return {int(number): 0 if kind == unknown else int(kind) for number, kind in zip(numbers, winners, strict=True)}


def compare_nuclei(
    case: str,
    truth: Nuclei,
    found: Nuclei,
    *,
    types: int = 0,
    radius: float = RADIUS_PIXELS,
    steps: np.ndarray | None = None,
) -> Compared:
    """Measure one image or volume.

    Args:
        case: its name.
        truth: the reference.
        found: the prediction, as large.
        types: how many types there are; 0 for none.
        radius: centres within it may belong together.
        steps: ``(dim, dim)``: column ``n`` is the way from a voxel to the next along axis ``n``, in units of the
            radius; default pixels.

    Raises:
        EvaluationError: the images differ in size.
    """
    table = overlap_table(truth.instances, found.instances)
    quality = panoptic_quality(table)
    values = {
        "pq": quality.quality,
        "dq": quality.detection,
        "sq": quality.segmentation,
        "aji": aggregated_jaccard(table),
        "aji_plus": aggregated_jaccard(table, one_to_one=True),
        "dice": pixel_dice(table),
    }
    kinds = [
        np.array([(reading.types or {}).get(int(number), 0) for number in numbers], int)
        for reading, numbers in ((truth, table.truth_numbers), (found, table.found_numbers))
    ]
    return Compared(
        NucleiMeasures(
            case=case,
            values={name: _or_none(value) for name, value in values.items()},
            reference_nuclei=len(table.truth_numbers),
            found_nuclei=len(table.found_numbers),
        ),
        quality,
        _paired(truth, found, (kinds[0], kinds[1]), radius, steps),
        tuple(panoptic_quality_of_types(table, kinds[0], kinds[1], types)) if types else (),
    )


def evaluate_nuclei(
    compared: Iterable[Compared],
    *,
    dataset: str,
    predictions: str,
    names: tuple[str, ...] = (),
    radius_mm: float | None = None,
) -> NucleiEvaluation:
    """Sum up images.

    Args:
        compared: one an image; failed ones with a row alone.
        dataset: its name.
        predictions: where they lie.
        names: of the types; empty where nuclei have none.
        radius_mm: of volumes, within which centres were paired.
    """
    images = list(compared)
    total = sum((one.quality for one in images), PanopticQuality())
    scores = detection_scores([one.pairs for one in images if one.pairs is not None], len(names))
    typed = [one.of_types for one in images if one.of_types]
    multi = multi_class_quality(typed) if names and typed else None
    tables = {name: np.array([_or_nan(one.row.values.get(name)) for one in images], float) for name in IMAGE_MEASURES}
    return NucleiEvaluation(
        dataset=dataset,
        predictions=predictions,
        confidence=CONFIDENCE,
        bootstrap_samples=SAMPLES,
        rows=tuple(one.row for one in images),
        summaries=(
            Summary(
                label="nucleus",
                measures={
                    name: bootstrap(table, confidence=CONFIDENCE, samples=SAMPLES) for name, table in tables.items()
                },
                statuses={
                    "ok": sum(one.row.status == "ok" for one in images),
                    "failed": sum(one.row.status == "failed" for one in images),
                },
            ),
        ),
        pooled={
            "pq": _or_none(total.quality),
            "dq": _or_none(total.detection),
            "sq": _or_none(total.segmentation),
        },
        detection_f=_or_none(scores.detection),
        detection_radius_mm=radius_mm,
        types={
            name: {"pq": _or_none(multi.per_type[index]), "f": _or_none(scores.per_type[index])}
            for index, name in enumerate(names)
        }
        if multi
        else {},
        multi_class_pq=_or_none(multi.pooled) if multi else None,
        multi_class_pq_per_image=_or_none(multi.per_image) if multi else None,
        spurious_of_absent_types=multi.spurious_of_absent_types if multi else 0,
    )


def _paired(
    truth: Nuclei, found: Nuclei, kinds: tuple[np.ndarray, np.ndarray], radius: float, steps: np.ndarray | None
) -> PairedTypes:
    truth_kinds, found_kinds = kinds
    places = [centroids(reading.instances)[1] for reading in (truth, found)]
    if steps is not None:
        places = [place @ steps.T for place in places]
    rows, columns = pair_centroids(places[0], places[1], radius)
    return PairedTypes(
        truth=truth_kinds[rows],
        found=found_kinds[columns],
        missed=np.delete(truth_kinds, rows),
        spurious=np.delete(found_kinds, columns),
    )


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
