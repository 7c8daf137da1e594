"""Times as people write them."""

from __future__ import annotations

import re

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"(\d+(?:\.\d+)?)\s*(min|[smhd])?"


def seconds(text: str) -> float:
    """``"90"`` or ``"90s"`` → 90, ``"15m"`` → 900, ``"1h30m"`` → 5400.

    Raises:
        ValueError: the text is not a time.
    """
    text = text.strip().lower()
    parts = re.findall(_PART, text)
    if not parts or re.sub(_PART, "", text).strip():
        raise ValueError(f"{text!r} is not a time; write 90s, 15m, 2h or 1h30m")
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)


def spoken(duration_s: float) -> str:
    """``5400`` → ``"1 h 30 min"``."""
    if duration_s < 120:
        return f"{duration_s:.3g} s"
    minutes = round(duration_s / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
