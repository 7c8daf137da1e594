"""2D pictures: axes, channels, and what is refused."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import SimpleITK

from medarch.core.errors import VolumeError
from medarch.core.geometry import Geometry
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume

PIXELS = np.random.default_rng(0).integers(0, 255, size=(6, 9, 3)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_colours_are_channels_and_rows_run_along_j(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    PIL.Image.fromarray(PIXELS).save(path)
    volume = read_volume(path)
    assert volume.array.shape == (3, 9, 6, 1)
    assert volume.geometry.spacing_mm == (1.0, 1.0, 1.0)
    itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    np.testing.assert_array_equal(volume.array[..., 0].transpose(2, 1, 0), itk)
    assert volume.array.transpose(0, 3, 2, 1).flags.c_contiguous
    assert read_geometry(path) == (volume.geometry, 3)


def test_jpeg_is_read_as_pillow_decodes_it(tmp_path: Path) -> None:
    PIL.Image.fromarray(PIXELS).save(tmp_path / "p.jpg")
    expected = np.asarray(PIL.Image.open(tmp_path / "p.jpg"))
    np.testing.assert_array_equal(read_volume(tmp_path / "p.jpg").array[..., 0].transpose(2, 1, 0), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_label_picture_survives_the_round_trip(tmp_path: Path, dtype: type) -> None:
    label = (np.arange(54).reshape(9, 6, 1) * 5).astype(dtype)
    geometry = Geometry.from_array((9, 6, 1), np.eye(4))
    write_volume(tmp_path / "label.png", label, geometry)
    volume = read_volume(tmp_path / "label.png")
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(volume.array[0], label)


def test_an_opaque_alpha_channel_is_left_out_and_a_transparent_one_refused(tmp_path: Path) -> None:
    alpha = np.full((6, 9, 1), 255, np.uint8)
    PIL.Image.fromarray(np.concatenate([PIXELS, alpha], axis=-1)).save(tmp_path / "opaque.png")
    assert read_volume(tmp_path / "opaque.png").array.shape == (3, 9, 6, 1)
    alpha[0] = 3
    PIL.Image.fromarray(np.concatenate([PIXELS, alpha], axis=-1)).save(tmp_path / "clear.png")
    with pytest.raises(VolumeError, match="UNSUPPORTED_DTYPE"):
        read_volume(tmp_path / "clear.png")


def test_a_palette_is_resolved_to_colours(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(PIXELS).quantize(8)
    picture.save(tmp_path / "p.png")
    expected = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(read_volume(tmp_path / "p.png").array[..., 0].transpose(2, 1, 0), expected)


def test_damaged_and_misnamed_pictures_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, size=(64, 64, 3)).astype(np.uint8)
    PIL.Image.fromarray(noise).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    cases = {"cut.png": (content[: len(content) // 2], "TRUNCATED"), "p.tif": (content, "WRONG_EXTENSION"),
             "text.png": (b"hello world" * 20, "NOT_AN_IMAGE"), "volume.nii": (content, "WRONG_EXTENSION")}  # fmt: skip
    for name, (damaged, code) in cases.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(VolumeError, match=code) as caught:
            read_volume(tmp_path / name)
        assert caught.value.check == code


def test_several_pages_are_refused(tmp_path: Path) -> None:
    pages = [PIL.Image.fromarray(PIXELS), PIL.Image.fromarray(PIXELS)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(VolumeError, match="UNSUPPORTED_DIMS"):
        read_volume(tmp_path / "stack.tif")


def test_real_histology_tiles_read(shared_data: Path) -> None:
    tile = next((shared_data / "dsb2018_stained_tissue").rglob("images*/*.png"), None) or next(
        (shared_data / "dsb2018_stained_tissue").rglob("*.png")
    )
    assert read_volume(tile).array.shape[1:] == (320, 256, 1) or read_volume(tile).array.shape[1:] == (256, 320, 1)
