"""The report of registrations: what stands in it, and what its pictures show."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from oblique_grid import oblique_grid
from scipy import ndimage

from medarch.core.landmarks import Landmarks
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.core.spatial_transform import DisplacementField, TransformChain
from medarch.evaluation.registration.evaluate_registrations import evaluate_registrations
from medarch.evaluation.registration.registered_pair import RegisteredPair
from medarch.io.transforms.write_landmarks import write_landmarks
from medarch.io.transforms.write_transform import write_transform
from medarch.io.write_volume import write_volume
from medarch.preprocessing.transforms.compose_field import compose_field
from medarch.preprocessing.transforms.map_points import map_points
from medarch.preprocessing.transforms.warp_volume import warp_volume
from medarch.reporting.registration.draw_pair import PairPicture, draw_pair
from medarch.reporting.registration.pair_examples import pair_examples
from medarch.reporting.registration.rank_pairs import rank_pairs
from medarch.reporting.registration.write_registration_report import write_registration_report


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> list[RegisteredPair]:
    """A smooth blob moved by a known field: found exactly, found by half, and not found."""
    folder = tmp_path_factory.mktemp("pairs")
    grid = oblique_grid("RAS", shape=(32, 30, 28), spacing_mm=(1.0, 1.2, 1.5))
    noise = np.random.default_rng(0).normal(size=grid.shape)
    moving = ndimage.gaussian_filter(noise, 2)[np.newaxis].astype(np.float32)
    labels = (moving > np.percentile(moving, 80)).astype(np.uint8)
    bends = np.random.default_rng(1).normal(size=(3, *grid.shape))
    bends = np.stack([ndimage.gaussian_filter(component, 5, mode="nearest") for component in bends])
    voxels = 5 * bends / np.linalg.norm(bends, axis=0).max()
    fields = {
        name: DisplacementField.from_voxels(voxels * share, grid) for name, share in (("all", 1.0), ("half", 0.5))
    }
    chain = TransformChain((fields["all"],))
    write_volume(folder / "moving.nii.gz", moving, grid)
    write_volume(folder / "moving_label.nii.gz", labels, grid)
    write_volume(folder / "fixed.nii.gz", warp_volume(moving, grid, grid, chain).array, grid)
    fixed_labels = warp_volume(labels, grid, grid, chain, interpolation="nearest").array
    write_volume(folder / "fixed_label.nii.gz", fixed_labels, grid)
    points = (grid.matrix @ [16, 15, 14, 1])[:3] + np.random.default_rng(0).uniform(-6, 6, size=(5, 3))
    for name, places in (("fixed", points), ("moving", map_points(points, chain).points_mm)):
        landmarks = Landmarks(names=tuple("abcde"), points_mm=tuple(map(tuple, places.tolist())))
        write_landmarks(folder / f"{name}.csv", landmarks)
    for name, field in fields.items():
        write_transform(folder / f"{name}.nii.gz", field)
    write_transform(folder / "back.nii.gz", compose_field(chain.inverse(), grid))
    exact = RegisteredPair(
        "exact",
        "f",
        "m",
        folder / "fixed.nii.gz",
        folder / "moving.nii.gz",
        (folder / "all.nii.gz",),
        inverse=(folder / "back.nii.gz",),
        fixed_label=folder / "fixed_label.nii.gz",
        moving_label=folder / "moving_label.nii.gz",
        fixed_landmarks=folder / "fixed.csv",
        moving_landmarks=folder / "moving.csv",
        seconds=1.5,
    )
    half = replace(exact, name="half", transform=(folder / "half.nii.gz",), inverse=())
    return [exact, half, replace(exact, name="lost", transform=(), error="E710 no <transform>")]


@pytest.fixture(scope="module")
def evaluation(pairs) -> RegistrationEvaluation:
    return evaluate_registrations(pairs, labels={"bright": 1}, dataset="Blobs", workers=0)


def pictures(html: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB")).astype(int) for code in found]


def test_the_report_says_how_well_it_went_and_loads_nothing(pairs, evaluation, tmp_path):
    target = write_registration_report(tmp_path / "report.html", evaluation=evaluation, pairs=pairs)
    html = target.read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    for words in (
        "Blobs",
        "Mean DSC of labels",
        "Landmark error",
        "Folds",
        "There and back, mm",
        "SD" and "log-Jacobian",
    ):
        assert words in html
    assert "E710 no &lt;transform&gt;" in html
    assert "1 failed, 1.50 s a pair" in html
    assert html.index(">lost<") < html.index(">half<", html.index('id="pairs"')) < html.rindex(">exact<")
    assert len(pictures(html)) == 2


def test_pairs_are_ranked_from_lost_to_exact(evaluation):
    assert [row.pair for row in rank_pairs(evaluation)] == ["lost", "half", "exact"]
    without = evaluation.model_copy(update={"rows": (), "before": ()})
    assert [row.pair for row in rank_pairs(without)] == ["lost", "half", "exact"]


def test_the_overlay_of_an_exact_registration_is_grey_and_that_of_half_a_one_is_not(pairs, evaluation):
    """Magenta against green: what differs between the colour channels is what the images disagree in."""
    bare = {pair.name: replace(pair, fixed_label=None) for pair in pairs}  # without coloured outlines
    half, exact = pictures(pair_examples(evaluation, bare).body)

    def colour(picture: np.ndarray, column: int) -> float:
        width = picture.shape[1] // 5
        part = picture[:, column * width : (column + 1) * width]
        return float(np.abs(part[..., 0] - part[..., 1]).mean())

    before, after = 0, 1
    assert colour(exact, after) < 0.1 * colour(exact, before)
    assert colour(half, after) > 0.3 * colour(half, before)
    assert colour(exact, before) == pytest.approx(colour(half, before))


def test_outlines_of_labels_lie_on_the_overlays(pairs, evaluation):
    bare = {pair.name: replace(pair, fixed_label=None) for pair in pairs[:1]}
    without, with_labels = (pictures(pair_examples(evaluation, shown).body)[0] for shown in (bare, {"exact": pairs[0]}))

    def orange(picture: np.ndarray) -> list[int]:
        width = picture.shape[1] // 5
        hits = np.abs(picture - (230, 159, 0)).max(axis=-1) < 30
        return [int(hits[:, column * width : (column + 1) * width].sum()) for column in range(5)]

    assert max(orange(without)) == 0
    assert min(orange(with_labels)[:2]) > 100
    assert max(orange(with_labels)[2:4]) == 0


@pytest.mark.parametrize("rows", [1, 3])
def test_an_affine_pair_has_three_pictures_a_plane_and_a_2d_pair_one_plane(tmp_path, rows):
    shape = (40, 30, 20 if rows == 3 else 1)
    grid = oblique_grid("RAS", shape=shape, degrees=0.0)
    image = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), 2)
    draw_pair(PairPicture(image, image, image, grid, None, None), tmp_path / "pair.png", title="affine")
    pixels = np.asarray(PIL.Image.open(tmp_path / "pair.png").convert("RGB")).astype(int)
    assert pixels.shape[1] == pytest.approx(3 * 2.4 * 110, abs=5)
    assert (pixels.shape[0] > 400) == (rows == 3)
    grey = np.abs(pixels[..., 0] - pixels[..., 1]) < 12
    assert grey.mean() > 0.99


def test_a_damaged_image_costs_its_picture_only(pairs, evaluation, tmp_path):
    (tmp_path / "cut.nii.gz").write_bytes(pairs[0].fixed_image.read_bytes()[:500])
    broken = replace(pairs[0], fixed_image=tmp_path / "cut.nii.gz")
    html = pair_examples(evaluation, {"exact": broken, "half": pairs[1]}).body
    assert "Not shown: E300" in html
    assert len(pictures(html)) == 1


def test_without_evaluation_or_pairs_the_report_says_what_is_missing(evaluation, tmp_path):
    html = write_registration_report(tmp_path / "a.html", evaluation=evaluation).read_text()
    assert "no registered pair was given" in html
    html = write_registration_report(Path(tmp_path / "b.html"), evaluation=None).read_text()
    assert "says nothing about accuracy" in html
