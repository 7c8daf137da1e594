"""A model of nuclei on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn

from medarch.core.errors import ModelError, UsageError
from medarch.core.files import atomic_path
from medarch.core.nuclei_settings import NucleiSettings
from medarch.inference.ledger import file_sha256
from medarch.inference.nuclei.nuclei_model import NucleiModel
from medarch.inference.nuclei.tile_network import TileNetwork
from medarch.networks.build_network import build_network
from medarch.networks.without_weights import without_weights

SETTINGS, WEIGHTS = "nuclei.json", "weights.safetensors"
GPU_BATCH = 16
LEAST_MARGIN = 46
"""Pixels at each end of a tile that are not used where a network's decoders are padded: they have seen padding."""
LEAST_SHARE = 1 / 6
"""The same of volumes, as a share of the tile: as many voxels as in 2D would leave nothing. What padding does to the
rest is small, and the same in every run: tiles lie on one grid, of the size that is stored with the model."""
_PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def is_nuclei_model(folder: Path) -> bool:
    """Whether a folder holds what :func:`save_nuclei_model` writes."""
    return (folder / SETTINGS).is_file()


def save_nuclei_model(folder: Path, network: nn.Module, settings: NucleiSettings) -> None:
    """Write ``weights.safetensors``, then ``nuclei.json``, each whole or not at all."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(weights, temporary)
    settings.save(folder / SETTINGS)


def load_nuclei_model(folder: Path, *, device: str = "cpu", precision: str = "auto") -> NucleiModel:
    """Read a model and put it on a device.

    Args:
        folder: what :func:`save_nuclei_model` wrote.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32``, ``bf16``, ``fp16`` or ``auto``: fp16 on CUDA, else float32.

    Raises:
        ModelError: the folder is no such model or is damaged.
        UsageError: the precision is unknown.
    """
    settings = NucleiSettings.load(folder / SETTINGS)
    if precision != "auto" and precision not in _PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}", expected=", ".join(("auto", *_PRECISIONS)))
    if (settings.network.heads - 1 if settings.network.heads > 1 else 0) != len(settings.types):
        raise ModelError(
            f"{folder / SETTINGS} names other types than the network has",
            expected=f"{settings.network.heads - 1} names",
            found=", ".join(settings.types) or "none",
            fix="correct types or network.heads",
        )
    network = _loaded(folder, settings)
    target = torch.device(device)
    dtype = _PRECISIONS[precision] if precision != "auto" else (torch.float16 if device == "cuda" else torch.float32)
    dim, side = settings.network.dim, settings.window_pixels
    window = (side,) * dim if isinstance(side, int) else tuple(side)
    output: tuple[int, ...] = network.output_voxels(window)  # type: ignore[operator]
    lost = [(whole - kept) // 2 for whole, kept in zip(window, output, strict=True)]
    digest = hashlib.sha256((settings.sha256() + file_sha256(folder / WEIGHTS)).encode()).hexdigest()
    tiles = TileNetwork(
        (
            network.to(target, memory_format=torch.channels_last if dim == 2 else torch.channels_last_3d),  # type: ignore[call-overload]
        ),
        window=window,
        margin=tuple(
            max(margin, LEAST_MARGIN if dim == 2 else int(LEAST_SHARE * whole))
            for margin, whole in zip(lost, window, strict=True)
        ),
        types=len(settings.types) + 1 if settings.types else 0,
        mpp=settings.mpp or 0.0,
        device=target,
        dtype=dtype,
        batch=1 if device == "cpu" else GPU_BATCH,
    )
    return NucleiModel(folder, digest, tiles, settings)


def _loaded(folder: Path, settings: NucleiSettings) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(folder / WEIGHTS)
        with without_weights():
            network = build_network(settings.network)
        network.load_state_dict(state, assign=True)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(
            f"cannot load the weights {folder / WEIGHTS}",
            expected=f"weights of the network in {SETTINGS}",
            found=str(error)[:500],
            fix="copy the model folder again, complete",
        ) from error
    return network.eval().requires_grad_(False)
