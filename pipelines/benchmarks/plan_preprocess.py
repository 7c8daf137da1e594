"""Fingerprint, plan and preprocessing of a whole dataset: medarch against nnUNetv2_plan_and_preprocess.

    python pipelines/benchmarks/plan_preprocess.py [--runs 3] [--peer-python ../envs/peer/bin/python]

Both start from the raw files with empty folders, in a fresh process, and prepare 2d and 3d_fullres. Afterwards the
fingerprints, the plans and every prepared voxel are compared; the exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from peer import REPOSITORY, Cost, find_peer, measure, peer_environment, print_table

from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import Plan

CONFIGURATIONS = ("2d", "3d_fullres")
PEER_NAME = "Dataset004_Benchmark"
VOXEL_TOLERANCE = 1e-4
FINGERPRINT_TOLERANCE = 1e-5


def main() -> None:
    arguments = parse_arguments()
    if arguments.only_ours:
        prepare(arguments.dataset, arguments.only_ours)
        return
    peer = find_peer(arguments.peer_python)
    scratch = Path(tempfile.mkdtemp(prefix="plan_preprocess-", dir=arguments.scratch))
    raw = scratch / "nnUNet_raw" / PEER_NAME
    link_raw(arguments.dataset, raw)
    for path in raw.rglob("*.nii.gz"):
        path.read_bytes()  # so that the first run does not pay for a cold disk
    print(f"{len(os.sched_getaffinity(0))} cores, {len(list((raw / 'labelsTr').iterdir()))} cases, folders {scratch}")
    ours, theirs = [], []
    for _ in range(arguments.runs):
        ours.append(run_ours(arguments.dataset, scratch))
        theirs.append(run_theirs(peer, scratch, arguments.peer_workers))
    ratio = print_table(ours, theirs, ours_name="medarch", theirs_name="nnU-Net")
    workers = arguments.peer_workers or "its defaults: 8 fingerprint, 8 2d, 4 3d_fullres"
    print(f"nnU-Net's workers: {workers}; medarch's: one a core")
    equal = compare(scratch, peer)
    print(f"\n{ratio:.1f} times faster; results {'equal' if equal else 'DIFFER'}")
    if not arguments.keep:
        shutil.rmtree(scratch)
    sys.exit(not equal)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = REPOSITORY.parent / "shared/data/Task04_Hippocampus"
    parser.add_argument("--dataset", type=Path, default=default, help="a dataset with one 3D .nii.gz file a case")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--peer-workers", type=int, help="nnU-Net's -np and -npfp; default its own defaults")
    parser.add_argument("--scratch", type=Path, help="where the temporary folder is made")
    parser.add_argument("--keep", action="store_true", help="keep that folder")
    parser.add_argument("--only-ours", type=Path, metavar="FOLDER", help="just prepare into FOLDER (used by itself)")
    return parser.parse_args()


def prepare(dataset_path: Path, folder: Path) -> None:
    """Ours, from the raw files to the prepared cases of both configurations."""
    from medarch.io.read_dataset import read_dataset
    from medarch.planning.extract_fingerprint import extract_fingerprint
    from medarch.planning.plan_nnunet import plan_nnunet
    from medarch.preprocessing.prepare_dataset import prepare_dataset

    dataset = read_dataset(dataset_path)
    fingerprint = extract_fingerprint(dataset, cache=folder / "fingerprint")
    fingerprint.save(folder / "fingerprint.json")
    plan = plan_nnunet(fingerprint, dataset.name, dataset.channels, dataset.labels)
    plan.save(folder / "plan.json")
    for name in CONFIGURATIONS:
        store = prepare_dataset(dataset, plan.configuration(name).preprocessing, folder / "prepared")
        (folder / name).symlink_to(store.folder, target_is_directory=True)


def link_raw(dataset_path: Path, raw: Path) -> None:
    """The same files in nnU-Net's layout, by symbolic links."""
    from medarch.io.read_dataset import read_dataset

    dataset = read_dataset(dataset_path)
    for folder in ("imagesTr", "labelsTr"):
        (raw / folder).mkdir(parents=True)
    for case in dataset.cases:
        if case.label is None or len(case.images) != len(dataset.channels):
            sys.exit(f"case {case.id}: this benchmark wants a label and one file a channel")
        for number, path in enumerate(case.images):
            (raw / "imagesTr" / f"{case.id}_{number:04}.nii.gz").symlink_to(path.resolve())
        (raw / "labelsTr" / f"{case.id}.nii.gz").symlink_to(case.label.resolve())
    content = {
        "channel_names": {str(number): name for number, name in enumerate(dataset.channels)},
        "labels": dataset.labels.labels,
        "numTraining": len(dataset.cases),
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(content))


def run_ours(dataset: Path, scratch: Path) -> Cost:
    folder = scratch / "medarch"
    shutil.rmtree(folder, ignore_errors=True)
    command: list[str | Path] = [sys.executable, __file__, "--dataset", dataset, "--only-ours", folder]
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{Path(__file__).parent}"}
    cost = measure(command, log=scratch / "medarch.log", env=environment)
    print(f"medarch {cost.wall_s:.2f} s", flush=True)
    return cost


