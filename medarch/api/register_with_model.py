"""From a trained registration and pairs to fields: what ``predict`` does for registrations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress
from medarch.core.pair_input import PairInput

if TYPE_CHECKING:
    from medarch.core.prediction import Prediction
    from medarch.preprocessing.case_store import CaseStore


def register_with_model(
    model: Path,
    pairs: Sequence[PairInput],
    output: Path,
    *,
    folds: Sequence[str] | None = None,
    device: str = "auto",
    mirror: bool = True,
    optimise: bool = False,
    inverse: bool = False,
    restart: bool = False,
    store: CaseStore | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """Load a model and register pairs; see :func:`medarch.inference.registration.predict_pairs.predict_pairs`."""
    from medarch.inference.load_case_model import load_case_model
    from medarch.inference.registration.predict_pairs import predict_pairs
    from medarch.planning.detect_device import detect_device
    from medarch.tasks.registration.registration import Registration

    loaded = load_case_model(model, Registration, folds=folds, device=detect_device(device).kind)
    return predict_pairs(
        loaded,
        pairs,
        output,
        mirror=mirror,
        optimise=optimise,
        inverse=inverse,
        restart=restart,
        store=store,
        progress=progress,
    )
