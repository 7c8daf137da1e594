"""Pictures of the worst, the middle and the best pairs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medarch.core.errors import GeometryError, MedarchError
from medarch.core.registration_evaluation import PairMeasures, RegistrationEvaluation
from medarch.core.spatial_transform import IDENTITY, DisplacementField, TransformChain
from medarch.evaluation.registration.jacobian_determinant import jacobian_determinant
from medarch.evaluation.registration.registered_pair import RegisteredPair
from medarch.io.read_volume import Volume, read_volume
from medarch.io.transforms.read_transform import read_transform
from medarch.preprocessing.transforms.compose_field import compose_field
from medarch.preprocessing.transforms.sample_volume import Interpolation
from medarch.preprocessing.transforms.warp_volume import warp_volume
from medarch.reporting.image_tag import image_tag
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.registration.draw_pair import PairPicture, draw_pair
from medarch.reporting.registration.rank_pairs import pair_dsc, rank_pairs
from medarch.reporting.section import Section
from medarch.reporting.worst_middle_best import worst_middle_best
from medarch.reporting.write_number import write_number

NOTE = (
    "Overlays: the fixed image is magenta, the moving one green, grey where they agree; outlines of labels are solid "
    "in the fixed image, dashed in the moving one. The checkerboard takes turns between the fixed and the moved image. "
    "The deformed grid shows where straight lines of the moving image come "
    "to lie. Volume change: red where the moving image is compressed onto the fixed one, blue where it is stretched, "
    "black outlines around folds. Radiological orientation."
)


def pair_examples(evaluation: RegistrationEvaluation | None, pairs: Mapping[str, RegisteredPair]) -> Section:
    """Return pictures of up to seven pairs, worst first."""
    ranked = [] if evaluation is None else rank_pairs(evaluation)
    shown = [row for row in ranked if row.pair in pairs and row.status == "ok"]
    if evaluation is None or not shown:
        return Section("examples", "Example pairs", absent="no registered pair was given.")
    before, after = pair_dsc(evaluation.before), pair_dsc(evaluation.rows)
    figures = []
    for heading, row in worst_middle_best(shown):
        title = tag("h3", f"{heading}: ", row.pair)
        text = paragraph(_scores(row, before.get(row.pair), after.get(row.pair)), class_="note")
        figures.append(tag("article", title, text, _picture(pairs[row.pair]), class_="case"))
    return Section("examples", "Example pairs", join(paragraph(NOTE, class_="note"), *figures))


def _scores(row: PairMeasures, before: float | None, after: float | None) -> str:
    told = [f"{row.moving} onto {row.fixed}"]
    if after is not None:
        told.append(f"DSC {write_number(before)} before, {write_number(after)} after")
    if (error := row.values.get("tre_mm")) is not None:
        start = write_number(row.values.get("tre_before_mm"), decimals=2)
        told.append(f"landmark error {start} mm before, {write_number(error, decimals=2)} mm after")
    if (folds := row.values.get("folding_share")) is not None:
        told.append(f"{100 * folds:.2g} % folds")
    return "; ".join(told) + "."


def _picture(pair: RegisteredPair) -> Html:
    try:
        fixed, moving = read_volume(pair.fixed_image), read_volume(pair.moving_image)
        chain = TransformChain(tuple(part for path in pair.transform for part in read_transform(path).parts))
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "pair.png"
            draw_pair(_to_draw(pair, fixed, moving, chain), target, title="")
            png = target.read_bytes()
    except MedarchError as error:
        # One damaged file must not cost the whole report.
        return paragraph(f"Not shown: {error}", class_="alarm")
    told = f"{pair.name}: before, after, checkerboard, deformed grid, volume change"
    return image_tag(png, alt=told, style="width: 100%; height: auto")


def _to_draw(pair: RegisteredPair, fixed: Volume, moving: Volume, chain: TransformChain) -> PairPicture:
    grid = fixed.geometry

    def moved(volume: Volume, by: TransformChain, interpolation: Interpolation = "linear") -> np.ndarray:
        try:
            warped = warp_volume(volume.array[:1], volume.geometry, grid, by, interpolation=interpolation)
        except GeometryError:  # the images do not overlap there
            return np.zeros(grid.shape, dtype=np.float32)
        array: np.ndarray = warped.array[0]
        return array

    labels = None
    if pair.fixed_label is not None and pair.moving_label is not None:
        maps = [read_volume(path) for path in (pair.fixed_label, pair.moving_label)]
        labels = (
            moved(maps[0], IDENTITY, "nearest"),
            moved(maps[1], pair.before, "nearest"),
            moved(maps[1], chain, "nearest"),
        )
    # The grid shows what bends: an affine part would only shift and turn the lines.
    bent = TransformChain(tuple(part for part in chain.parts if isinstance(part, DisplacementField)))
    return PairPicture(
        fixed.array[0],
        moved(moving, pair.before),
        moved(moving, chain),
        grid,
        compose_field(bent, grid).voxels() if bent.parts else None,
        jacobian_determinant(compose_field(chain, grid)) if bent.parts else None,
        labels,
    )
