"""The Medical Segmentation Decathlon's layout: dataset.json lists the files, several channels lie in one 4D file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medarch.core.check import Finding, make_finding
from medarch.core.dataset import Case, Dataset
from medarch.core.errors import DatasetError
from medarch.io.dataset_json import channel_names, dataset_name, label_scheme, load_splits, stated_count
from medarch.io.inventory import Inventory
from medarch.io.suffix import is_volume_file, split_suffix


def read_msd_layout(folder: Path, meta: Mapping[str, Any]) -> Inventory:
    """Read a tree by the lists ``training`` and ``test`` of its dataset.json.

    nnU-Net v1's variant, where ``a.nii.gz`` of the list lies on disk as ``a_0000.nii.gz``, is understood.

    Raises:
        DatasetError: dataset.json is unusable.
    """
    path = folder / "dataset.json"
    channels = channel_names(meta.get("modality", meta.get("channel_names")), path)
    findings: list[Finding] = []
    try:
        cases = [_case(folder, entry["image"], entry["label"], len(channels)) for entry in meta["training"]]
        listed = [entry["image"] if isinstance(entry, Mapping) else entry for entry in meta.get("test", [])]
        tests = [_case(folder, image, None, len(channels)) for image in listed]
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"the lists of {path} cannot be read",
            expected='"training": [{"image": "imagesTr/a.nii", "label": "labelsTr/a.nii"}], "test": ["imagesTs/b.nii"]',
            found=f"{type(error).__name__}: {error}",
            fix="correct dataset.json",
        ) from error
    doubled = [case_id for case_id, count in Counter(case.id for case in cases + tests).items() if count > 1]
    if doubled or not cases:
        raise DatasetError(
            f"the lists of {path} cannot be used",
            expected="at least one training case, each file name once",
            found=f"{len(cases)} training cases; listed twice: {doubled[:5]}",
            fix="correct dataset.json, or give the cases ids of their own in a manifest",
        )
    for case in tests:
        if not case.images[0].exists():
            findings.append(make_finding("TEST_IMAGE_MISSING", case=case.id, file=case.images[0]))
    findings += _strays(cases)
    dataset = Dataset(
        name=dataset_name(meta, folder),
        root=folder,
        layout="msd",
        channels=channels,
        labels=label_scheme(meta, path),
        cases=tuple(sorted(cases, key=lambda case: case.id)),
        test_cases=tuple(sorted((case for case in tests if case.images[0].exists()), key=lambda case: case.id)),
        splits=load_splits(folder / "splits_final.json", {case.id for case in cases}),
        num_training=stated_count(meta, path),
        licence=str(meta.get("licence", meta.get("license", ""))),
    )
    return Inventory(dataset, findings)


def _case(folder: Path, image: str, label: str | None, channels: int) -> Case:
    file = folder / image
    stem, suffix = split_suffix(file)
    images: tuple[Path, ...] = (file,)
    if not file.exists() and (first := file.with_name(f"{stem}_0000{suffix}")).exists():
        images = (first, *(file.with_name(f"{stem}_{channel:04d}{suffix}") for channel in range(1, channels)))
    return Case(id=stem, images=images, label=folder / label if label is not None else None)


def _strays(cases: list[Case]) -> list[Finding]:
    """Files beside the listed ones that no case names."""
    named = {file for case in cases for file in case.files()}
    folders = sorted({file.parent for file in named})
    return [
        make_finding("STRAY_FILE", file=entry, expected="a file that dataset.json lists", found=entry.name)
        for folder in folders
        if folder.is_dir()
        for entry in sorted(folder.iterdir())
        if is_volume_file(entry) and entry not in named
    ]
