"""Engines by name."""

from __future__ import annotations

import functools
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from medarch.core.errors import UsageError
from medarch.inference.engines.compiled_engine import CompiledEngine
from medarch.inference.engines.engine import Engine
from medarch.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from medarch.inference.engines.openvino_engine import OpenVinoEngine
from medarch.inference.engines.torch_engine import TorchEngine

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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
    """The engine that is taken without a measurement: torch.

    Args:
        device: where tiles will lie.
        precision: ``float32``, ``bf16``, ``fp16`` or ``auto``: fp16 on CUDA, as nnU-Net has it, else float32. A CPU may
            be twice as fast in bf16, but whether a network's labels stay the same has to be looked at.
    """
    if precision in ("bf16", "fp16"):
        return precision
    return "fp16" if precision == "auto" and device.type == "cuda" else "channels_last"


def multiplies_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there. Elsewhere it is computed, but by way of float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


@dataclass(frozen=True)
class EngineEntry:
    """How to make an engine, and what it needs."""

    make: Callable[[str, nn.Module, torch.device], Engine]
    compute: torch.dtype
    """What it multiplies in."""
    missing: Callable[[torch.device], str]
    """What keeps it from running on a device; empty if nothing."""
    preparation_s: float
    """About how long it takes until the first tile is done, for a network of 20 convolutions on two cores."""


def _torch(compute: torch.dtype, *, channels_last: bool = True) -> EngineEntry:
    def missing(device: torch.device) -> str:
        return "float16 is for CUDA and MPS" if compute == torch.float16 and device.type == "cpu" else ""

    make = functools.partial(TorchEngine.of, dtype=compute, channels_last=channels_last)
    return EngineEntry(make, compute, missing, preparation_s=0.1)


def _compiled(compute: torch.dtype) -> EngineEntry:
    def missing(device: torch.device) -> str:
        if compute == torch.float16 and device.type != "cuda":
            return "float16 is compiled for CUDA only"
        if device.type == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
            return "torch.compile needs a C++ compiler"
        return "" if device.type in ("cpu", "cuda") else "torch.compile is for CPU and CUDA"

    return EngineEntry(functools.partial(CompiledEngine.of, dtype=compute), compute, missing, preparation_s=60)


def _openvino(compute: torch.dtype) -> EngineEntry:
    make = functools.partial(OpenVinoEngine, compute=compute)
    return EngineEntry(make, compute, functools.partial(_package_missing, "openvino"), preparation_s=10)


def _package_missing(package: str, device: torch.device) -> str:
    if device.type != "cpu":
        return f"{package} is used on CPUs only"
    needed = {"openvino": ("openvino",), "onnxruntime": ("onnxruntime", "onnx", "onnxscript")}[package]
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(absent)} (pip install 'medarch[{package}]')" if absent else ""


ENGINES: dict[str, EngineEntry] = {
    "eager": _torch(torch.float32, channels_last=False),
    "channels_last": _torch(torch.float32),
    "bf16": _torch(torch.bfloat16),
    "fp16": _torch(torch.float16),
    "compile": _compiled(torch.float32),
    "compile_bf16": _compiled(torch.bfloat16),
    "compile_fp16": _compiled(torch.float16),
    "openvino": _openvino(torch.float32),
    "openvino_bf16": _openvino(torch.bfloat16),
    "onnxruntime": EngineEntry(
        OnnxRuntimeEngine, torch.float32, functools.partial(_package_missing, "onnxruntime"), preparation_s=10
    ),
}
"""Name → how to make it. Another engine is one entry here."""
