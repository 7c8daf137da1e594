"""Training under one wall-clock: medarch's auto plan against nnU-Net's default trainer, hippocampus fold 0.

    python pipelines/benchmarks/train_budget.py --minutes 15

Same cases, same split, same seconds of training on this machine, one after the other with nothing beside them.
Preprocessing and the prediction of the 52 validation cases lie outside the budget on both sides. nnU-Net's schedule is
fitted to the budget (peer_train.py). Both folders of predictions are measured by the same code. "Time
to 0.80" is read from each side's own online score on random validation patches.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from peer import REPOSITORY, find_peer, measure, peer_environment
from plan_preprocess import PEER_NAME, link_raw

from medarch.evaluation.evaluate import evaluate

GOAL = 0.80
Result = dict[str, float | None]


def main() -> None:
    options = parse_arguments()
    peer = find_peer(options.peer_python)
    scratch = options.scratch or Path(tempfile.mkdtemp(prefix="train_budget-"))
    scratch.mkdir(parents=True, exist_ok=True)
    print(f"{len(os.sched_getaffinity(0))} cores, {options.minutes:g} minutes of training each, folder {scratch}")
    ours = kept(scratch, "medarch", lambda: run_ours(options.dataset, scratch, options.minutes))
    theirs = kept(scratch, "nnunet", lambda: run_theirs(peer, options.dataset, scratch, options.minutes))
    print(f"\n{'':<44}{'medarch auto':>16}{'nnU-Net':>16}")
    for label, key, form in (
        ("mean foreground DSC, 52 validation cases", "dsc", ".4f"),
        ("worst case", "worst", ".4f"),
        ("optimiser steps", "steps", ".0f"),
        ("seconds to online score 0.80", "to_goal", ".0f"),
        ("seconds to predict the validation cases", "predict_s", ".0f"),
    ):
        print(f"{label:<44}{_cell(ours[key], form):>16}{_cell(theirs[key], form):>16}")
    print(json.dumps({"medarch": ours, "nnunet": theirs}))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=REPOSITORY.parent / "shared/data/Task04_Hippocampus")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--scratch", type=Path, help="folder to keep everything in; finished halves are not run again")
    return parser.parse_args()


def kept(scratch: Path, name: str, run: Callable[[], Result]) -> Result:
    """Run one half, or take what an earlier call kept of it."""
    record = scratch / f"{name}.json"
    if not record.exists():
        record.write_text(json.dumps(run()))
    found: Result = json.loads(record.read_text())
    return found


def run_ours(dataset: Path, scratch: Path, minutes: float) -> Result:
    program = Path(sys.executable).parent / "medarch"
    workspace = scratch / "medarch"
    measure([program, "plan", dataset, "-w", workspace, "-t", f"{minutes * 60:.0f}s"], log=scratch / "plan.log")
    folder = next(workspace.glob("*/auto"))
    measure([program, "preprocess", folder], log=scratch / "preprocess.log")
    measure([program, "train", folder, "--fold", "0", "--no-validate"], log=scratch / "train.log")
    predicting = measure([program, "train", folder, "--fold", "0"], log=scratch / "validate.log")
    run = next(folder.glob("*/fold_0"))
    with (run / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    curve = [(float(row["seconds"]), float(row["validation_score"])) for row in rows]
    return score(run / "validation", dataset) | {
        "steps": float(rows[-1]["iteration"]),
        "to_goal": to_goal(curve),
        "predict_s": predicting.wall_s,
    }


def run_theirs(peer: Path, dataset: Path, scratch: Path, minutes: float) -> Result:
    environment = peer_environment(scratch)
    if not (scratch / "nnUNet_raw" / PEER_NAME).exists():
        link_raw(dataset, scratch / "nnUNet_raw" / PEER_NAME)
        prepare = ["-d", "4", "-c", "3d_fullres", "-npfp", "2", "-np", "2"]
        measure(
            [peer.parent / "nnUNetv2_plan_and_preprocess", *prepare],
            log=scratch / "nnunet_prepare.log",
            env=environment,
        )
    script = Path(__file__).parent / "peer_train.py"
    command = [peer, script, PEER_NAME, "3d_fullres", "0", str(minutes * 60)]
    measure(command, log=scratch / "nnunet_train.log", env=environment)
    run = scratch / "nnUNet_results" / PEER_NAME / "nnUNetTrainer__nnUNetPlans__3d_fullres" / "fold_0"
    curve = json.loads((run / "curve.json").read_text())
    started, ended = (run / name for name in ("checkpoint_final.pth", "validation/summary.json"))
    return score(run / "validation", dataset) | {
        "steps": float(curve[-1]["steps"]),
        "to_goal": to_goal([(row["seconds"], row["score"]) for row in curve]),
        "predict_s": ended.stat().st_mtime - started.stat().st_mtime,
    }


def score(predictions: Path, dataset: Path) -> Result:
    """Measure a folder of predictions with one yardstick for both sides."""
    labels = json.loads((dataset / "dataset.json").read_text())["labels"]
    names = {name: int(value) for value, name in labels.items()}
    cases = sorted(path.name.removesuffix(".nii.gz") for path in predictions.glob("*.nii.gz"))
    from medarch.core.labels import LabelScheme

    result = evaluate(predictions, dataset / "labelsTr", labels=LabelScheme(labels=names), cases=cases)
    by_case: dict[str, list[float]] = {}
    for row in result.rows:
        by_case.setdefault(row.case, []).append(row.values["dsc"] or 0.0)
    worst = min(sum(values) / len(values) for values in by_case.values())
    return {"dsc": result.mean(), "worst": worst, "cases": float(len(cases))}


def to_goal(curve: list[tuple[float, float]]) -> float | None:
    """Seconds until the online score first reached the goal."""
    return next((seconds for seconds, value in curve if value >= GOAL), None)


def _cell(value: float | None, form: str) -> str:
    return "never" if value is None else format(value, form)


if __name__ == "__main__":
    main()
