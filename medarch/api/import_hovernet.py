"""From a checkpoint of HoVerNet's authors or TIAToolbox to a model of nuclei."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from medarch.core.nuclei_settings import NucleiSettings


def import_hovernet(
    source: Path,
    output: Path,
    *,
    types: Sequence[str] = (),
    mode: Literal["fast", "original"] = "fast",
    mpp: float = 0.25,
    window: int | None = None,
) -> NucleiSettings:
    """Write a model folder; see :func:`medarch.interop.import_hovernet.import_hovernet`."""
    from medarch.interop.import_hovernet import import_hovernet

    return import_hovernet(source, output, types=types, mode=mode, mpp=mpp, window=window)
