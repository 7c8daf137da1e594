"""What a user may choose when nuclei of slides are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from medarch.core.parallel import cpu_count
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

    @classmethod
    def chosen(cls, *, mpp: float | None, chunk: int | None, workers: int | None, tissue: bool, restart: bool) -> Self:
        """With defaults for what is None: chunks of :data:`CHUNK`, one process for every four cores."""
        if workers is None:
            workers = max(cpu_count() // 4, 1)
        return cls(mpp=mpp, chunk=chunk or CHUNK, workers=workers, tissue=tissue, restart=restart)
