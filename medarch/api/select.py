"""From cross-validations to the configuration, or the pair of them, to predict with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.find_model import SELECTION
from medarch.api.plan_folder import PlanFolder
from medarch.api.preprocess import preprocess
from medarch.api.progress import Progress
from medarch.api.selection_commands import selection_commands
from medarch.api.validate_fold import previous_stage_maps, validate_fold
from medarch.core.errors import PlanError
from medarch.core.plan import Plan
from medarch.core.selection import Selection

if TYPE_CHECKING:
    from medarch.io.probability_files import ProbabilityFiles

ORDER = ("2d", "3d_fullres", "3d_lowres", "3d_cascade_fullres")
"""nnU-Net's: of two equal ones the earlier is taken."""
WINNER = "selection"
"""Folder in the plan's for the cross-validation of an ensemble that won."""


def select(
    plan_folder: Path,
    *,
    folds: Sequence[str] | None = None,
    ensembles: bool = True,
    device: str = "auto",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Selection:
    """Compare the trained configurations of a plan and every pair of them; find the winner's postprocessing.

    As nnU-Net's ``find_best_configuration``: mean foreground DSC over all cross-validation cases, the mean of the
    probabilities for a pair. Probabilities that training did not keep are predicted again from the folds' weights.
    Writes ``PLAN/selection.json``, and the postprocessing into the winner's model folder.

    Args:
        plan_folder: ``WORKSPACE/DATASET/PLAN``.
        folds: which; default all of the splits.
        ensembles: consider pairs.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``, where probabilities are missing.
        workers: processes.
        progress: called with cases done and all, of each step.

    Raises:
        PlanError: no configuration has all folds trained.
    """
    from medarch.evaluation.determine_postprocessing import determine_postprocessing
    from medarch.evaluation.score_candidates import score_candidates

    home = PlanFolder.load(plan_folder)
    if home.plan.classes is not None:
        raise PlanError("select compares segmentations", expected="a plan of label maps", found=home.plan.task)
    chosen_folds = tuple(folds) if folds else _all_folds(home)
    names = _trained(home, chosen_folds)
    pairs = ensembles and len(names) > 1
    for name in names:
        for fold in chosen_folds:
            _complete(home, name, fold, probabilities=pairs, device=device, workers=workers, progress=progress)
    label_maps = {name: _label_maps(home, name, chosen_folds) for name in names}
    sources = {name: _probabilities(home, name, chosen_folds) for name in names} if pairs else {}
    cases = [home.dataset.case(case) for fold in chosen_folds for case in home.split(fold).val]
    references = {case.id: case.label for case in cases if case.label is not None}
    candidates = score_candidates(
        label_maps, sources, references, labels=home.plan.labels, workers=workers, progress=progress
    )
    winner = max(candidates, key=lambda candidate: candidate.dsc).configurations  # the first of equal ones
    maps = label_maps[winner[0]] if len(winner) == 1 else _write_ensemble(home, [sources[name] for name in winner])
    rules = determine_postprocessing(maps, references, labels=home.plan.labels, workers=workers, progress=progress)
    rules_file = home.folder / (winner[0] + "/model" if len(winner) == 1 else WINNER) / "postprocessing.json"
    rules.save(rules_file)
    selection = Selection(
        dataset=home.dataset.name,
        plan=home.plan.name,
        folds=chosen_folds,
        cases=len(references),
        candidates=candidates,
        winner=winner,
        postprocessing=rules,
        commands=selection_commands(home.folder, winner, chosen_folds, rules=rules_file),
    )
    selection.save(home.folder / SELECTION)
    return selection


def _all_folds(home: PlanFolder) -> tuple[str, ...]:
    from medarch.planning.split_file import load_splits

    return tuple(map(str, range(len(load_splits(home.room.splits_file)))))


def _trained(home: PlanFolder, folds: Sequence[str]) -> list[str]:
    """The configurations that have all folds, in nnU-Net's order."""
    known = [name for name in ORDER if name in home.plan.configurations]
    known += [name for name in home.plan.configurations if name not in ORDER]
    missing = {
        name: [fold for fold in folds if not (home.fold_folder(name, fold) / "training.json").exists()]
        for name in known
    }
    trained = [name for name in known if not missing[name]]
    if not trained:
        raise PlanError(
            "no configuration has all folds trained",
            expected=f"folds {', '.join(folds)} of one of {', '.join(known)}",
            found="; ".join(f"{name}: none of {', '.join(lost)}" for name, lost in missing.items()),
            fix="train the missing folds, or name with --folds those that are trained",
        )
    return trained


def _complete(
    home: PlanFolder,
    name: str,
    fold: str,
    *,
    probabilities: bool,
    device: str,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Predict a fold's validation cases again unless all that is needed lies there."""
    from medarch.core.prediction import Prediction
    from medarch.planning.detect_device import detect_device

    wanted = set(home.split(fold).val)
    folder = home.fold_folder(name, fold) / "validation"
    if (folder / "predictions.json").exists():
        rows = Prediction.load(folder / "predictions.json").cases
        there = {
            row.case
            for row in rows
            if row.output is not None
            and (folder / row.output.name).exists()
            and (
                not probabilities
                or (row.probabilities is not None and (folder / "probabilities" / row.probabilities.name).exists())
            )
        }
        if wanted <= there:
            return
    # As it was trained: overrides of the command line stand in the model's plan.
    trained = Plan.load(home.folder / name / "model" / "plan.json").configuration(name)
    store = preprocess(home.folder, configuration=name, cases=sorted(wanted), workers=workers, progress=progress)
    validate_fold(
        home,
        trained,
        fold,
        store=store,
        maps=previous_stage_maps(home, trained, fold),
        device=detect_device(device).kind,
        probabilities=probabilities,
        workers=workers,
        progress=progress,
    )


def _label_maps(home: PlanFolder, name: str, folds: Sequence[str]) -> dict[str, Path]:
    from medarch.io.find_label_maps import find_label_maps

    found: dict[str, Path] = {}
    for fold in folds:
        maps = find_label_maps(home.fold_folder(name, fold) / "validation")
        found |= {case: maps[case] for case in home.split(fold).val if case in maps}
    return found


def _probabilities(home: PlanFolder, name: str, folds: Sequence[str]) -> ProbabilityFiles:
    from medarch.inference.find_probabilities import find_probabilities

    folders = [home.fold_folder(name, fold) / "validation" for fold in folds]
    return find_probabilities(folders, labels=home.plan.labels, name=name)


def _write_ensemble(home: PlanFolder, sources: Sequence[ProbabilityFiles]) -> dict[str, Path]:
    """The cross-validation of a pair, on which its postprocessing is chosen."""
    from medarch.inference.ensemble_folders import ensemble_folders

    model = home.folder / sources[0].name / "model"
    made = ensemble_folders(sources, home.folder / WINNER, model=model, restart=True)
    return {row.case: row.output for row in made.cases if row.output is not None}
