"""The registry of networks: names, papers and presets. Importing it imports no network."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from medarch.core.errors import PlanError
from medarch.networks.architecture import Architecture
from medarch.networks.catalogue.classifiers import CLASSIFIERS
from medarch.networks.catalogue.nuclei import NUCLEI
from medarch.networks.catalogue.registration import REGISTRATION
from medarch.networks.catalogue.segmentation import SEGMENTATION

_known: dict[str, Architecture] = {}
REGISTRY: Mapping[str, Architecture] = MappingProxyType(_known)
"""Name → entry."""


def register(entry: Architecture) -> Architecture:
    """Add an entry, from medarch's own catalogue or from a user's program.

    Raises:
        PlanError: the name is taken.
    """
    if entry.name in _known:
        raise PlanError(f"a network {entry.name!r} is registered already", found=entry.name, fix="choose another name")
    _known[entry.name] = entry
    return entry


def find_architecture(name: str) -> Architecture:
    """Return the entry of a name.

    Raises:
        PlanError: there is none; the error names the nearest.
    """
    if name not in _known:
        near = difflib.get_close_matches(name, _known, n=1)
        raise PlanError(
            f"unknown architecture {name!r}",
            expected=", ".join(sorted(_known)),
            found=name,
            fix=f"did you mean {near[0]!r}?" if near else "choose one of those",
        )
    return _known[name]


for _entry in (*SEGMENTATION, *CLASSIFIERS, *NUCLEI, *REGISTRATION):
    register(_entry)
