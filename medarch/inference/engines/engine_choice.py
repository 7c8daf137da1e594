"""Which engine was found fastest, kept between runs."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from medarch.core.cache_folder import cache_folder
from medarch.core.errors import RecordError
from medarch.core.record import Record

PACKAGES = ("torch", "openvino", "onnxruntime")
log = logging.getLogger(__name__)


class EngineTrial(Record):
    """What one engine did with a few tiles."""

    engine: str
    seconds_per_tile: float
    """The fastest of several runs: other programs only ever make one slower."""
    first_run_s: float
    """Until the first tiles were done: conversion and compilation."""
    dice: float | None
    """With the labels that float32 gives, the lowest of the classes; None if there were too few to compare."""


class EngineChoice(Record):
    """An engine for one model on one machine."""

    schema_version: Literal[1] = 1
    made_for: dict[str, str]
    """Weights, patch, device and versions. Anything else is measured anew."""
    engine: str
    trials: tuple[EngineTrial, ...]


def choice_file(made_for: Mapping[str, str]) -> Path:
    """Where the choice is kept, one file each."""
    digest = hashlib.sha256(json.dumps(dict(made_for), sort_keys=True).encode()).hexdigest()
    return cache_folder() / "engines" / f"{digest[:32]}.json"


def load_choice(made_for: Mapping[str, str]) -> EngineChoice | None:
    """Return what was chosen for exactly this, or None."""
    path = choice_file(made_for)
    if not path.exists():
        return None
    try:
        choice = EngineChoice.load(path)
    except RecordError as error:
        log.warning("measuring engines again: %s", error)
        return None
    return choice if choice.made_for == dict(made_for) else None


def save_choice(choice: EngineChoice) -> None:
    """Keep a choice; a cache that cannot be written costs no more than the next measurement."""
    path = choice_file(choice.made_for)
    try:
        choice.save(path)
    except OSError as error:
        log.warning("the choice of engine cannot be kept: %s", error)
    else:
        log.info("engine %s is kept in %s", choice.engine, path)


def versions() -> dict[str, str]:
    """Versions of the packages that compute, as far as they are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
