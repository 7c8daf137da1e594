"""Positions, values and types survive writing and reading, judged by nibabel and SimpleITK."""

import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from oblique_grid import ORIENTATIONS, oblique_grid

from medarch.core.errors import GeometryError, VolumeError
from medarch.core.geometry import Geometry
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume

SHAPE = (3, 4, 5)
SPACING_MM = (0.7, 1.3, 4.0)
CORNERS = [*itertools.product(*[(0, size - 1) for size in SHAPE]), (1, 2, 3)]


def grid(axcodes: str, *, degrees: float = 12.0) -> Geometry:
    """An anisotropic, oblique grid whose axes point closest to ``axcodes``."""
    return oblique_grid(axcodes, shape=SHAPE, spacing_mm=SPACING_MM, degrees=degrees)


def voxels(dtype: type = np.int16, channels: int = 1) -> np.ndarray:
    return np.arange(channels * 60).reshape(channels, *SHAPE).astype(dtype)


def itk_positions(path: Path) -> np.ndarray:
    """RAS positions of the corners according to ITK, which counts in LPS."""
    image = SimpleITK.ReadImage(str(path))
    return np.array([image.TransformIndexToPhysicalPoint(corner) for corner in CORNERS]) * (-1, -1, 1)


def positions(affine: np.ndarray) -> np.ndarray:
    return np.c_[np.array(CORNERS), np.ones(len(CORNERS))] @ affine[:3].T


def test_there_are_48_orientations() -> None:
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_voxels_keep_their_place_in_every_orientation(tmp_path: Path, axcodes: str, suffix: str) -> None:
    geometry = grid(axcodes)
    path = tmp_path / f"volume{suffix}"
    write_volume(path, voxels(), geometry)

    image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    np.testing.assert_array_equal(image.transpose(2, 1, 0), voxels()[0])
    np.testing.assert_allclose(itk_positions(path), positions(geometry.matrix), atol=1e-4)
    if ".nii" in suffix:
        other = nibabel.load(path)
        np.testing.assert_allclose(other.affine, geometry.matrix, atol=1e-5)
        np.testing.assert_allclose(other.header.get_qform(), geometry.matrix, atol=1e-5)
        np.testing.assert_array_equal(np.asarray(other.dataobj), voxels()[0])
        assert nibabel.aff2axcodes(other.affine) == tuple(axcodes)

    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, voxels())
    assert volume.geometry.axcodes == axcodes
    assert not volume.doubts
    np.testing.assert_allclose(volume.geometry.matrix, geometry.matrix, atol=1e-5)
    assert read_geometry(path) == (volume.geometry, 1)


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "AIL", "SRP"])
def test_qform_alone_gives_the_affine_that_nibabel_computes(tmp_path: Path, axcodes: str) -> None:
    image = nibabel.Nifti1Image(voxels()[0], None)
    image.header.set_qform(grid(axcodes, degrees=35.0).matrix, code=1)
    image.header.set_sform(None, code=0)
    nibabel.save(image, tmp_path / "q.nii")
    volume = read_volume(tmp_path / "q.nii")
    np.testing.assert_allclose(volume.geometry.matrix, nibabel.load(tmp_path / "q.nii").affine, atol=1e-6)
    assert not volume.doubts


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd", ".nhdr"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_itk_writes_is_read_alike(tmp_path: Path, suffix: str, compressed: bool, channels: int) -> None:
    planes = np.random.default_rng(0).normal(size=(5, 4, 3, channels))
    image = SimpleITK.GetImageFromArray(planes if channels > 1 else planes[..., 0], isVector=channels > 1)
    affine = np.diag([-1, -1, 1, 1]) @ grid("PIR").matrix
    image.SetSpacing(SPACING_MM)
    image.SetDirection((affine[:3, :3] / SPACING_MM).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    path = tmp_path / f"volume{suffix}"
    SimpleITK.WriteImage(image, str(path), useCompression=compressed)

    volume = read_volume(path)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, planes.transpose(3, 2, 1, 0).astype(np.float32))
    np.testing.assert_allclose(positions(volume.geometry.matrix), itk_positions(path), atol=1e-4)
    assert read_geometry(path) == (volume.geometry, channels)


