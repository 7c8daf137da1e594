"""Which layout lies at a path, and everything in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from medarch.core.check import make_finding
from medarch.core.dataset import TaskName
from medarch.core.errors import DatasetError
from medarch.io.add_pairs import add_pairs, without_labels
from medarch.io.dataset_json import load_json
from medarch.io.inventory import Inventory
from medarch.io.read_classes_layout import read_classes_layout
from medarch.io.read_manifest import read_manifest
from medarch.io.read_msd_layout import read_msd_layout
from medarch.io.read_nnunet_layout import read_nnunet_layout
from medarch.io.read_nuclei_layout import read_nuclei_layout

_FORMS = "a folder with dataset.json (nnU-Net v2 or MSD layout, or a classification), or a manifest .csv or .json"


def take_inventory(path: Path, *, task: TaskName | None = None) -> Inventory:
    """List every case of a dataset, complete or not; see :func:`medarch.io.read_dataset.read_dataset`.

    Raises:
        DatasetError: the structure cannot be understood.
    """
    path = Path(path).absolute()
    if path.is_dir():
        path = path / "dataset.json"
    if not path.is_file():
        inside = sorted(entry.parent.name for entry in path.parent.glob("*/dataset.json"))
        hint = f"; perhaps you mean one of {', '.join(inside[:5])}" if inside else ""
        raise DatasetError(
            f"no dataset at {path.parent if path.name == 'dataset.json' else path}",
            expected=_FORMS,
            found="no such file" if path.name != "dataset.json" else "no dataset.json",
            fix=f"check the path{hint}",
        )
    if path.suffix.lower() == ".csv":
        inventory = read_manifest(path)
        if task == "registration":
            inventory = _to_register(inventory, {})
    elif path.suffix.lower() == ".json":
        inventory = _from_json(path, task)
    else:
        raise DatasetError(f"{path} is no dataset", expected=_FORMS, found=path.name, fix="check the path")
    stated, counted = inventory.dataset.num_training, len(inventory.dataset.cases)
    if stated not in (None, counted):
        inventory.findings.append(
            make_finding("NUM_TRAINING", expected=f"numTraining {counted}", found=f"numTraining {stated}")
        )
    return inventory


def _from_json(path: Path, task: TaskName | None) -> Inventory:
    meta = load_json(path)
    if isinstance(meta, Mapping) and "registration" in (task, meta.get("task")):
        inventory = _of_images(path, {"labels": without_labels().labels, **meta})
        return _to_register(inventory, meta)
    return _of_images(path, meta)


def _to_register(inventory: Inventory, meta: Mapping[str, Any]) -> Inventory:
    dataset = add_pairs(inventory.dataset, meta)
    if meta.get("task") != "registration":  # of another task, whose runs lie under its own name
        dataset = dataset.model_copy(update={"name": f"{dataset.name}_registration"})
    return replace(inventory, dataset=dataset)


def _of_images(path: Path, meta: Any) -> Inventory:
    if isinstance(meta, Mapping) and meta.get("task") == "classification":
        return read_classes_layout(path.parent, meta)
    if isinstance(meta, Mapping) and meta.get("task") == "nuclei":
        return read_nuclei_layout(path.parent, meta)
    if isinstance(meta, Mapping) and "cases" not in meta:
        if "training" in meta:
            return read_msd_layout(path.parent, meta)
        if "channel_names" in meta or "modality" in meta:
            return read_nnunet_layout(path.parent, meta)
    return read_manifest(path)
