"""From pixels of the network's view to the slide's, and what the types are called."""

from __future__ import annotations

from dataclasses import dataclass

_COLOURS = (
    (230, 25, 75), (60, 180, 75), (67, 99, 216), (245, 130, 49), (145, 30, 180),
    (66, 212, 244), (240, 50, 230), (191, 239, 69), (154, 99, 36), (128, 128, 0),
)  # fmt: skip
_UNTYPED = (0, 158, 115)


@dataclass(frozen=True)
class NucleiScale:
    """All that outputs need to know about slide and model."""

    downsample: float
    """Level-0 pixels in a pixel of the view."""
    mpp: float
    """Micrometres in a pixel of the view."""
    origin: tuple[int, int] = (0, 0)
    """Level-0 x and y where QuPath puts its (0, 0)."""
    names: tuple[str, ...] = ()
    """Of the types other than background; empty: nuclei have no type."""

    def name(self, kind: int) -> str:
        """Name of a type, 0 where there are none."""
        return self.names[kind - 1] if kind else "nucleus"

    def colour(self, kind: int) -> tuple[int, int, int]:
        """RGB of a type."""
        return _COLOURS[(kind - 1) % len(_COLOURS)] if kind else _UNTYPED
