"""Register one pair of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.api.progress import Progress
from medarch.api.read_registration import Files, read_registration
from medarch.api.write_registration import write_registration
from medarch.core.kept_memory import kept_memory
from medarch.core.pair_report import PairReport

if TYPE_CHECKING:
    from medarch.inference.registration.settings import Linear, Similarity, Start


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
    from medarch.inference.registration.register_pair import register_pair
    from medarch.planning.detect_device import detect_device

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
    on = detect_device(device).kind
    with kept_memory():
        found = register_pair(*given.images, given.settings, start=given.start, device=on, progress=progress)
        return write_registration(
            found, given.volumes, output, settings=given.settings, judged_by=given.judged_by, labels=given.labels
        )
