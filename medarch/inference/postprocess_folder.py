"""Postprocessing of label maps that lie on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from medarch.core.errors import PredictionError, VolumeError
from medarch.core.files import remove_leftovers
from medarch.core.folder_lock import folder_lock
from medarch.core.parallel import run_parallel
from medarch.core.postprocessing import KeepLargest, Postprocessing
from medarch.core.prediction import Prediction
from medarch.inference.ledger import file_sha256
from medarch.io.find_label_maps import find_label_maps
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume
from medarch.tasks.apply_postprocessing import apply_postprocessing


@dataclass(frozen=True)
class Postprocessed:
    """What became of the cases."""

    written: dict[str, Path]
    failed: dict[str, str]
    """The reason by case."""


def postprocess_folder(
    predictions: Path,
    output: Path,
    rules: Postprocessing,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Postprocessed:
    """Write every label map of a folder to another, postprocessed, in its own format; a bad one costs only itself.

    Args:
        predictions: folder of label maps.
        output: another folder.
        rules: what to do.
        workers: processes; default one a core, 0 for none.
        progress: called with cases done and all.

    Raises:
        PredictionError: both folders are one.
        DatasetError: there are no label maps.
    """
    if predictions.resolve() == output.resolve():
        raise PredictionError(
            "postprocessing would replace its own input",
            expected="another output folder",
            found=str(output),
            fix="name another",
        )
    maps = find_label_maps(predictions)
    written: dict[str, Path] = {}
    failed: dict[str, str] = {}
    with folder_lock(output):
        remove_leftovers(output)
        work = partial(_write_one, output, rules.steps)
        for done, outcome in enumerate(run_parallel(work, sorted(maps.items()), workers=workers), start=1):
            case = outcome.item[0]
            if outcome.value is not None:
                written[case] = outcome.value
            else:
                failed[case] = str(outcome.error)
            if progress is not None:
                progress(done, len(maps))
        _keep_record(predictions, output, rules, written)
    return Postprocessed(dict(sorted(written.items())), dict(sorted(failed.items())))


def _write_one(output: Path, steps: tuple[KeepLargest, ...], item: tuple[str, Path]) -> Path:
    path = item[1]
    volume = read_volume(path)
    values = volume.array
    whole = np.rint(values) if values.dtype.kind == "f" else values
    if len(values) != 1 or (whole != values).any() or whole.min() < 0 or whole.max() > np.iinfo(np.uint16).max:
        raise VolumeError(
            f"{path} is not a label map", expected="one channel of whole numbers from 0", found="something else"
        )
    labels = whole[0].astype(np.uint8 if whole.max() < 255 else np.uint16)
    target = output / path.name
    write_volume(target, apply_postprocessing(labels, steps), volume.geometry, like=path)
    return target


def _keep_record(predictions: Path, output: Path, rules: Postprocessing, written: dict[str, Path]) -> None:
    """The record of the run goes along, so that ``evaluate`` knows the labels; the voxels counted there do not."""
    source = predictions / "predictions.json"
    if not source.exists():
        return
    record = Prediction.load(source)
    rows = [
        row.model_copy(
            update={"output": written[row.case], "output_sha256": file_sha256(written[row.case]), "voxels": {}}
        )
        for row in record.cases
        if row.case in written
    ]
    settings = {**record.settings, "postprocessing": str(rules)}
    record.model_copy(update={"cases": tuple(rows), "settings": settings}).save(output / "predictions.json")
