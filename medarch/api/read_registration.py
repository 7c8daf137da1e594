"""All that a registration is given, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.pair_files import read_labels, read_on_grid
from medarch.core.spatial_transform import IDENTITY

if TYPE_CHECKING:
    import numpy as np

    from medarch.evaluation.registration.registered_pair import RegisteredPair
    from medarch.inference.registration.pair_image import PairImage
    from medarch.inference.registration.settings import Linear, RegistrationSettings, Similarity, Start
    from medarch.io.read_volume import Volume

Files = tuple[Path, Path]
"""Of the fixed and of the moving image."""


@dataclass(frozen=True)
class RegistrationInput:
    """A pair as its files and options say."""

    settings: RegistrationSettings
    volumes: tuple[Volume, Volume]
    images: tuple[PairImage, PairImage]
    """The same with their masks."""
    start: np.ndarray | None
    """``(3, I, J, K)`` or in 2D ``(2, I, J)`` in voxels of the fixed grid."""
    judged_by: RegisteredPair
    labels: dict[str, int]


def read_registration(
    fixed: Path,
    moving: Path,
    *,
    linear: Linear,
    deformable: bool,
    similarity: Similarity,
    smoothness: float,
    iterations: tuple[int, ...],
    start: Start,
    seconds: float | None,
    start_from: Path | None,
    fixed_mask: Path | None,
    moving_mask: Path | None,
    labels: Files | None,
    landmarks: Files | None,
) -> RegistrationInput:
    """Read what :func:`medarch.api.register` is given; arguments and errors are the same."""
    from medarch.evaluation.registration.registered_pair import RegisteredPair
    from medarch.evaluation.registration.target_registration_error import target_registration_error
    from medarch.inference.registration.pair_image import PairImage
    from medarch.inference.registration.settings import RegistrationSettings
    from medarch.io.read_volume import read_volume
    from medarch.io.transforms.read_landmarks import read_landmarks
    from medarch.io.transforms.read_transform import read_transform
    from medarch.preprocessing.transforms.compose_field import compose_field

    settings = RegistrationSettings(
        linear="none" if start_from is not None else linear,
        deformable=deformable,
        similarity=similarity,
        smoothness=smoothness,
        iterations=iterations,
        start=start,
        seconds=seconds,
    )
    volumes = read_volume(fixed), read_volume(moving)
    masks = [
        None if path is None else read_on_grid(path, volume)
        for path, volume in zip((fixed_mask, moving_mask), volumes, strict=True)
    ]
    # What judges the result is read before it is computed: a wrong file costs nothing.
    names: dict[str, int] = {}
    if labels is not None:
        names = read_labels(labels[0], volumes[0])
        read_labels(labels[1], volumes[1])
    if landmarks is not None:
        target_registration_error(read_landmarks(landmarks[0]), read_landmarks(landmarks[1]), IDENTITY)
    judged_by = RegisteredPair(
        f"{moving.name} onto {fixed.name}",
        fixed.name,
        moving.name,
        fixed,
        moving,
        fixed_label=labels and labels[0],
        moving_label=labels and labels[1],
        fixed_landmarks=landmarks and landmarks[0],
        moving_landmarks=landmarks and landmarks[1],
    )
    first = None
    if start_from is not None:
        geometry = volumes[0].geometry
        first = compose_field(read_transform(start_from), geometry).voxels()
        first = first[:2, :, :, 0] if geometry.shape[2] == 1 else first
    images = tuple(PairImage(volume.array, volume.geometry, mask) for volume, mask in zip(volumes, masks, strict=True))
    return RegistrationInput(settings, volumes, (images[0], images[1]), first, judged_by, names)
