"""From a found transform to files and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.errors import GeometryError
from medarch.core.pair_report import PairReport
from medarch.core.spatial_transform import IDENTITY, AffineTransform, DisplacementField

if TYPE_CHECKING:
    import numpy as np

    from medarch.evaluation.registration.registered_pair import RegisteredPair
    from medarch.inference.registration.register_pair import PairRegistration
    from medarch.inference.registration.settings import RegistrationSettings
    from medarch.io.read_volume import Volume

REPORT = "registration.json"
FILES = {
    "warped image": "warped.nii.gz",
    "transform": "transform.h5",
    "inverse": "inverse.h5",
    "displacement field": "displacement.nii.gz",
    "picture": "registration.png",
}
WARPED_LABELS = "warped_labels.nii.gz"


def write_registration(
    found: PairRegistration,
    images: Sequence[Volume],
    output: Path,
    *,
    settings: RegistrationSettings,
    judged_by: RegisteredPair,
    labels: Mapping[str, int],
) -> PairReport:
    """Warp, draw, measure and write; each file appears whole or not at all, the report last.

    Args:
        found: the registration.
        images: fixed and moving.
        output: folder.
        settings: for the report.
        judged_by: label maps and landmarks of the pair; what is measured are the written files.
        labels: their names and values.
    """
    from dataclasses import replace

    import numpy as np

    from medarch.evaluation.registration.measure_registration import measure_registration
    from medarch.io.read_volume import read_volume
    from medarch.io.transforms.write_transform import write_transform
    from medarch.io.write_volume import write_volume
    from medarch.preprocessing.transforms.compose_field import compose_field
    from medarch.preprocessing.transforms.warp_volume import warp_volume

    fixed, moving = images
    grid = fixed.geometry
    files = dict(FILES)
    warped = warp_volume(moving.array, moving.geometry, grid, found.chain)
    write_volume(output / files["warped image"], warped.array, grid)
    write_transform(output / files["transform"], found.chain)
    write_transform(output / files["inverse"], found.inverse)
    write_transform(output / files["displacement field"], compose_field(found.chain, grid))
    if judged_by.moving_label is not None:
        files["warped labels"] = WARPED_LABELS
        moved = read_volume(judged_by.moving_label)
        array = warp_volume(moved.array, moved.geometry, grid, found.chain, interpolation="nearest").array
        write_volume(output / files["warped labels"], array, grid)
    _draw(found, images, warped.array[0], output / files["picture"])
    measured = measure_registration(
        replace(
            judged_by,
            transform=(output / files["transform"],),
            inverse=(output / files["inverse"],),
            seconds=found.seconds,
        ),
        labels=labels,
    )
    affine = next((part.matrix for part in found.chain.parts if isinstance(part, AffineTransform)), np.eye(4))
    report = PairReport(
        fixed=str(fixed.path),
        moving=str(moving.path),
        settings=asdict(settings),
        similarity=found.similarity,
        because=found.because,
        files=files,
        affine=tuple(tuple(row) for row in affine.tolist()),  # type: ignore[arg-type]
        iterations=found.iterations,
        inside=warped.inside,
        measures=measured.measures,
        rows=tuple(measured.rows),
        before=tuple(measured.before),
    )
    report.save(output / REPORT)
    return report


def _draw(found: PairRegistration, images: Sequence[Volume], warped: np.ndarray, target: Path) -> None:
    import numpy as np

    from medarch.preprocessing.transforms.warp_volume import warp_volume
    from medarch.reporting.registration.draw_pair import PairPicture, draw_pair

    fixed, moving = images
    grid = fixed.geometry
    try:
        before = warp_volume(moving.array[:1], moving.geometry, grid, IDENTITY).array[0]
    except GeometryError:  # they do not overlap yet
        before = np.zeros(grid.shape, dtype=np.float32)
    # The grid shows what bends: the affine part would only shift and turn the lines.
    field = next((part.voxels() for part in found.chain.parts if isinstance(part, DisplacementField)), None)
    picture = PairPicture(fixed.array[0], before, warped, grid, field, found.jacobian)
    draw_pair(picture, target, title=f"{moving.path.name} onto {fixed.path.name}")
