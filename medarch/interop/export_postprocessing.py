"""Postprocessing as nnU-Net v2 keeps it: a JSON file to read and a pickle to apply."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from medarch.core.files import write_bytes, write_text
from medarch.core.postprocessing import Postprocessing

_MODULE = "nnunetv2.postprocessing.remove_connected_components"
_FUNCTION = "remove_all_but_largest_component_from_segmentation"


def export_postprocessing(postprocessing: Postprocessing, folder: Path) -> None:
    """Write ``postprocessing.json`` and ``postprocessing.pkl`` for ``nnUNetv2_apply_postprocessing``.

    The pickle names nnU-Net's own function and nothing else, so it can be written without nnU-Net.
    """
    arguments = [{"labels_or_regions": _labels(step.values)} for step in postprocessing.steps]
    content: dict[str, Any] = {
        "postprocessing_fns": [_FUNCTION] * len(arguments),
        "postprocessing_kwargs": arguments,
    }
    for key, score in (("input_folder", postprocessing.dsc_before), ("postprocessed", postprocessing.dsc_after)):
        content[key] = {"foreground_mean": {"Dice": score}, "mean": {}}
    write_text(folder / "postprocessing.json", json.dumps(content, indent=4) + "\n")
    write_bytes(folder / "postprocessing.pkl", _pickled(arguments))


def _labels(values: tuple[int, ...]) -> int | list[int]:
    return values[0] if len(values) == 1 else list(values)


def _pickled(arguments: list[dict[str, Any]]) -> bytes:
    """``([function] * n, arguments)`` with the function by name only: pickle itself would want to import it."""
    function = f"c{_MODULE}\n{_FUNCTION}\n".encode()
    functions = pickle.EMPTY_LIST + pickle.MARK + function * len(arguments) + pickle.APPENDS
    protocol = pickle.PROTO + b"\x02"
    rest = pickle.dumps(arguments, protocol=2).removeprefix(protocol).removesuffix(pickle.STOP)
    return protocol + functions + rest + pickle.TUPLE2 + pickle.STOP
