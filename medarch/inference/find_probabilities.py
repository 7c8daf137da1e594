"""The class probabilities in folders that ``medarch predict --probabilities`` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medarch.core.errors import PredictionError
from medarch.core.labels import LabelScheme
from medarch.core.prediction import Prediction
from medarch.inference.pipeline import PROBABILITIES
from medarch.io.probability_files import ProbabilityFiles


def find_probabilities(folders: Sequence[Path], *, labels: LabelScheme, name: str) -> ProbabilityFiles:
    """Return the cases of one or several folders (a cross-validation) of one configuration as one source.

    Args:
        folders: each with its ``predictions.json``.
        labels: what the channels mean.
        name: what messages call it.

    Raises:
        PredictionError: there are no probabilities of any case.
        RecordError: a folder holds no predictions.
    """
    label_maps: dict[str, Path] = {}
    files: dict[str, Path] = {}
    models = []
    for folder in folders:
        prediction = Prediction.load(folder / "predictions.json")
        models.append(prediction.model_sha256)
        for row in prediction.cases:
            if row.output is not None and row.probabilities is not None:
                # By name in that folder: a folder that was moved is still whole.
                label_maps[row.case] = folder / row.output.name
                files[row.case] = folder / PROBABILITIES / row.probabilities.name
    if not files:
        raise PredictionError(
            f"no probabilities in {name}",
            expected="predictions made with --probabilities",
            found="label maps only",
            fix="predict again with --probabilities",
        )
    return ProbabilityFiles(name, labels, label_maps, files, "+".join(models))
