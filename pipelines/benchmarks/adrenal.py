"""AdrenalMNIST3D beside the published figures: convert, then the verbs, on the official splits.

python pipelines/benchmarks/adrenal.py shared/data/adrenalmnist3d/adrenalmnist3d_64.npz --minutes 15

1,584 adrenal glands as shape masks, 229 normal and 69 abnormal ones to test on (Yang et al. 2023, Sci Data 10:41,
doi:10.1038/s41597-022-01721-8; CC BY 4.0). The published figures are for 28 voxels, the file here holds 64.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import medarch
from medarch.core.classification_evaluation import OVERALL
from medarch.core.geometry import Geometry
from medarch.io.write_volume import write_volume

NAMES = ("normal", "hyperplasia_or_mass")
PUBLISHED = {"auroc": 0.827, "accuracy": 0.721}
"""Of ResNet-18 with 3D convolutions (MedMNIST v2, table 5). Calling every case normal has accuracy 0.768."""


def main() -> None:
    """Convert, train, predict and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("npz", type=Path)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--minutes", type=float, default=15.0, help="training time")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.0f} s] {text}", flush=True)

    dataset = convert(options.npz, options.workspace / "AdrenalMNIST3D_dataset")
    say("converted")
    plan = medarch.plan(dataset, options.workspace, device=options.device, time_budget_s=60 * options.minutes)
    folder = options.workspace / plan.dataset / plan.name
    for reason in plan.reasons:
        print(f"           {reason.decision} = {reason.value}: {reason.because}")
    trained = medarch.train(folder, device=options.device)
    print((trained.folder / "validation" / "evaluation.md").read_text())
    say("trained and validated")
    predictions = folder / "predictions"
    medarch.predict(trained.model, dataset, predictions, device=options.device, restart=True)
    evaluation = medarch.evaluate(predictions, dataset)
    print((predictions / "evaluation.md").read_text())
    say(f"report: {medarch.report(folder, predictions=predictions)}")
    overall = next(summary for summary in evaluation.summaries if summary.label == OVERALL)
    for measure, published in PUBLISHED.items():
        found = overall.measures[measure]
        verdict = "at or above" if found.mean >= published else "below"
        print(f"{measure}: {found.mean:.3f} [{found.low:.3f}, {found.high:.3f}], published {published}: {verdict}")


def convert(npz: Path, folder: Path) -> Path:
    """Write the arrays as a classification dataset; a file that is there already is kept."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = ["case,label,split"]
    with np.load(npz) as arrays:
        for split in ("train", "val", "test"):
            labels = arrays[f"{split}_labels"].ravel()
            images = arrays[f"{split}_images"]
            geometry = Geometry.from_array(images.shape[1:], np.eye(4))
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                case = f"{split}_{number:04d}"
                lines.append(f"{case},{NAMES[label]},{split}")
                if not (target := folder / "images" / f"{case}.nii.gz").exists():
                    write_volume(target, (image > 0).astype(np.uint8), geometry)
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    meta = {
        "name": "AdrenalMNIST3D",
        "task": "classification",
        "channel_names": {"0": "noNorm"},
        "classes": NAMES,
        "licence": "CC BY 4.0",
    }
    (folder / "dataset.json").write_text(json.dumps(meta))
    return folder


if __name__ == "__main__":
    main()
