"""The report of nuclei on real tiles: what its pictures and tables show."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from oblique_grid import oblique_grid
from scipy import ndimage
from volume_of_nuclei import nuclei_volume

from medarch.core.dataset import Case
from medarch.core.nuclei_evaluation import NucleiMeasures
from medarch.core.plan import ChannelNormalisation, PreprocessingPlan
from medarch.core.separation import Separation
from medarch.evaluation.nuclei.evaluate_nuclei import Compared, Nuclei, compare_nuclei, evaluate_nuclei
from medarch.io.nuclei.read_nuclei import read_nuclei, read_rgb
from medarch.io.write_volume import write_volume
from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.reporting.nuclei.draw_found import LARGEST_PIXELS, MATCHED, UNMATCHED, draw_found
from medarch.reporting.nuclei.found_nuclei import FoundNuclei
from medarch.reporting.nuclei.found_volume import FoundVolume
from medarch.reporting.nuclei.nuclei_examples import nuclei_examples
from medarch.reporting.nuclei.rank_images import rank_images
from medarch.reporting.nuclei.separation_section import separation_section


@pytest.fixture(scope="module")
def tiles(shared_data, tmp_path_factory):
    """Nine real tiles; of the n-th every nucleus but each (n + 2)nd is found, and nothing of the last one."""
    folder = tmp_path_factory.mktemp("found")
    source = shared_data / "dsb2018_stained_tissue" / "train"
    images, compared = {}, []
    for number, path in enumerate(sorted((source / "images").glob("*.png"))[:9]):
        case = Case(id=f"tile{number}", images=(path,), label=source / "labels" / path.name)
        truth = read_nuclei(case.label)[0]
        found = np.where(truth % (number + 2) == 0, 0, truth)
        np.savez(folder / f"tile{number}.npz", inst_map=found)
        images[case.id] = FoundNuclei(case, folder / f"tile{number}.npz")
        compared.append(compare_nuclei(case.id, Nuclei(truth), Nuclei(found)))
    compared.append(Compared(NucleiMeasures(case="lost", status="failed", reason="cannot read <lost>")))
    return images, evaluate_nuclei(compared, dataset="tiles", predictions="found")


def pictures(page):
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(source)))) for source in sources]


def test_images_are_ranked_by_quality(tiles):
    _, evaluation = tiles
    ranked = [row.case for row in rank_images(evaluation)]
    assert ranked[:2] == ["lost", "tile0"]
    scores = [row.values["pq"] for row in rank_images(evaluation)[1:]]
    assert scores == sorted(scores)


def test_the_worst_the_middle_and_the_best_are_shown(tiles):
    images, evaluation = tiles
    section = nuclei_examples(evaluation, images)
    ranked = [row.case for row in rank_images(evaluation)[1:]]
    headings = re.findall(r"<h3>([^:]+): (\w+)</h3>", section.body)
    assert [case for _, case in headings] == [*ranked[:3], ranked[4], *ranked[-3:]]
    shown = pictures(section.body)
    assert len(shown) == 7 * 4
    pixels = read_rgb(images[ranked[0]].case.images[0])
    zoom = shown[0].shape[0] // pixels.shape[0]
    assert np.array_equal(shown[0][::zoom, ::zoom], pixels)


def test_missed_nuclei_have_another_colour_than_found_ones(tiles):
    images, _ = tiles
    image, found = images["tile0"].load()
    drawn = draw_found(image, found)
    reference, result = (np.asarray(PIL.Image.open(io.BytesIO(png))) for png in (drawn.reference, drawn.found))
    zoom = reference.shape[0] // image.instances.shape[0]
    large = image.instances.repeat(zoom, 0).repeat(zoom, 1)
    inner = ndimage.minimum_filter(large, footprint=ndimage.generate_binary_structure(2, 1), mode="nearest")
    outer = ndimage.maximum_filter(large, footprint=ndimage.generate_binary_structure(2, 1), mode="nearest")
    border = (large > 0) & ((inner != large) | (outer != large))
    assert np.array_equal(reference[..., 3] > 0, border)
    assert np.array_equal((reference[..., :3] == UNMATCHED).all(-1), border & (large % 2 == 0))
    assert np.array_equal((result[..., :3] == MATCHED).all(-1), result[..., 3] > 0)
    swapped = draw_found(NucleiImage(image.image, found), image.instances)
    assert swapped.found == drawn.reference  # what is too much looks as what is missed


def test_of_a_large_image_the_busiest_part_is_shown():
    labels = np.zeros((1000, 700), np.int32)
    labels[900:990, 300:390] = 1
    drawn = draw_found(NucleiImage(np.zeros((1000, 700, 3), np.uint8), labels), labels)
    left, top, columns, rows = drawn.part
    assert (columns, rows) == (LARGEST_PIXELS,) * 2
    assert left <= 300
    assert top <= 900
    assert (left + columns, top + rows) >= (390, 990)


def test_a_damaged_file_costs_one_picture_only(tiles, tmp_path):
    images, evaluation = tiles
    (tmp_path / "tile0.npz").write_bytes(b"nothing")
    section = nuclei_examples(evaluation, images | {"tile0": FoundNuclei(images["tile0"].case, tmp_path / "tile0.npz")})
    assert section.body.count("Not shown") == 1
    assert len(pictures(section.body)) == 6 * 4


def test_a_reference_at_another_resolution_is_brought_to_the_models(tiles, tmp_path):
    images, _ = tiles
    image, found = images["tile3"].load()
    np.savez(tmp_path / "half.npz", inst_map=found[::2, ::2])
    small, again = FoundNuclei(images["tile3"].case, tmp_path / "half.npz").load()
    assert small.instances.shape == again.shape == tuple(side // 2 for side in image.instances.shape)


def test_constants_are_shown_as_planned_and_as_calibrated():
    section = separation_section(Separation(marker_pixels=7), Separation(marker_pixels=24, slope_threshold=-0.12))
    assert all(number in section.body for number in (">7<", ">24<", "-0.12", "-0.04"))
    assert separation_section(None, None).body is None


@pytest.fixture
def cells(tmp_path):
    """A volume of voxels twice as long along its third axis, in which every third nucleus is missed."""
    labels, image = nuclei_volume(3, shape=(20, 48, 40), count=30)
    grid = oblique_grid("LPS", shape=(40, 48, 20), spacing_mm=(1e-3, 1e-3, 2e-3))
    found = np.where(labels % 3 == 0, 0, labels)
    for name, array in (("image", image), ("truth", labels), ("found", found.astype(np.uint16))):
        write_volume(tmp_path / f"{name}.nii.gz", array.transpose(2, 1, 0), grid)
    recipe = PreprocessingPlan(
        orientation=None, axes=(2, 1, 0), spacing_mm=(2e-3, 1e-3, 1e-3), crop="none",
        normalisation=(ChannelNormalisation(scheme="zscore"),),
    )  # fmt: skip
    case = Case(id="cells", images=(tmp_path / "image.nii.gz",), label=tmp_path / "truth.nii.gz")
    return FoundVolume(case, tmp_path / "found.nii.gz", recipe), labels, found, image


def test_the_middle_planes_of_a_volume_show_its_image_and_what_was_found_in_3d(cells):
    volume, labels, _, image = cells
    shown = volume.draw()
    assert [picture.view for picture in shown] == [
        "plane 11 of 20 across k", "plane 25 of 48 across j", "plane 21 of 40 across i",
    ]  # fmt: skip
    planes = [np.take(labels, size // 2, axis) for axis, size in enumerate(labels.shape)]
    for axis, (picture, truth) in enumerate(zip(shown, planes, strict=True)):
        reference, result, pixels = (
            np.asarray(PIL.Image.open(io.BytesIO(png))) for png in (picture.reference, picture.found, picture.image)
        )
        zoom = [drawn // size for drawn, size in zip(reference.shape, truth.shape, strict=False)]
        # Voxels are as long in the picture as in the tissue.
        assert zoom[0] / zoom[1] == (1 if axis == 0 else 2)
        assert picture.size == reference.shape[1::-1] == pixels.shape[1::-1]
        drawn = {MATCHED: reference, UNMATCHED: reference}
        large = truth.repeat(zoom[0], 0).repeat(zoom[1], 1)
        for colour, pixels_of in drawn.items():
            numbers = set(large[(pixels_of[..., :3] == colour).all(-1) & (pixels_of[..., 3] > 0)].tolist())
            assert numbers == {n for n in np.unique(truth) if n and (n % 3 == 0) == (colour == UNMATCHED)}
        assert np.array_equal((result[..., :3] == MATCHED).all(-1), result[..., 3] > 0)
        grey = pixels[:: zoom[0], :: zoom[1], 0].astype(float).ravel()
        assert np.corrcoef(grey, np.take(image, image.shape[axis] // 2, axis).ravel())[0, 1] > 0.98


def test_maps_along_the_networks_axes_are_drawn_as_those_on_the_files_grid(cells, tmp_path):
    volume, _, found, _ = cells
    np.savez_compressed(tmp_path / "cells.npz", inst_map=found)
    for one, other in zip(replace(volume, found=tmp_path / "cells.npz").draw(), volume.draw(), strict=True):
        assert (one.reference, one.found, one.size) == (other.reference, other.found, other.size)


def test_volumes_stand_in_the_report_and_a_prediction_of_another_costs_its_pictures_only(cells, tmp_path):
    volume, labels, found, _ = cells
    compared = [
        compare_nuclei("cells", Nuclei(labels), Nuclei(found)),
        compare_nuclei("other", Nuclei(labels), Nuclei(found)),
    ]
    write_volume(tmp_path / "small.nii.gz", found[:5].transpose(2, 1, 0).astype(np.uint16),
                 oblique_grid("LPS", shape=(40, 48, 5), spacing_mm=(1e-3, 1e-3, 2e-3)))  # fmt: skip
    evaluation = evaluate_nuclei(compared, dataset="cells", predictions="found")
    section = nuclei_examples(evaluation, {"cells": volume, "other": replace(volume, found=tmp_path / "small.nii.gz")})
    assert len(pictures(section.body)) == 3 * 4
    assert section.body.count("Not shown") == 1
    assert "plane 11 of 20 across k, reference" in section.body
