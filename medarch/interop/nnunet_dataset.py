"""nnU-Net's name of a dataset and its dataset.json."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from medarch.core.dataset import Case, Dataset
from medarch.core.errors import UsageError
from medarch.core.labels import LabelScheme
from medarch.interop.not_expressible import not_expressible
from medarch.io.suffix import split_suffix

USUAL_ENDING = ".nii.gz"


def nnunet_dataset_name(*names: str, number: int) -> str:
    """Return ``DatasetXXX_NAME``: the first name of that form, else the last one with ``number``.

    Raises:
        UsageError: the number is not in 1..999.
    """
    for name in names:
        if re.fullmatch(r"Dataset\d{3}_.+", name):
            return name
    if not 1 <= number <= 999:
        raise UsageError("nnU-Net counts its datasets from 1 to 999", expected="1..999", found=str(number))
    return f"Dataset{number:03d}_{names[-1]}"


def file_ending(cases: Sequence[Case]) -> str:
    """Return the one ending that all files of nnU-Net's datasets share.

    Raises:
        PlanError: the files end differently.
    """
    endings = {split_suffix(path)[1] for case in cases for path in case.files()}
    if len(endings) != 1:
        raise not_expressible(
            "files of several kinds", expected="one file ending for all images and label maps", found=sorted(endings)
        )
    return endings.pop()


def export_dataset(
    channels: Sequence[str], labels: LabelScheme, *, name: str, ending: str = USUAL_ENDING, num_training: int = 0
) -> dict[str, Any]:
    """Return the content of dataset.json without the cases.

    Args:
        channels: names in file order.
        labels: the label scheme; regions become lists.
        name: for people.
        ending: of all files.
        num_training: ``numTraining``; 0 when it is not known, which only nnU-Net's planner would mind.
    """
    content: dict[str, Any] = {
        "channel_names": {str(index): channel for index, channel in enumerate(channels)},
        "labels": {label: value if isinstance(value, int) else list(value) for label, value in labels.labels.items()},
        "numTraining": num_training,
        "file_ending": ending,
        "name": name,
    }
    if labels.regions_class_order is not None:
        content["regions_class_order"] = list(labels.regions_class_order)
    return content


def export_cases(dataset: Dataset) -> dict[str, Any]:
    """Return the key ``dataset`` of dataset.json: where the files of each training case lie, whatever their names."""
    return {
        case.id: {"images": [str(path.absolute()) for path in case.images], "label": str(case.label.absolute())}
        for case in dataset.cases
        if case.label is not None
    }
