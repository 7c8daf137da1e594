"""The networks that a plan can name."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medarch.networks.architecture import Architecture


def list_networks(pattern: str = "*", *, task: str | None = None) -> list[Architecture]:
    """Return the entries of the registry, in the order of their publication within a task. Loads no torch.

    Args:
        pattern: of names, as in a shell: ``resnet*``.
        task: ``segmentation``, ``classification``, ``nuclei`` or ``registration``; default all.
    """
    from medarch.networks.registry import REGISTRY

    return [
        entry for name, entry in REGISTRY.items() if fnmatch.fnmatchcase(name, pattern) and task in (None, entry.task)
    ]
