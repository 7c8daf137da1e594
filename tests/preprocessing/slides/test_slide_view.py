"""Slides at another scale, and where there is tissue."""

import numpy as np
import PIL.Image
import pytest
import tifffile
from skimage.filters import threshold_otsu

from medarch.io.slides.open_slide import open_slide
from medarch.preprocessing.slides.overview import overview
from medarch.preprocessing.slides.slide_view import SlideView
from medarch.preprocessing.slides.tissue_mask import OTSU_RANGE, _otsu, tissue_mask, whole_slide


def smooth(width=640, height=480):
    rows, columns = np.mgrid[:height, :width]
    red = 128 + 100 * np.sin(columns / 37)
    green = 128 + 100 * np.cos(rows / 29)
    return np.stack((red, green, (rows + columns) * 255 / (width + height)), axis=-1).astype(np.uint8)


@pytest.fixture
def pyramid(tmp_path):
    path = tmp_path / "slide.tif"
    pixels = smooth()
    with tifffile.TiffWriter(path) as writer:
        for level in range(3):
            part = np.asarray(PIL.Image.fromarray(pixels).reduce(2**level))
            writer.write(part, tile=(64, 64), photometric="rgb", metadata=None, subfiletype=int(level > 0),
                         resolution=(40000 / 2**level,) * 2, resolutionunit=3)  # fmt: skip
    with open_slide(path) as slide:
        yield slide


def test_a_level_of_the_wanted_scale_is_read_as_it_is(pyramid):
    for mpp, level in ((0.25, 0), (0.26, 0), (0.5, 1), (0.98, 2)):
        view = SlideView(pyramid, mpp)
        assert (view.level, view.resampled, view.size) == (level, False, pyramid.levels[level].size)
        assert view.mpp == pytest.approx(0.25 * 2**level)
        assert np.array_equal(view.read(5, 7, 90, 40), pyramid.read_level(level, 5, 7, (90, 40)))


@pytest.mark.parametrize(("mpp", "level"), [(0.125, 0), (0.3, 0), (0.4, 0), (0.7, 1)])
def test_other_scales_are_resampled_where_they_belong(pyramid, mpp, level):
    view = SlideView(pyramid, mpp)
    assert (view.level, view.resampled) == (level, True)
    assert view.mpp == pytest.approx(mpp)
    whole = view.read(0, 0, *view.size)
    rows, columns = np.mgrid[: view.size[1], : view.size[0]]
    x, y = ((places + 0.5) * view.downsample - 0.5 for places in (columns, rows))
    assert np.abs(whole[..., 0] - (128 + 100 * np.sin(x / 37))).mean() < 1.5
    assert np.abs(whole[..., 1] - (128 + 100 * np.cos(y / 29))).mean() < 1.5
    part = view.read(100, 50, 120, 80)
    assert np.abs(part.astype(int) - whole[50:130, 100:220]).max() <= 1


def test_the_slide_is_mirrored_at_its_edges(pyramid):
    view = SlideView(pyramid, 0.25)
    whole = view.read(0, 0, *view.size)
    assert np.array_equal(
        view.read(-46, 400, 256, 256), np.pad(whole, ((0, 176), (46, 0), (0, 0)), "symmetric")[400:, :256]
    )


def test_an_overview_is_the_mean_over_squares(pyramid):
    means, side = overview(pyramid, 7.0)
    assert side == 8.0
    assert means.shape == (60, 80, 3)
    level = pyramid.read_level(2, 0, 0, pyramid.levels[2].size).astype(float)
    assert np.allclose(means, level.reshape(60, 2, 80, 2, 3).mean(axis=(1, 3)))


def test_tissue_is_found_and_glass_and_dust_are_not(tmp_path):
    rng = np.random.default_rng(0)
    pixels = 243 + rng.integers(-3, 4, (1200, 1600, 3))
    pixels[300:800, 400:1000] = (220, 170, 200)
    pixels[500:560, 600:640] = 244  # a hole
    pixels[1000:1020, 1400:1420] = 90  # dust of 10 µm
    PIL.Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "s.png")
    with open_slide(tmp_path / "s.png", mpp=0.5) as slide:
        tissue = tissue_mask(slide)
        assert tissue.side == 16
        expected = np.zeros((75, 100), bool)
        expected[18:51, 24:64] = True
        assert (tissue.mask & ~expected).sum() == 0
        assert tissue.mask[20:49, 26:62].all()
        assert tissue.area_mm2 == pytest.approx(500 * 600 * 0.25e-6, rel=0.1)
        assert tissue.touches(600, 500, 640, 560)
        assert not tissue.touches(1400, 1000, 1420, 1020)
        everything = whole_slide(slide)
        assert everything.mask.all()
        assert everything.area_mm2 == pytest.approx(1200 * 1600 * 0.25e-6)


def test_otsu_is_that_of_scikit_image_and_is_limited():
    rng = np.random.default_rng(1)
    values = np.concatenate((rng.normal(0.02, 0.01, 3000), rng.normal(0.35, 0.1, 2000)))
    assert _otsu(values) == pytest.approx(threshold_otsu(values), abs=2e-3)
    assert OTSU_RANGE[0] < OTSU_RANGE[1]


def test_a_field_of_tissue_only_is_not_divided(shared_data):
    with open_slide(shared_data / "histolytics_hgsc" / "hgsc_nest.jpg", mpp=0.5) as slide:
        assert tissue_mask(slide).mask.mean() > 0.97


def test_cmu_is_less_than_half_tissue(shared_data):
    with open_slide(shared_data / "wsi_samples" / "CMU-1-Small-Region.svs") as slide:
        tissue = tissue_mask(slide)
    assert 0.35 < tissue.mask.mean() < 0.5
    assert not tissue.mask[:60, :40].any()  # the upper left is glass
