"""An evaluation from disk, of whichever task."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.errors import RecordError
from medarch.core.evaluation import Evaluation
from medarch.core.nuclei_evaluation import NucleiEvaluation
from medarch.core.registration_evaluation import RegistrationEvaluation

AnyEvaluation: TypeAlias = Evaluation | ClassificationEvaluation | RegistrationEvaluation | NucleiEvaluation
_BY_TASK: dict[str, type[AnyEvaluation]] = {
    '"registration"': RegistrationEvaluation,
    '"nuclei"': NucleiEvaluation,
}


def load_evaluation(path: Path) -> AnyEvaluation:
    """Read ``evaluation.json``.

    Raises:
        RecordError: the file is missing or no evaluation.
    """
    kind: type[AnyEvaluation] = Evaluation
    try:
        start = path.read_text(encoding="utf-8")[:200]
        if '"task":' in start:
            kind = next((found for name, found in _BY_TASK.items() if name in start), ClassificationEvaluation)
    except OSError as error:
        raise RecordError(f"cannot read {path}", found=str(error), fix="run `medarch evaluate` first") from error
    return kind.load(path)
