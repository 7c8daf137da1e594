"""The constants with which maps of a network become single nuclei."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from medarch.core.record import Record


class Separation(Record):
    """Fixed numbers, stored with a model: nothing is normalised by what a tile happens to hold.

    So a nucleus comes out the same in whatever tile it is seen. They are chosen on validation images
    (``evaluation/nuclei``) for the resolution that a model was trained at.
    """

    nucleus_threshold: float = 0.5
    """Least probability of a nucleus' pixels."""
    slope_threshold: float = -0.04
    """Where a distance map falls more steeply than this (per pixel), one nucleus ends and the next begins."""
    slope_pixels: int = 5
    """Edge of the kernel that slopes are taken with, odd."""
    marker_pixels: int = 4
    """Least number of pixels of a nucleus' core; smaller cores are no nuclei of their own."""
    nucleus_pixels: int = 10
    """Least number of pixels of a nucleus."""
    spacing: tuple[float, ...] = ()
    """Of volumes: lengths of a voxel along the network's axes, in the shortest of them. Slopes are those a shortest
    length, and kernels reach about as far along every axis. Empty: all 1."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 0 < self.nucleus_threshold < 1:
            raise ValueError(f"nucleus_threshold lies between 0 and 1, found {self.nucleus_threshold}")
        if self.slope_pixels < 3 or self.slope_pixels % 2 == 0:
            raise ValueError(f"slope_pixels is odd and 3 or more, found {self.slope_pixels}")
        if any(length < 1 for length in self.spacing):
            raise ValueError(f"spacing counts in the shortest length, so from 1, found {self.spacing}")
        return self
