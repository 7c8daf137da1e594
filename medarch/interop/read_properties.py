"""What nnU-Net noted about a prepared case (``CASE.pkl``), read without running anything that is pickled in it."""

from __future__ import annotations

import codecs
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.geometry import Triple
from medarch.core.prepared import Box


@dataclass(frozen=True)
class CaseProperties:
    """The way to the network's grid, along network axes but for the spacing."""

    spacing_mm: tuple[float, float, float]
    """Of the file, in the reader's order (z, y, x)."""
    full_shape: Triple
    crop: Box
    cropped_shape: Triple


def read_properties(path: Path) -> CaseProperties:
    """Read a case's properties.

    Raises:
        PreprocessingError: the file is missing or damaged, names anything but plain containers and numpy's arrays and
            numbers (none of it is called then), or lacks a property.
    """
    try:
        with path.open("rb") as stream:
            properties = _Unpickler(stream).load()
        return CaseProperties(
            spacing_mm=_floats(properties["spacing"]),
            full_shape=_integers(properties["shape_before_cropping"]),
            crop=_box(properties["bbox_used_for_cropping"]),
            cropped_shape=_integers(properties["shape_after_cropping_and_before_resampling"]),
        )
    except _UNREADABLE as error:
        raise PreprocessingError(
            f"cannot read {path}",
            expected="the properties that nnU-Net's preprocessor writes",
            found=f"{type(error).__name__}: {error}"[:300],
            fix="preprocess the dataset again with nnU-Net, or use its raw folder",
        ) from error


_UNREADABLE = (
    pickle.UnpicklingError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    ImportError,
    MemoryError,
)
"""What unpickling raises on files that are no pickles, or damaged ones."""


def _latin_1(text: str, encoding: str) -> bytes:
    """Stands in for ``_codecs.encode``, by which old pickle protocols write bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes encoded as {encoding}")
    return codecs.latin_1_encode(text)[0]


def _numpy(module: str, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(import_module(f"numpy._core.{module}"), name)
    return found


_ALLOWED: dict[tuple[str, str], Callable[[], Any]] = {
    ("collections", "OrderedDict"): lambda: OrderedDict,
    ("numpy", "ndarray"): lambda: np.ndarray,
    ("numpy", "dtype"): lambda: np.dtype,
    ("_codecs", "encode"): lambda: _latin_1,
}
for _core in ("numpy.core", "numpy._core"):  # before and since numpy 2
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = lambda: _numpy("multiarray", "_reconstruct")
    _ALLOWED[f"{_core}.multiarray", "scalar"] = lambda: _numpy("multiarray", "scalar")
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = lambda: _numpy("numeric", "_frombuffer")


class _Unpickler(pickle.Unpickler):
    """Knows plain containers and what numpy makes arrays and numbers of; refuses any other name before calling it."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a case's properties")
        return _ALLOWED[module, name]()


def _integers(values: Any) -> Triple:
    first, second, third = (int(value) for value in values)
    return first, second, third


def _floats(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _box(ranges: Any) -> Box:
    first, second, third = ((int(low), int(high)) for low, high in ranges)
    return first, second, third
