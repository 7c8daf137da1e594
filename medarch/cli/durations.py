"""Times as people write them."""

from __future__ import annotations

import re

import typer

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str | None) -> float | None:
    """``"90"`` or ``"90s"`` → 90, ``"15m"`` → 900, ``"1h30m"`` → 5400."""
    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[smhd])?", text.strip().lower())
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*(min|[smhd])?", "", text.strip().lower()).strip():
        raise typer.BadParameter(f"{text!r} is not a time; write 90s, 15m, 2h or 1h30m")
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)


def spoken(duration_s: float) -> str:
    """``5400`` → ``"1 h 30 min"``."""
    if duration_s < 120:
        return f"{duration_s:.3g} s"
    minutes = round(duration_s / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
