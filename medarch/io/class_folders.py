"""One folder a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from medarch.core.errors import DatasetError
from medarch.io.class_table import ClassRow, Part
from medarch.io.find_inputs import find_inputs
from medarch.io.suffix import is_volume_file

PARTS: tuple[Part, ...] = ("train", "val", "test")


def find_class_folders(folder: Path, *, channels: int) -> tuple[ClassRow, ...]:
    """List the images of ``folder/CLASS``, or of ``folder/train/CLASS`` (and ``val``, ``test``).

    A case is named by its file; where two classes or parts have files of one name, every case is named
    ``CLASS_FILE`` or ``PART_CLASS_FILE``.

    Raises:
        DatasetError: there are no class folders with images.
    """
    present = [part for part in PARTS if _class_folders(folder / part)]
    found: list[tuple[Part, str, str, tuple[Path, ...]]] = [
        (part, name, case, images)
        for part in present or PARTS[:1]
        for name, case, images in _images(folder / part if present else folder, channels)
    ]
    if not found:
        raise DatasetError(
            f"no classes in {folder}",
            expected="labels.csv beside images, or one folder a class with its images",
            found=", ".join(sorted(entry.name for entry in folder.iterdir())[:8]),
            fix="put the images into folders named like the classes",
        )
    for depth in range(3):
        ids = ["_".join((part, name, case)[2 - depth :]) for part, name, case, _ in found]
        if max(Counter(ids).values()) == 1:
            break
    return tuple(
        ClassRow(case=case_id, classes=(name,), part=part, images=images)
        for case_id, (part, name, _, images) in zip(ids, found, strict=True)
    )


def _class_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and any(map(is_volume_file, entry.iterdir())))


def _images(folder: Path, channels: int) -> Iterator[tuple[str, str, tuple[Path, ...]]]:
    for entry in _class_folders(folder):
        for case in find_inputs(entry, channels=channels):
            yield entry.name, case.id, case.images