def test_2d_metaimage_is_one_slice_where_itk_puts_it(shared_data: Path) -> None:
    path = shared_data / "registration_2d_ct" / "CT_2D_head_fixed.mha"
    image = SimpleITK.ReadImage(str(path))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array[0, :, :, 0].T, SimpleITK.GetArrayFromImage(image))
    x, y = image.TransformIndexToPhysicalPoint((10, 20))
    np.testing.assert_allclose((volume.geometry.matrix @ (10, 20, 0, 1))[:3], (-x, -y, 0), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
def test_every_number_type_reads_as_nibabel_reads_it(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "nifti_oddities" / "nifti-rs" / "27" / f"{name}.nii"
    expected = np.asarray(nibabel.load(path).dataobj)
    volume = read_volume(path)
    assert volume.array.dtype == (np.float32 if name.startswith("float") else np.dtype(name))
    np.testing.assert_array_equal(volume.array[0], expected)

    write_volume(tmp_path / "again.nii.gz", volume.array.astype(name), volume.geometry)
    again = nibabel.load(tmp_path / "again.nii.gz")
    assert again.get_data_dtype() == np.dtype(name)
    np.testing.assert_array_equal(np.asarray(again.dataobj), expected)


@pytest.mark.parametrize(
    "name",
    [
        "niivue/CT_pitch.nii.gz", "niivue/MR_Gd.nii.gz", "niivue/fmri_pitch.nii.gz", "niivue/pcasl.nii.gz",
        "niivue/spmMotor.nii.gz", "nifti-rs/zstat1.nii.gz", "nifti-rs/avg152T1_LR_nifti.nii.gz", "nifti-rs/f32.nii.gz",
        "nifti-rs/minimal.hdr", "nifti-rs/minimal.img", "nifti-rs/minimal.hdr.gz", "nifti-rs/minimal.nii.gz",
        "nifti-rs/minimal_extended_hdr.nii", "derived_faults/nifti2.nii.gz", "derived_faults/oblique20.nii.gz",
        "derived_faults/lps_flip.nii.gz", "derived_faults/no_qs_codes.nii.gz", "derived_faults/four_d_three.nii.gz",
        "acdc_original_header/patient001_frame01.nii.gz",
    ],
)  # fmt: skip
def test_real_oddities_read_as_nibabel_reads_them(shared_data: Path, name: str) -> None:
    path = shared_data / "nifti_oddities" / name
    image = nibabel.load(path)
    expected = image.get_fdata()
    expected = expected.reshape(*(*expected.shape, 1, 1)[:3], -1)
    volume = read_volume(path)
    np.testing.assert_allclose(volume.array, expected.transpose(3, 0, 1, 2), rtol=1e-6)
    np.testing.assert_allclose(volume.geometry.matrix, image.affine, atol=1e-5)
    assert read_geometry(path) == (volume.geometry, len(volume.array))


def test_hdr_with_a_compressed_img_reads_like_its_plain_twin(shared_data: Path) -> None:
    folder = shared_data / "nifti_oddities" / "nifti-rs"
    np.testing.assert_array_equal(read_volume(folder / "minimal2.hdr").array, read_volume(folder / "minimal.nii").array)


def test_arrays_lie_in_file_order(tmp_path: Path) -> None:
    for channels in (1, 3):
        write_volume(tmp_path / "v.nii.gz", voxels(np.float32, channels), grid("RAS"))
        array = read_volume(tmp_path / "v.nii.gz").array
        assert array.shape == (channels, *SHAPE)
        assert array.transpose(0, 3, 2, 1).flags.c_contiguous


def test_channels_become_the_fourth_axis(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.nii.gz", voxels(np.float32, 3), grid("LPS"))
    image = nibabel.load(tmp_path / "v.nii.gz")
    assert image.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(np.asarray(image.dataobj), voxels(np.float32, 3).transpose(1, 2, 3, 0))


def test_slope_and_intercept_are_applied_as_nibabel_does(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header["scl_slope"], header["scl_inter"] = 0.25, -1024.0
    image = nibabel.Nifti1Image(voxels()[0] * 0.25 - 1024, grid("RAS").matrix, header)
    image.header.set_slope_inter(0.25, -1024.0)
    nibabel.save(image, tmp_path / "ct.nii.gz")
    volume = read_volume(tmp_path / "ct.nii.gz")
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array[0], nibabel.load(tmp_path / "ct.nii.gz").get_fdata())


def test_equal_volumes_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.nii.gz", "two.nii.gz"):
        write_volume(tmp_path / name, voxels(), grid("RAS"))
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()
    assert read_volume(tmp_path / "one.nii.gz").content_sha256 == read_volume(tmp_path / "two.nii.gz").content_sha256


def test_a_very_long_axis_is_written_as_nifti2(tmp_path: Path) -> None:
    geometry = Geometry.from_array((40000, 1, 2), np.eye(4))
    write_volume(tmp_path / "long.nii.gz", np.arange(80000, dtype=np.int32).reshape(40000, 1, 2), geometry)
    image = nibabel.load(tmp_path / "long.nii.gz")
    assert isinstance(image, nibabel.Nifti2Image)
    np.testing.assert_array_equal(np.asarray(image.dataobj), read_volume(tmp_path / "long.nii.gz").array[0])


def test_an_array_off_its_grid_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="not on the grid"):
        write_volume(tmp_path / "v.nii.gz", np.zeros((3, 4, 6)), grid("RAS"))
    with pytest.raises(VolumeError, match="cannot be written"):
        write_volume(tmp_path / "v.nii.gz", voxels(np.complex64), grid("RAS"))
    with pytest.raises(VolumeError, match="cannot write"):
        write_volume(tmp_path / "v.jpg", voxels(), grid("RAS"))
    assert not list(tmp_path.iterdir())
