"""A medarch plan as a method: ``medarch plan`` and ``preprocess`` once, then ``train`` and ``predict`` a run."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from medarch.core.dataset import Case
from medarch.core.files import write_text
from medarch.core.plan import Plan
from medarch.core.workspace import Workspace
from medarch.planning.split_file import save_splits
from medarch.studies.job import PREDICTIONS, Step
from medarch.studies.list_runs import PlannedRun
from medarch.studies.study_file import StudyFile

MEDARCH = (sys.executable, "-c", "from medarch.cli import main; main()")


def preparation_steps(run: PlannedRun, study: StudyFile, folder: Path, cpus: int) -> tuple[Step, ...]:
    """Plan and prepare all cases in ``folder/workspace``."""
    method = run.method
    room = Workspace(folder / "workspace", run.dataset.dataset.name)
    changes = list(method.changes)
    if method.architecture is not None:
        write_text(folder / "architecture.yaml", f"network:\n  architecture: {method.architecture}\n")
        changes.append(folder / "architecture.yaml")
    plan = [*MEDARCH, "plan", run.dataset.entry.path, "--workspace", room.root, "--preset", method.plan,
            "--name", method.name, "--device", study.device, "--workers", cpus]  # fmt: skip
    if method.memory_gb is not None:
        plan += ["--memory", str(method.memory_gb)]
    for path in changes:
        plan += ["--with", path]
    for code in run.dataset.entry.waive:
        plan += ["--waive", code]
    if study.budget is not None and study.budget.seconds is not None:
        plan += ["--time-budget", f"{study.budget.seconds}s"]
    prepare = [*MEDARCH, "preprocess", room.plan_folder(method.name), "--workers", cpus]
    if method.configuration is not None:
        prepare += ["--configuration", method.configuration]
    return (
        Step(name="plan", command=_words(plan), product=room.plan_file(method.name)),
        Step(name="preprocess", command=_words(prepare), product=room.prepared),
    )


def run_steps(run: PlannedRun, study: StudyFile, shared: Path, cpus: int) -> tuple[Step, ...]:
    """Train one fold in the run's own workspace, then predict its validation cases from their files.

    The workspace is the run's own, so that no two runs write one model folder; the prepared cases are linked.
    """
    source = Workspace(shared / "workspace", run.dataset.dataset.name)
    room = Workspace(run.folder / "workspace", run.dataset.dataset.name)
    _link_workspace(run, source, room)
    plan = room.plan_folder(run.method.name)
    configuration = run.method.configuration or Plan.load(plan / "plan.json").default
    device = ["--device", study.device]
    train = [*MEDARCH, "train", plan, "--configuration", configuration, "--fold", run.fold, "--seed", run.seed,
             *device, "--workers", cpus, "--no-validate"]  # fmt: skip
    if study.budget is not None and study.budget.epochs is not None:
        train += ["--epochs", study.budget.epochs]
    elif study.budget is not None:
        train += ["--time-budget", f"{study.budget.seconds}s"]
    manifest = run.folder / "validation.json"
    cases = [run.dataset.dataset.case(case) for case in run.cases]
    names = run.dataset.dataset.channels
    write_text(manifest, json.dumps({"channels": list(names), "cases": [_row(case, names) for case in cases]}))
    model = plan / configuration / "model"
    predict = [*MEDARCH, "predict", model, manifest, run.folder / PREDICTIONS, *device]
    return (
        Step(name="train", command=_words(train), product=model / "model.json", goes_on=True),
        Step(name="predict", command=_words(predict), goes_on=True),
    )


def _row(case: Case, channels: tuple[str, ...]) -> dict[str, str]:
    images = [str(path.absolute()) for path in case.images]
    if len(images) == 1:
        return {"id": case.id, "image": images[0]}
    return {"id": case.id} | {f"image_{name}": path for name, path in zip(channels, images, strict=True)}


def _link_workspace(run: PlannedRun, source: Workspace, room: Workspace) -> None:
    room.folder.mkdir(parents=True, exist_ok=True)
    for target in (source.dataset_file, source.fingerprint_file, source.prepared):
        link = room.folder / target.name
        if not link.is_symlink():
            link.symlink_to(target)
    save_splits(run.dataset.splits, room.splits_file)
    target = room.plan_file(run.method.name)
    target.parent.mkdir(exist_ok=True)
    if not target.exists():
        shutil.copyfile(source.plan_file(run.method.name), target)


def _words(command: Sequence[object]) -> tuple[str, ...]:
    return tuple(str(part) for part in command)
