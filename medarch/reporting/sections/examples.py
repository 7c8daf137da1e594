"""Slices of the worst, the middle and the best cases with what was drawn by hand and what was predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medarch.core.errors import MedarchError
from medarch.core.labels import LabelScheme
from medarch.core.plan import Plan
from medarch.reporting.case_scores import CaseScore
from medarch.reporting.choose_view import Plane, View, choose_view
from medarch.reporting.display_case import DisplayCase, load_display_case
from medarch.reporting.draw_view import PIXELS, colours_of, draw_view, grey_window
from medarch.reporting.image_tag import image_tag
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.outline_switch import outline_switch
from medarch.reporting.section import Section
from medarch.reporting.worst_middle_best import EDGE_CASES, MOST_SHOWN, worst_middle_best
from medarch.reporting.write_number import write_number

TILT_TOLD_DEGREES = 2.0
"""A grid tilted further than this is mentioned."""


@dataclass(frozen=True)
class Example:
    """A case to show."""

    case: str
    heading: str = ""
    score: CaseScore | None = None
    prefer_error: bool = False
    """Cut where it is wrong rather than where the structures are largest."""


def examples_section(
    plan: Plan,
    scores: Sequence[CaseScore],
    *,
    images: Mapping[str, Path],
    references: Mapping[str, Path],
    predictions: Mapping[str, Path],
) -> Section:
    """Return slices of up to seven cases, worst first."""
    shown = [case for case in images if case in references or case in predictions]
    if not shown:
        return Section("examples", "Example slices", absent="no image with a reference or a prediction was given.")
    examples = _choose(scores, shown)
    figures = [_example(e, plan, images[e.case], references.get(e.case), predictions.get(e.case)) for e in examples]
    told = (
        "Radiological orientation: the patient’s right (R) is on the left of the picture, front (A) or head (S) is up; "
        "letters name the side they stand at. The three planes of a case have one scale, in millimetres. Slices are "
        "numbered from 0 along the axes of the file."
    )
    return Section("examples", "Example slices", join(paragraph(told, class_="note"), _legend(plan.labels), *figures))


def _choose(scores: Sequence[CaseScore], shown: Sequence[str]) -> list[Example]:
    """Three worst, the median, three best; every case when there are no more than that."""
    ranked = [score for score in scores if score.case in shown and (score.failed or score.dsc is not None)]
    if not ranked:
        return [Example(case) for case in sorted(shown)[:MOST_SHOWN]]
    worst = {score.case for score in (ranked if len(ranked) <= MOST_SHOWN else ranked[:EDGE_CASES])}
    return [Example(s.case, heading, s, prefer_error=s.case in worst) for heading, s in worst_middle_best(ranked)]


def _example(example: Example, plan: Plan, image: Path, reference: Path | None, prediction: Path | None) -> Html:
    title = tag("h3", f"{example.heading}: " if example.heading else "", example.case)
    text = paragraph(_scores(example.score), class_="note") if example.score else Html()
    try:
        loaded = load_display_case(image, reference=reference, prediction=prediction)
    except MedarchError as error:
        # One damaged file must not cost the whole report.
        return tag("article", title, text, paragraph(f"Not shown: {error}", class_="alarm"), class_="case")
    ignore = plan.labels.ignore_value
    view = choose_view(loaded, ignore=ignore, prefer_error=example.prefer_error)
    figures = [_figure(loaded, view, plane, plan.labels, example.case) for plane in view.planes(loaded)]
    return tag(
        "article", title, text, tag("div", *figures, class_="views"), _remarks(loaded, view, plan), class_="case"
    )


def _scores(score: CaseScore) -> str:
    classes = [f"{row.label} {write_number(row.values.get('dsc'))}" for row in score.rows]
    return ", ".join([f"DSC: foreground {write_number(score.dsc)}", *classes, *score.troubles])


def _remarks(case: DisplayCase, view: View, plan: Plan) -> Html:
    black, white = grey_window(case, view)
    where = "most voxels are wrong" if view.by_error else "the structures are largest"
    remarks = [f"Cut where {where}. Channel {plan.channels[0]}, black {black:.4g}, white {white:.4g}."]
    if case.reference is None:
        remarks.append("There is no reference.")
    if case.prediction is None:
        remarks.append("There is no prediction.")
    if case.tilt_degrees > TILT_TOLD_DEGREES:
        remarks.append(f"The grid is tilted {case.tilt_degrees:.0f}° against the patient; letters are the closest.")
    return paragraph(" ".join(remarks), class_="note")


def _figure(case: DisplayCase, view: View, plane: Plane, labels: LabelScheme, name: str) -> Html:
    picture = draw_view(case, view, plane, labels=labels)
    told = f"{plane.name}, slice {case.file_slice(plane.normal, view.indices[plane.normal])}"
    return tag(
        "figure",
        tag(
            "div",
            image_tag(
                picture.image,
                alt=f"{name}, {told}, {plane.left} on the left, {plane.top} at the top",
                width=PIXELS,
                height=PIXELS,
            ),
            image_tag(picture.outlines, alt="", class_="outline", width=PIXELS, height=PIXELS),
        ),
        tag("figcaption", told),
        class_="view",
    )


def _legend(labels: LabelScheme) -> Html:
    entries = [tag("span", _swatch(*colours_of(index)), name) for index, name in enumerate(labels.foreground_names)]
    lines = tag("span", "solid: reference, dashed: prediction")
    return tag("div", *entries, lines, outline_switch("show outlines"), class_="legend")


def _swatch(reference: str, prediction: str) -> Html:
    line = {"x1": 4, "x2": 40}
    return tag(
        "svg",
        tag("line", **line, y1=6, y2=6, stroke=reference, stroke_width=2.5),
        tag("line", **line, y1=14, y2=14, stroke=prediction, stroke_width=2, stroke_dasharray="6 4"),
        width=44,
        height=20,
        aria_hidden="true",
    )
