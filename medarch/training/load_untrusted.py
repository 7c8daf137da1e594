"""Files of ``torch.save``, read without running anything that is pickled in them."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from medarch.core.errors import ModelError

_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    ImportError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
)
"""What torch raises on files that are no checkpoints, or damaged ones."""


class _Inert:
    """Stands in for a value of no use here: takes whatever it is made from, and is nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def load_untrusted(path: Path, *, ignored: Sequence[str] = (), maker: str, cure: str) -> Any:
    """Return what the file holds: tensors, numbers, text and containers of them, memory-mapped where possible.

    Args:
        path: of the file.
        ignored: names that its pickle may call; nothing is called, and the result is an empty stand-in.
        maker: who writes such files, for the error.
        cure: what to do about a refused file, for the error.

    Raises:
        ModelError: the file is missing or damaged, or its pickle names anything else; nothing of it is executed then.
    """
    try:
        with torch.serialization.safe_globals([(_Inert, name) for name in ignored]):  # type: ignore[arg-type]
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except _UNREADABLE as error:
        raise _unreadable(path, error, maker, cure) from error


def _unreadable(path: Path, error: Exception, maker: str, cure: str) -> ModelError:
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return ModelError(f"cannot read {path}", found=error.strerror or str(error), fix="check the path")
    text = str(error)
    named = re.search(r"GLOBAL ([\w.]+)", text) or re.search(r"unrecognized function ([^\n]+)", text)
    built = re.search(r"(?:but got|Can only [^\n]*?)(<class [^>]+>)", text)
    if named or built or "TorchScript" in text:
        refused = next((match.group(1) for match in (named, built) if match), "a TorchScript archive")
        return ModelError(
            f"{path} was refused: its pickle wants to use {refused}",
            expected=f"tensors, numbers, text and containers only, as {maker} write them",
            found=refused,
            fix=f"nothing of it was executed. Ask who made the file; {cure}",
        )
    return ModelError(
        f"{path} cannot be read as a checkpoint",
        expected="a complete file written by torch.save",
        found=f"{type(error).__name__}: {text[:300]}",
        fix="nothing of it was executed. Copy the file again, complete",
    )
