"""From a dataset that nnU-Net preprocessed to a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress

if TYPE_CHECKING:
    from medarch.interop.import_preprocessed import ImportedDataset


def import_preprocessed(
    source: Path,
    workspace: Path,
    *,
    configuration: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ImportedDataset:
    """Take over ``nnUNet_preprocessed/DATASET``; see :func:`~medarch.interop.import_preprocessed`."""
    from medarch.interop.import_preprocessed import import_preprocessed as take_over

    return take_over(source, workspace, configuration=configuration, workers=workers, progress=progress)
