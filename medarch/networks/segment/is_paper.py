"""The option ``preset`` of segmentation networks."""

from __future__ import annotations

from typing import Literal

from medarch.core.errors import PlanError

Preset = Literal["plan", "paper"]
"""``plan``: topology of the plan, and normalisation that suits its small batches; ``paper``: as published."""


def is_paper(preset: Preset) -> bool:
    """Say whether a network shall be as published.

    Raises:
        PlanError: the preset is neither of the two.
    """
    if preset not in ("plan", "paper"):
        raise PlanError(
            f"unknown preset {preset!r}",
            expected="plan, paper",
            found=str(preset),
            fix="correct network.options.preset",
        )
    return preset == "paper"
