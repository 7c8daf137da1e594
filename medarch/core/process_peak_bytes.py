"""The most memory that this process has had."""

from __future__ import annotations

import resource
import sys


def process_peak_bytes() -> int:
    """Return its largest resident set since it began, in bytes."""
    scale = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
