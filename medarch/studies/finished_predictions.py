"""A folder of finished predictions as a method."""

from __future__ import annotations

from pathlib import Path

from medarch.core.errors import EvaluationError, UsageError
from medarch.studies.job import find_predictions
from medarch.studies.list_runs import PlannedRun
from medarch.studies.study_file import StudyFile


def find(run: PlannedRun) -> dict[str, Path]:
    """Return the label maps of a run's validation cases.

    A folder of one fold must hold exactly its validation cases; a folder of all folds (no ``{fold}`` in its name) may
    hold other cases of the dataset.

    Raises:
        EvaluationError: cases are missing, or there are others; both are named.
    """
    assert run.method.predictions is not None
    folder = Path(run.method.predictions.format(dataset=run.dataset.name, fold=run.fold, seed=run.seed))
    found = find_predictions(folder)
    by_fold = "{fold}" in run.method.predictions
    known = set(run.cases) if by_fold else {case.id for case in run.dataset.dataset.cases}
    missing, extra = sorted(set(run.cases) - set(found)), sorted(set(found) - known)
    if missing or extra:
        parts = [f"{len(names)} {what}: {_listed(names)}"
                 for what, names in (("missing", missing), ("that nobody asked for", extra)) if names]  # fmt: skip
        raise EvaluationError(
            f"{run.key}: the predictions are not of the cases that the other methods predict",
            expected=f"one label map for each of the {len(run.cases)} validation cases",
            found=f"{'; '.join(parts)}, in {folder}" if folder.is_dir() else f"no folder {folder}",
            fix="add or remove these files, or take method or fold out of the study",
        )
    return {case: found[case].resolve() for case in run.cases}


def check_templates(study: StudyFile) -> None:
    """Refuse templates with unknown fields, or that give one folder to runs that must differ.

    Raises:
        UsageError: the template of a method cannot be used.
    """
    for index, method in enumerate(study.methods):
        template = method.predictions
        if template is None:
            continue
        where = f"methods[{index}].predictions"
        try:
            template.format(dataset="", fold=0, seed=0)
        except (KeyError, IndexError, AttributeError, ValueError) as error:
            raise UsageError(
                f"{where} cannot be filled in", expected="{dataset}, {fold} and {seed} at most", found=template,
                fix="write literal braces twice",
            ) from error  # fmt: skip
        for field, several in (("dataset", len(study.datasets) > 1), ("seed", len(study.seeds) > 1)):
            if several and "{" + field + "}" not in template:
                raise UsageError(
                    f"{where} gives the same predictions to every {field}",
                    expected="{" + field + "} in the name of the folder",
                    found=template,
                    fix=f"add it, or name one {field} in the study",
                )


def _listed(names: list[str]) -> str:
    rest = len(names) - 10
    return ", ".join(names[:10]) + (f" and {rest} more" if rest > 0 else "")
