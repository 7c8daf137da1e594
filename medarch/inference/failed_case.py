"""The row of a case that could not be predicted."""

from __future__ import annotations

import logging
from pathlib import Path

from medarch.core.errors import MedarchError
from medarch.core.prediction import CasePrediction

log = logging.getLogger(__name__)


def failed_case(
    case: str, error: BaseException, *, images: tuple[Path, ...] = (), seconds: float = 0.0
) -> CasePrediction:
    """Say in the log and in a row what ended the work on a case."""
    message = str(error) if isinstance(error, MedarchError) else f"{type(error).__name__}: {error}"
    log.warning("case %s failed: %s", case, message)
    return CasePrediction(case=case, status="failed", images=images, seconds=seconds, error=message)
