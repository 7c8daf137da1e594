"""Register one pair of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.pair_files import read_labels, read_on_grid
from medarch.api.progress import Progress
from medarch.api.write_registration import write_registration
from medarch.core.pair_report import PairReport
from medarch.core.spatial_transform import IDENTITY

if TYPE_CHECKING:
    from medarch.inference.registration.settings import Linear, Similarity, Start

Files = tuple[Path, Path]
"""Of the fixed and of the moving image."""


def register(
    fixed: Path,
    moving: Path,
    output: Path,
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
    progress: Progress | None = None,
) -> PairReport:
    """Find where the points of the fixed image lie in the moving one, and write what follows from it.

    The output folder gets ``warped.nii.gz`` (the moving image on the fixed grid), ``transform.h5`` and ``inverse.h5``
    (for SimpleITK, ANTs, 3D Slicer), ``displacement.nii.gz`` (the same transform as one field),
    ``registration.png``, ``registration.json``, and ``warped_labels.nii.gz`` if there are labels.

    Args:
        fixed: image whose grid is that of the results.
        moving: image that is moved.
        output: folder.
        linear: ``affine``, ``similarity``, ``rigid`` or ``none``: the first step.
        deformable: whether a diffeomorphism follows.
        similarity: ``auto`` (chosen by the pair), ``lncc``, ``mind``, ``nmi`` or ``mse``; the settings are those of
            :class:`~medarch.inference.registration.settings.RegistrationSettings`.
        smoothness: weight of the deformation's gradient.
        iterations: at a quarter, half and the whole of the resolution.
        start: ``auto``, ``files`` or ``centres``.
        seconds: wall time after which what there is is returned.
        start_from: a transform to start from in place of the affine step, such as a network's, in any format that
            :func:`~medarch.io.transforms.read_transform.read_transform` knows.
        fixed_mask: voxels of the fixed image that count.
        moving_mask: the same of the moving image.
        labels: label maps by which to judge; the registration does not see them.
        landmarks: the same, .csv or .fcsv, paired by name.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        progress: called with iterations done and in all.

    Raises:
        VolumeError: a file cannot be read, an image is empty or holds NaN.
        GeometryError: the images differ in dimension or do not overlap, or a mask or label map lies on another grid.
        TransformError: the transform to start from cannot be read or does not fit.
        EvaluationError: the landmarks cannot be paired.
        UsageError: a setting does not fit.
    """
    from medarch.evaluation.registration.registered_pair import RegisteredPair
    from medarch.evaluation.registration.target_registration_error import target_registration_error
    from medarch.inference.registration.pair_image import PairImage
    from medarch.inference.registration.register_pair import register_pair
    from medarch.inference.registration.settings import RegistrationSettings
    from medarch.io.read_volume import read_volume
    from medarch.io.transforms.read_landmarks import read_landmarks
    from medarch.io.transforms.read_transform import read_transform
    from medarch.planning.detect_device import detect_device
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
    volumes = [read_volume(path) for path in (fixed, moving)]
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
    images = [PairImage(volume.array, volume.geometry, mask) for volume, mask in zip(volumes, masks, strict=True)]
    on = detect_device(device).kind
    found = register_pair(images[0], images[1], settings, start=first, device=on, progress=progress)
    return write_registration(found, volumes, output, settings=settings, judged_by=judged_by, labels=names)
