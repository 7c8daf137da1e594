"""What to predict: a file, a folder with files of any names, or a manifest."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from medarch.core.dataset import Case
from medarch.core.errors import DatasetError
from medarch.io.manifest_rows import read_manifest_rows
from medarch.io.suffix import FORMATS, is_volume_file, split_suffix

_CHANNEL = re.compile(r"(.+)_(\d{4})")


def find_inputs(source: Path, *, channels: int) -> tuple[Case, ...]:
    """List the cases to predict, in natural order (``p2`` before ``p10``).

    In a folder, files ``CASE_0000`` to ``CASE_000N`` are the channels of one case if every file is of such a complete
    group; otherwise every file is a case named by its stem (with several channels: a 4D file). One file
    ``CASE_0000`` stands for its group. Subfolders are not searched. A dataset, a folder with dataset.json, stands for
    its test cases.

    Args:
        source: the file, folder, or .csv/.json manifest (columns ``id``, ``image`` or ``image_<channel>``).
        channels: how many the model expects.

    Raises:
        DatasetError: there is nothing to predict, channels are missing, or two files give one case id.
    """
    source = Path(source).absolute()
    if (source / "dataset.json").is_file():
        cases = _test_cases(source)
    elif source.is_dir():
        cases = _from_files(sorted(filter(is_volume_file, source.iterdir())), channels, source)
    elif source.suffix.lower() in (".csv", ".json") and source.is_file():
        cases = [row.case for row in read_manifest_rows(source).rows]
    elif source.is_file():
        cases = _from_files(_group_of(source, channels), channels, source)
    else:
        raise DatasetError(f"nothing at {source}", expected="a file, a folder or a manifest", fix="check the path")
    return tuple(sorted(cases, key=lambda case: _natural_key(case.id)))


def _test_cases(folder: Path) -> list[Case]:
    from medarch.io.take_inventory import take_inventory  # which finds the images of datasets by this module

    cases = list(take_inventory(folder).dataset.test_cases)
    if not cases:
        raise DatasetError(
            f"the dataset {folder} has no test cases", fix="name the folder that holds the images to predict"
        )
    return cases


def _natural_key(text: str) -> list[tuple[int, str]]:
    """Sort key that compares runs of digits as numbers."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", text)]


def _group_of(file: Path, channels: int) -> list[Path]:
    """The file, and for ``CASE_0000`` of a multi-channel case the other channels beside it."""
    stem, suffix = split_suffix(file)
    match = _CHANNEL.fullmatch(stem)
    if channels > 1 and match and int(match[2]) == 0:
        others = [file.with_name(f"{match[1]}_{channel:04d}{suffix}") for channel in range(1, channels)]
        return [file, *(other for other in others if other.is_file())]
    return [file]


def _from_files(files: Sequence[Path], channels: int, source: Path) -> list[Case]:
    if not files:
        raise DatasetError(
            f"no images in {source}",
            expected=f"files ending in {', '.join(FORMATS)}",
            found="none (subfolders are not searched)",
            fix="name the folder that holds the images, e.g. imagesTs",
        )
    groups: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in files:
        stem, suffix = split_suffix(file)
        if not suffix:
            raise DatasetError(f"{source} is no image", expected=", ".join(FORMATS), found=file.name)
        if match := _CHANNEL.fullmatch(stem):
            groups[match[1]].setdefault(int(match[2]), file)
    complete = [name for name, group in groups.items() if sorted(group) == list(range(channels))]
    if sum(len(group) for group in groups.values()) == len(files) and len(complete) == len(groups):
        return [
            Case(id=name, images=tuple(group[channel] for channel in range(channels))) for name, group in groups.items()
        ]
    if channels > 1 and any(0 in group for group in groups.values()):
        _refuse_incomplete(groups, complete, channels, files)
    return _one_file_a_case(files)


def _refuse_incomplete(
    groups: dict[str, dict[int, Path]], complete: list[str], channels: int, files: Sequence[Path]
) -> None:
    grouped = {file for group in groups.values() for file in group.values()}
    incomplete = {name: sorted(group) for name, group in groups.items() if name not in complete}
    loose = [file.name for file in files if file not in grouped]
    raise DatasetError(
        "the files do not form complete cases",
        expected=f"CASE_0000 to CASE_{channels - 1:04d} of every case, or one 4D file a case",
        found=f"channels by case {dict(list(incomplete.items())[:3])}; without a channel number: {loose[:3]}",
        fix="add the missing channels, move other files away, or list the cases in a manifest",
    )


def _one_file_a_case(files: Sequence[Path]) -> list[Case]:
    cases: dict[str, Case] = {}
    for file in files:
        stem = split_suffix(file)[0]
        if stem in cases:
            raise DatasetError(
                "two files give one case id",
                expected="one file a case",
                found=f"{cases[stem].images[0].name} and {file.name}",
                fix="move one away, or list the cases in a manifest",
            )
        cases[stem] = Case(id=stem, images=(file,))
    return list(cases.values())
