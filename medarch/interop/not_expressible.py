"""What another program has no words for."""

from __future__ import annotations

from medarch.core.errors import PlanError


def not_expressible(what: str, *, expected: str, found: object, fix: str = "") -> PlanError:
    """Return the error for a decision of a plan that nnU-Net's plans cannot hold; ``what`` names it."""
    return PlanError(
        f"nnU-Net has no words for {what}",
        expected=expected,
        found=str(found),
        fix=fix or "stay with medarch for this plan, or plan again without it",
    )
