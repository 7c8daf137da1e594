"""One transform file in, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

from medarch.core.errors import TransformError
from medarch.core.spatial_transform import TransformChain
from medarch.io.read_bytes import read_bytes
from medarch.io.transforms.itk_transform import from_itk
from medarch.io.transforms.read_field import read_field
from medarch.io.transforms.transform_suffix import transform_format_of


def read_transform(path: Path) -> TransformChain:
    """Read a displacement field (.nii, .nii.gz, .nrrd, .mha), a transform of ITK (.h5, .tfm) or an affine .mat of ANTs.

    A composite becomes a chain of its parts. What is meant is always: from the fixed image to the moving one.

    Raises:
        TransformError: the file is damaged or holds something else; a field or matrix is not finite.
        VolumeError: the file is missing, empty, or a damaged image.
        GeometryError: the field's affine is singular.
    """
    import SimpleITK

    path = Path(path)
    kind = transform_format_of(path)
    if kind == "field":
        return TransformChain((read_field(path),))
    read_bytes(path, 1)
    try:
        transform = SimpleITK.ReadTransform(str(path))
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise TransformError(
            f"{path} cannot be read as a transform",
            expected="an affine transform of ANTs or ITK" if kind == "affine" else "a transform file of ITK",
            found=lines[-1].strip() if lines else "something else",
            fix="write it again; a .mat of FSL says nothing without its images: convert it, e.g. with c3d_affine_tool"
            if kind == "affine"
            else "write it again, e.g. with SimpleITK's WriteTransform",
        ) from error
    try:
        return from_itk(transform)
    except TransformError as error:
        raise TransformError(
            f"{path}: {error.summary}", expected=error.expected, found=error.found, fix=error.fix
        ) from error
