"""Another try with less memory when an allocation failed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from medarch.core.errors import OutOfMemoryError
from medarch.inference.footing import Footing
from medarch.networks.levers.is_out_of_memory import is_out_of_memory

Result = TypeVar("Result")
log = logging.getLogger(__name__)


def with_less_memory(case: str, device: torch.device, attempt: Callable[[Footing], Result]) -> Result:
    """Call ``attempt`` as fast as the device allows, and after each failed allocation on a slower footing.

    Args:
        case: for the log.
        device: where networks run.
        attempt: starts from nothing every time.

    Raises:
        OutOfMemoryError: even the least did not suffice.
    """
    first = Footing.of(device)
    for footing, slower in zip((first, *first.slower()), (*first.slower(), None), strict=True):
        try:
            return attempt(footing)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            message = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no memory'}"
        # Out here the exception, and with it the arrays in its frames, is gone.
        if device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning(
            "%s: out of memory with %s (%s)%s", case, footing, message, f"; again with {slower}" if slower else ""
        )
    raise OutOfMemoryError(
        f"not enough memory to predict {case}, not even one tile at a time",
        found=message,
        fix="free memory on this machine, use fewer --folds, or one with more memory",
    )
