"""What the voxel values of a label map mean: plain labels, overlapping regions, and the ignore label."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from pydantic import model_validator

from medarch.core.record import Record

BACKGROUND = "background"
IGNORE = "ignore"


class LabelScheme(Record):
    """Names and integer values.

    ``labels`` maps a name to one value, or to several values for a region (nnU-Net v2's ``dataset.json``). The name
    ``background`` must be 0; ``ignore`` marks voxels nobody annotated and must be the highest value.
    """

    labels: dict[str, int | tuple[int, ...]]
    regions_class_order: tuple[int, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.labels.get(BACKGROUND) != 0:
            raise ValueError("labels must contain 'background': 0")
        values = self.values
        if values != tuple(range(len(values))):
            raise ValueError(f"label values must be consecutive from 0, found {list(values)}")
        if IGNORE in self.labels and self.labels[IGNORE] != values[-1]:
            raise ValueError("'ignore' must be one integer, the highest of all")
        if self.has_regions and len(self.regions_class_order or ()) != len(self.foreground_names):
            raise ValueError(
                f"regions need regions_class_order with {len(self.foreground_names)} entries, "
                f"found {self.regions_class_order}"
            )
        return self

    @cached_property
    def values(self) -> tuple[int, ...]:
        """All integer values that a label map may hold, ascending, with background and ignore."""
        found: set[int] = set()
        for value in self.labels.values():
            found.update((value,) if isinstance(value, int) else value)
        return tuple(sorted(found))

    @property
    def has_regions(self) -> bool:
        """Whether any class is a union of values, so that classes overlap."""
        return any(not isinstance(value, int) and len(value) > 1 for value in self.labels.values())

    @property
    def ignore_value(self) -> int | None:
        """The value of unannotated voxels, or None."""
        value = self.labels.get(IGNORE)
        return value if isinstance(value, int) else None

    @property
    def foreground_names(self) -> tuple[str, ...]:
        """Names of the classes or regions, in dataset order, without background and ignore."""
        return tuple(name for name in self.labels if name not in (BACKGROUND, IGNORE))

    @property
    def foreground_values(self) -> tuple[int, ...]:
        """All values but background and ignore."""
        return tuple(value for value in self.values if value not in (0, self.ignore_value))

    def members(self, name: str) -> tuple[int, ...]:
        """The voxel values that belong to a class or region."""
        value = self.labels[name]
        return (value,) if isinstance(value, int) else tuple(value)

    @property
    def heads(self) -> int:
        """Output channels of a segmentation network: all labels but ignore, or one a region."""
        if self.has_regions:
            return len(self.foreground_names)
        return len(self.values) - (self.ignore_value is not None)
