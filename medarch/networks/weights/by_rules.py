"""Names of a file to names of a network, by patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence


def by_rules(source: Sequence[str], rules: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Apply every rule (pattern, replacement) to every name, one after the other."""
    names = {}
    for name in source:
        mine = name
        for pattern, replacement in rules:
            mine = re.sub(pattern, replacement, mine)
        names[name] = mine
    return names
