"""From several prediction folders to one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.find_labels import find_labels
from medarch.api.progress import Progress
from medarch.core.errors import UsageError

if TYPE_CHECKING:
    from medarch.core.prediction import Prediction
    from medarch.io.probability_files import ProbabilitySource


def ensemble(
    folders: Sequence[Path],
    output: Path,
    *,
    dataset: Path | None = None,
    probabilities: bool = False,
    restart: bool = False,
    progress: Progress | None = None,
) -> Prediction:
    """Average the class probabilities of prediction folders; see
    :func:`medarch.inference.ensemble_folders.ensemble_folders`.

    Args:
        folders: at least two, made by ``medarch predict --probabilities`` or ``nnUNetv2_predict --save_probabilities``.
        output: folder.
        dataset: names the labels; default what lies beside the predictions.
        probabilities: write the mean, too.
        restart: average every case again.
        progress: called with cases done and all.
    """
    from medarch.core.files import write_bytes
    from medarch.inference.ensemble_folders import ensemble_folders

    if len(folders) < 2:
        raise UsageError(
            "an ensemble has members", expected="two folders or more", found=str(len(folders)), fix="name another"
        )
    sources = [_source(folder, dataset) for folder in folders]
    result = ensemble_folders(
        sources, output, model=_model(folders[0]), probabilities=probabilities, restart=restart, progress=progress
    )
    if _is_nnunet(folders[0]):
        # As nnU-Net does; `medarch evaluate` and `postprocess` read the labels from it.
        write_bytes(output / "dataset.json", (folders[0] / "dataset.json").read_bytes())
    return result


def _is_nnunet(folder: Path) -> bool:
    return not (folder / "predictions.json").exists() and any(folder.glob("*.npz"))


def _source(folder: Path, dataset: Path | None) -> ProbabilitySource:
    if _is_nnunet(folder):
        from medarch.interop.nnunet_probabilities import NnunetProbabilities

        return NnunetProbabilities.find(folder)
    from medarch.inference.find_probabilities import find_probabilities

    return find_probabilities([folder], labels=find_labels(folder, dataset)[1], name=str(folder))


def _model(folder: Path) -> Path:
    """The folder that names the labels."""
    from medarch.core.prediction import Prediction

    record = folder / "predictions.json"
    return Prediction.load(record).model if record.exists() else folder
