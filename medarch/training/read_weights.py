"""Weights to go on from: a file of another library, or a model of medarch's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from medarch.core.errors import ModelError
from medarch.training.load_untrusted import load_untrusted

WRAPPERS = ("state_dict", "model", "model_state_dict", "model_state", "weights", "desc")
"""Keys under which training scripts put the weights."""
PREFIXES = ("module.", "model.", "network.", "backbone.")


def weights_file(path: Path) -> Path:
    """Return the file that holds the weights: ``path`` itself, or the first fold of a medarch model or fold folder.

    Raises:
        ModelError: there is none.
    """
    if path.is_file():
        return path
    if not path.exists():
        raise ModelError(f"cannot read {path}", found="no such file", fix="check the path")
    found = sorted([*path.glob("weights_fold_*.safetensors"), *path.glob("weights.safetensors")])
    if not found:
        raise ModelError(
            f"{path} holds no weights",
            expected="weights_fold_*.safetensors, as in the folder `model` that `medarch train` wrote",
            found=", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "an empty folder",
            fix="give a model folder, or a file .safetensors or .pth",
        )
    return found[0]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors by name from a ``.safetensors`` or ``.pth`` file or a medarch model folder.

    Raises:
        ModelError: the file is missing, damaged or no dictionary of tensors, or its pickle would run code.
    """
    file = weights_file(path)
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    content = load_untrusted(
        file,
        maker="torchvision, timm and most training scripts",
        cure="a genuine one can be saved again as torch.save(model.state_dict(), ...) or .safetensors",
    )
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not _are_weights(content):
        raise ModelError(
            f"{file} holds no weights",
            expected=f"a dictionary of tensors, by itself or under one of {', '.join(WRAPPERS)}",
            found=f"keys {', '.join(map(str, content))[:200]}"
            if isinstance(content, Mapping)
            else type(content).__name__,
            fix="save the model's state_dict()",
        )
    return _without_prefix(dict(content))


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _without_prefix(load_file(file))
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"cannot read the weights {file}",
            expected="a complete .safetensors file",
            found=str(error)[:300],
            fix="check the path, or copy the file again, complete",
        ) from error


def _are_weights(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def _without_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Wrappers of training scripts put one word before every name."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            return _without_prefix({name.removeprefix(prefix): tensor for name, tensor in weights.items()})
    return weights
