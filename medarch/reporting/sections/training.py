"""Training curves."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

from medarch.reporting.curve_panels import INK, PANELS, Panel, draw_panel, drawing_style
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.section import Section
from medarch.reporting.training_log import read_training_log
from medarch.reporting.write_number import write_number

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

THEME = (
    f"<style>svg{{color:{INK}}}@media (prefers-color-scheme:dark){{svg{{color:#dfe4ea}}}}"
    "@media print{svg{color:#000}}</style>"
)


def training_section(training_log: Path | None) -> Section:
    """Return loss, score and learning rate over epochs.

    Raises:
        TrainingError: the log cannot be read.
    """
    if training_log is None:
        return Section("training", "Training", absent="no training log was given.")
    import numpy as np

    log = read_training_log(training_log)
    epochs, score = len(log["epoch"]), log["smoothed_score"]
    text = f"{epochs} epochs."
    if np.isfinite(score).any():
        best = int(np.nanargmax(score))
        text += f" Best smoothed validation score {write_number(score[best])}, in epoch {log['epoch'][best]:g}."
    with drawing_style():
        pictures = [_picture(panel, log) for panel in PANELS]
    return Section("training", "Training", join(paragraph(text), tag("div", *pictures, class_="curves")))


def _picture(panel: Panel, log: dict[str, np.ndarray]) -> Html:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.0, 3.0), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    draw_panel(axes, panel, log)
    return svg_picture(figure, alt=f"{panel.title} over epochs", width=384, height=288)


def svg_picture(figure: Figure, *, alt: str, width: int, height: int) -> Html:
    """Return a figure as an SVG picture whose ink follows light and dark."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    drawing = stream.getvalue().replace(INK, "currentColor").replace("<defs>", THEME + "<defs>", 1)
    source = "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()
    return tag("img", src=source, alt=alt, width=width, height=height)
