"""Widths that hardware likes."""

from __future__ import annotations


def divisible_by_8(channels: float) -> int:
    """Round to a multiple of 8, at least 8, never more than 10 % down (MobileNet's reference code)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
