"""The picture of where the memory of a step is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medarch.core.files import atomic_path
from medarch.reporting.curve_panels import drawing_style

if TYPE_CHECKING:
    from medarch.planning.memory.memory_prediction import MemoryPrediction

GIB = 2**30
COLOURS = {
    "parameters": "#1f3b57",
    "gradients": "#3c7a89",
    "optimiser": "#74b3a5",
    "batch": "#8d8d8d",
    "saved": "#e07a3f",
    "temporary": "#f2c14e",
    "workspace": "#c9c2b8",
    "context": "#5d5d66",
    "slack": "#e3e3e6",
}
WORDS = {
    "optimiser": "optimiser, averaged weights",
    "saved": "kept for the backward pass",
    "temporary": "temporary",
    "workspace": "kernel workspace",
}


def draw_memory(found: MemoryPrediction, target: Path, *, title: str, limit_bytes: int | None = None) -> None:
    """Draw one bar for the whole and one for each part of the network, 1500 pixels wide.

    Args:
        found: the prediction.
        target: the picture to write, atomically; its suffix says the format.
        title: what was predicted.
        limit_bytes: memory of the device, drawn as a line.
    """
    rows = found.grouped()
    with drawing_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12.5, 1.9 + 0.24 * len(rows)), dpi=120, layout="constrained")
        whole, parts = figure.subplots(2, 1, height_ratios=[1, 0.4 * len(rows) + 1])
        _bar(whole, 0, found.parts | {"context": found.context_bytes, "slack": found.slack_bytes}, labelled=True)
        if limit_bytes is not None and limit_bytes < 3 * found.bytes:
            whole.axvline(limit_bytes / GIB, color="#b3261e", linewidth=1.5, label="the device has")
        whole.set(yticks=[], title=f"{title}: {found.bytes / GIB:.2f} GiB")
        whole.legend(ncols=5, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.35))
        for place, row in enumerate(rows):
            _bar(parts, place, row.parts, labelled=False)
        parts.set_yticks(range(len(rows)), [row.layer for row in rows], fontsize=8)
        parts.invert_yaxis()
        parts.set_xlabel("GiB at the moment when the step takes most")
        with atomic_path(target) as temporary:
            figure.savefig(temporary, format=target.suffix.lstrip(".") or "png")


def _bar(axes: object, place: int, parts: dict[str, int], *, labelled: bool) -> None:
    left = 0.0
    for kind, colour in COLOURS.items():
        width = parts.get(kind, 0) / GIB
        if width:
            label = WORDS.get(kind, kind) if labelled else None
            axes.barh(place, width, left=left, color=colour, label=label, height=0.8)  # type: ignore[attr-defined]
            left += width
