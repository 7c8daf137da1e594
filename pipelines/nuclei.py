"""The story of nuclei on slides: take a model, find nuclei, see what was found.

python pipelines/nuclei.py SLIDES OUTPUT --checkpoint CHECKPOINT.tar --types neoplastic inflammatory
python pipelines/nuclei.py SLIDES OUTPUT --model MODEL [--mpp 0.25]

SLIDES: a slide, a picture, or a folder of them; see docs/nuclei.md. A checkpoint of HoVerNet's authors or of TIAToolbox
becomes a model folder first.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import medarch
from medarch import api
from medarch.io.nuclei.slide_summary import SlideSummary


def main() -> None:
    """Find the nuclei of all slides and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", type=Path)
    parser.add_argument("output", type=Path)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", type=Path)
    source.add_argument("--checkpoint", type=Path)
    parser.add_argument("--types", nargs="*", default=[], help="names of the checkpoint's types, in their order")
    parser.add_argument("--mode", choices=("fast", "original"), default="fast", help="of the checkpoint")
    parser.add_argument("--mpp", type=float, help="micrometres a pixel, where the slides do not state it")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    model = options.model
    if model is None:
        model = options.output / "model"
        settings = api.import_hovernet(options.checkpoint, model, types=options.types, mode=options.mode)
        print(
            f"model: {settings.network.architecture} at {settings.mpp} µm, types {', '.join(settings.types) or 'none'}"
        )

    found = options.output / "nuclei"
    prediction = medarch.predict(model, options.slides, found, mpp=options.mpp, device=options.device)
    for case in prediction.cases:
        if case.status == "failed":
            print(f"{case.case}: {case.error}")
            continue
        summary = SlideSummary.load(found / case.case / "summary.json")
        counts = ", ".join(f"{count} {name}" for name, count in summary.classes.items())
        print(f"{case.case}: {counts} on {summary.tissue_mm2:.2f} mm² of tissue, {case.seconds:.0f} s")
        for warning in summary.warnings:
            print(f"  {warning}")
    print(f"open {found}/SLIDE/nuclei.geojson with the slide in QuPath, or look at overlay.png and detail.png")


if __name__ == "__main__":
    main()
