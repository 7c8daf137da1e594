"""An evaluation from disk, of whichever task."""

from __future__ import annotations

from pathlib import Path

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.errors import RecordError
from medarch.core.evaluation import Evaluation
from medarch.core.registration_evaluation import RegistrationEvaluation


def load_evaluation(path: Path) -> Evaluation | ClassificationEvaluation | RegistrationEvaluation:
    """Read ``evaluation.json``.

    Raises:
        RecordError: the file is missing or no evaluation.
    """
    kind: type[Evaluation | ClassificationEvaluation | RegistrationEvaluation] = Evaluation
    try:
        start = path.read_text(encoding="utf-8")[:200]
        if '"task":' in start:
            kind = RegistrationEvaluation if '"registration"' in start else ClassificationEvaluation
    except OSError as error:
        raise RecordError(f"cannot read {path}", found=str(error), fix="run `medarch evaluate` first") from error
    return kind.load(path)
