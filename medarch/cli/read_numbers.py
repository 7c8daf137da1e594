"""Whole numbers as an option."""

from __future__ import annotations

from collections.abc import Sequence


def read_numbers(
    option: str, text: str, *, counts: Sequence[int], smallest: int = 0, example: str = ""
) -> tuple[int, ...]:
    """Return whole numbers with commas between, as many as one of ``counts``.

    Args:
        option: its name, for the error.
        text: what was given.
        counts: how many there may be.
        smallest: number allowed.
        example: of what would do; default 64 as often as needed.

    Raises:
        UsageError: it is something else.
    """
    from medarch.core.errors import UsageError

    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in counts or not all(part.isdecimal() and int(part) >= smallest for part in parts):
        raise UsageError(
            f"{option} does not fit",
            expected=f"{' or '.join(map(str, counts))} whole numbers from {smallest} with commas between, e.g. "
            f"{example or ','.join(['64'] * counts[-1])}",
            found=text,
        )
    return tuple(int(part) for part in parts)
