"""nnU-Net's checkpoints, read without running anything that is pickled in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from medarch.core.errors import ModelError
from medarch.training.load_untrusted import load_untrusted

ALLOWED = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")
"""What stock checkpoints hold besides tensors and plain containers: the training log's numpy numbers (numpy 1 and 2).
They are of no use here, so that not even numpy is called for them."""


@dataclass(frozen=True)
class Checkpoint:
    """What prediction needs of a checkpoint."""

    path: Path
    weights: Mapping[str, Tensor]
    """nnU-Net's tensor names → tensors; they may still lie in the file (memory-mapped)."""
    configuration: str
    trainer: str
    mirror_axes: tuple[int, ...]
    """Network axes along which prediction may mirror; empty for checkpoints that name none."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a ``.pth`` file that an nnU-Net v2 trainer wrote, with an allow-list of what may occur in its pickle.

    Raises:
        ModelError: the file is missing, damaged or no checkpoint, or its pickle names anything a stock checkpoint does
            not need; nothing of it is executed then.
    """
    content = load_untrusted(
        path,
        ignored=ALLOWED,
        maker="nnU-Net's trainers",
        cure="a genuine model can be saved again with nnU-Net",
    )
    if not isinstance(content, Mapping):
        raise _no_checkpoint(path, f"a pickled {type(content).__name__}")
    missing = [key for key in ("network_weights", "init_args", "trainer_name") if key not in content]
    if missing:
        raise _no_checkpoint(path, f"no {', '.join(missing)}; its keys are {', '.join(map(str, content))[:200]}")
    weights, settings = content["network_weights"], content["init_args"]
    if not _are_weights(weights):
        raise _no_checkpoint(path, "network_weights that are no dictionary of tensors")
    if not isinstance(settings, Mapping) or not isinstance(settings.get("configuration"), str):
        raise _no_checkpoint(path, "init_args without the name of the configuration")
    if not isinstance(content["trainer_name"], str):
        raise _no_checkpoint(path, "a trainer_name that is no text")
    axes = content.get("inference_allowed_mirroring_axes")
    return Checkpoint(path, weights, settings["configuration"], content["trainer_name"], _mirror_axes(axes, path))


def _are_weights(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items()
    )


def _mirror_axes(value: Any, path: Path) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, tuple | list) or not all(type(axis) is int for axis in value):
        raise _no_checkpoint(path, f"inference_allowed_mirroring_axes = {value!r}"[:200])
    return tuple(value)


def _no_checkpoint(path: Path, found: str) -> ModelError:
    return ModelError(
        f"{path} is no checkpoint of nnU-Net v2",
        expected="a dictionary with network_weights, init_args (with configuration) and trainer_name",
        found=found,
        fix="give the folder that nnUNetv2_train wrote",
    )
