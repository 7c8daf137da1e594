"""A study file from disk."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from medarch.core.errors import UsageError
from medarch.studies.study_file import StudyFile


def read_study(path: Path) -> StudyFile:
    """Read and check a study file; paths in it are relative to its folder.

    Raises:
        UsageError: the file cannot be read, or a field is missing, unknown or wrong; the message names its place, as
            in ``methods[1].nnunet.python``.
    """
    import yaml

    path = Path(path).absolute()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"cannot read the study {path}", expected="a YAML file", found=str(error), fix="see docs/studies.md"
        ) from error
    if not isinstance(content, dict):
        raise UsageError(
            f"{path} is no study", expected="name, datasets, methods ...", found=repr(content)[:100],
            fix="see docs/studies.md",
        )  # fmt: skip
    try:
        return StudyFile.model_validate(content, context={"folder": path.parent})
    except ValidationError as error:
        first = error.errors()[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        where = _place(first["loc"])
        raise UsageError(
            f"{path.name}, {where or 'the whole'}: {first['msg'].removeprefix('Value error, ')}{more}",
            found="nothing" if first["type"] == "missing" else repr(first.get("input"))[:200],
            fix=f"correct {where or 'the file'}; docs/studies.md says what it may hold",
        ) from error


def _place(parts: tuple[int | str, ...]) -> str:
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}"
    return text.removeprefix(".")
