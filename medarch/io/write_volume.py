"""One image file out, on its grid, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medarch.core.errors import GeometryError, VolumeError
from medarch.core.files import atomic_path
from medarch.core.geometry import Geometry
from medarch.io.encode_nifti import encode_nifti
from medarch.io.require_right_angles import require_right_angles
from medarch.io.suffix import FORMATS, split_suffix
from medarch.io.volume_header import LPS_TO_RAS

_WRITABLE = (".nii", ".nii.gz", ".nrrd", ".mha", ".png", ".tif", ".tiff", ".bmp")


def write_volume(path: Path, array: np.ndarray, geometry: Geometry, *, like: Path | None = None) -> None:
    """Write a volume in the format of the suffix: .nii, .nii.gz, .nrrd, .mha, or .png, .tif, .bmp for one slice.

    Args:
        path: the target; it appears complete, by renaming, or not at all.
        array: ``(I, J, K)`` or ``(C, I, J, K)``; several channels become a 4D NIfTI or a vector image. Its dtype is
            kept, but bool becomes uint8 and float16 float32.
        geometry: the grid, shape ``(I, J, K)``.
        like: the input file. If both it and the target are NIfTI, its header is kept (sform and qform with their codes,
            units, description), so that every viewer lays the result onto it.

    Raises:
        VolumeError: the suffix cannot be written, or the format cannot hold this array.
        GeometryError: array, geometry and ``like`` do not agree, or the format cannot hold the affine.
    """
    path = Path(path)
    array = _normalised(array, geometry)
    suffix = split_suffix(path)[1]
    if suffix not in _WRITABLE:
        raise VolumeError(
            f"cannot write {path}", expected=", ".join(_WRITABLE), found=path.name, fix="choose one of those"
        )
    with atomic_path(path) as temporary:
        if FORMATS[suffix] == "nifti":
            content = encode_nifti(array, geometry, compress=suffix.endswith(".gz"), like=like)
            temporary.write_bytes(content)
        elif FORMATS[suffix] == "picture":
            _write_picture(temporary, array, path)
        else:
            _write_with_itk(temporary, array, geometry, path)


def _normalised(array: np.ndarray, geometry: Geometry) -> np.ndarray:
    """``(C, I, J, K)`` of a type that files can hold."""
    array = np.asarray(array)
    if array.ndim == 3:
        array = array[np.newaxis]
    if array.ndim != 4 or array.shape[1:] != geometry.shape:
        raise GeometryError(
            "the array is not on the grid it is to be written with",
            expected=f"(I, J, K) or (C, I, J, K) with I, J, K = {geometry.shape}",
            found=str(array.shape),
        )
    narrow = {np.dtype(np.bool_): np.uint8, np.dtype(np.float16): np.float32}
    return array.astype(narrow.get(array.dtype, array.dtype), copy=False)


def _write_with_itk(temporary: Path, array: np.ndarray, geometry: Geometry, path: Path) -> None:
    import SimpleITK

    require_right_angles(geometry, path)
    planes = np.ascontiguousarray(array.transpose(0, 3, 2, 1))
    vector = len(planes) > 1
    image = SimpleITK.GetImageFromArray(np.moveaxis(planes, 0, -1) if vector else planes[0], isVector=vector)
    affine = LPS_TO_RAS @ geometry.matrix
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / geometry.spacing_mm).ravel().tolist())
    SimpleITK.WriteImage(image, str(temporary), useCompression=True)


def _write_picture(temporary: Path, array: np.ndarray, path: Path) -> None:
    import PIL.Image

    channels, _, _, depth = array.shape
    grey = channels == 1 and array.dtype in (np.uint8, np.uint16)
    colour = channels == 3 and array.dtype == np.uint8
    if depth != 1 or not (grey or colour) or (path.suffix.lower() == ".bmp" and array.dtype != np.uint8):
        raise VolumeError(
            f"{path.suffix} cannot hold this array",
            expected="(I, J, 1) of uint8 or uint16 (.bmp: uint8), or (3, I, J, 1) of uint8",
            found=f"{array.shape} {array.dtype}",
            fix="write .nii.gz",
        )
    pixels = array[0, :, :, 0].T if grey else array[..., 0].transpose(2, 1, 0)
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(temporary)
