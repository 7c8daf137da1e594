"""How much memory a device has, by its name, and what a program takes of it before its first tensor."""

from __future__ import annotations

import re
from typing import Literal

from medarch.core.errors import UsageError
from medarch.core.plan import Device

GIB = 2**30
GPUS = {
    "t4": 16, "p100": 16, "v100-16": 16, "v100-32": 32, "gtx1080ti": 11, "rtx2080ti": 11, "rtx3060": 12, "rtx3080": 10,
    "rtx3090": 24, "rtx4070": 12, "rtx4080": 16, "rtx4090": 24, "rtx5080": 16, "rtx5090": 32, "a10": 24, "a30": 24,
    "a40": 48, "a6000": 48, "a100-40": 40, "a100-80": 80, "l4": 24, "l40s": 48, "h100": 80, "h200": 141,
}  # fmt: skip
"""GiB by the makers' data sheets."""
USABLE = 0.97
"""Share of it that a program sees: the driver and error correction take the rest."""
CONTEXT_BYTES = {"cpu": 300 * 2**20, "cuda": 900 * 2**20, "mps": 500 * 2**20}
"""What the runtime takes before the first tensor. CUDA: context, cuDNN and cuBLAS, as nnDetection budgets."""
SLACK_SHARE = {"cpu": 0.03, "cuda": 0.06, "mps": 0.10}
"""What a plan leaves free, as a share of its tensors: rounding and fragmentation of the allocator."""
_UNITS = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": GIB, "kb": 10**3, "mb": 10**6, "gb": 10**9}


def device_memory(name: str) -> Device:
    """Return a device by its name (``rtx4090``), or a CUDA device of so many bytes (``"11GiB"``), or a CPU of them.

    ``cpu`` before a size (``cpu:8GiB``) asks for the rules of a CPU.

    Raises:
        UsageError: neither a known name nor a size.
    """
    text = name.strip().lower()
    kind: Literal["cpu", "cuda"] = "cpu" if text.startswith("cpu:") else "cuda"
    known = GPUS.get(text)
    if known is not None:
        return Device(kind="cuda", name=text, memory_bytes=int(known * USABLE * GIB))
    found = re.fullmatch(r"(?:cpu:|cuda:)?([0-9.]+)\s*([a-z]*)", text)
    if found is None or found[2] not in _UNITS or not float(found[1]) > 0:
        raise UsageError(
            f"unknown device {name!r}",
            expected="cpu, " + ", ".join(GPUS) + ", or a size such as 11GiB or cpu:8GiB",
            found=name,
        )
    size = int(float(found[1]) * _UNITS[found[2]])
    return Device(kind=kind, name=f"{size / GIB:.3g} GiB", memory_bytes=size)
