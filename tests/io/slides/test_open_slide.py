"""Every reader gives the same pixels, and what cannot be read is told in one way."""

import numpy as np
import PIL.Image
import pytest
import tifffile
from synthetic_slides import halved, picture, write_dicom, write_ome_tiff, write_pyramid

from medarch.core.errors import SlideError, UsageError
from medarch.io.slides.dicom_reader import DicomReader
from medarch.io.slides.open_slide import READERS, open_slide
from medarch.io.slides.require_whole_tiff import require_whole_tiff

PIXELS = picture()


@pytest.fixture
def cmu(shared_data):
    return shared_data / "wsi_samples" / "CMU-1-Small-Region.svs"


@pytest.mark.parametrize("reader", ["tiffslide", "tiff"])
def test_readers_agree_with_openslide_on_an_aperio_slide(cmu, reader):
    with open_slide(cmu) as reference, open_slide(cmu, reader=reader) as slide:
        assert reference.reader == "openslide"
        assert slide.size == reference.size == (2220, 2967)
        if reader == "tiffslide":
            assert slide.mpp == pytest.approx(reference.mpp)
            assert slide.power == reference.power == 20
        for x, y, size in ((0, 0, (300, 200)), (511, 1033, (701, 333)), (2100, 2900, (120, 67))):
            assert np.array_equal(slide.read_region(x, y, 0, size), reference.read_region(x, y, 0, size))


def _pyramid(folder):
    write_pyramid(folder / "slide.tif", PIXELS, mpp=0.25)
    return folder / "slide.tif"


def _ome(folder):
    write_ome_tiff(folder / "slide.ome.tif", PIXELS, mpp=0.25)
    return folder / "slide.ome.tif"


def _planes(folder):
    write_ome_tiff(folder / "planes.ome.tif", PIXELS, mpp=0.25, planes=True)
    return folder / "planes.ome.tif"


def _ome_by_another_name(folder):
    write_ome_tiff(folder / "slide.tif", PIXELS, mpp=0.25)
    return folder / "slide.tif"


def _dicom(folder):
    write_dicom(folder / "slide.dcm", PIXELS, mpp=0.25, complete=False)
    return folder / "slide.dcm"


def _dicom_with_positions(folder):
    order = list(np.random.default_rng(1).permutation(6 * 4))
    write_dicom(folder / "slide.dcm", PIXELS, mpp=0.25, complete=False, organization=None, positions=order)
    return folder / "slide.dcm"


def _png(folder):
    PIL.Image.fromarray(PIXELS).save(folder / "slide.png", dpi=(101600, 101600))
    return folder / "slide.png"


def _strips(folder):
    tifffile.imwrite(folder / "s.tif", PIXELS, photometric="rgb", rowsperstrip=7, resolution=(40000, 40000),
                     resolutionunit=3, metadata=None)  # fmt: skip
    return folder / "s.tif"


