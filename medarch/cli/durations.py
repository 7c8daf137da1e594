"""Times as people write them, as options of the command line."""

from __future__ import annotations

import typer

from medarch.core import durations

spoken = durations.spoken


def seconds(text: str | None) -> float | None:
    """``"90"`` or ``"90s"`` → 90, ``"15m"`` → 900, ``"1h30m"`` → 5400; None stays None."""
    if text is None:
        return None
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
