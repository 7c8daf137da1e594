"""What the values of label maps in a folder mean."""

from __future__ import annotations

from pathlib import Path

from medarch.core.errors import UsageError
from medarch.core.labels import LabelScheme
from medarch.core.plan import Plan


def find_labels(predictions: Path, dataset: Path | None) -> tuple[str, LabelScheme]:
    """Return the dataset's name and its labels: as given, or from what lies beside the predictions.

    Args:
        predictions: folder made by ``medarch predict`` or by nnU-Net.
        dataset: a dataset, its record, or a plan.json.

    Raises:
        UsageError: nothing tells.
    """
    if dataset is not None and dataset.name == "plan.json":
        made = Plan.load(dataset)
        return made.dataset, made.labels
    if dataset is not None:
        from medarch.io.read_dataset import read_dataset

        read = read_dataset(dataset)
        return read.name, read.labels
    record = predictions / "predictions.json"
    if record.exists():
        from medarch.core.prediction import Prediction

        plan = Prediction.load(record).model / "plan.json"
        if plan.exists() or not (predictions / "dataset.json").exists():
            made = Plan.load(plan)
            return made.dataset, made.labels
    if (predictions / "dataset.json").exists():  # nnU-Net leaves one
        from medarch.io.dataset_json import dataset_name, label_scheme, load_json

        path = predictions / "dataset.json"
        meta = load_json(path)
        return dataset_name(meta, predictions), label_scheme(meta, path)
    raise UsageError(
        "the names of the labels are not known",
        expected="predictions made by `medarch predict`, or --dataset",
        found=f"no predictions.json in {predictions}",
        fix="give --dataset DATASET (its folder, or a plan.json)",
    )
