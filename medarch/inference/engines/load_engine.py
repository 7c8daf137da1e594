"""Engines by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from medarch.core.errors import UsageError
from medarch.inference.engines.engine import Engine
from medarch.inference.engines.torch_engine import TorchEngine


def load_engine(name: str, network: nn.Module, device: torch.device) -> Engine:
    """Make an engine of a float32 network in evaluation mode.

    Args:
        name: one of :data:`ENGINES`.
        network: stays as it is.
        device: where tiles will lie.

    Raises:
        UsageError: there is no such engine, or not on this machine.
    """
    if name not in ENGINES:
        raise UsageError(f"unknown engine {name!r}", expected=", ".join(ENGINES), found=name)
    entry = ENGINES[name]
    missing = entry.missing(device)
    if missing:
        usable = [other for other in ENGINES if not ENGINES[other].missing(device)]
        raise UsageError(f"no engine {name} here: {missing}", expected=", ".join(usable), found=name)
    return entry.make(name, network, device)


def default_engine(device: torch.device, *, precision: str = "auto") -> str:
    """The engine that is taken without a measurement: torch, in the fastest precision asked for and computed here.

    Args:
        device: where tiles will lie.
        precision: ``float32``, ``bf16``, ``fp16`` or ``auto``: fp16 on CUDA, bf16 on a CPU that multiplies it.
    """
    if precision == "float32":
        return "channels_last"
    if precision in ("bf16", "fp16"):
        return precision
    if device.type == "cuda":
        return "fp16"
    return "bf16" if device.type == "cpu" and multiplies_bf16(device) else "channels_last"


def multiplies_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there. Elsewhere it is computed, but by way of float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


@dataclass(frozen=True)
class _Entry:
    make: Callable[[str, nn.Module, torch.device], Engine]
    missing: Callable[[torch.device], str]
    """What keeps the engine from running on a device; empty if nothing."""


def _nothing(device: torch.device) -> str:
    return ""


def _fp16_missing(device: torch.device) -> str:
    return "float16 is for CUDA and MPS" if device.type == "cpu" else ""


def _torch(dtype: torch.dtype, *, channels_last: bool = True) -> Callable[[str, nn.Module, torch.device], Engine]:
    return functools.partial(TorchEngine.of, dtype=dtype, channels_last=channels_last)


ENGINES = {
    "eager": _Entry(_torch(torch.float32, channels_last=False), _nothing),
    "channels_last": _Entry(_torch(torch.float32), _nothing),
    "bf16": _Entry(_torch(torch.bfloat16), _nothing),
    "fp16": _Entry(_torch(torch.float16), _fp16_missing),
}
"""Name → how to make it. Another engine is one entry here."""
