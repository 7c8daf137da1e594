"""What probabilities take of memory while their files are written."""

from __future__ import annotations

from medarch.core.dataset import Case
from medarch.core.errors import MedarchError
from medarch.inference.stored_logits import CHUNK_BYTES
from medarch.io.plane_spans import FLOAT_BYTES, SLAB_BYTES
from medarch.io.read_geometry import read_geometry

COPIES = 3
"""Planes before and after resampling, and in the file's order."""


def score_bytes(case: Case, *, classes: int) -> int:
    """Bytes that come on top of :func:`~medarch.inference.case_bytes.case_bytes` where all classes have to be told.

    The length of the case does not matter. 0 for a file whose header cannot be read.
    """
    try:
        i, j, _ = read_geometry(case.images[0])[0].shape
    except (MedarchError, OSError):
        return 0
    return CHUNK_BYTES + COPIES * max(SLAB_BYTES, classes * i * j * FLOAT_BYTES)
