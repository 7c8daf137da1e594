"""Where what can be measured again is kept between runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return medarch's folder among the user's caches: of XDG, macOS or Windows. It may not exist yet."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "medarch"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "medarch"
    if os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "medarch" / "cache"
    return Path.home() / ".cache" / "medarch"
