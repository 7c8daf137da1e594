"""From the numbers of a file to those that they mean."""

from __future__ import annotations

import numpy as np

from medarch.io.volume_header import VolumeHeader


def voxel_values(planes: np.ndarray, header: VolumeHeader) -> np.ndarray:
    """Return stored numbers ``(C, *grid)`` in native byte order, floats as float32, slope and intercept applied."""
    scaled = (header.slope, header.intercept) != (1.0, 0.0)
    if planes.dtype.kind == "f" or scaled:
        values = np.empty(planes.shape, dtype=np.float32)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which the checks find
            if not scaled:
                values[...] = planes
            for target, source in zip(values, planes, strict=True) if scaled else ():
                for k in range(len(source)):  # slice by slice: float64 of a whole CT would take gigabytes
                    target[k] = source[k].astype(np.float64) * header.slope + header.intercept
        return values
    return planes.astype(header.dtype.newbyteorder("="), copy=False)
