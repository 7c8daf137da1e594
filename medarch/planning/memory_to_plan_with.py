"""How much of a device's memory a plan may use."""

from __future__ import annotations

from medarch.core.plan import Device

MEMORY_SHARE = 0.9
"""Of the device's free memory."""


def memory_to_plan_with(device: Device, memory_gb: float | None) -> int:
    """Return bytes: what was asked for (GB of 10⁹ bytes), or nine tenths of what the device has."""
    return int(MEMORY_SHARE * device.memory_bytes if memory_gb is None else memory_gb * 1e9)
