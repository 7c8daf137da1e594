"""Names of a file to names of a network, by modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def by_modules(source: Sequence[str], pairs: Mapping[str, str]) -> dict[str, str]:
    """Rename the module of each tensor; tensors of modules that are not among ``pairs`` are left out."""
    names = {}
    for name in source:
        module, _, kind = name.rpartition(".")
        if module in pairs:
            names[name] = f"{pairs[module]}.{kind}"
    return names
