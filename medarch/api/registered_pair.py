"""From a line of a prediction to what the evaluation and the report of registrations want."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medarch.core.dataset import Case
from medarch.core.errors import UsageError
from medarch.core.prediction import CasePrediction

if TYPE_CHECKING:
    from medarch.evaluation.registration.registered_pair import RegisteredPair


def registered_pair(row: CasePrediction, known: Mapping[str, Case]) -> RegisteredPair:
    """Return the files of a predicted pair, with what it is judged by.

    Args:
        row: of ``predictions.json``.
        known: label maps and landmarks by case, in place of those that the pair came with.

    Raises:
        UsageError: the row is of another task.
    """
    from medarch.core.spatial_transform import IDENTITY, AffineTransform, TransformChain
    from medarch.evaluation.registration.registered_pair import RegisteredPair

    if row.pair is None:
        raise UsageError(f"{row.case} is no pair", expected="predictions of a registration", found="of another task")
    fixed, moving = (known.get(case.id, case) for case in (row.pair.fixed, row.pair.moving))
    before = IDENTITY if row.start is None else TransformChain((AffineTransform.from_matrix(row.start),))
    return RegisteredPair(
        name=row.case,
        fixed=fixed.id,
        moving=moving.id,
        fixed_image=row.pair.fixed.images[0],
        moving_image=row.pair.moving.images[0],
        transform=() if row.field is None else (row.field,),
        inverse=() if row.inverse is None else (row.inverse,),
        before=before,
        fixed_label=fixed.label,
        moving_label=moving.label,
        fixed_landmarks=fixed.landmarks,
        moving_landmarks=moving.landmarks,
        seconds=row.seconds,
        error=row.error or "",
    )
