"""What a user should know before trusting the nuclei of a slide."""

from __future__ import annotations

from medarch.inference.nuclei.find_nuclei import FoundNuclei
from medarch.inference.nuclei.separate_chunk import LARGEST_COMPONENT
from medarch.preprocessing.slides.slide_view import SlideView
from medarch.preprocessing.slides.tissue_mask import TissueMask

GREEN_LEAD = 1.15
"""H&E absorbs green most. Of 91 H&E fields (80 of dsb2018, 10 of NuCLS, one HGSC) tissue absorbs it at least 1.31 times
as strongly as the stronger of red and blue; a DAB stain 0.74 times, grey pictures once."""
POWER_MPP = 10.0
"""Micrometres a pixel times objective power, about, where both are stated."""
_POWER_RANGE = (0.4, 2.5)
COARSE = 1.5
"""Pixels of the slide that are this much larger than the model's cost accuracy."""


def slide_warnings(view: SlideView, tissue: TissueMask, found: FoundNuclei, model_mpp: float) -> tuple[str, ...]:
    """Say what makes the result doubtful."""
    warnings = []
    slide = view.slide
    if not tissue.area_mm2:
        warnings.append("no tissue found: nothing is darker than glass, and nothing was looked at")
    else:
        red, green, blue = tissue.colour.tolist()
        if green < GREEN_LEAD * max(red, blue):
            warnings.append(
                f"not stained like H&E: mean optical density of the tissue is {red:.2f} red, {green:.2f} green, "
                f"{blue:.2f} blue, and H&E absorbs green most; a model of H&E is not to be trusted here"
            )
    if tissue.area_mm2 and not found.count:
        warnings.append("tissue, but not a single nucleus: is this the stain and scale the model was trained on?")
    if slide.mpp > model_mpp * COARSE:
        warnings.append(
            f"the slide's finest pixels are {slide.mpp:.3g} µm, the model was trained at {model_mpp:.3g}: they were "
            "enlarged, which adds no detail, and small nuclei may be lost"
        )
    if slide.power is not None and not _POWER_RANGE[0] <= slide.mpp * slide.power / POWER_MPP <= _POWER_RANGE[1]:
        warnings.append(
            f"pixel size {slide.mpp:.3g} µm and power {slide.power:g}× do not go together: check the pixel size"
        )
    if found.cut:
        warnings.append(
            f"{found.cut} nuclei lie at the border of a square of {LARGEST_COMPONENT} pixels by which foreground "
            "without gaps was divided: is the model right for this slide?"
        )
    return tuple(warnings)
