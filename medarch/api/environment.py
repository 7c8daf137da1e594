"""Versions and machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def environment() -> dict[str, str]:
    """Versions and machine, for reports and model cards."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in ("medarch", "torch", "monai", "lightning", "numpy", "scipy", "nibabel", "SimpleITK"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
