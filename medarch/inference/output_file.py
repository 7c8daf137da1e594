"""Where a case's output goes."""

from __future__ import annotations

from pathlib import Path

from medarch.core.dataset import Case

OUTPUT_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def output_file(folder: Path, case: Case) -> Path:
    """Return ``folder/CASE.suffix`` in the format of the case's image where that can be written, else ``.nii.gz``."""
    name = case.images[0].name
    suffix = next((suffix for suffix in OUTPUT_SUFFIXES if name.endswith(suffix)), ".nii.gz")
    return folder / f"{case.id}{suffix}"
