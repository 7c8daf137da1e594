"""Pairs of a fold's validation cases registered and measured: what training a registration ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medarch.api.evaluate_registration import evaluate_registration
from medarch.api.plan_folder import PlanFolder
from medarch.api.progress import Progress
from medarch.api.register_with_model import register_with_model
from medarch.core.pair_input import PairInput, pair_id
from medarch.core.pairing import Pairing
from medarch.core.plan import Configuration

if TYPE_CHECKING:
    from medarch.core.registration_evaluation import RegistrationEvaluation
    from medarch.preprocessing.case_store import CaseStore

PAIRS = 50
"""Validation pairs that are registered, where there are more."""


def validate_registration(
    home: PlanFolder,
    chosen: Configuration,
    fold: int | str,
    *,
    store: CaseStore,
    device: str,
    workers: int | None = None,
    progress: Progress | None = None,
) -> RegistrationEvaluation:
    """Register and measure a spread of the validation pairs of a trained fold.

    Args:
        home: the plan.
        chosen: a configuration of it.
        fold: which was trained.
        store: the prepared cases.
        device: ``cpu``, ``cuda`` or ``mps``.
        workers: processes for measuring.
        progress: of predicting.
    """
    folder = home.fold_folder(chosen.name, fold) / "validation"
    pairs = [
        PairInput(
            id=pair_id(pair.fixed, pair.moving),
            fixed=home.dataset.case(pair.fixed),
            moving=home.dataset.case(pair.moving),
        )
        for pair in Pairing(home.dataset, home.split(fold).val).spread(PAIRS)
    ]
    model = home.folder / chosen.name / "model"
    register_with_model(
        model, pairs, folder, folds=[str(fold)], device=device, restart=True, store=store, progress=progress
    )
    return evaluate_registration(folder, workers=workers)
