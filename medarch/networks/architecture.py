"""One entry of the registry: what a network is called, where it comes from, and how it is known to be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Paper:
    """Where a network was published."""

    authors: str
    year: int
    where: str
    """arXiv number or DOI."""


@dataclass(frozen=True)
class Oracle:
    """The published size of the 2D original and how it is known."""

    parameters: int
    how: Literal["run", "computed"]
    """``run``: counted in another implementation; ``computed``: from the layer list of the paper."""
    source: str
    in_channels: int = 3
    heads: int = 1000
    options: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the entry's own settings."""
    topology: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the network plan (features, strides, ...)."""


@dataclass(frozen=True)
class Architecture:
    """A network that a plan can name.

    Callables are given as ``"package.module:name"`` and imported when they are called, so that listing the registry
    costs nothing.
    """

    name: str
    task: Literal["segmentation", "classification", "nuclei", "registration"]
    builder: str
    """``builder(plan, **settings)``, or ``builder(plan, encoder, **settings)`` when :attr:`encoder` is given."""
    paper: Paper
    encoder: str = ""
    """``encoder(plan, **settings)`` returns the :class:`~medarch.networks.encoder.Encoder`; empty: it has no stages."""
    topology: str = ""
    """``topology(plan, **settings)`` returns the plan with the tuples that the network will have, given those of a
    planner (or its own where the plan has none); empty: it takes every plan as it is, or needs none."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The preset: keyword arguments of builder and encoder. ``options`` of a plan replace single ones."""
    dims: tuple[int, ...] = (2, 3)
    origin: str = "medarch"
    """``medarch``, or whose implementation it adapts."""
    caution: str = ""
    """What is known to be wrong with it."""
    oracle: Oracle | None = None
    checked_against: str = ""
    """Implementations whose outputs, with copied weights, are compared by a test."""
    changed_for_3d: str = "kernels, strides and pooling get a third axis; nothing else"
    no_onnx: str = ""
    """Why it cannot be exported; empty when it can."""
    tiny: Mapping[str, Any] = field(default_factory=dict)
    """Options that make the same network small, for tests and demonstrations."""
