"""What is known of a registered pair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medarch.core.spatial_transform import IDENTITY, TransformChain


@dataclass(frozen=True)
class RegisteredPair:
    """Files of a pair: its images, what was found, and by what it can be judged."""

    name: str
    fixed: str
    """Case id."""
    moving: str
    fixed_image: Path
    moving_image: Path
    transform: tuple[Path, ...] = ()
    """From the fixed to the moving image, the first acts first; empty if there is none because of ``error``."""
    inverse: tuple[Path, ...] = ()
    """The way back, if it was written."""
    before: TransformChain = IDENTITY
    """Where the registration started, e.g. the images' centres on each other; default where the files place them."""
    fixed_label: Path | None = None
    moving_label: Path | None = None
    fixed_landmarks: Path | None = None
    moving_landmarks: Path | None = None
    seconds: float | None = None
    error: str = ""
    """Why there is no transform."""
