"""The training curves: what is drawn in which panel, once for the picture and once for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

INK = "#2b323b"
"""Colour of text and axes."""


@dataclass(frozen=True)
class Curve:
    """One column of the log."""

    column: str
    label: str
    colour: str
    width: float = 1.6


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    curves: tuple[Curve, ...]


# Okabe and Ito's colours (2008), distinct to colour-blind readers.
PANELS = (
    Panel("Loss", (Curve("train_loss", "training", "#3f8fc9"), Curve("validation_loss", "validation", "#d55e00"))),
    Panel(
        "Validation score",
        (Curve("validation_score", "each epoch", "#8fbfae", 1.0), Curve("smoothed_score", "smoothed", "#009e73", 2.2)),
    ),
    Panel("Learning rate", (Curve("learning_rate", "", "#b0699a"),)),
)


def draw_panel(axes: Any, panel: Panel, log: Mapping[str, np.ndarray]) -> None:
    """Draw one panel on matplotlib axes; a column without a number is left out."""
    import numpy as np

    for curve in panel.curves:
        values = log[curve.column]
        known = np.isfinite(values)
        if not known.any():
            continue
        # A gap in a column is bridged: validation may run only every few epochs.
        few = known.sum() < 20
        axes.plot(
            log["epoch"][known],
            values[known],
            color=curve.colour,
            linewidth=curve.width,
            marker="o" if few else None,
            markersize=3,
            label=curve.label,
        )
    axes.set_title(panel.title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if not axes.lines:
        axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", color=INK)
    elif len(panel.curves) > 1:
        axes.legend(frameon=False, fontsize=9)


@contextmanager
def drawing_style() -> Iterator[None]:
    """Matplotlib's settings for every figure here, undone at the end."""
    import matplotlib

    settings = dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"), INK
    )
    with matplotlib.rc_context({**settings, "svg.fonttype": "none", "svg.hashsalt": "medarch", "font.size": 9.5}):
        yield
