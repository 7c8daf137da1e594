"""Files, folders and manifests to predict, under any names."""

from pathlib import Path

import pytest

from medarch.core.dataset import Case
from medarch.core.errors import DatasetError
from medarch.io.find_inputs import find_inputs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"x")


def found(cases: tuple[Case, ...]) -> dict[str, list[str]]:
    return {case.id: [path.name for path in case.images] for case in cases}


def test_any_names_come_in_natural_order(folder: Path) -> None:
    touch(folder, "p10.nii.gz", "p2.nii.gz", "P1.nrrd", "p2b.mha", ".hidden.nii.gz", "notes.txt")
    cases = find_inputs(folder, channels=1)
    assert [case.id for case in cases] == ["P1", "p2", "p2b", "p10"]
    assert all(case.images[0].is_absolute() and case.label is None for case in cases)


def test_channel_files_are_grouped(folder: Path) -> None:
    touch(folder, *(f"{case}_{channel:04d}.nii.gz" for case in ("b", "a") for channel in range(3)))
    cases = find_inputs(folder, channels=3)
    assert found(cases) == {name: [f"{name}_{channel:04d}.nii.gz" for channel in range(3)] for name in "ab"}
    assert find_inputs(folder / "b_0000.nii.gz", channels=3) == cases[1:]


def test_one_channel_files_of_nnunet_lose_their_number(folder: Path) -> None:
    touch(folder, "a_0000.nii.gz", "b_0000.nii.gz")
    assert found(find_inputs(folder, channels=1)) == {"a": ["a_0000.nii.gz"], "b": ["b_0000.nii.gz"]}


def test_numbered_patients_are_not_taken_for_channels(folder: Path) -> None:
    touch(folder, "patient_0001.nii.gz", "patient_0002.nii.gz")
    assert [case.id for case in find_inputs(folder, channels=1)] == ["patient_0001", "patient_0002"]


def test_a_file_may_hold_all_channels(folder: Path) -> None:
    touch(folder, "a.nii.gz", "b.nii.gz")
    assert found(find_inputs(folder, channels=4)) == {"a": ["a.nii.gz"], "b": ["b.nii.gz"]}
    assert found(find_inputs(folder / "a.nii.gz", channels=4)) == {"a": ["a.nii.gz"]}


def test_a_pair_is_one_case(folder: Path) -> None:
    touch(folder, "a.hdr", "a.img", "b.hdr.gz", "b.img.gz")
    assert found(find_inputs(folder, channels=1)) == {"a": ["a.hdr"], "b": ["b.hdr.gz"]}


def test_a_manifest_names_cases(folder: Path) -> None:
    (folder / "list.csv").write_text("id,image_T1,image_T2\nx10,a.nii.gz,b.nii.gz\nx9,c.nii.gz,d.nii.gz\n")
    assert found(find_inputs(folder / "list.csv", channels=2)) == {
        "x9": ["c.nii.gz", "d.nii.gz"],
        "x10": ["a.nii.gz", "b.nii.gz"],
    }
    (folder / "list.json").write_text('[{"id": "x", "image": "a.nii.gz"}]')
    assert find_inputs(folder / "list.json", channels=1)[0].images == (folder / "a.nii.gz",)


@pytest.mark.parametrize(
    ("names", "channels", "words"),
    [
        ((), 1, "no images"),
        (("readme.txt",), 1, "no images"),
        (("a.nii.gz", "a.mha"), 1, "one case id"),
        (("a_0000.nii.gz", "a_0000.mha"), 1, "one case id"),
        (("a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz"), 2, "complete cases"),
        (("a_0000.nii.gz", "a_0001.nii.gz", "loose.nii.gz"), 2, "loose.nii.gz"),
    ],
)
def test_ambiguous_folders_say_what_is_wrong(folder: Path, names: tuple, channels: int, words: str) -> None:
    touch(folder, *names)
    with pytest.raises(DatasetError, match=words) as caught:
        find_inputs(folder, channels=channels)
    assert caught.value.fix


def test_a_wrong_path_is_named(folder: Path) -> None:
    touch(folder, "scan.doc")
    with pytest.raises(DatasetError, match="nothing at"):
        find_inputs(folder / "none.nii.gz", channels=1)
    with pytest.raises(DatasetError, match="is no image"):
        find_inputs(folder / "scan.doc", channels=1)
