"""Damage of every kind ends in one typed error with a code, never in a short array or a crash."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from medarch.core.check import CODES
from medarch.core.errors import GeometryError, MedarchError, VolumeError
from medarch.core.geometry import Geometry
from medarch.io.open_planes import open_planes
from medarch.io.read_geometry import read_geometry
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume

GRID = Geometry.from_array((6, 5, 4), np.diag([1.0, 1.0, 2.0, 1.0]))
VOXELS = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[..., str]:
    """Write a good file, change its bytes, read it, and return the code of the error."""

    def read(suffix: str, change: Callable[[bytes], bytes], name: str = "") -> str:
        good = tmp_path / f"good{suffix}"
        write_volume(good, VOXELS, GRID)
        bad = tmp_path / (name or f"bad{suffix}")
        bad.write_bytes(change(good.read_bytes()))
        with pytest.raises(MedarchError) as caught:
            read_volume(bad)
        assert caught.value.fix
        assert str(bad) in str(caught.value)
        with pytest.raises(MedarchError) as plane_by_plane, open_planes(bad, scratch=tmp_path):
            pass
        assert plane_by_plane.value.check == caught.value.check
        return caught.value.check

    return read


def put(offset: int, form: str, *values: object) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        header = bytearray(content)
        struct.pack_into("<" + form, header, offset, *values)
        return bytes(header)

    return change


def test_one_flipped_bit_in_the_checksum_is_found(damaged: Callable[..., str]) -> None:
    assert damaged(".nii.gz", lambda content: content[:-6] + bytes([content[-6] ^ 1]) + content[-5:]) == "BAD_CRC"
    assert damaged(".nii.gz", lambda content: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]) == "BAD_CRC"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_every_cut_is_found(damaged: Callable[..., str], suffix: str) -> None:
    for bytes_missing in (1, 4, 9, 40):
        assert damaged(suffix, lambda content, n=bytes_missing: content[:-n]) == "TRUNCATED"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_bytes_that_nobody_announced_are_found(damaged: Callable[..., str], suffix: str) -> None:
    assert damaged(suffix, lambda content: content + b"more") == "EXTRA_BYTES"


def test_a_damaged_middle_is_found(damaged: Callable[..., str]) -> None:
    def change(content: bytes) -> bytes:
        middle = len(content) // 2
        return content[:middle] + bytes(8) + content[middle + 8 :]

    assert damaged(".nii.gz", change) in ("CORRUPT_STREAM", "BAD_CRC", "TRUNCATED")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put(40, "h", 0), "BAD_HEADER"),
        (put(40, "h", 9), "BAD_HEADER"),
        (put(42, "h", 0), "BAD_HEADER"),
        (put(40, "8h", 5, 6, 5, 2, 2, 1, 1, 1), "TRUNCATED|EXTRA_BYTES"),
        (put(40, "8h", 5, 6, 5, 1, 2, 2, 1, 1), "UNSUPPORTED_DIMS"),
        (put(40, "8h", 3, 6, 5, 32767, 1, 1, 1, 1), "TRUNCATED"),
        (put(40, "8h", 3, 6, 5, 3, 1, 1, 1, 1), "EXTRA_BYTES"),
        (put(70, "h", -9510), "BAD_HEADER"),
        (put(70, "h", 1536), "UNSUPPORTED_DTYPE"),
        (put(108, "f", 100.0), "BAD_HEADER"),
        (put(108, "f", float("nan")), "BAD_HEADER"),
        (put(108, "f", 1e30), "TRUNCATED"),
        (put(116, "f", float("inf")), "BAD_HEADER"),
        (put(280, "4f", 0, 0, 0, 0), "BAD_AFFINE"),
        (put(280, "f", float("nan")), "BAD_AFFINE"),
        (put(256, "3f", 9, 9, 9), "BAD_HEADER"),
        (put(344, "4s", b"n+3\0"), "NOT_NIFTI"),
        (put(0, "i", 349), "NOT_NIFTI"),
        (lambda content: content[:100], "TRUNCATED"),
        (lambda content: b"", "EMPTY_FILE"),
        (lambda content: bytes(128) + b"DICM" + bytes(400), "WRONG_EXTENSION"),
    ],
)
def test_impossible_headers_are_refused(damaged: Callable[..., str], change: Callable, code: str) -> None:
    if code == "TRUNCATED|EXTRA_BYTES":
        assert damaged(".nii", lambda content: change(content)[:-1]) == "TRUNCATED"
    else:
        assert damaged(".nii", change) == code


def test_a_name_that_lies_about_its_content_is_refused(damaged: Callable[..., str]) -> None:
    assert damaged(".nii", lambda content: content, "bad.nii.gz") == "WRONG_EXTENSION"
    assert damaged(".nii.gz", lambda content: content, "bad.nii") == "WRONG_EXTENSION"
    assert damaged(".nrrd", lambda content: content, "bad.mha") == "WRONG_EXTENSION"
    assert damaged(".mha", lambda content: content, "bad.nii") == "WRONG_EXTENSION"
    assert damaged(".nrrd", gzip.compress, "bad.nii.gz") == "WRONG_EXTENSION"
    assert damaged(".nii", lambda content: content, "bad.doc") == "UNKNOWN_FORMAT"
    assert damaged(".nii", lambda content: b"\x07" * 400, "bad.mha") == "NOT_AN_IMAGE"


def test_missing_files_and_halves_of_pairs_are_named(tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "lonely.hdr").write_bytes((shared_data / "nifti_oddities/nifti-rs/minimal.hdr").read_bytes())
    (tmp_path / "orphan.img").write_bytes(b"123")
    (tmp_path / "folder.nii").mkdir()
    for name in ("nothing.nii.gz", "lonely.hdr", "orphan.img", "folder.nii"):
        with pytest.raises(VolumeError) as caught:
            read_volume(tmp_path / name)
        assert caught.value.check == "FILE_MISSING"


def test_gzip_members_in_a_row_are_one_file(tmp_path: Path) -> None:
    write_volume(tmp_path / "plain.nii", VOXELS, GRID)
    content = (tmp_path / "plain.nii").read_bytes()
    (tmp_path / "blocks.nii.gz").write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]) + bytes(512))
    np.testing.assert_array_equal(read_volume(tmp_path / "blocks.nii.gz").array[0], VOXELS)


@pytest.mark.filterwarnings("ignore:.*(EXIF|Truncated|tag).*:UserWarning", "ignore:.*decompression bomb.*")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".png", ".tif", ".bmp"])
def test_random_damage_never_escapes_as_an_untyped_error(tmp_path: Path, suffix: str) -> None:
    if suffix in (".png", ".tif", ".bmp"):
        pixels = (VOXELS.reshape(30, 4, 1) * 50).astype(np.uint8)
        write_volume(tmp_path / f"good{suffix}", pixels, Geometry.from_array((30, 4, 1), np.eye(4)))
    else:
        write_volume(tmp_path / f"good{suffix}", VOXELS, GRID)
    content = (tmp_path / f"good{suffix}").read_bytes()
    random = np.random.default_rng(1)
    codes = []
    for _ in range(150):
        changed = bytearray(content)
        for position in random.integers(0, min(len(content), 400), size=random.integers(1, 6)):
            changed[position] = random.integers(0, 256)
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(bytes(changed))
        for read in (read_volume, read_geometry):
            try:
                read(path)
            except MedarchError as error:
                codes.append(error.check)
    assert len(codes) > 30
    assert set(codes) <= set(CODES)


def test_the_fuzzers_finds_of_nifti_rs_are_refused(shared_data: Path, tmp_path: Path) -> None:
    for source in (shared_data / "nifti_oddities" / "nifti-rs" / "fuzz_artifacts").iterdir():
        path = tmp_path / f"{source.name}.nii"
        path.write_bytes(source.read_bytes())
        with pytest.raises(VolumeError):
            read_volume(path)


def test_itk_fills_a_cut_file_up_and_we_do_not(shared_data: Path) -> None:
    path = shared_data / "nifti_oddities" / "derived_faults" / "truncated_gz.nii.gz"
    assert SimpleITK.ReadImage(str(path)).GetSize() == (35, 51, 35)
    with pytest.raises(VolumeError, match="TRUNCATED"):
        read_volume(path)


def test_an_affine_fault_is_a_geometry_error(shared_data: Path) -> None:
    path = shared_data / "nifti_oddities" / "derived_faults" / "singular_sform.nii"
    for read in (read_volume, read_geometry):
        with pytest.raises(GeometryError, match="BAD_AFFINE"):
            read(path)
