"""One image file in, plane by plane."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from medarch.core.scratch_array import ScratchArray
from medarch.io.fault import fault
from medarch.io.inflate import inflate_pieces
from medarch.io.parse_header import header_path, is_compressed, parse_header
from medarch.io.read_bytes import read_bytes
from medarch.io.require_announced import require_announced
from medarch.io.volume_header import VolumeHeader
from medarch.io.volume_planes import VolumePlanes
from medarch.io.voxel_values import voxel_values

_PIECE_BYTES = 2**22
_HEAD_BYTES = 65536


@contextlib.contextmanager
def open_planes(path: Path, *, scratch: Path) -> Iterator[VolumePlanes]:
    """Read a file's channels plane by plane, as :func:`~medarch.io.read_volume.read_volume` would read them whole.

    The voxels are unpacked into a file without a name first, for planes of several channels lie far apart.

    Args:
        path: .nii, .nii.gz, .nrrd, .mha and the like.
        scratch: folder on whose disk the voxels lie unpacked while the context lasts.

    Raises:
        VolumeError: the file is missing, damaged, incomplete or of an unsupported kind; ``error.check`` says which.
        GeometryError: its affine is singular or not finite.
        OSError: the disk is full.
    """
    head_path = header_path(path)
    start = read_bytes(head_path, _HEAD_BYTES)
    packed = is_compressed(start, head_path)
    header = parse_header(next(inflate_pieces([start], head_path)) if packed else start, head_path)
    header.geometry(head_path)
    data_path = header.data_file or head_path
    with contextlib.ExitStack() as files:
        try:
            file = files.enter_context(data_path.open("rb"))
        except (OSError, ValueError) as error:
            raise fault("FILE_MISSING", data_path, found=str(error)) from error
        pieces = _read(file)
        if packed and header.data_file is None:
            pieces = inflate_pieces(pieces, data_path)
        pieces = _without(pieces, header.offset)
        if header.encoding == "deflate":
            pieces = inflate_pieces(pieces, data_path)
        i, j, k = header.shape
        stored = (k, j, i, header.channels) if header.interleaved else (header.channels, k, j, i)
        values = files.enter_context(ScratchArray(scratch, stored, header.dtype))
        _unpack(pieces, values, header, data_path)
        yield _StoredPlanes(values, header)


class _StoredPlanes:
    def __init__(self, values: ScratchArray, header: VolumeHeader) -> None:
        self._values, self._header = values, header

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self._header.channels, *self._header.shape)

    def planes(self, channels: slice, low: int, high: int) -> np.ndarray:
        if self._header.interleaved:
            stored = np.moveaxis(self._values.read((), low, high)[..., channels], -1, 0)
        else:
            wanted = range(self._header.channels)[channels]
            stored = np.stack([self._values.read((channel,), low, high) for channel in wanted])
        planes: np.ndarray = voxel_values(stored, self._header).astype(np.float32, copy=False)
        return planes.transpose(0, 3, 2, 1)


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _without(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Leave the first ``count`` bytes out."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))


def _unpack(pieces: Iterator[bytes], values: ScratchArray, header: VolumeHeader, path: Path) -> None:
    """Exactly as many bytes as the header announces."""
    held = 0
    for piece in pieces:
        values.write_bytes(held, piece[: max(0, values.nbytes - held)])
        held += len(piece)
    require_announced(header, held, path)
