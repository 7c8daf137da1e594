"""Which network the files of changes ask for: a planner wants to know before it plans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medarch.networks.registry import find_architecture
from medarch.planning.read_changes import read_changes


def asked_network(paths: Sequence[Path]) -> dict[str, Any]:
    """Return ``network.architecture`` and ``network.options`` of the files, later ones over earlier.

    Raises:
        PlanError: a file cannot be read, or there is no such architecture.
    """
    asked: dict[str, Any] = {}
    for path in paths:
        network = read_changes(path).get("network")
        if not isinstance(network, dict):
            continue
        if "architecture" in network:
            asked["architecture"] = find_architecture(str(network["architecture"])).name
        if isinstance(network.get("options"), dict):
            asked["options"] = {**asked.get("options", {}), **network["options"]}
    return asked
