"""Where the network looked in the worst, the middle and the best cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medarch.core.classification_evaluation import CaseJudgement, ClassificationEvaluation
from medarch.core.errors import MedarchError
from medarch.core.labels import LabelScheme
from medarch.core.plan import Plan
from medarch.reporting.choose_view import Plane, View
from medarch.reporting.classification.draw_saliency import brightest_view, draw_saliency
from medarch.reporting.classification.rank_cases import rank_cases
from medarch.reporting.display_case import DisplayCase, load_display_case
from medarch.reporting.draw_view import PIXELS, draw_view
from medarch.reporting.image_tag import image_tag
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.outline_switch import outline_switch
from medarch.reporting.section import Section
from medarch.reporting.worst_middle_best import worst_middle_best
from medarch.reporting.write_number import write_number

NOTHING = LabelScheme(labels={"background": 0})
NOTE = (
    "Grad-CAM: the brighter, the more a place speaks for the decided class. Slices go through the brightest place. It "
    "shows where the network looked, coarsely, not why. Radiological orientation; letters name the sides."
)


def saliency_examples(
    evaluation: ClassificationEvaluation | None,
    plan: Plan,
    *,
    images: Mapping[str, Path],
    saliency: Mapping[str, Path],
) -> Section:
    """Return slices of up to seven cases, worst first."""
    shown = [] if evaluation is None else [row for row in rank_cases(evaluation) if row.case in saliency]
    shown = [row for row in shown if row.case in images]
    if not shown:
        return Section("examples", "Where the network looked", absent="no image with a saliency map was given.")
    figures = [
        _example(heading, row, images[row.case], saliency[row.case]) for heading, row in worst_middle_best(shown)
    ]
    note = paragraph(f"{NOTE} Channel {plan.channels[0]}.", class_="note")
    return Section(
        "examples",
        "Where the network looked",
        join(note, tag("div", outline_switch("show saliency"), class_="legend"), *figures),
    )


def _example(heading: str, row: CaseJudgement, image: Path, saliency: Path) -> Html:
    title = tag("h3", f"{heading}: ", row.case)
    shares = ", ".join(f"{name} {write_number(share)}" for name, share in row.probabilities.items())
    truth, decided = ", ".join(row.truth) or "none", ", ".join(row.decided) or "none"
    text = paragraph(f"Is {truth}; decided {decided}. {shares}.", class_="note")
    try:
        loaded = load_display_case(image, reference=None, prediction=saliency)
    except MedarchError as error:
        # One damaged file must not cost the whole report.
        return tag("article", title, text, paragraph(f"Not shown: {error}", class_="alarm"), class_="case")
    view = brightest_view(loaded)
    figures = [_figure(loaded, view, plane, row.case) for plane in view.planes(loaded)]
    return tag("article", title, text, tag("div", *figures, class_="views"), class_="case")


def _figure(case: DisplayCase, view: View, plane: Plane, name: str) -> Html:
    told = f"{plane.name}, slice {case.file_slice(plane.normal, view.indices[plane.normal])}"
    grey = draw_view(case, view, plane, labels=NOTHING).image
    over = draw_saliency(case, view, plane)
    pictures = [
        image_tag(grey, alt=f"{name}, {told}", width=PIXELS, height=PIXELS),
        image_tag(over, alt="", class_="outline", width=PIXELS, height=PIXELS),
    ]
    return tag("figure", tag("div", *pictures), tag("figcaption", told), class_="view")
