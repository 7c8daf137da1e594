"""What it was made with."""

from __future__ import annotations

from collections.abc import Mapping

from medarch.reporting.section import Section
from medarch.reporting.table import table


def environment_section(environment: Mapping[str, str]) -> Section:
    """Return versions and whatever else the caller knows of the run."""
    if not environment:
        return Section("environment", "Environment", absent="no versions were given.")
    return Section("environment", "Environment", table(["What", "Which"], [list(item) for item in environment.items()]))
