"""Which finished label map of its first stage a cascade trains on, for each case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from medarch.core.dataset import Split
from medarch.core.errors import TrainingError
from medarch.core.prediction import Prediction
from medarch.preprocessing.prepare_previous_labels import FinishedLabelMap

EVERYTHING = "all"


def find_previous_stage(
    stage: Path, splits: Sequence[Split], *, cases: Iterable[str], fold: int | str
) -> dict[str, FinishedLabelMap]:
    """Return the first stage's label map of each case, from the fold that did not train on it.

    So the second stage sees in training what it will see of new cases. Its fold ``all`` is the exception where the
    cross-validation of the first stage is not complete: it then takes what the first stage's fold ``all`` says of its
    own training cases. (nnU-Net keeps one folder for both, in which the run that validated last has written.)

    Args:
        stage: ``PLAN/CONFIGURATION`` of the first stage.
        splits: the folds.
        cases: ids.
        fold: of the second stage.

    Raises:
        TrainingError: folds of the first stage are not trained and validated; the message lists them.
    """
    wanted = list(cases)
    found, missing = _from_cross_validation(stage, splits, wanted)
    if not missing:
        return found
    if fold == EVERYTHING:
        everything = _validated(stage, EVERYTHING)
        if all(case in everything for case in wanted):
            return {case: everything[case] for case in wanted}
    raise TrainingError(
        f"the second stage of a cascade needs the cross-validation of {stage.name}",
        expected="a label map of every case, from the fold that did not train on it",
        found="; ".join(f"fold {name}: none for {_listed(lost)}" for name, lost in missing.items()),
        fix=" && ".join(f"medarch train {stage.parent} -c {stage.name} -f {name}" for name in missing),
    )


def _from_cross_validation(
    stage: Path, splits: Sequence[Split], cases: Sequence[str]
) -> tuple[dict[str, FinishedLabelMap], dict[str, list[str]]]:
    """What was found, and by fold what was not."""
    fold_of = {case: number for number, split in reversed(list(enumerate(splits))) for case in split.val}
    if homeless := [case for case in cases if case not in fold_of]:
        raise TrainingError(
            "a cascade needs folds that together validate every case",
            expected="every case in the validation cases of one fold",
            found=f"{_listed(homeless)} in none",
            fix="change splits.json",
        )
    validated = {fold: _validated(stage, fold) for fold in sorted({fold_of[case] for case in cases})}
    found: dict[str, FinishedLabelMap] = {}
    missing: dict[str, list[str]] = {}
    for case in cases:
        here = validated[fold_of[case]].get(case)
        if here is None:
            missing.setdefault(str(fold_of[case]), []).append(case)
        else:
            found[case] = here
    return found, dict(sorted(missing.items()))


def _validated(stage: Path, fold: int | str) -> dict[str, FinishedLabelMap]:
    record = stage / f"fold_{fold}" / "validation" / "predictions.json"
    if not record.exists():
        return {}
    prediction = Prediction.load(record)
    # By name in that folder: a workspace that was moved is still whole.
    files = {row.case: record.parent / row.output.name for row in prediction.cases if row.output is not None}
    return {case: FinishedLabelMap(path, prediction.model_sha256) for case, path in files.items() if path.exists()}


def _listed(cases: Sequence[str]) -> str:
    return ", ".join(cases[:3]) + (f" and {len(cases) - 3} more" if len(cases) > 3 else "")
