"""What a user may choose when nuclei of slides are found."""

from __future__ import annotations

from dataclasses import dataclass

from medarch.inference.nuclei.find_nuclei import CHUNK


@dataclass(frozen=True)
class SlideOptions:
    """None of ``chunk`` and ``workers`` changes a single byte of the outputs."""

    mpp: float | None = None
    """Micrometres a level-0 pixel, instead of what the files state."""
    chunk: int = CHUNK
    """Side of a chunk of post-processing, pixels of the network's view."""
    workers: int = 1
    """Processes of post-processing; 0: none of their own."""
    tissue: bool = True
    """Look only where there is tissue; else everywhere."""
    reader: str = "auto"
    """Slide reader, see :data:`~medarch.io.slides.open_slide.READERS`."""
    restart: bool = False
    """Do every slide again, whatever the output folder holds."""
