"""The device at hand: what it is and how much memory a run may use."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from medarch.core.errors import UsageError
from medarch.core.plan import Device, Precision

KINDS = ("auto", "cpu", "cuda", "mps")


def detect_device(kind: str = "auto") -> Device:
    """Return the best device of this machine, or the one asked for.

    Raises:
        UsageError: this machine has no such device.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown device {kind!r}", expected=", ".join(KINDS), found=kind)
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(
                "no CUDA device",
                expected="a GPU that this torch can use",
                found=f"torch {torch.__version__}",
                fix="use --device cpu, or install a CUDA build of torch and the driver",
            )
        free, _ = torch.cuda.mem_get_info()
        return Device(kind="cuda", name=torch.cuda.get_device_name(), memory_bytes=free)
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise UsageError("no MPS device", expected="an Apple GPU", found=platform.machine(), fix="use --device cpu")
        return Device(kind="mps", name="Apple GPU", memory_bytes=torch.mps.recommended_max_memory())
    return Device(kind="cpu", name=_processor(), memory_bytes=_available_memory())


def training_precision(device: Device) -> Precision:
    """The fastest precision that trains as well as float32 there."""
    if device.kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.kind == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return "bf16"
    return "float32"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()}, {torch.get_num_threads()} threads"
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def _available_memory() -> int:
    """Free memory of the machine, or what is left of the container's limit if that is less."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return 8 * 2**30
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return free
