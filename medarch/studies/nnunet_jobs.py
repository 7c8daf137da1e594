"""nnU-Net v2 as a method: a script of ours, run by the interpreter of nnU-Net's own environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medarch.core.files import write_text
from medarch.studies.job import PREDICTIONS, Step
from medarch.studies.list_runs import PlannedRun
from medarch.studies.study_file import StudyFile

WORKER = Path(__file__).with_name("nnunet_worker.py")
FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")


def preparation_steps(run: PlannedRun, folder: Path) -> tuple[Step, ...]:
    """Link the dataset in nnU-Net's layout, plan, preprocess, and write the study's splits."""
    dataset = run.dataset.dataset
    content = _common(run, folder, results=folder) | {
        "channels": list(dataset.channels),
        "labels": dataset.labels.model_dump(mode="json"),
        "cases": {
            case.id: {
                "images": [str(path.absolute()) for path in case.images],
                "label": str(Path(case.label).absolute()),
            }
            for case in dataset.cases
            if case.label is not None
        },
        "splits": [split.model_dump(mode="json") for split in run.dataset.splits],
    }
    prepared = folder / "nnUNet_preprocessed" / content["dataset"] / "splits_final.json"
    return (_step(run, "preprocess", folder, content, product=prepared),)


def run_steps(run: PlannedRun, study: StudyFile, shared: Path) -> tuple[Step, ...]:
    """Train one fold under the budget from the start, then predict its validation cases from their files."""
    content = _common(run, shared, results=run.folder) | {
        "fold": run.fold,
        "seed": run.seed,
        "device": study.device,
        "epochs": study.budget.epochs if study.budget else None,
        "seconds": study.budget.seconds if study.budget else None,
        "cases": list(run.cases),
        "predictions": str(run.folder / PREDICTIONS),
        "facts": str(run.folder / "facts.json"),
    }
    return (
        _step(run, "train", run.folder, content, product=run.folder / "facts.json"),
        _step(run, "predict", run.folder, content),
    )


def _common(run: PlannedRun, shared: Path, *, results: Path) -> dict[str, Any]:
    method = run.method.nnunet
    assert method is not None
    places = (shared / "nnUNet_raw", shared / "nnUNet_preprocessed", results / "nnUNet_results")
    return {
        "dataset": f"Dataset001_{run.dataset.name}",
        "folders": dict(zip(FOLDERS, map(str, places), strict=True)),
        **method.model_dump(mode="json", exclude={"python"}),
    }


def _step(run: PlannedRun, name: str, folder: Path, content: dict[str, Any], product: Path | None = None) -> Step:
    assert run.method.nnunet is not None
    spec = folder / f"nnunet_{name}.json"
    write_text(spec, json.dumps(content, indent=1))
    command = (str(run.method.nnunet.python), str(WORKER), name, str(spec))
    return Step(name=name, command=command, product=product)