KINDS = {
    "pyramid": (_pyramid, "openslide", 3),
    "ome": (_ome, "tiff", 3),
    "ome, a plane a colour": (_planes, "tiff", 3),
    "ome named .tif": (_ome_by_another_name, "tiff", 3),
    "dicom": (_dicom, "dicom", 1),
    "dicom, frames in any order": (_dicom_with_positions, "dicom", 1),
    "png": (_png, "picture", 1),
    "tiff in strips": (_strips, "tiff", 1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_pixels_it_was_made_of(tmp_path, kind):
    write, reader, levels = KINDS[kind]
    with open_slide(write(tmp_path)) as slide:
        assert (slide.reader, len(slide.levels), slide.size) == (reader, levels, (700, 500))
        assert slide.mpp == pytest.approx(0.25, rel=2e-3)
        for level in range(levels):
            expected = halved(PIXELS, level)
            height, width = expected.shape[:2]
            assert slide.levels[level].size == (width, height)
            assert np.array_equal(slide.read_level(level, 0, 0, (width, height)), expected)
            down = round(slide.levels[level].downsample)
            part = slide.read_region(160, 64, level, (50, 41))
            assert np.array_equal(part, expected[64 // down :, 160 // down :][:41, :50])


def test_what_lies_outside_the_slide_is_white(tmp_path):
    with open_slide(_pyramid(tmp_path)) as slide:
        pixels = slide.read_region(-10, 480, 0, (30, 40))
    assert (pixels[:, :10] == 255).all()
    assert (pixels[20:] == 255).all()
    assert np.array_equal(pixels[:20, 10:], PIXELS[480:, :20])


def test_openslide_and_our_reader_agree_on_a_dicom_slide(tmp_path):
    write_dicom(tmp_path / "slide.dcm", PIXELS, mpp=0.5, jpeg=True)
    with open_slide(tmp_path) as slide, DicomReader(tmp_path / "slide.dcm") as ours:
        assert slide.reader == "openslide"
        assert slide.mpp == pytest.approx(ours.mpp) == pytest.approx(0.5)
        theirs = slide.read_region(37, 90, 0, (400, 300)).astype(int)
        assert np.abs(ours.read_region(37, 90, 0, (400, 300)) - theirs).max() <= 2  # two JPEG decoders
        assert np.abs(theirs - PIXELS[90:390, 37:437]).mean() < 5


def test_a_dicom_slide_without_places_of_its_tiles_is_refused_with_the_reason(shared_data):
    # Its 42 frames go down the columns: read in DICOM's default order the slide would be scrambled.
    with pytest.raises(SlideError, match=r"does not say where its tiles lie.*42 frames, 0 positions"):
        open_slide(shared_data / "wsi_samples" / "tcga_tiled_wsi.dcm")


def test_a_missing_pixel_size_says_how_to_give_it_and_power_does_not_count(tmp_path):
    PIL.Image.fromarray(PIXELS).save(tmp_path / "plain.png")
    slide = open_slide(tmp_path / "plain.png")
    with pytest.raises(SlideError, match=r"does not state its pixel size.*--mpp"):
        _ = slide.mpp
    slide.power = 20.0
    with pytest.raises(SlideError, match="a power of 20×, which is not a pixel size"):
        _ = slide.mpp
    assert open_slide(tmp_path / "plain.png", mpp=0.5).mpp == 0.5
    with pytest.raises(SlideError, match="a pixel size that no slide has"):
        open_slide(tmp_path / "plain.png", mpp=500)


def test_the_default_of_72_dpi_is_no_pixel_size(shared_data):
    slide = open_slide(shared_data / "wsi_samples" / "pyramid_4level_300x250.tiff")
    assert len(slide.levels) == 4
    with pytest.raises(SlideError, match=r"352.8"):
        _ = slide.mpp


def test_pixels_that_are_not_square_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "s.tif", PIXELS, photometric="rgb", resolution=(40000, 20000), resolutionunit=3)
    with pytest.raises(SlideError, match=r"not square.*0.25 by 0.5"):
        _ = open_slide(tmp_path / "s.tif").mpp


@pytest.mark.parametrize("cut", [10, 3000, 100_000, 969_477, 1_838_955])
def test_a_truncated_slide_is_told_wherever_it_is_cut(cmu, tmp_path, cut):
    content = cmu.read_bytes()
    (tmp_path / "cut.svs").write_bytes(content[:-cut])
    with pytest.raises(SlideError, match="is cut short"):
        open_slide(tmp_path / "cut.svs")


@pytest.mark.parametrize("big", [False, True])
def test_whole_tiffs_pass_and_every_cut_one_does_not(tmp_path, big):
    path = tmp_path / "slide.tif"
    write_pyramid(path, PIXELS, mpp=0.25, big=big)
    content = path.read_bytes()
    require_whole_tiff(path)
    for length in range(100, len(content), len(content) // 23):
        path.write_bytes(content[:length])
        with pytest.raises(SlideError, match="is cut short"):
            require_whole_tiff(path)


@pytest.mark.parametrize("name", ["a.svs", "a.png", "a.tif", "a.ome.tif", "a.dcm", "a.mrxs", "a.xyz"])
def test_files_that_are_no_slides_are_told_by_one_error(tmp_path, name):
    path = tmp_path / name
    for content in (b"no slide at all" * 20, b""):
        path.write_bytes(content)
        with pytest.raises(SlideError):
            open_slide(path)
    path.unlink()
    with pytest.raises(SlideError, match="cannot read"):
        open_slide(path)


def test_a_fluorescence_tiff_is_not_a_colour_slide(tmp_path):
    tifffile.imwrite(tmp_path / "f.ome.tif", np.zeros((5, 64, 64), np.uint16), ome=True, metadata={"axes": "CYX"})
    with pytest.raises(SlideError, match=r"not a colour slide.*uint16"):
        open_slide(tmp_path / "f.ome.tif")


def test_damaged_tiles_are_an_error_where_they_are_read(cmu, tmp_path):
    content = bytearray(cmu.read_bytes())
    content[20_000:60_000] = bytes(40_000)
    (tmp_path / "bad.svs").write_bytes(content)
    with open_slide(tmp_path / "bad.svs") as slide, pytest.raises(SlideError, match="cannot be read at"):
        slide.read_region(0, 0, 0, (1000, 1000))


def test_an_unknown_reader_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="unknown slide reader"):
        open_slide(_png(tmp_path), reader="bioformats")
    assert set(READERS) == {"openslide", "tiffslide", "tiff", "dicom", "picture"}
