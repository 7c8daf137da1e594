"""A displacement field out, as ITK, ANTs and 3D Slicer apply it."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from medarch.core.errors import TransformError
from medarch.core.files import atomic_path, write_bytes
from medarch.core.spatial_transform import DisplacementField
from medarch.io.encode_nifti import GZIP_LEVEL
from medarch.io.suffix import split_suffix
from medarch.io.transforms.itk_transform import field_image


def write_field(path: Path, field: DisplacementField) -> None:
    """Write LPS millimetres: .nii or .nii.gz of shape (I, J, K, 1, 3) with intent 1007 (vector), or .nrrd or .mha.

    Raises:
        TransformError: the field is to be inverted first, or is a B-spline.
        GeometryError: the grid is sheared, and the format is not NIfTI.
    """
    path = Path(path)
    if field.inverted or field.interpolation != "linear":
        raise TransformError(
            f"{path} cannot hold this transform",
            expected="a displacement field",
            found="the inverse of one" if field.inverted else "a B-spline",
            fix="sample it on a grid first, with compose_field()",
        )
    suffix = split_suffix(path)[1]
    if suffix in (".nii", ".nii.gz"):
        content = _nifti(field)
        write_bytes(path, zlib.compress(content, GZIP_LEVEL, 31) if suffix.endswith(".gz") else content)
        return
    import SimpleITK

    image = field_image(field)
    if field.vectors.dtype == np.float32:
        image = SimpleITK.Cast(image, SimpleITK.sitkVectorFloat32)
    with atomic_path(path) as temporary:
        SimpleITK.WriteImage(image, str(temporary), useCompression=True)


def _nifti(field: DisplacementField) -> bytes:
    import nibabel

    geometry, size = field.geometry, field.dimension
    vectors = field.vectors[:size] * np.array([-1, -1, 1][:size], dtype=field.vectors.dtype).reshape(size, 1, 1, 1)
    kind = nibabel.Nifti1Header if max(geometry.shape) < 2**15 else nibabel.Nifti2Header
    header = kind()
    header.set_data_dtype(vectors.dtype)
    header.set_data_shape((*geometry.shape, 1, len(vectors)))
    header.set_zooms((*geometry.spacing_mm, 1.0, 1.0))
    header.set_sform(geometry.matrix, code=1)
    # A quaternion cannot hold shear; then only the sform tells the truth, and ITK refuses the file.
    header.set_qform(geometry.matrix, code=1 if geometry.is_orthogonal else 0)
    header.set_xyzt_units("mm")
    header.set_intent("vector")
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    header["magic"] = b"n+1" if kind is nibabel.Nifti1Header else header["magic"]
    header["vox_offset"] = len(header.binaryblock) + 4
    return bytes(header.binaryblock) + bytes(4) + np.ascontiguousarray(vectors.transpose(0, 3, 2, 1)).tobytes()
