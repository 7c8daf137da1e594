"""Measures over images with intervals, of all nuclei together, and of each type."""

from __future__ import annotations

from medarch.core.nuclei_evaluation import IMAGE_MEASURES, NucleiEvaluation
from medarch.reporting.interval_cell import interval_cell
from medarch.reporting.markup import Html, join, paragraph, tag
from medarch.reporting.nuclei.detection_radius import detection_radius
from medarch.reporting.nuclei.rank_images import rank_images
from medarch.reporting.section import Section
from medarch.reporting.strip import strip
from medarch.reporting.table import number_cell, table
from medarch.reporting.write_number import write_number

TITLES = {"pq": "PQ", "dq": "DQ", "sq": "SQ", "aji": "AJI", "aji_plus": "AJI+", "dice": "Dice"}


def nuclei_results(evaluation: NucleiEvaluation | None, *, calibrated_on_these: bool) -> Section:
    """Return the tables and the distribution of PQ.

    Args:
        evaluation: of the images.
        calibrated_on_these: whether the constants of separation were chosen on the same images.
    """
    if evaluation is None:
        return Section("results", "Results", absent="no evaluation was given.")
    summary = evaluation.summaries[0]
    note = (
        f"Mean over images, with the {evaluation.confidence * 100:g} % confidence interval from "
        f"{evaluation.bootstrap_samples} bootstrap samples of images; below it, all nuclei of all images together. "
        "PQ is DQ (F1 of nuclei that overlap with an IoU above one half) times SQ (the mean IoU of those). An image "
        "without nuclei in reference and result has no PQ."
    )
    if calibrated_on_these:
        note += (
            " The constants of separation were chosen on these images, so the scores are a little too good; judge a "
            "model by images of a test."
        )
    measures = [interval_cell(summary.measures[name], of="images") for name in IMAGE_MEASURES]
    pooled = [number_cell(write_number(evaluation.pooled.get(name))) for name in IMAGE_MEASURES]
    dots = [(row.case, value) for row in rank_images(evaluation) if (value := row.values.get("pq")) is not None]
    parts = [
        table(
            ["", *(TITLES[name] for name in IMAGE_MEASURES)],
            [["Mean over images", *measures], ["All nuclei together", *pooled]],
            numbers=range(1, len(IMAGE_MEASURES) + 1),
        ),
        paragraph(note, class_="note"),
        *_types(evaluation),
        tag("h3", "PQ of each image"),
        strip([("PQ", dots)], title="Distribution of PQ over images"),
    ]
    return Section("results", "Results", join(*parts))


def _types(evaluation: NucleiEvaluation) -> list[Html]:
    if not evaluation.types:
        return []
    rows = [
        [name, *(number_cell(write_number(values.get(measure)), values.get(measure)) for measure in ("pq", "f"))]
        for name, values in evaluation.types.items()
    ]
    note = (
        f"PQ of each type over all images together; its mean is mPQ+, {write_number(evaluation.multi_class_pq)}. "
        f"F_c is the F1 of centres within {detection_radius(evaluation)} that are of the right type. "
        "mPQ, over the types that an image has, is "
        f"{write_number(evaluation.multi_class_pq_per_image)}; {evaluation.spurious_of_absent_types} nuclei of types "
        "that their image has not do not count in it."
    )
    return [
        tag("h3", "Each type"),
        table(["Type", "PQ", "F_c"], rows, numbers=(1, 2)),
        paragraph(note, class_="note"),
    ]
