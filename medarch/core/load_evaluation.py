"""An evaluation from disk, of whichever task."""

from __future__ import annotations

from pathlib import Path

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.core.errors import RecordError
from medarch.core.evaluation import Evaluation


def load_evaluation(path: Path) -> Evaluation | ClassificationEvaluation:
    """Read ``evaluation.json``.

    Raises:
        RecordError: the file is missing or no evaluation.
    """
    kind: type[Evaluation | ClassificationEvaluation] = Evaluation
    try:
        if '"task":' in path.read_text(encoding="utf-8")[:200]:
            kind = ClassificationEvaluation
    except OSError as error:
        raise RecordError(f"cannot read {path}", found=str(error), fix="run `medarch evaluate` first") from error
    return kind.load(path)
