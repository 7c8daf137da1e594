"""File names of transforms: which suffix says which kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from medarch.core.errors import TransformError

TransformFormat = Literal["field", "itk", "affine"]

TRANSFORM_FORMATS: dict[str, TransformFormat] = {
    ".nii.gz": "field",
    ".nii": "field",
    ".nrrd": "field",
    ".nhdr": "field",
    ".mha": "field",
    ".mhd": "field",
    ".h5": "itk",
    ".hdf5": "itk",
    ".tfm": "itk",
    ".txt": "itk",
    ".mat": "affine",
}
"""A displacement field as an image; ITK's transform files, which hold any chain; a single affine transform."""


def transform_format_of(path: Path) -> TransformFormat:
    """Return the kind of file that the name promises.

    Raises:
        TransformError: the suffix is not known.
    """
    name = path.name.lower()
    for suffix, kind in TRANSFORM_FORMATS.items():
        if name.endswith(suffix):
            return kind
    raise TransformError(
        f"{path} is no transform that medarch knows",
        expected="a displacement field (.nii.gz, .nii, .nrrd, .mha), ITK's .h5 or .tfm, or an affine .mat of ANTs",
        found=path.name,
        fix="save it as one of these, e.g. with SimpleITK's WriteTransform",
    )
