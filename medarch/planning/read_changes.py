"""A file of changes to a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medarch.core.errors import PlanError


def read_changes(path: Path) -> dict[str, Any]:
    """Return names and values as the YAML file nests them.

    Raises:
        PlanError: the file cannot be read, or holds something else.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise PlanError(f"cannot read {path}", expected="a YAML file", found=str(error)) from error
    if not isinstance(content, dict):
        raise PlanError(f"{path} holds no changes", expected="names and values", found=type(content).__name__)
    return content
