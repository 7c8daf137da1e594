"""What a classification tells apart: classes, of which a case has one, or findings, of which it has any number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import model_validator

from medarch.core.record import Record


class ClassScheme(Record):
    """Names, in the order of a network's outputs."""

    names: tuple[str, ...]
    multi_label: bool = False
    """Whether a case may have any number of them, none included."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        fewest = 1 if self.multi_label else 2
        if len(self.names) < fewest or len(set(self.names)) != len(self.names) or not all(self.names):
            raise ValueError(f"classes need {fewest} or more different names, found {list(self.names)}")
        return self

    def indicator(self, classes: Sequence[str]) -> tuple[int, ...]:
        """Return 1 for each class that is among ``classes`` and 0 for the others, in order."""
        return tuple(int(name in classes) for name in self.names)
