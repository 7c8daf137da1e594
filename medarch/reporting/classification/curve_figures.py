"""ROC curves, precision-recall curves and the reliability diagram."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medarch.core.classification_evaluation import ClassificationEvaluation
from medarch.reporting.curve_panels import INK, drawing_style
from medarch.reporting.draw_view import colours_of
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.section import Section
from medarch.reporting.sections.training import svg_picture
from medarch.reporting.write_number import write_number

NOTE = (
    "The dashed line of the first picture is chance; those of the second are the classes’ frequencies. In the third, "
    "the nearer the points lie to the line, the more probabilities mean what they say; a dot’s size is its number of "
    "cases."
)


def curve_figures(evaluation: ClassificationEvaluation | None) -> Section:
    """Return the three pictures."""
    if evaluation is None:
        return Section("curves", "Curves", absent="no evaluation was given.")
    panels: tuple[tuple[str, Callable[[Any, ClassificationEvaluation], None]], ...] = (
        ("ROC", _roc),
        ("Precision and recall", _precision_recall),
        ("Reliability", _reliability),
    )
    with drawing_style():
        pictures = [_picture(title, draw, evaluation) for title, draw in panels]
    return Section("curves", "Curves", join(tag("div", *pictures, class_="curves"), paragraph(NOTE, class_="note")))


def _picture(
    title: str, draw: Callable[[Any, ClassificationEvaluation], None], found: ClassificationEvaluation
) -> Html:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.0, 4.0), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    draw(axes, found)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
    return svg_picture(figure, alt=title, width=384, height=384)


def _roc(axes: Any, evaluation: ClassificationEvaluation) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
    for index, summary in enumerate(evaluation.summaries[1:]):
        if summary.roc:
            label = f"{summary.label}: {write_number(summary.measures['auroc'].mean)}"
            axes.plot(*zip(*summary.roc, strict=True), color=colours_of(index)[0], label=label)
    axes.set(xlabel="1 − specificity", ylabel="sensitivity")


def _precision_recall(axes: Any, evaluation: ClassificationEvaluation) -> None:
    for index, summary in enumerate(evaluation.summaries[1:]):
        if summary.precision_recall:
            label = f"{summary.label}: {write_number(summary.measures['auprc'].mean)}"
            colour = colours_of(index)[0]
            axes.step(*zip(*summary.precision_recall, strict=True), where="pre", color=colour, label=label)
            share = (summary.counts["true_positive"] + summary.counts["false_negative"]) / len(evaluation.rows)
            axes.axhline(share, color=colour, linewidth=0.8, linestyle="--")
    axes.set(xlabel="sensitivity (recall)", ylabel="precision")


def _reliability(axes: Any, evaluation: ClassificationEvaluation) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
    filled = [each for each in evaluation.reliability if each.count]
    most = max((each.count for each in filled), default=1)
    axes.scatter(
        [each.confidence for each in filled],
        [each.frequency for each in filled],
        s=[20 + 180 * each.count / most for each in filled],
        color=colours_of(0)[0],
        alpha=0.8,
    )
    axes.set(xlabel="stated probability", ylabel="how often it was so")
