"""What registering a pair would do and cost on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.read_registration import Files, read_registration
from medarch.core.kept_memory import kept_memory
from medarch.core.registration_estimate import RegistrationEstimate
from medarch.core.stopwatch import Stopwatch

if TYPE_CHECKING:
    from medarch.inference.registration.settings import Linear, Similarity, Start


def estimate_registration(
    fixed: Path,
    moving: Path,
    *,
    linear: Linear = "affine",
    deformable: bool = True,
    similarity: Similarity = "auto",
    smoothness: float = 0.3,
    iterations: tuple[int, ...] = (40, 40, 40),
    start: Start = "auto",
    seconds: float | None = None,
    start_from: Path | None = None,
    fixed_mask: Path | None = None,
    moving_mask: Path | None = None,
    labels: Files | None = None,
    landmarks: Files | None = None,
    device: str = "auto",
) -> RegistrationEstimate:
    """Read, check and align a pair, probe a few iterations, and write nothing.

    Arguments and errors are those of :func:`medarch.api.register`.
    """
    from medarch.inference.registration.estimate_pair import estimate_pair
    from medarch.planning.detect_device import detect_device

    watch = Stopwatch()
    given = read_registration(
        fixed,
        moving,
        linear=linear,
        deformable=deformable,
        similarity=similarity,
        smoothness=smoothness,
        iterations=iterations,
        start=start,
        seconds=seconds,
        start_from=start_from,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        labels=labels,
        landmarks=landmarks,
    )
    read_s = watch.seconds
    on = detect_device(device).kind
    with kept_memory():  # as in the run
        found = estimate_pair(*given.images, given.settings, start=given.start, device=on, labels=len(given.labels))
    return found.model_copy(update={"read_seconds": read_s, "seconds": found.seconds + read_s})
