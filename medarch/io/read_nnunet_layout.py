"""nnU-Net v2's raw layout: ``imagesTr/CASE_0000.ext``, ``labelsTr/CASE.ext`` and dataset.json, in any folder."""

from __future__ import annotations

import os
import re
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


def read_nnunet_layout(folder: Path, meta: Mapping[str, Any]) -> Inventory:
    """Read a tree by the content of its dataset.json.

    ``channel_names`` (older: ``modality``), ``labels``, ``regions_class_order``, ``numTraining``, ``file_ending`` and
    ``dataset`` (case → explicit paths, relative to the folder, with ``$VARIABLES`` as in nnU-Net) count;
    ``overwrite_image_reader_writer`` does not.

    Raises:
        DatasetError: dataset.json is unusable, or there are no cases.
    """
    path = folder / "dataset.json"
    channels = channel_names(meta.get("channel_names", meta.get("modality")), path)
    findings: list[Finding] = []
    if "dataset" in meta:
        cases = _explicit_cases(folder, meta["dataset"])
    else:
        ending = meta.get("file_ending") or _usual_ending(folder / "labelsTr")
        cases = _cases(folder, "Tr", ending, len(channels), findings)
    tests = _cases(folder, "Ts", meta.get("file_ending", ""), len(channels), findings)
    if not cases:
        raise DatasetError(
            f"no training cases in {folder}",
            expected="imagesTr/CASE_0000.nii.gz and labelsTr/CASE.nii.gz, with the file_ending of dataset.json",
            found=f"file_ending {meta.get('file_ending')!r}",
            fix="put the files there, correct file_ending, or list the paths in a manifest",
        )
    dataset = Dataset(
        name=dataset_name(meta, folder),
        root=folder,
        layout="nnunet",
        channels=channels,
        labels=label_scheme(meta, path),
        cases=tuple(cases),
        test_cases=tuple(tests),
        splits=load_splits(folder / "splits_final.json", {case.id for case in cases}),
        num_training=stated_count(meta, path),
        licence=str(meta.get("licence", meta.get("license", ""))),
    )
    return Inventory(dataset, findings)


def _explicit_cases(folder: Path, entries: Any) -> list[Case]:
    try:
        return [
            Case(
                id=case_id,
                images=tuple(folder / os.path.expandvars(image) for image in entry["images"]),
                label=folder / os.path.expandvars(entry["label"]),
            )
            for case_id, entry in sorted(entries.items())
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise DatasetError(
            f"the key `dataset` of {folder / 'dataset.json'} cannot be read",
            expected='{"CASE": {"images": ["a_0000.nii.gz"], "label": "a.nii.gz"}}',
            found=f"{type(error).__name__}: {error}",
            fix="correct it, or remove it to use imagesTr and labelsTr",
        ) from error


def _usual_ending(labels: Path) -> str:
    endings = Counter(split_suffix(entry)[1] for entry in _volumes(labels))
    return endings.most_common(1)[0][0] if endings else ".nii.gz"


def _cases(folder: Path, part: str, ending: str, channels: int, findings: list[Finding]) -> list[Case]:
    """Cases of imagesTr and labelsTr (or Ts): every id that either folder knows, with the paths it should have."""
    images, labels = folder / f"images{part}", folder / f"labels{part}"
    ending = ending or _usual_ending(images)
    ids: set[str] = set()
    for file in _volumes(images):
        match = re.fullmatch(r"(.+)_(\d{4})", file.name.removesuffix(ending)) if file.name.endswith(ending) else None
        if not match:
            findings.append(make_finding("STRAY_FILE", file=file, expected=f"CASE_0000{ending}", found=file.name))
        elif int(match[2]) >= channels:
            expected = f"{channels} channel(s)"
            findings.append(
                make_finding("WRONG_CHANNELS", case=match[1], file=file, expected=expected, found=file.name)
            )
        else:
            ids.add(match[1])
    labelled = set()
    for file in _volumes(labels):
        if file.name.endswith(ending):
            labelled.add(file.name.removesuffix(ending))
        else:
            findings.append(make_finding("STRAY_FILE", file=file, expected=f"CASE{ending}", found=file.name))
    if part == "Tr":  # a test label without an image is nobody's business
        ids |= labelled
    return [
        Case(
            id=case_id,
            images=tuple(images / f"{case_id}_{channel:04d}{ending}" for channel in range(channels)),
            label=labels / f"{case_id}{ending}" if part == "Tr" or case_id in labelled else None,
        )
        for case_id in sorted(ids)
    ]


def _volumes(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if is_volume_file(entry)) if folder.is_dir() else []
