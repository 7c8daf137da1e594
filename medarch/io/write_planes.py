"""One image file of many channels out, plane by plane."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from medarch.core.errors import GeometryError, VolumeError
from medarch.core.files import atomic_path
from medarch.core.geometry import Geometry
from medarch.io.encode_nifti import GZIP_LEVEL
from medarch.io.nifti_head import nifti_head
from medarch.io.nifti_header import ByteOrder
from medarch.io.plane_spans import plane_spans
from medarch.io.require_right_angles import require_right_angles
from medarch.io.suffix import FORMATS, split_suffix
from medarch.io.volume_header import LPS_TO_RAS
from medarch.io.volume_planes import VolumePlanes

_WRITABLE = (".nii", ".nii.gz", ".nrrd", ".mha")
_GZIP, _ZLIB = 31, 15
_COUNT = b"CompressedDataSize = "
_COUNT_DIGITS = 20


def write_planes(path: Path, volume: VolumePlanes, geometry: Geometry, *, like: Path | None = None) -> None:
    """Write float32 channels as :func:`~medarch.io.write_volume.write_volume` does, but never hold them all.

    NIfTI has one channel after the other, so planes are asked for channel by channel; the other formats have the
    channels of a voxel side by side, so all channels of some planes are asked for at once.

    Args:
        path: .nii, .nii.gz, .nrrd or .mha; it appears complete, by renaming, or not at all.
        volume: ``(C, I, J, K)``.
        geometry: the grid, shape ``(I, J, K)``.
        like: the input file, see :func:`~medarch.io.write_volume.write_volume`.

    Raises:
        VolumeError: the suffix is another.
        GeometryError: volume, geometry and ``like`` do not agree, or the format cannot hold the affine.
    """
    suffix = split_suffix(path)[1]
    if suffix not in _WRITABLE:
        raise VolumeError(
            f"cannot write {path}", expected=", ".join(_WRITABLE), found=path.name, fix="choose one of those"
        )
    if volume.shape[1:] != geometry.shape:
        raise GeometryError(
            "the volume is not on the grid it is to be written with",
            expected=f"(C, I, J, K) with I, J, K = {geometry.shape}",
            found=str(volume.shape),
        )
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        if FORMATS[suffix] == "nifti":
            head, order = nifti_head(volume.shape, np.dtype(np.float32), geometry, like=like)
            if suffix.endswith(".gz"):
                _deflate(file, _joined(head, _apart(volume, order)), _GZIP)
            else:
                _copy(file, _joined(head, _apart(volume, order)))
            return
        require_right_angles(geometry, path)
        if FORMATS[suffix] == "nrrd":
            file.write(_nrrd_head(volume.shape[0], geometry))
            _deflate(file, _side_by_side(volume), _GZIP)
        else:
            _write_metaimage(file, volume, geometry)


def _apart(volume: VolumePlanes, order: ByteOrder) -> Iterator[np.ndarray]:
    """One channel after the other, i fastest."""
    for channel in range(volume.shape[0]):
        for low, high in plane_spans(1, volume.shape[1:]):
            planes = volume.planes(slice(channel, channel + 1), low, high)
            yield np.ascontiguousarray(planes.transpose(0, 3, 2, 1), dtype=np.dtype(np.float32).newbyteorder(order))


def _side_by_side(volume: VolumePlanes) -> Iterator[np.ndarray]:
    """The channels of a voxel together, then i, j and k."""
    for low, high in plane_spans(volume.shape[0], volume.shape[1:]):
        planes = volume.planes(slice(None), low, high)
        yield np.ascontiguousarray(planes.transpose(3, 2, 1, 0), dtype="<f4")


def _joined(head: bytes, pieces: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield np.frombuffer(head, dtype=np.uint8)
    yield from pieces


def _copy(file: BinaryIO, pieces: Iterator[np.ndarray]) -> None:
    for piece in pieces:
        file.write(piece.data)


def _deflate(file: BinaryIO, pieces: Iterator[np.ndarray], wrapper: int) -> None:
    stream = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, wrapper)
    for piece in pieces:
        file.write(stream.compress(piece.data))
    file.write(stream.flush())


def _placement(geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the axes in millimetres and the origin, LPS."""
    affine = LPS_TO_RAS @ geometry.matrix
    return affine[:3, :3], affine[:3, 3]


def _numbers(values: np.ndarray, separator: str) -> str:
    return separator.join(repr(float(value) + 0.0) for value in values)  # + 0.0: no -0.0


def _nrrd_head(channels: int, geometry: Geometry) -> bytes:
    axes, origin = _placement(geometry)
    vector = channels > 1
    directions = [f"({_numbers(axis, ',')})" for axis in axes.T]
    lines = [
        "NRRD0004",
        "type: float",
        f"dimension: {4 if vector else 3}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, [channels, *geometry.shape] if vector else geometry.shape))}",
        f"space directions: {' '.join(['none', *directions] if vector else directions)}",
        f"kinds: {'vector ' if vector else ''}domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: ({_numbers(origin, ',')})",
    ]
    return ("\n".join(lines) + "\n\n").encode()


def _write_metaimage(file: BinaryIO, volume: VolumePlanes, geometry: Geometry) -> None:
    """The header comes first and names the compressed size, which is known last: its place is kept free."""
    axes, origin = _placement(geometry)
    spacing = np.asarray(geometry.spacing_mm)
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = True",
        _COUNT.decode() + " " * _COUNT_DIGITS,
        f"TransformMatrix = {_numbers((axes / spacing).T.ravel(), ' ')}",
        f"Offset = {_numbers(origin, ' ')}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {_numbers(spacing, ' ')}",
        f"DimSize = {' '.join(map(str, geometry.shape))}",
        *([f"ElementNumberOfChannels = {volume.shape[0]}"] if volume.shape[0] > 1 else []),
        "ElementType = MET_FLOAT",
        "ElementDataFile = LOCAL",
    ]
    head = ("\n".join(lines) + "\n").encode()
    file.write(head)
    _deflate(file, _side_by_side(volume), _ZLIB)
    count = file.tell() - len(head)
    file.seek(head.index(_COUNT) + len(_COUNT))
    file.write(str(count).ljust(_COUNT_DIGITS).encode())
