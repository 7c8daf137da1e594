"""The curves picture beside a training run."""

from __future__ import annotations

from pathlib import Path

from medarch.core.files import atomic_path
from medarch.reporting.curve_panels import PANELS, draw_panel, drawing_style
from medarch.reporting.training_log import read_training_log


def draw_curves(training_log: Path, target: Path) -> None:
    """Draw loss, validation score and learning rate over epochs as one PNG, 1500 × 450 pixels.

    Args:
        training_log: the CSV of a training run; see :func:`medarch.reporting.training_log.read_training_log`.
        target: the PNG to write, atomically.

    Raises:
        TrainingError: the log cannot be read.
    """
    log = read_training_log(training_log)
    with drawing_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12.5, 3.75), dpi=120, layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            draw_panel(axes, panel, log)
        with atomic_path(target) as temporary:
            figure.savefig(temporary, format="png")
