"""Matrix products on one thread, for workers that already use every core."""

from __future__ import annotations

import ctypes
import logging
from functools import lru_cache
from pathlib import Path

import numpy as np

_log = logging.getLogger(__name__)
SETTERS = ("scipy_openblas_set_num_threads64_", "openblas_set_num_threads64_", "openblas_set_num_threads")


@lru_cache(maxsize=1)
def one_blas_thread() -> bool:
    """Tell the OpenBLAS of numpy's wheels to use one thread in this process; return whether there was one to tell.

    As many workers as cores, each with as many threads, take twice as long on two cores and worse on more. numpy has no
    function for this and environment variables come too late for a forked worker, so the library itself is asked.
    """
    package = Path(np.__file__).parent
    for path in (*package.parent.glob("numpy.libs/*openblas*"), *package.glob(".dylibs/*openblas*")):
        library = ctypes.CDLL(str(path))
        for name in SETTERS:
            if hasattr(library, name):
                getattr(library, name)(1)
                return True
    _log.debug("numpy brings no OpenBLAS; its matrix products keep their number of threads")
    return False
