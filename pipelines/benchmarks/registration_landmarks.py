"""Do landmarks in the loss bring landmarks of other people closer? Results: docs/registration_networks.md.

    python pipelines/benchmarks/registration_landmarks.py OUT                      # 2000 pairs a training
    python pipelines/benchmarks/registration_landmarks.py OUT --weights 0 plan 0.5
    python pipelines/benchmarks/registration_landmarks.py OUT --pairs test         # once, at the end

Hippocampus. Seven places a case, taken from its label map: of each label the centroid and the centroids of its foremost
and hindmost fifth along the hippocampus, and the middle of the face between the labels. The networks are trained on
images and landmarks, never on label maps, with the same seed and pairs; they differ in ``landmark_weight`` (``plan``:
what the planner gives). None of the people of the tuning and test pairs is trained on, neither by image nor by
landmark. To the 20 tuning pairs, 80 more of the same people are added.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from pathlib import Path

import numpy as np
from registration_networks import run
from registration_pairs import SEED, Pair, PairSet, ordered_pairs, pair_set

from medarch.api.registered_pair import registered_pair
from medarch.core.geometry import Geometry
from medarch.core.landmarks import Landmarks
from medarch.core.prediction import Prediction
from medarch.core.registration_evaluation import RegistrationEvaluation
from medarch.evaluation.cluster_bootstrap import ClusterBootstrap
from medarch.evaluation.paired_difference import paired_difference
from medarch.evaluation.registration.evaluate_registrations import evaluate_registrations
from medarch.io.read_volume import read_volume
from medarch.io.transforms.write_landmarks import write_landmarks

LABELS = {"anterior": 1, "posterior": 2}
END = 0.2
"""Share of a label's voxels that make up each of its ends."""
FURTHER_PAIRS = 80
SAMPLES = 2000
MEASURES = ("TRE mm", "DSC", "DSC near", "DSC far", "SD log J", "folds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=2000, help="Pairs of each training.")
    parser.add_argument("--weights", nargs="+", default=["0", "plan"], help="The first is compared to.")
    parser.add_argument("--with", dest="changes", type=Path, action="append", default=[], help="As of `medarch plan`.")
    parser.add_argument("--pairs", choices=("tuning", "test"), default="tuning")
    chosen = parser.parse_args()
    pairs = pair_set("hippocampus")
    folder, marks = chosen.out / "hippocampus", chosen.out / "landmarks"
    marks.mkdir(parents=True, exist_ok=True)
    for case in (*pairs.train, *pairs.test):
        volume = read_volume(pairs.label_map(case))
        write_landmarks(marks / f"{case}.csv", places(volume.array[0], volume.geometry))
    write_dataset(pairs, folder, marks)
    table = chosen.out / f"{chosen.pairs}.csv"
    write_table(pairs, table, marks, measured_pairs(pairs, chosen.pairs))
    found, seconds = {}, {}
    for weight in chosen.weights:
        plan = planned(chosen.out, folder, weight, chosen.steps, chosen.changes)
        seconds[weight] = trained(plan)
        predictions = chosen.out / f"{plan.name}_{chosen.pairs}"
        run("predict", plan, table, predictions, "--device", "cpu", "--restart")
        rows = Prediction.load(predictions / "predictions.json").cases
        found[weight] = evaluate_registrations([registered_pair(row, {}) for row in rows], labels=LABELS, workers=0)
    report(found, seconds)


def places(labels: np.ndarray, geometry: Geometry) -> Landmarks:
    """The seven places of a label map ``(I, J, K)`` in RAS millimetres; anterior is where label 1 lies."""
    voxels = np.argwhere(labels > 0)
    value = labels[tuple(voxels.T)]
    points = voxels @ geometry.matrix[:3, :3].T + geometry.matrix[:3, 3]
    middle = {name: points[value == number].mean(0) for name, number in LABELS.items()}
    axis = np.linalg.eigh(np.cov(points.T))[1][:, -1]
    axis = axis * np.sign(axis @ (middle["anterior"] - middle["posterior"]))
    found = {}
    for name, number in LABELS.items():
        mine = points[value == number]
        along = np.round(mine @ axis, 6)  # a plane of voxels is one place
        found[f"{name} centroid"] = middle[name]
        found[f"{name} front"] = mine[along >= np.quantile(along, 1 - END)].mean(0)
        found[f"{name} back"] = mine[along <= np.quantile(along, END)].mean(0)
    found["between"] = face(labels, geometry)
    return Landmarks(names=tuple(found), points_mm=tuple(tuple(map(float, point)) for point in found.values()))


def face(labels: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The middle of the voxel faces where the two labels meet, in RAS millimetres."""
    middles = []
    for axis in range(3):
        first, second = (np.moveaxis(labels, axis, 0)[side] for side in (slice(None, -1), slice(1, None)))
        meet = (first != second) & (first > 0) & (second > 0)
        voxels = np.argwhere(np.moveaxis(meet, 0, axis)).astype(float)
        voxels[:, axis] += 0.5
        middles.append(voxels)
    middle: np.ndarray = geometry.matrix[:3, :3] @ np.concatenate(middles).mean(0) + geometry.matrix[:3, 3]
    return middle


def held_out(pairs: PairSet) -> list[str]:
    """People of the tuning pairs, whom other benchmarks do train on."""
    return sorted({case for pair in pairs.tuning_pairs for case in pair})


def measured_pairs(pairs: PairSet, which: str) -> tuple[Pair, ...]:
    if which == "test":
        return pairs.test_pairs
    others = [pair for pair in ordered_pairs(held_out(pairs)) if pair not in pairs.tuning_pairs]
    return (*pairs.tuning_pairs, *random.Random(SEED).sample(others, FURTHER_PAIRS))


def write_dataset(pairs: PairSet, folder: Path, marks: Path) -> None:
    """Images and landmarks of the people who are trained on, and nothing of their labels."""
    held = held_out(pairs)
    for case in (case for case in pairs.train if case not in held):
        for target, source in (
            (folder / "imagesTr" / f"{case}_0000.nii.gz", pairs.image(case)),
            (folder / "landmarksTr" / f"{case}.csv", marks / f"{case}.csv"),
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.symlink_to(source.resolve())
    meta = {"name": "hippocampus", "task": "registration", "channel_names": {"0": "MRI"}, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(meta, indent=1))


def write_table(pairs: PairSet, path: Path, marks: Path, chosen: tuple[Pair, ...]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        sides = [f"{side}{what}" for what in ("", "_label", "_landmarks") for side in ("fixed", "moving")]
        writer.writerow(["id", *sides])
        for pair in chosen:
            files = [*map(pairs.image, pair), *map(pairs.label_map, pair), *(marks / f"{case}.csv" for case in pair)]
            writer.writerow([f"{pair[1]}_to_{pair[0]}", *(file.resolve() for file in files)])


def planned(out: Path, folder: Path, weight: str, steps: int, further: list[Path]) -> Path:
    """Plan a training, once; return its folder. The network is the pyramid at its own width."""
    changes: dict[str, dict[str, object]] = {
        "network": {"architecture": "pyramid"},
        "training": {"epochs": 20, "iterations_per_epoch": max(1, steps // 20), "patience_epochs": None},
    }
    if weight != "plan":
        changes["registration"] = {"landmark_weight": float(weight)}
    name = f"weight_{weight}"
    plan = out / "workspace" / "hippocampus" / name
    if (plan / "plan.json").exists():
        return plan
    file = out / f"{name}.yaml"
    file.write_text(json.dumps(changes))  # JSON is YAML
    options = [option for path in (file, *further) for option in ("--with", path)]
    run("plan", folder, "-w", out / "workspace", "--device", "cpu", "--name", name, *options)
    return plan


def trained(plan: Path) -> float:
    """Train, once; return the CPU-seconds."""
    told = plan / "cpu_seconds.txt"
    if not told.exists():
        told.write_text(str(run("train", plan, "--device", "cpu", "--fold", "all", "--no-validate")))
    return float(told.read_text())


def report(found: dict[str, RegistrationEvaluation], seconds: dict[str, float]) -> None:
    values = {weight: by_pair(evaluation) for weight, evaluation in found.items()}
    first = next(iter(found.values()))
    # People are drawn anew, each with the pairs that it is the fixed image of.
    bootstrap = ClusterBootstrap.draw(
        [pair.fixed for pair in first.pairs], samples=SAMPLES, confidence=0.95, name="hippocampus"
    )
    start = np.mean([pair.values["tre_before_mm"] for pair in first.pairs])
    before = next(summary for summary in first.summaries_before if summary.label == "foreground").measures["dsc"].mean
    print(f"{len(first.pairs)} pairs; before: TRE {start:.2f} mm, DSC {before:.3f}\n")
    print(f"| weight | {' | '.join(MEASURES)} | TRE less by (95 %) | DSC more by (95 %) | training CPU-s |")
    print("|---" * (len(MEASURES) + 4) + "|")
    reference = values[next(iter(values))]
    for weight, own in values.items():
        tre = paired_difference(reference["TRE mm"], own["TRE mm"], bootstrap, higher_is_better=True).difference
        dsc = paired_difference(own["DSC"], reference["DSC"], bootstrap, higher_is_better=True).difference
        gains = [f"{each.mean:.3f} ({each.low:.3f} to {each.high:.3f})" for each in (tre, dsc)]
        means = [f"{np.mean(own[name]):.3{'f' if name.startswith('DSC') else 'g'}}" for name in MEASURES]
        print(f"| {weight} | {' | '.join(means)} | {' | '.join(gains)} | {seconds[weight]:.0f} |")


def by_pair(evaluation: RegistrationEvaluation) -> dict[str, np.ndarray]:
    """Each measure as ``(pairs,)``."""
    names = [pair.pair for pair in evaluation.pairs]
    dsc: dict[str, list[float]] = {name: [] for name in names}
    for row in evaluation.rows:
        dsc[row.case].append(row.values["dsc"] or 0.0)
    measures = {"TRE mm": "tre_mm", "SD log J": "sd_log_jacobian", "folds": "folding_share"}
    found = {name: np.array([pair.values[key] for pair in evaluation.pairs], float) for name, key in measures.items()}
    found["DSC"] = np.array([np.mean(dsc[name]) for name in names])
    # The halves of the pairs whose landmarks lie nearest and furthest before.
    order = np.argsort([pair.values["tre_before_mm"] for pair in evaluation.pairs])
    half = len(order) // 2
    return {**found, "DSC near": found["DSC"][order[:half]], "DSC far": found["DSC"][order[half:]]}


if __name__ == "__main__":
    main()
