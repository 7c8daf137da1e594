"""Values of text headers (NRRD, MetaImage), with errors that name the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medarch.io.fault import fault


def text_floats(fields: Mapping[str, str], name: str, path: Path, *, default: str = "", least: int = 1) -> list[float]:
    """Return a field's numbers, separated by blanks or commas, perhaps in parentheses.

    Raises:
        VolumeError: the field (or ``default``) holds fewer than ``least`` numbers or something else (``BAD_HEADER``).
    """
    text = re.sub(r"[(),]", " ", fields.get(name, default))
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if len(values) < least:
        raise fault("BAD_HEADER", path, expected=f"{least} or more numbers in {name!r}", found=repr(text))
    return values


def text_ints(fields: Mapping[str, str], name: str, path: Path, *, default: str = "") -> list[int]:
    """Return a field's whole numbers; raises like :func:`text_floats`."""
    values = text_floats(fields, name, path, default=default)
    if not all(value.is_integer() for value in values):
        raise fault(
            "BAD_HEADER", path, expected=f"whole numbers in the field {name!r}", found=fields.get(name, default)
        )
    return [int(value) for value in values]


def text_dtype(names: Mapping[str, str], name: str, big_endian: bool, path: Path) -> np.dtype:
    """Return the dtype that a format calls ``name``.

    Raises:
        VolumeError: the format's table does not hold it (``UNSUPPORTED_DTYPE``).
    """
    if name not in names:
        raise fault("UNSUPPORTED_DTYPE", path, expected="integers, float or double", found=repr(name))
    return np.dtype((">" if big_endian else "<") + names[name])
