"""Which prediction belongs to which reference: files of one name, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medarch.core.errors import EvaluationError
from medarch.io.suffix import format_of, is_volume_file, split_suffix


@dataclass(frozen=True)
class FilePair:
    """The files of one case; the prediction may be missing, the reference never is."""

    case: str
    prediction: Path | None
    reference: Path


Files = Path | Mapping[str, Path]
"""A folder, or the files themselves by case."""


def match_files(predictions: Files, references: Files, *, cases: Sequence[str] | None = None) -> list[FilePair]:
    """Pair two folders of label maps by file name without suffix, sorted by case.

    Args:
        predictions: folder (pictures in it count only where the references are pictures), or files by case.
        references: folder, or files by case.
        cases: evaluate these names only; default every reference.

    Raises:
        EvaluationError: a folder holds no label map, a name occurs twice, a prediction has no reference, a named case
            has no reference, or no prediction matches at all.
    """
    known = _volumes(references, pictures=True)
    pictures = any(format_of(path) == "picture" for path in known.values())
    predicted = _volumes(predictions, pictures=pictures)
    if extra := sorted(set(predicted) - set(known)):
        raise EvaluationError(
            f"{len(extra)} prediction(s) without a reference",
            expected=f"a file of the same name in {references}",
            found=_listed(extra),
            fix="move these predictions away, or add their references",
        )
    wanted = sorted(set(known if cases is None else cases))
    if unknown := [case for case in wanted if case not in known]:
        raise EvaluationError(
            f"{len(unknown)} case(s) without a reference",
            expected=f"a file of each case in {references}",
            found=_listed(unknown),
            fix="correct the list of cases",
        )
    if not set(wanted) & set(predicted):
        raise EvaluationError(
            "no prediction for any case",
            expected=f"files named like the references: {_listed(wanted)}",
            found=f"{_listed(sorted(predicted))} in {predictions}",
            fix="name predictions like their references, or correct the folder",
        )
    return [FilePair(case, predicted.get(case), known[case]) for case in wanted]


def _volumes(folder: Files, *, pictures: bool) -> dict[str, Path]:
    if not isinstance(folder, Path):
        return dict(folder)
    found: dict[str, Path] = {}
    paths = sorted(path for path in folder.iterdir() if is_volume_file(path)) if folder.is_dir() else []
    for path in paths:
        if format_of(path) == "picture" and not pictures:
            continue
        case = split_suffix(path)[0]
        if case in found:
            raise EvaluationError(
                f"two files for case {case}",
                expected="one file a case",
                found=f"{found[case].name} and {path.name} in {folder}",
                fix="move one of them away",
            )
        found[case] = path
    if not found:
        raise EvaluationError(
            f"no label maps in {folder}",
            expected="a folder of .nii.gz, .nii, .nrrd or .mha files",
            found="no such folder" if not folder.is_dir() else "none of these",
            fix="check the path",
        )
    return found


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - 10
    return ", ".join(names[:10]) + (f" and {rest} more" if rest > 0 else "")
