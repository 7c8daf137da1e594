"""Which pairs to register: a table of files, or a dataset."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from medarch.core.dataset import Case
from medarch.core.errors import DatasetError
from medarch.core.pair_input import PairInput, pair_id
from medarch.core.pairing import Pairing
from medarch.io.find_inputs import find_inputs

_FORM = "columns fixed and moving (files); as needed id, fixed_label, moving_label, fixed_landmarks, moving_landmarks"


def find_pairs(source: Path, *, channels: int) -> tuple[PairInput, ...]:
    """List the pairs to register.

    Args:
        source: a .csv table, one pair a row, paths from its folder (of several channels ``CASE_0000`` stands for all);
            or a dataset, of which the test cases are registered: its listed pairs, the atlas and each, or any two.
        channels: of an image.

    Raises:
        DatasetError: the table cannot be read, a file is missing, or there is no pair.
    """
    source = Path(source).absolute()
    if source.suffix.lower() == ".csv" and source.is_file():
        pairs = _from_table(source, channels)
    elif source.is_dir():
        pairs = _from_dataset(source)
    else:
        raise DatasetError(
            f"no pairs at {source}",
            expected=f"a .csv table ({_FORM}), or a dataset with test cases",
            found="another file" if source.exists() else "nothing",
            fix="write a table; `medarch register FIXED MOVING` takes two images without a model",
        )
    doubled = [name for name, count in Counter(pair.id for pair in pairs).items() if count > 1]
    if doubled:
        raise DatasetError(
            f"pairs of {source} have one name", expected="a name each", found=str(doubled[:5]), fix="add a column id"
        )
    return tuple(pairs)


def _from_table(path: Path, channels: int) -> list[PairInput]:
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), restkey=""))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}", found=str(error), fix="check the path; save it as UTF-8") from error
    lines = [{str(key).strip(): str(value or "").strip() for key, value in row.items()} for row in rows]
    if not lines or any(not line.get("fixed") or not line.get("moving") for line in lines):
        found = ", ".join(lines[0]) if lines else "no rows"
        raise DatasetError(f"the table {path} cannot be read", expected=_FORM, found=found, fix="correct the table")
    pairs = []
    for line in lines:
        fixed, moving = (_case(line, side, path.parent, channels) for side in ("fixed", "moving"))
        pairs.append(PairInput(id=line.get("id") or pair_id(fixed.id, moving.id), fixed=fixed, moving=moving))
    return pairs


def _case(line: Mapping[str, str], side: str, folder: Path, channels: int) -> Case:
    (case,) = find_inputs(folder / line[side], channels=channels)
    label, landmarks = (line.get(f"{side}_{what}") for what in ("label", "landmarks"))
    return case.model_copy(
        update={"label": folder / label if label else None, "landmarks": folder / landmarks if landmarks else None}
    )


def _from_dataset(folder: Path) -> list[PairInput]:
    from medarch.io.take_inventory import take_inventory

    dataset = take_inventory(folder, task="registration").dataset
    cases = {case.id: case for case in (*dataset.cases, *dataset.test_cases)}
    return [
        PairInput(id=pair_id(pair.fixed, pair.moving), fixed=cases[pair.fixed], moving=cases[pair.moving])
        for pair in Pairing(dataset, [case.id for case in dataset.test_cases])
    ]
