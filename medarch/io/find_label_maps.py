"""The label maps in a folder by case."""

from __future__ import annotations

from pathlib import Path

from medarch.core.errors import DatasetError
from medarch.io.suffix import FORMATS, format_of, is_volume_file, split_suffix


def find_label_maps(folder: Path) -> dict[str, Path]:
    """Return the volumes of a folder by file name without suffix, sorted. Subfolders and pictures are passed over.

    Raises:
        DatasetError: there is none, or two are of one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(filter(is_volume_file, folder.iterdir())) if folder.is_dir() else ():
        if format_of(path) == "picture":
            continue
        case = split_suffix(path)[0]
        if case in found:
            raise DatasetError(
                f"two label maps of case {case} in {folder}",
                expected="one file a case",
                found=f"{found[case].name} and {path.name}",
                fix="move one of them away",
            )
        found[case] = path
    if not found:
        raise DatasetError(
            f"no label maps in {folder}",
            expected="files ending in " + ", ".join(name for name, kind in FORMATS.items() if kind != "picture"),
            found="none of these" if folder.is_dir() else "no such folder",
            fix="check the path",
        )
    return found
