"""As many voxels as a header says."""

from __future__ import annotations

import math
from pathlib import Path

from medarch.io.fault import fault
from medarch.io.volume_header import VolumeHeader


def require_announced(header: VolumeHeader, held: int, path: Path) -> None:
    """Compare the bytes of voxels that a file holds with its header.

    Raises:
        VolumeError: there are fewer (``TRUNCATED``) or more (``EXTRA_BYTES``).
    """
    i, j, k = header.shape
    announced = header.channels * math.prod(header.shape) * header.dtype.itemsize
    if held != announced:
        raise fault(
            "TRUNCATED" if held < announced else "EXTRA_BYTES",
            path,
            expected=f"{announced} bytes of voxels ({header.channels}×{i}×{j}×{k} {header.dtype.name})",
            found=f"{held} bytes",
        )
