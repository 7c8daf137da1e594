"""A dataset in: which cases there are, without opening their images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medarch.core.dataset import Case, Dataset, Split, TaskName
from medarch.core.errors import DatasetError
from medarch.io.require_waivable import require_waivable
from medarch.io.take_inventory import take_inventory


def read_dataset(path: Path, *, waive: Sequence[str] = (), task: TaskName | None = None) -> Dataset:
    """Read the nnU-Net v2 layout, the MSD layout, a classification dataset, or a CSV or JSON manifest.

    With ``"task": "registration"`` in dataset.json, or ``task``, the images of those layouts are pairs to register; see
    :func:`~medarch.io.add_pairs.add_pairs`.

    Cases with missing files are kept, so that ``check_dataset`` can report them, unless ``IMAGE_MISSING`` or
    ``LABEL_MISSING`` is waived, which leaves them out (of given splits, too).

    Args:
        path: a folder with dataset.json, that file, or a manifest.
        waive: codes of ``medarch check`` that the user accepts; kept in ``Dataset.waived``.
        task: what to read the dataset for, where it can serve several.

    Raises:
        DatasetError: the structure cannot be understood, or no case is left.
        UsageError: a code of ``waive`` does not exist or cannot be waived.
    """
    require_waivable(waive)
    dataset = take_inventory(path, task=task).dataset
    cases = tuple(case for case in dataset.cases if not _left_out(case, waive, labelled=True))
    tests = tuple(case for case in dataset.test_cases if not _left_out(case, waive, labelled=False))
    if not cases:
        raise DatasetError(f"no case of {path} has all its files", fix="see `medarch check`")
    kept = {case.id for case in cases}
    splits = dataset.splits and tuple(
        Split(
            train=tuple(case_id for case_id in split.train if case_id in kept),
            val=tuple(case_id for case_id in split.val if case_id in kept),
        )
        for split in dataset.splits
    )
    return dataset.model_copy(update={"cases": cases, "test_cases": tests, "splits": splits, "waived": tuple(waive)})


def _left_out(case: Case, waive: Sequence[str], *, labelled: bool) -> bool:
    if "IMAGE_MISSING" in waive and not all(image.exists() for image in case.images):
        return True
    labelled = labelled and case.classes is None
    return labelled and "LABEL_MISSING" in waive and not (case.label and case.label.exists())
