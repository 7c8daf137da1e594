"""Memory that a network's arrays leave stays with the process for the next ones."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

KEPT_BELOW = 2**29
"""Bytes: larger arrays than this go back to the system at once."""
MMAP_THRESHOLD, TRIM_THRESHOLD, TOP_PAD = -3, -1, -2
"""Names of malloc.h."""
STANDARD = {MMAP_THRESHOLD: 2**17, TRIM_THRESHOLD: 2**17, TOP_PAD: 2**17}


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory while inside, then give it back. Does something with glibc only (Linux).

    The C library takes each large array from the system and gives it back when it is freed. The system hands out zeros:
    it has to write each page before torch does. A network's layers allocate many gigabytes in turn, and a third of its
    time goes there.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    for name, value in ((MMAP_THRESHOLD, KEPT_BELOW), (TRIM_THRESHOLD, -1), (TOP_PAD, 2**26)):
        libc.mallopt(name, value)
    try:
        yield
    finally:
        for name, value in STANDARD.items():
            libc.mallopt(name, value)
        libc.malloc_trim(0)
