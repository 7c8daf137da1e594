"""A plan and what it was made from, as nnU-Net v2 goes on from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medarch.core.dataset import Dataset, Split
from medarch.core.files import write_text
from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Plan
from medarch.interop.export_fingerprint import export_fingerprint
from medarch.interop.export_plans import export_plans
from medarch.interop.nnunet_dataset import export_cases, export_dataset, file_ending, nnunet_dataset_name
from medarch.interop.nnunet_plans_name import nnunet_plans_name
from medarch.planning.split_file import save_splits


def export_plan_folder(
    plan: Plan, dataset: Dataset, fingerprint: Fingerprint, splits: Sequence[Split], folder: Path, *, number: int
) -> Path:
    """Write ``PLANS.json``, ``dataset.json``, ``dataset_fingerprint.json`` and ``splits_final.json``.

    They are the content of ``nnUNet_preprocessed/DatasetXXX_NAME`` from which ``nnUNetv2_preprocess -plans_name PLANS``
    and ``nnUNetv2_train -p PLANS`` go on. A dataset that lies in nnU-Net's own raw layout keeps its dataset.json; of
    any other the new one says where each file lies, and goes to ``nnUNet_raw/DatasetXXX_NAME``, too.

    Args:
        plan: what to express.
        dataset: it was made for.
        fingerprint: it was made from.
        splits: folds.
        folder: target.
        number: of the dataset, if neither it nor its folder is named ``DatasetXXX_NAME``.

    Returns:
        The plans file.

    Raises:
        PlanError: nnU-Net cannot express the plan or the dataset; the message names what. Nothing is written.
    """
    name = nnunet_dataset_name(dataset.root.name, dataset.name, number=number)
    ending = file_ending(dataset.cases)
    plans = export_plans(plan, dataset_name=name, file_ending=ending, fingerprint=fingerprint)
    orientation = plan.configuration().preprocessing.orientation
    path = folder / f"{nnunet_plans_name(plan)}.json"
    _write(folder / "dataset.json", _dataset(dataset, fingerprint, name, ending))
    _write(folder / "dataset_fingerprint.json", export_fingerprint(fingerprint, orientation=orientation))
    save_splits(splits, folder / "splits_final.json")
    _write(path, plans)
    return path


def _dataset(dataset: Dataset, fingerprint: Fingerprint, name: str, ending: str) -> dict[str, Any]:
    original = dataset.root / "dataset.json"
    if dataset.layout == "nnunet" and dataset.root.name == name and not dataset.waived:
        content: dict[str, Any] = json.loads(original.read_text(encoding="utf-8-sig"))
        return content | {"numTraining": fingerprint.num_training, "file_ending": ending}
    described = export_dataset(
        dataset.channels, dataset.labels, name=dataset.name, ending=ending, num_training=fingerprint.num_training
    )
    return described | {"dataset": export_cases(dataset)}


def _write(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=4) + "\n")
