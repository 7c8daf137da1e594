"""The base of every record: frozen, validated, versioned, with a JSON round trip and a content hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from medarch.core.errors import RecordError
from medarch.core.files import write_text


class Record(BaseModel):
    """A frozen value. Change it with ``record.model_copy(update={...})``."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def to_json(self) -> str:
        """Return indented JSON."""
        return self.model_dump_json(indent=1)

    def save(self, path: Path | str) -> None:
        """Write the record as JSON, atomically."""
        write_text(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a record.

        Raises:
            RecordError: the file is missing, not JSON, or has unknown, missing or wrong fields.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise RecordError(
                f"cannot read {cls.__name__} {path}",
                expected="a JSON file written by medarch",
                found=error.strerror or str(error),
                fix="check the path, or run the earlier step that writes it",
            ) from error
        return cls.parse(text, source=str(path))

    @classmethod
    def parse(cls, text: str, *, source: str = "text") -> Self:
        """Validate JSON text; see :meth:`load`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise RecordError(
                f"{source} is not a valid {cls.__name__}",
                expected=f"{where}: {first['msg']}",
                found=repr(first.get("input"))[:200],
                fix=f"correct that field ({error.error_count()} problem(s) in all), or delete the file and "
                "run the step that writes it again",
            ) from error

    def sha256(self) -> str:
        """Return a hash of the content, independent of field order and indentation."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