def run_theirs(peer: Path, scratch: Path, workers: int | None) -> Cost:
    shutil.rmtree(scratch / "nnUNet_preprocessed", ignore_errors=True)
    command: list[str | Path] = [peer.parent / "nnUNetv2_plan_and_preprocess", "-d", "4", "-c", *CONFIGURATIONS]
    if workers:
        command += ["-npfp", str(workers), "-np", str(workers)]
    cost = measure(command, log=scratch / "nnunet.log", env=peer_environment(scratch))
    print(f"nnU-Net {cost.wall_s:.2f} s", flush=True)
    return cost


def compare(scratch: Path, peer: Path) -> bool:
    """Compare all that both wrote, and say how far apart it is."""
    theirs = scratch / "nnUNet_preprocessed" / PEER_NAME
    plans = json.loads((theirs / "nnUNetPlans.json").read_text())
    fingerprint = compare_fingerprints(
        Fingerprint.load(scratch / "medarch" / "fingerprint.json"),
        json.loads((theirs / "dataset_fingerprint.json").read_text()),
    )
    differing = compare_plans(Plan.load(scratch / "medarch" / "plan.json"), plans)
    print(f"\nfingerprint: largest relative difference {fingerprint:.2g}")
    print(f"plans: {'equal' if not differing else 'differ in ' + ', '.join(differing)}")
    equal = fingerprint <= FINGERPRINT_TOLERANCE and not differing
    for name in CONFIGURATIONS:
        exported = scratch / "exported" / name
        source = theirs / plans["configurations"][name]["data_identifier"]
        script = Path(__file__).with_name("peer_read_prepared.py")
        subprocess.run([peer, script, source, exported], check=True)
        voxels, labels, cases = compare_voxels(scratch / "medarch" / name, exported)
        print(f"{name}: {cases} cases, largest voxel difference {voxels:.2g}, {labels} label voxels differ")
        equal = equal and voxels <= VOXEL_TOLERANCE and labels == 0
    return equal


def compare_fingerprints(ours: Fingerprint, theirs: dict[str, Any]) -> float:
    """Return the largest relative difference; nnU-Net counts axes from the file's last."""
    pairs: list[tuple[Any, Any]] = [
        ([case.spacing_mm[::-1] for case in ours.cases], theirs["spacings"]),
        ([case.shape_after_crop[::-1] for case in ours.cases], theirs["shapes_after_crop"]),
        (ours.median_relative_size_after_crop, theirs["median_relative_size_after_cropping"]),
    ]
    statistics = theirs["foreground_intensity_properties_per_channel"]
    for number, channel in enumerate(ours.intensities):
        pairs += [(value, statistics[str(number)][name]) for name, value in channel.model_dump().items()]
    return max(float((np.abs(np.subtract(a, b)) / np.maximum(np.abs(b), 1e-12)).max()) for a, b in pairs)


def compare_plans(ours: Plan, theirs: dict[str, Any]) -> list[str]:
    """Return the names of what differs."""
    differing = []
    for name in CONFIGURATIONS:
        configuration = ours.configuration(name)
        other = theirs["configurations"][name]
        network, arguments = configuration.network, other["architecture"]["arch_kwargs"]
        recipe = configuration.preprocessing
        values: dict[str, tuple[Any, Any]] = {
            "patch": (configuration.patch_voxels, other["patch_size"]),
            "batch": (configuration.batch_size, other["batch_size"]),
            "batch dice": (configuration.batch_dice, other["batch_dice"]),
            "median shape": (
                configuration.median_shape[-len(other["spacing"]) :],
                other["median_image_size_in_voxels"],
            ),
            "spacing": ([value for value in recipe.spacing_mm if value is not None], other["spacing"]),
            "axes": (recipe.axes, [2 - axis for axis in theirs["transpose_forward"]]),
            "masks": ([channel.inside_mask for channel in recipe.normalisation], other["use_mask_for_norm"]),
            "features": (network.features, arguments["features_per_stage"]),
            "strides": (network.strides, arguments["strides"]),
            "kernels": (network.kernels, arguments["kernel_sizes"]),
            "convolutions": (network.blocks, arguments["n_conv_per_stage"]),
            "decoder convolutions": (network.decoder_blocks, arguments["n_conv_per_stage_decoder"]),
        }
        differing += [f"{name} {what}" for what, (a, b) in values.items() if not np.allclose(a, b, rtol=1e-9)]
    return differing


def compare_voxels(store_folder: Path, exported: Path) -> tuple[float, int, int]:
    """Return the largest voxel difference, the number of label voxels that differ, and the number of cases."""
    from medarch.preprocessing.case_store import CaseStore

    store = CaseStore(store_folder)
    largest, labels = 0.0, 0
    ids = {path.stem for path in exported.iterdir() if not path.stem.endswith("_seg")}
    if ids != set(store.ids()):
        sys.exit(f"{len(ids)} cases of nnU-Net against {len(store.ids())} of medarch")
    for case in store.ids():
        image, label = np.load(exported / f"{case}.npy"), np.load(exported / f"{case}_seg.npy")[0]
        largest = max(largest, float(np.abs(store.read_image(case) - image).max()))
        labels += int((store.read_label(case) != label).sum())
    return largest, labels, len(ids)


if __name__ == "__main__":
    main()
