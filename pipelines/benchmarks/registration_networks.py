"""Registration networks, trained and tested by the commands a user types. Results: docs/registration.md.

    python pipelines/benchmarks/registration_networks.py hippocampus OUT                   # labels are trained on
    python pipelines/benchmarks/registration_networks.py hippocampus OUT --unsupervised
    python pipelines/benchmarks/registration_networks.py brain OUT --budget 40m --with FILE.yaml --pairs tuning

Trains on the training cases alone (fold ``all``), in a budget of wall time or, on a machine with other work, of
``--steps``; then registers and measures the fixed test pairs of ``registration_pairs.py``. CPU-seconds are of the
processes, all threads together.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from registration_pairs import PairSet, pair_set

from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.io.read_volume import read_volume
from medarch.io.write_volume import write_volume


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=("hippocampus", "brain"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--unsupervised", action="store_true", help="Do not train on labels.")
    parser.add_argument("--budget", default="15m", help="Wall time of the training.")
    parser.add_argument("--steps", type=int, help="In place of the time: so many steps.")
    parser.add_argument("--with", dest="changes", type=Path, action="append", default=[], help="As of `medarch plan`.")
    parser.add_argument("--pairs", choices=("test", "tuning"), default="test")
    parser.add_argument("--fold", default="all", help="Settings are chosen on the validation cases of a fold.")
    chosen = parser.parse_args()
    pairs = pair_set(chosen.dataset)
    folder = chosen.out / chosen.dataset
    write_dataset(pairs, folder, name=chosen.dataset)
    name = "unsupervised" if chosen.unsupervised else "labels"
    changes = chosen.out / f"{name}.yaml"
    changes.write_text(json.dumps(settings(chosen.unsupervised, chosen.steps)))  # JSON is YAML
    options = [option for path in (changes, *chosen.changes) for option in ("--with", path)]
    budget = [] if chosen.steps else ["--time-budget", chosen.budget]
    run("plan", folder, "-w", chosen.out / "workspace", "--device", "cpu", "--name", name, *budget, *options)
    plan = chosen.out / "workspace" / chosen.dataset / name
    training = run("train", plan, "--device", "cpu", "--fold", chosen.fold, "--no-validate")
    table, found = chosen.out / f"{chosen.pairs}.csv", chosen.out / f"{name}_{chosen.pairs}"
    write_table(pairs, table, pairs.test_pairs if chosen.pairs == "test" else pairs.tuning_pairs, folder)
    prediction = run("predict", plan, table, found, "--device", "cpu", "--restart")
    run("evaluate", found, folder / "labels")
    report(chosen.dataset, name, found, training, prediction)


def settings(unsupervised: bool, steps: int | None) -> dict[str, dict[str, object]]:
    """What is asked for besides the plan's own decisions."""
    changes: dict[str, dict[str, object]] = {"training": {}}
    if unsupervised:
        changes["registration"] = {"label_weight": 0.0}
    if steps:
        changes["training"] = {"epochs": 30, "iterations_per_epoch": max(1, steps // 30), "patience_epochs": None}
    return changes


def write_dataset(pairs: PairSet, folder: Path, *, name: str) -> None:
    """The training cases as a registration dataset; label values counted from 1 on; label maps of all cases beside."""
    labels = {f"label {value}": number for number, value in enumerate(pairs.labels, start=1)}
    for place in ("imagesTr", "labelsTr", "labels"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for case in (*pairs.train, *pairs.test):
        target = folder / "labels" / f"{case}.nii.gz"
        if not target.exists():
            volume = read_volume(pairs.label_map(case))
            mapped = np.zeros(volume.array.shape, np.uint8)
            for number, value in enumerate(pairs.labels, start=1):
                mapped[volume.array == value] = number
            write_volume(target, mapped, volume.geometry)
    for case in pairs.train:
        for target, source in (
            (folder / "imagesTr" / f"{case}_0000.nii.gz", pairs.image(case)),
            (folder / "labelsTr" / f"{case}.nii.gz", folder / "labels" / f"{case}.nii.gz"),
        ):
            if not target.exists():
                target.symlink_to(source.resolve())
    meta = {
        "name": name,
        "task": "registration",
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, **labels},
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(meta, indent=1))


def write_table(pairs: PairSet, path: Path, chosen: tuple[tuple[str, str], ...], folder: Path) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["fixed", "moving", "id", "fixed_label", "moving_label"])
        for fixed, moving in chosen:
            maps = [(folder / "labels" / f"{case}.nii.gz").resolve() for case in (fixed, moving)]
            images = [pairs.image(case).resolve() for case in (fixed, moving)]
            writer.writerow([*images, f"{moving}_to_{fixed}", *maps])


def run(*arguments: object) -> float:
    """Run a verb and return its CPU-seconds."""
    before = cpu_seconds()
    command = [sys.executable, "-c", "from medarch.cli import main; main()", *map(str, arguments)]
    subprocess.run(command, check=True)
    return cpu_seconds() - before


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(dataset: str, name: str, folder: Path, training: float, prediction: float) -> None:
    found = RegistrationEvaluation.load(folder / "evaluation.json")
    after = next(summary for summary in found.summaries if summary.label == "foreground").measures
    before = next(summary for summary in found.summaries_before if summary.label == "foreground").measures
    print(
        f"{dataset}, {name}: {len(found.pairs)} pairs, DSC {before['dsc'].mean:.4f} -> {after['dsc'].mean:.4f}, "
        f"HD95 {after['hd95_mm'].mean:.2f} mm, folds {found.mean('pair', 'folding_share'):.2e}, "
        f"SD log J {found.mean('pair', 'sd_log_jacobian'):.3f}; training {training:.0f} CPU-s, "
        f"prediction {prediction / len(found.pairs):.2f} CPU-s a pair, start and files included"
    )


if __name__ == "__main__":
    main()
