"""Which check codes a user may accept by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from medarch.core.check import CODES
from medarch.core.errors import UsageError


def require_waivable(codes: Sequence[str]) -> None:
    """Refuse codes that do not exist or may not be waived.

    Raises:
        UsageError: with the nearest code, or all that can be waived.
    """
    waivable = [code for code, entry in CODES.items() if entry.waivable]
    for code in codes:
        if code not in waivable:
            near = difflib.get_close_matches(code, waivable, n=1)
            raise UsageError(
                f"{code} cannot be waived",
                expected=", ".join(waivable),
                found=code,
                fix=f"did you mean {near[0]}?" if near else "correct the data instead",
            )
