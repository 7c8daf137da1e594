"""Typed errors. Each says what was expected, what came and what to do."""

from __future__ import annotations


class MedarchError(Exception):
    """Base of every error a user can cause or cure.

    Args:
        summary: what went wrong, one clause, no full stop.
        expected: what a good input looks like.
        found: what came instead.
        fix: what the user can do.
        check: the code of ``medarch check`` that names this fault (``core/check.py``), if one does.
    """

    code = "E000"

    def __init__(self, summary: str, *, expected: str = "", found: str = "", fix: str = "", check: str = "") -> None:
        self.summary = summary
        self.expected = expected
        self.found = found
        self.fix = fix
        self.check = check
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [f"{self.code} {self.summary}"]
        parts += [
            f"{name}: {text}"
            for name, text in (("expected", self.expected), ("found", self.found), ("fix", self.fix))
            if text
        ]
        return ". ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default exception pickling between processes.
        return _rebuild, (type(self), self.summary, self.expected, self.found, self.fix, self.check)


def _rebuild(kind: type[MedarchError], summary: str, expected: str, found: str, fix: str, check: str) -> MedarchError:
    return kind(summary, expected=expected, found=found, fix=fix, check=check)


class RecordError(MedarchError):
    """A JSON record is missing, unreadable or does not validate."""

    code = "E100"


class DatasetError(MedarchError):
    """A dataset tree or manifest cannot be understood."""

    code = "E200"


class VolumeError(MedarchError):
    """An image file is damaged, unsupported or inconsistent with its header."""

    code = "E300"


class SlideError(VolumeError):
    """A slide cannot be opened or read, or its pixel size is not known."""

    code = "E330"


class GeometryError(MedarchError):
    """Two grids that must agree do not, or an affine is unusable."""

    code = "E310"


class TransformError(MedarchError):
    """A spatial transform or landmarks are damaged, unsupported or of another dimension than what they shall move."""

    code = "E320"


class PreprocessingError(MedarchError):
    """A case cannot be prepared as the plan says."""

    code = "E400"


class WorkerError(MedarchError):
    """A worker process died; the message names the signal or exit status."""

    code = "E410"


class PlanError(MedarchError):
    """No plan fits, or a plan does not fit its dataset or device."""

    code = "E500"


class TrainingError(MedarchError):
    """Training cannot start, continue or stay finite."""

    code = "E600"


class OutOfMemoryError(MedarchError):
    """The device ran out of memory; the message names the lever to pull."""

    code = "E610"


class ModelError(MedarchError):
    """A model folder is incomplete, or its weights do not fit its plan."""

    code = "E700"


class PredictionError(MedarchError):
    """A case cannot be predicted."""

    code = "E710"


class EvaluationError(MedarchError):
    """Predictions and references cannot be compared."""

    code = "E800"


class UsageError(MedarchError):
    """An argument is wrong."""

    code = "E900"
