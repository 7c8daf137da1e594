"""Files written and read plane by plane are those that are written and read whole."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from medarch.core.errors import GeometryError, VolumeError
from medarch.core.geometry import Geometry
from medarch.core.scratch_array import ScratchArray
from medarch.io import plane_spans
from medarch.io.open_planes import open_planes
from medarch.io.read_volume import read_volume
from medarch.io.write_planes import write_planes
from medarch.io.write_volume import write_volume

SHAPE = (7, 6, 11)


class Planes:
    """An array that notes how many values were asked for at once."""

    def __init__(self, array):
        self.array, self.largest = array, 0

    @property
    def shape(self):
        return self.array.shape

    def planes(self, channels, low, high):
        found = self.array[channels, ..., low:high].copy()
        self.largest = max(self.largest, found.size)
        return found


@pytest.fixture(autouse=True)
def few_planes(monkeypatch):
    monkeypatch.setattr(plane_spans, "SLAB_BYTES", 2 * 7 * 6 * 4)


def grid(*, sheared=False):
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.7, 1.3, 2.5)
    affine[:3, 3] = (-31.25, 1 / 3, 7e-5)
    if sheared:
        affine[0, 1] += 0.2
    return Geometry.from_array(SHAPE, affine)


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_the_file_is_the_one_that_is_written_whole(suffix, channels, tmp_path):
    array = np.random.default_rng(0).normal(size=(channels, *SHAPE)).astype(np.float32)
    source = Planes(array)
    write_planes(tmp_path / f"planes{suffix}", source, grid())
    write_volume(tmp_path / f"whole{suffix}", array, grid())
    assert source.largest == max(2, channels if suffix in (".nrrd", ".mha") else 0) * 7 * 6
    planes, whole = (read_volume(tmp_path / f"{name}{suffix}") for name in ("planes", "whole"))
    assert not planes.geometry.differences(whole.geometry)
    assert planes.doubts == whole.doubts
    np.testing.assert_array_equal(planes.array, array)
    if suffix.startswith(".nii"):
        assert planes.content_sha256 == whole.content_sha256
    # Other programs see the same, too.
    ours, theirs = (SimpleITK.ReadImage(str(tmp_path / f"{name}{suffix}")) for name in ("planes", "whole"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(ours), SimpleITK.GetArrayFromImage(theirs))
    for name in ("GetSpacing", "GetOrigin", "GetDirection", "GetNumberOfComponentsPerPixel", "GetPixelIDTypeAsString"):
        np.testing.assert_array_equal(getattr(ours, name)(), getattr(theirs, name)())
    # Planes come back out of either.
    for name in ("planes", "whole"):
        with open_planes(tmp_path / f"{name}{suffix}", scratch=tmp_path) as found:
            assert found.shape == array.shape
            np.testing.assert_array_equal(found.planes(slice(None), 3, 9), array[..., 3:9])
            np.testing.assert_array_equal(found.planes(slice(channels - 1, channels), 0, 1), array[-1:, ..., :1])


def test_the_inputs_header_and_byte_order_are_kept(tmp_path):
    header = nibabel.Nifti1Header(endianness=">")
    image = nibabel.Nifti1Image(np.zeros(SHAPE, np.int16), np.diag([1.0, 2.0, 3.0, 1.0]), header)
    image.header["descrip"] = b"of a scanner"
    nibabel.save(image, tmp_path / "image.nii")
    geometry = read_volume(tmp_path / "image.nii").geometry
    array = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype(np.float32)
    for write, source in ((write_planes, Planes(array)), (write_volume, array)):
        write(tmp_path / f"{write.__name__}.nii.gz", source, geometry, like=tmp_path / "image.nii")
    assert (tmp_path / "write_planes.nii.gz").read_bytes() == (tmp_path / "write_volume.nii.gz").read_bytes()
    with open_planes(tmp_path / "write_planes.nii.gz", scratch=tmp_path) as found:
        np.testing.assert_array_equal(found.planes(slice(1, 3), 2, 7), array[1:, ..., 2:7])


@pytest.mark.parametrize(
    "name",
    ["niivue/MR_Gd.nii.gz", "niivue/pcasl.nii.gz", "nifti-rs/minimal.hdr.gz", "nifti-rs/minimal.img",
     "nifti-rs/minimal_extended_hdr.nii", "derived_faults/nifti2.nii.gz"],
)  # fmt: skip
def test_planes_of_odd_files_are_those_of_the_whole_file(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "nifti_oddities" / name
    whole = read_volume(path).array
    k = whole.shape[-1]
    with open_planes(path, scratch=tmp_path) as found:
        assert found.shape == whole.shape
        np.testing.assert_array_equal(found.planes(slice(None), k // 2, k), whole[..., k // 2 :].astype(np.float32))


def test_what_cannot_be_written_is_refused_and_a_fault_on_the_way_leaves_nothing(tmp_path):
    array = np.zeros((3, *SHAPE), np.float32)
    with pytest.raises(VolumeError, match="cannot write"):
        write_planes(tmp_path / "x.png", Planes(array), grid())
    with pytest.raises(GeometryError, match="not on the grid"):
        write_planes(tmp_path / "x.nii.gz", Planes(array[:, 1:]), grid())
    with pytest.raises(GeometryError, match="sheared"):
        write_planes(tmp_path / "x.mha", Planes(array), grid(sheared=True))

    class Broken(Planes):
        def planes(self, channels, low, high):
            if low > 4:
                raise OSError("planted")
            return super().planes(channels, low, high)

    for suffix in (".nii", ".nii.gz", ".nrrd", ".mha"):
        with pytest.raises(OSError, match="planted"):
            write_planes(tmp_path / f"x{suffix}", Broken(array), grid())
    assert not list(tmp_path.iterdir())


def test_a_scratch_array_is_an_array(tmp_path):
    array = np.random.default_rng(3).integers(0, 1000, size=(4, 5, 6, 2)).astype(">i2")
    with ScratchArray(tmp_path / "new", array.shape, array.dtype) as scratch:
        for first in range(4):
            for second in range(0, 5, 2):
                scratch.write((first,), second, array[first, second : second + 2])
        scratch.write((2, 3), 1, array[2, 3, 1:4][::-1])
        array[2, 3, 1:4] = array[2, 3, 1:4][::-1].copy()
        for first in range(4):
            np.testing.assert_array_equal(scratch.read((first,), 1, 4), array[first, 1:4])
        np.testing.assert_array_equal(scratch.read((), 0, 4), array)
        np.testing.assert_array_equal(scratch.read((1, 2, 3), 0, 2), array[1, 2, 3])
