"""Sizes of images as options."""

from __future__ import annotations

from collections.abc import Sequence


def read_size(text: str | None, dims: Sequence[int]) -> tuple[int, ...] | None:
    """Return ``--patch``: whole numbers with commas between, as many as one of ``dims``; None where none is given.

    Raises:
        UsageError: it is something else.
    """
    from medarch.core.errors import UsageError

    if text is None:
        return None
    parts = text.split(",")
    if len(parts) not in dims or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise UsageError(
            "--patch is no size",
            expected=f"{' or '.join(map(str, dims))} whole numbers, e.g. {','.join(['64'] * dims[-1])}",
            found=text,
        )
    return tuple(int(part) for part in parts)
