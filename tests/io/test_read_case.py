"""A case is read whole, on one grid, or refused with the reason."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medarch.core.dataset import Case
from medarch.core.errors import GeometryError, VolumeError
from medarch.core.geometry import Geometry
from medarch.core.labels import LabelScheme
from medarch.io.read_case import read_case
from medarch.io.write_volume import write_volume

LABELS = LabelScheme(labels={"background": 0, "organ": 1, "lesion": 2})
SHAPE = (6, 5, 4)
GRID = Geometry.from_array(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))
IMAGE = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
LABEL = np.random.default_rng(1).integers(0, 3, size=SHAPE)


def case_of(folder: Path, images: list, label: object = None, label_grid: Geometry = GRID) -> Case:
    """Write arrays, each with its geometry or on GRID, and return the case."""
    paths = []
    for number, image in enumerate(images):
        array, geometry = image if isinstance(image, tuple) else (image, GRID)
        paths.append(folder / f"x_{number:04d}.nii.gz")
        write_volume(paths[-1], array, geometry)
    if label is not None:
        write_volume(folder / "label.nii.gz", label, label_grid)
    return Case(id="x", images=tuple(paths), label=folder / "label.nii.gz" if label is not None else None)


def test_channels_are_stacked_and_labels_are_small_integers(tmp_path: Path) -> None:
    case = case_of(tmp_path, [IMAGE, (100 * IMAGE).astype(np.int16)], LABEL.astype(np.float64))
    volumes = read_case(case, channels=2, labels=LABELS)
    for number, path in enumerate(case.images):
        np.testing.assert_array_equal(volumes.images[number], nibabel.load(path).get_fdata(dtype=np.float32))
    np.testing.assert_array_equal(volumes.label, LABEL)
    assert (volumes.images.dtype, volumes.label.dtype) == (np.float32, np.uint8)
    assert volumes.images.transpose(0, 3, 2, 1).flags.c_contiguous
    assert volumes.images.flags.writeable
    assert volumes.label.flags.writeable
    assert volumes.geometry == GRID


def test_the_hash_depends_on_every_file(tmp_path: Path) -> None:
    first = read_case(case_of(tmp_path, [IMAGE, IMAGE + 1], LABEL), channels=2).content_sha256
    assert read_case(case_of(tmp_path, [IMAGE, IMAGE + 1], LABEL), channels=2).content_sha256 == first
    assert read_case(case_of(tmp_path, [IMAGE, IMAGE + 2], LABEL), channels=2).content_sha256 != first
    assert read_case(case_of(tmp_path, [IMAGE, IMAGE + 1], 2 - LABEL), channels=2).content_sha256 != first
    assert read_case(case_of(tmp_path, [IMAGE, IMAGE + 1]), channels=2).content_sha256 != first


def moved(*, by_mm: float = 0.0, scale: float = 1.0, flip: bool = False) -> Geometry:
    affine = GRID.matrix
    affine[:3, :3] *= scale
    affine[:3, 0] *= -1 if flip else 1
    affine[0, 3] += by_mm
    return Geometry.from_array(SHAPE, affine)


@pytest.mark.parametrize(
    ("grid", "code"),
    [
        (moved(by_mm=5), "GEOMETRY_MISMATCH"),
        (moved(by_mm=0.11), "GEOMETRY_MISMATCH"),
        (moved(scale=1.01), "GEOMETRY_MISMATCH"),
        (moved(flip=True), "ORIENTATION_MISMATCH"),
    ],
)
@pytest.mark.parametrize("which", ["label", "channel"])
def test_grids_that_disagree_are_refused_unless_waived(tmp_path: Path, grid: Geometry, code: str, which: str) -> None:
    if which == "label":
        case = case_of(tmp_path, [IMAGE], LABEL, grid)
    else:
        case = case_of(tmp_path, [IMAGE, (IMAGE + 1, grid)], LABEL)
    channels = len(case.images)
    with pytest.raises(GeometryError) as caught:
        read_case(case, channels=channels, labels=LABELS)
    assert caught.value.check == code
    volumes = read_case(case, channels=channels, labels=LABELS, waived=(code,))
    assert volumes.geometry == GRID
    np.testing.assert_array_equal(volumes.label, LABEL)
    with pytest.raises(GeometryError):
        read_case(case, channels=channels, waived=("NO_ORIENTATION",))


def test_rounding_of_an_affine_is_no_mismatch(tmp_path: Path) -> None:
    assert read_case(case_of(tmp_path, [IMAGE], LABEL, moved(by_mm=0.05)), channels=1).label is not None


def test_other_shapes_are_refused_even_when_waived(tmp_path: Path) -> None:
    small = Geometry.from_array((5, 5, 4), GRID.matrix)
    case = case_of(tmp_path, [IMAGE], LABEL[:5], small)
    with pytest.raises(GeometryError, match="SHAPE_MISMATCH"):
        read_case(case, channels=1, waived=("GEOMETRY_MISMATCH", "ORIENTATION_MISMATCH"))


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.astype(np.float32)
    changed[2, 2, 2] = value
    return changed


@pytest.mark.parametrize(
    ("images", "label", "code"),
    [
        ([with_value(IMAGE, np.nan)], LABEL, "NOT_FINITE"),
        ([with_value(IMAGE, -np.inf)], LABEL, "NOT_FINITE"),
        ([with_value(IMAGE, 1.0).astype(np.float64) * 1e300], LABEL, "NOT_FINITE"),
        ([np.full(SHAPE, 7)], LABEL, "CONSTANT_IMAGE"),
        ([np.zeros(SHAPE)], LABEL, "ALL_ZERO"),
        ([np.stack([IMAGE, IMAGE])], LABEL, "WRONG_CHANNELS"),
        ([IMAGE, IMAGE], LABEL, "WRONG_CHANNELS"),
        ([IMAGE], np.stack([LABEL, LABEL]), "WRONG_CHANNELS"),
        ([IMAGE], with_value(LABEL, 1.5), "LABEL_NOT_INTEGER"),
        ([IMAGE], with_value(LABEL, np.nan), "LABEL_NOT_INTEGER"),
        ([IMAGE], with_value(LABEL, np.inf), "LABEL_NOT_INTEGER"),
        ([IMAGE], with_value(LABEL, 3), "LABEL_UNDECLARED"),
        ([IMAGE], with_value(LABEL, -1), "LABEL_UNDECLARED"),
    ],
)
def test_unusable_values_are_refused(tmp_path: Path, images: list, label: np.ndarray, code: str) -> None:
    with pytest.raises(VolumeError) as caught:
        read_case(case_of(tmp_path, images, label), channels=1, labels=LABELS)
    assert caught.value.check == code
    assert caught.value.found
    assert caught.value.fix


def test_labels_of_any_size_keep_their_values(tmp_path: Path) -> None:
    for value, dtype in ((255, np.uint8), (256, np.int16), (-4, np.int16), (70000, np.int32), (2**40, np.int64)):
        label = np.where(LABEL == 1, value, 0)
        read = read_case(case_of(tmp_path, [IMAGE], label), channels=1).label
        assert read.dtype == dtype
        np.testing.assert_array_equal(read, label)


def test_an_empty_label_map_is_read(tmp_path: Path) -> None:
    case = case_of(tmp_path, [IMAGE], np.zeros(SHAPE, np.uint8))
    assert not read_case(case, channels=1, labels=LABELS).label.any()


def test_a_case_without_orientation_needs_a_waiver(shared_data: Path) -> None:
    case = Case(id="x", images=(shared_data / "nifti_oddities" / "derived_faults" / "no_qs_codes.nii.gz",))
    with pytest.raises(GeometryError, match="NO_ORIENTATION"):
        read_case(case, channels=1)
    assert read_case(case, channels=1, waived=("NO_ORIENTATION",)).geometry.axcodes == "LAS"


def test_all_real_cases_are_accepted(shared_data: Path, make_case: Callable[..., None]) -> None:
    for folder in ("totalseg_samples", "brain_oasis25/affine_2mm"):
        pairs = sorted((shared_data / folder).glob("*_seg*.nii.gz"))[:4]
        for label in pairs:
            stem = label.name.split("_seg")[0]
            image = next(path for path in label.parent.glob(f"{stem}*.nii.gz") if "seg" not in path.name)
            volumes = read_case(Case(id=stem, images=(image,), label=label), channels=1)
            np.testing.assert_array_equal(volumes.label, np.asarray(nibabel.load(label).dataobj))
