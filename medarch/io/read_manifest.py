"""A dataset given as a list of paths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medarch.core.dataset import Dataset, Split
from medarch.core.errors import DatasetError
from medarch.io.dataset_json import channel_names, dataset_name, label_scheme, stated_count
from medarch.io.inventory import Inventory
from medarch.io.manifest_rows import ManifestRow, read_manifest_rows


def read_manifest(path: Path) -> Inventory:
    """Read a .csv or .json manifest with the keys ``channels``, ``labels`` and ``regions_class_order``.

    A CSV file has those keys in ``NAME.json`` beside it. Columns are ``id``, ``image`` (one channel, or a 4D file) or
    ``image_<channel>``, ``label``, and optionally ``fold`` (which fold validates on the case; empty: none) and
    ``split`` (``train`` or ``test``).

    Raises:
        DatasetError: the manifest or its names cannot be used, or it has no training cases.
    """
    manifest = read_manifest_rows(path)
    names = path.with_suffix(".json")
    training = sorted((row for row in manifest.rows if row.part == "train"), key=lambda row: row.case.id)
    tests = sorted((row for row in manifest.rows if row.part == "test"), key=lambda row: row.case.id)
    if not training:
        raise DatasetError(f"{path} has no training cases", expected="rows with split train or none", fix="add some")
    dataset = Dataset(
        name=dataset_name(manifest.meta, path.with_suffix("")),
        root=path.parent,
        layout="manifest",
        channels=manifest.channels or channel_names(manifest.meta.get("channels"), names),
        labels=label_scheme(manifest.meta, names),
        cases=tuple(row.case for row in training),
        test_cases=tuple(row.case for row in tests),
        splits=_splits(training, path),
        num_training=stated_count(manifest.meta, names),
        licence=str(manifest.meta.get("licence", manifest.meta.get("license", ""))),
    )
    return Inventory(dataset)


def _splits(rows: Sequence[ManifestRow], path: Path) -> tuple[Split, ...] | None:
    folds = sorted({row.fold for row in rows if row.fold is not None})
    if not folds:
        return None
    splits = tuple(
        Split(
            train=tuple(row.case.id for row in rows if row.fold != fold),
            val=tuple(row.case.id for row in rows if row.fold == fold),
        )
        for fold in folds
    )
    if folds != list(range(len(folds))) or not all(split.train for split in splits):
        raise DatasetError(
            f"the folds of {path} cannot be used",
            expected="fold numbers 0, 1, 2 ... without a gap, and cases left to train on",
            found=f"folds {folds} of {len(rows)} training cases",
            fix="correct the column `fold`",
        )
    return splits
