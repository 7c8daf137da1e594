"""What nnU-Net found worth doing to its label maps after cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medarch.core.errors import ModelError
from medarch.core.postprocessing import KeepLargest, Postprocessing
from medarch.io.dataset_json import load_json

_KEEP_LARGEST = "remove_all_but_largest_component_from_segmentation"


def nnunet_postprocessing(folder: Path, folds: Sequence[str]) -> Postprocessing | None:
    """Read ``crossval_results_folds_*/postprocessing.json`` of exactly these folds (never the pickle beside it).

    Returns:
        The steps, or None if nnU-Net chose none for these folds.

    Raises:
        ModelError: a step is not nnU-Net's own.
    """
    for path in sorted(folder.glob("crossval_results_folds_*/postprocessing.json")):
        if set(path.parent.name.removeprefix("crossval_results_folds_").split("_")) == set(folds):
            return _read(path)
    return None


def _read(path: Path) -> Postprocessing:
    content = load_json(path)
    try:
        functions, arguments = content["postprocessing_fns"], content["postprocessing_kwargs"]
        steps = [_step(name, given, path) for name, given in zip(functions, arguments, strict=True)]
        before, after = (content[key]["foreground_mean"]["Dice"] for key in ("input_folder", "postprocessed"))
        return Postprocessing(steps=tuple(steps), dsc_before=before, dsc_after=after)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} describes no postprocessing",
            expected="postprocessing_fns, postprocessing_kwargs, and the Dice of input_folder and postprocessed",
            found=f"{type(error).__name__}: {error}"[:300],
            fix="find the postprocessing again with nnU-Net, or remove the file to import without",
        ) from error


def _step(name: str, arguments: Mapping[str, Any], path: Path) -> KeepLargest:
    if name != _KEEP_LARGEST or arguments.get("background_label", 0) != 0:
        raise ModelError(
            f"postprocessing {name} of {path} cannot be reproduced",
            expected=_KEEP_LARGEST,
            found=f"{name}({dict(arguments)})"[:300],
            fix="remove the file to import without postprocessing",
        )
    return KeepLargest(values=tuple(sorted(set(_flat(arguments["labels_or_regions"])))))


def _flat(value: Any) -> list[int]:
    """A label, a region (list of labels) or a list of both: their union is one mask."""
    return [int(value)] if isinstance(value, int) else [label for entry in value for label in _flat(entry)]
