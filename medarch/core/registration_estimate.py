"""What a registration would do and cost."""

from __future__ import annotations

from typing import Literal

from medarch.core.record import Record


class ImageGrid(Record):
    """A grid, or one of a level: voxels along each axis and their edges."""

    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]


class RegistrationLevel(ImageGrid):
    """One resolution of the deformation."""

    iterations: int
    seconds: float


class RegistrationEstimate(Record):
    """A dry run of a pair on this machine."""

    schema_version: Literal[1] = 1
    fixed: ImageGrid
    moving: ImageGrid
    overlap: float
    """Share of the fixed image inside the moving one, where the files place them."""
    overlap_aligned: float
    """The same after the linear step."""
    linear: str
    similarity: str
    because: str = ""
    """Why, where the pair decided."""
    levels: tuple[RegistrationLevel, ...] = ()
    """Of the deformation, coarse to fine; none without one."""
    device: str
    read_seconds: float = 0.0
    """As it took."""
    align_seconds: float
    """Preparing, choosing the similarity and the linear step, as they took."""
    finish_seconds: float
    """The field on the whole grid, and its inverse."""
    write_seconds: float
    """Warping, writing, drawing and measuring."""
    seconds: float
    """In all."""
    peak_bytes: int
    """Of the process in the computer's memory."""
