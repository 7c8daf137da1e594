"""From a classifier and cases to a judgement of each: what ``predict`` does for classifications."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress
from medarch.core.dataset import Case

if TYPE_CHECKING:
    from medarch.core.prediction import Prediction
    from medarch.preprocessing.case_store import CaseStore


def classify(
    model: Path,
    cases: Sequence[Case],
    output: Path,
    *,
    folds: Sequence[str] | None = None,
    device: str = "auto",
    mirror: bool = True,
    restart: bool = False,
    store: CaseStore | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """Load a classifier and judge cases; see :func:`medarch.inference.classify_cases.classify_cases`."""
    from medarch.inference.classify_cases import classify_cases
    from medarch.inference.load_case_model import load_case_model
    from medarch.planning.detect_device import detect_device
    from medarch.tasks.classification import Classification

    loaded = load_case_model(model, Classification, folds=folds, device=detect_device(device).kind)
    return classify_cases(loaded, cases, output, mirror=mirror, restart=restart, store=store, progress=progress)
