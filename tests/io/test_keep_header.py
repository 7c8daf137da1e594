"""A result written ``like`` its input overlays it in every viewer, because the header is the input's."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from medarch.core.errors import GeometryError
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume

KEPT = (
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z",
    "srow_x", "srow_y", "srow_z", "xyzt_units", "descrip",
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "niivue/CT_pitch.nii.gz", "niivue/MR_Gd.nii.gz", "niivue/pcasl.nii.gz", "niivue/spmMotor.nii.gz",
        "nifti-rs/zstat1.nii.gz", "nifti-rs/minimal.hdr.gz", "nifti-rs/minimal.img",
        "nifti-rs/minimal_extended_hdr.nii", "derived_faults/nifti2.nii.gz", "derived_faults/no_qs_codes.nii.gz",
        "acdc_original_header/patient001_frame01.nii.gz", "derived_faults/reference_image.nii.gz",
    ],
)  # fmt: skip
def test_the_inputs_header_is_kept(shared_data: Path, tmp_path: Path, name: str) -> None:
    source = shared_data / "nifti_oddities" / name
    before = nibabel.load(source)
    volume = read_volume(source)
    label = (np.arange(np.prod(volume.geometry.shape)) % 3).reshape(volume.geometry.shape).astype(np.uint8)
    write_volume(tmp_path / "label.nii.gz", label, volume.geometry, like=source)

    after = nibabel.load(tmp_path / "label.nii.gz")
    for field in KEPT:
        np.testing.assert_array_equal(after.header[field], before.header[field], err_msg=field)
    np.testing.assert_array_equal(after.affine, before.affine)
    np.testing.assert_array_equal(after.header["pixdim"][:4], before.header["pixdim"][:4])
    assert after.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(after.dataobj).reshape(label.shape), label)
    assert after.shape == before.shape[:3]
    assert read_volume(tmp_path / "label.nii.gz").geometry == volume.geometry


def test_the_inputs_scaling_and_display_range_are_not_kept(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "nifti_oddities" / "niivue" / "MR_Gd.nii.gz"
    volume = read_volume(source)
    assert nibabel.load(source).dataobj.slope != 1
    write_volume(tmp_path / "label.nii", np.ones(volume.geometry.shape, np.uint8), volume.geometry, like=source)
    after = nibabel.load(tmp_path / "label.nii")
    assert (after.dataobj.slope, after.dataobj.inter) == (1, 0)
    assert (after.header["cal_min"], after.header["cal_max"], after.header["intent_code"]) == (0, 0, 0)


def test_a_result_on_another_grid_than_its_input_is_refused(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "nifti_oddities" / "derived_faults"
    other = read_volume(folder / "label_wrong_affine.nii.gz")
    with pytest.raises(GeometryError, match="does not lie on the grid"):
        write_volume(tmp_path / "x.nii.gz", other.array, other.geometry, like=folder / "reference_image.nii.gz")
    assert not list(tmp_path.iterdir())


def test_another_format_than_the_inputs_gets_a_header_of_its_own(shared_data: Path, tmp_path: Path) -> None:
    volume = read_volume(shared_data / "nifti_oddities" / "niivue" / "CT_pitch.nii.gz")
    write_volume(tmp_path / "ct.nrrd", volume.array, volume.geometry, like=volume.path)
    write_volume(tmp_path / "ct.nii.gz", volume.array, volume.geometry, like=tmp_path / "ct.nrrd")
    for name in ("ct.nrrd", "ct.nii.gz"):
        again = read_volume(tmp_path / name)
        assert not volume.geometry.differences(again.geometry)
        np.testing.assert_array_equal(again.array, volume.array)
