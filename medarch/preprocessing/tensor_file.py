"""Named arrays in one file of the safetensors format, written whole or not at all, read as views of a memory map.

Written here rather than with the ``safetensors`` package, which copies every array on its way to disk and back.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.files import atomic_path

TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4"), "I16": np.dtype("<i2")}
"""Types by their safetensors name."""


@dataclass(frozen=True)
class TensorFile:
    """An open file: read-only views, and the metadata."""

    tensors: dict[str, np.ndarray]
    metadata: dict[str, str]


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], *, metadata: Mapping[str, str]) -> None:
    """Write C-contiguous arrays of :data:`TYPES`, those of the widest type first, with a checksum in the metadata."""
    names = {dtype: name for name, dtype in TYPES.items()}
    content: dict[str, object] = {"__metadata__": {**metadata, "sha256": _checksum(tensors)}}
    offset = 0
    for name, tensor in tensors.items():
        ends = [offset, offset + tensor.nbytes]
        content[name] = {"dtype": names[tensor.dtype], "shape": tensor.shape, "data_offsets": ends}
        offset += tensor.nbytes
    header = json.dumps(content).encode()
    header += b" " * (-len(header) % 8)  # so that the data is aligned
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        for tensor in tensors.values():
            stream.write(tensor.data)


def read_tensors(path: Path) -> TensorFile:
    """Map a file into memory.

    Raises:
        FileNotFoundError: there is no such file.
        PreprocessingError: the file is not what was written: no header, unknown content, or another size.
    """
    with path.open("rb") as stream:
        try:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # an empty file cannot be mapped
            raise _damaged(path, "a safetensors file", "an empty file") from error
    start = 8 + int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8:start])
        metadata = header.pop("__metadata__")
        end = start + max(entry["data_offsets"][1] for entry in header.values())
        if end != len(content):
            raise _damaged(path, f"{end} bytes", f"{len(content)} bytes")
        tensors = {name: _view(content, start, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, "a header as medarch writes it", f"{type(error).__name__}: {error}") from error
    return TensorFile(tensors, metadata)


def verify_tensors(path: Path) -> None:
    """Read a whole file and compare it with its checksum.

    Raises:
        PreprocessingError: a byte changed since the file was written.
    """
    file = read_tensors(path)
    found = _checksum(file.tensors)
    if found != file.metadata.get("sha256"):
        raise _damaged(path, f"SHA-256 {file.metadata.get('sha256')}", found)


def _view(content: mmap.mmap, start: int, entry: dict[str, Any]) -> np.ndarray:
    first, last = entry["data_offsets"]
    dtype = TYPES[entry["dtype"]]
    flat: np.ndarray = np.frombuffer(content, dtype, count=(last - first) // dtype.itemsize, offset=start + first)
    return flat.reshape(entry["shape"])


def _checksum(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors.values():
        digest.update(tensor.data)
    return digest.hexdigest()


def _damaged(path: Path, expected: str, found: str) -> PreprocessingError:
    return PreprocessingError(
        f"the prepared case {path} is damaged",
        expected=expected,
        found=found,
        fix="delete that file and prepare the dataset again; other cases are kept",
    )
