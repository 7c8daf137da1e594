"""Prediction of large volumes with many classes: medarch against nnU-Net and MONAI, in time and memory.

    python pipelines/benchmarks/predict.py [--only nnunet|long|monai] [--classes 118]

- nnunet: a CT of 244×202×224 voxels at 1.5 mm, a network of 118 classes at 3 mm with random weights (nnU-Net's own,
  taken over by `medarch import`), no flips; `nnUNetv2_predict_from_modelfolder -npp 1 -nps 1` against `medarch
  predict`. Whole processes, label maps compared; nnU-Net adds tiles up in float16, so its labels are also compared
  with float32 accumulators in their place (random weights make many near ties, which float16 decides anew).
- long: the same network on 512×512×400 voxels at 0.8 mm: does it stay within 4 GiB? What nnU-Net would need is
  computed.
- monai: the network alone on the 3 mm volume, tiles blended and decided, against MONAI's sliding window, plain and
  buffered, for 3 and 118 classes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from peer import REPOSITORY, Cost, find_peer, measure, peer_environment, print_table

CT = REPOSITORY.parent / "shared/data/totalseg_samples/ct_3mm.nii.gz"
PATCH = (112, 96, 112)
LONG = (512, 512, 400)
GIB = 2**30


def main() -> None:
    options = parse_arguments()
    if options.worker:
        work(options.worker, options.classes, options.scratch)
        return
    peer = find_peer(options.peer_python)
    scratch = options.scratch or Path(tempfile.mkdtemp(prefix="predict-"))
    scratch.mkdir(parents=True, exist_ok=True)
    print(f"{len(os.sched_getaffinity(0))} cores, folder {scratch}", flush=True)
    if options.only in (None, "nnunet"):
        against_nnunet(peer, scratch, options.classes, options.runs)
    if options.only in (None, "long"):
        long_volume(peer, scratch, options.classes)
    if options.only in (None, "monai"):
        against_monai(scratch, options.runs)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["nnunet", "long", "monai"])
    parser.add_argument("--classes", type=int, default=118)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--worker", choices=["medarch", "monai", "monai buffered"], help="used by itself")
    return parser.parse_args()


def against_nnunet(peer: Path, scratch: Path, classes: int, runs: int) -> None:
    theirs_model, model = make_models(peer, scratch, classes)
    inputs = scratch / "ct_1p5mm"
    if not inputs.exists():
        inputs.mkdir()
        write_volume(inputs / "ct_0000.nii.gz", resampled(1.5), 1.5)
    ours: list[Cost] = []
    theirs: list[Cost] = []
    for _ in range(runs):
        ours.append(predict_ours(model, inputs, scratch / "ours", scratch))
        shutil.rmtree(scratch / "theirs", ignore_errors=True)
        program = peer.parent / "nnUNetv2_predict_from_modelfolder"
        options = ["-f", "0", "-device", "cpu", "--disable_tta", "-npp", "1", "-nps", "1"]
        command = [program, "-i", inputs, "-o", scratch / "theirs", "-m", theirs_model, *options]
        theirs.append(measure(command, log=scratch / "theirs.log", env=peer_environment(scratch)))
        print(f"medarch {ours[-1].wall_s:.1f} s, nnU-Net {theirs[-1].wall_s:.1f} s", flush=True)
    print_table(ours, theirs, ours_name="medarch", theirs_name="nnU-Net")
    exact = scratch / "theirs_float32"
    if not exact.exists():
        exact.mkdir()
        script = Path(__file__).with_name("peer_parity.py")
        options = ["0", "--no-flips", "--float32", "--labels-only"]
        command = [peer, script, "predict", theirs_model, inputs, exact, *options]
        measure(command, log=scratch / "theirs.log", env=peer_environment(scratch))
    mine, rival, single = (read(scratch / folder / "ct.nii.gz") for folder in ("ours", "theirs", exact.name))
    print(f"voxels with equal labels, {len(np.unique(rival))} classes occur:")
    print(f"  medarch and nnU-Net                            {(mine == rival).mean():.6f}")
    print(f"  medarch and nnU-Net with float32 accumulators  {(mine == single).mean():.6f}")
    print(f"  nnU-Net and itself with float32 accumulators   {(rival == single).mean():.6f}")


def long_volume(peer: Path, scratch: Path, classes: int) -> None:
    _, model = make_models(peer, scratch, classes)
    inputs = scratch / "ct_long"
    if not inputs.exists():
        inputs.mkdir()
        fine = resampled(1.5)
        tiled = np.tile(fine, [-(-size // side) for size, side in zip(LONG, fine.shape, strict=True)])
        write_volume(inputs / "ct_0000.nii.gz", tiled[tuple(map(slice, LONG))], 0.8)
    cost = predict_ours(model, inputs, scratch / "ours_long", scratch)
    need = (2 * classes + 8) * np.prod(LONG, dtype=float)
    print(f"{'×'.join(map(str, LONG))}, {classes} classes: {cost.wall_s:.1f} s, peak {cost.peak_bytes / GIB:.2f} GiB")
    print(f"nnU-Net's float16 logits and one float64 channel at that size: {need / GIB:.1f} GiB and more")


def against_monai(scratch: Path, runs: int) -> None:
    print(f"\n{'network alone, 3 mm volume':<32}{'seconds':>10}{'peak MB':>10}{'times slower':>14}{'times memory':>14}")
    for classes in (3, 118):
        costs: dict[str, tuple[float, float]] = {}
        for name in ("medarch", "monai", "monai buffered"):
            command = [sys.executable, __file__, "--worker", name, "--classes", str(classes), "--scratch", scratch]
            seconds, peaks = [], []
            for _ in range(runs):
                log = scratch / "worker.log"
                cost = measure(command, log=log, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
                seconds.append(float(json.loads(log.read_text().splitlines()[-1])["seconds"]))
                peaks.append(cost.peak_bytes / 1e6)
            costs[name] = (float(np.median(seconds)), float(np.median(peaks)))
            time_ratio, memory_ratio = (costs[name][index] / costs["medarch"][index] for index in (0, 1))
            title = f"{name}, {classes} classes"
            print(f"{title:<32}{costs[name][0]:>10.2f}{costs[name][1]:>10.0f}{time_ratio:>14.2f}{memory_ratio:>14.2f}")
        labels = [np.load(scratch / f"{name}_{classes}.npy") for name in costs]
        print(f"equal labels: {', '.join(f'{(labels[0] == other).mean():.6f}' for other in labels[1:])}", flush=True)


def work(name: str, classes: int, scratch: Path) -> None:
    """One way to get a label map on the network's grid; prints its seconds, weights and image not counted."""
    import torch

    from medarch.core.plan import NetworkPlan
    from medarch.networks.build_network import build_network

    torch.manual_seed(0)
    plan = NetworkPlan(
        architecture="plain_unet", dim=3, in_channels=1, heads=classes, features=(16, 32, 64, 128, 160),
        strides=((1, 1, 1), *[(2, 2, 2)] * 4), kernels=((3, 3, 3),) * 5, blocks=(2,) * 5, decoder_blocks=(2,) * 4,
    )  # fmt: skip
    network = build_network(plan).eval()
    image = torch.from_numpy((read(CT).astype(np.float32).clip(-1000, 1000) / 400).transpose(2, 1, 0).copy())[None]
    run = ours if name == "medarch" else monai(buffered=name == "monai buffered")
    with torch.inference_mode():
        started = time.perf_counter()
        labels = run(network, image, classes)
        seconds = time.perf_counter() - started
    np.save(scratch / f"{name}_{classes}.npy", labels)
    print(json.dumps({"seconds": seconds}))


def ours(network: Any, image: Any, classes: int) -> np.ndarray:
    """Features streamed, labels decided slab by slab."""
    import torch

    from medarch.inference.engines.load_engine import load_engine
    from medarch.inference.linear_head import LinearHead
    from medarch.inference.stream_features import stream_features
    from medarch.inference.window import Window

    engine = load_engine("channels_last", network, torch.device("cpu"))
    head = LinearHead.of([network], classes=classes)
    labels = np.zeros(image.shape[1:], np.uint8)
    for slab in stream_features([engine], head, image, window=Window(PATCH)):
        where: list[Any] = [slice(None)] * 3
        where[slab.axis] = slice(slab.start, slab.start + slab.features.shape[slab.axis + 1])
        labels[tuple(where)] = head.logits(slab.features.movedim(0, -1)).argmax(-1).numpy()
    return labels


def monai(*, buffered: bool) -> Any:
    """MONAI's sliding window as its users call it."""

    def run(network: Any, image: Any, classes: int) -> np.ndarray:
        from monai.inferers import sliding_window_inference

        options = {"buffer_steps": 1, "buffer_dim": -1} if buffered else {}
        logits = sliding_window_inference(
            image[None], PATCH, 1, network, overlap=0.5, mode="gaussian", sigma_scale=0.125, **options
        )
        found: np.ndarray = logits[0].argmax(0).numpy().astype(np.uint8)
        return found

    return run


def make_models(peer: Path, scratch: Path, classes: int) -> tuple[Path, Path]:
    """nnU-Net's model folder, and ours imported from it."""
    theirs, model = scratch / f"nnunet_{classes}", scratch / f"medarch_{classes}"
    if not model.exists():
        subprocess.run([peer, Path(__file__).with_name("peer_random_model.py"), theirs, str(classes)], check=True)
        program = Path(sys.executable).parent / "medarch"
        subprocess.run([program, "import", theirs, model, "--folds", "0"], check=True, capture_output=True)
    return theirs, model


def predict_ours(model: Path, inputs: Path, output: Path, scratch: Path) -> Cost:
    shutil.rmtree(output, ignore_errors=True)
    program = Path(sys.executable).parent / "medarch"
    return measure(
        [program, "predict", model, inputs, output, "--device", "cpu", "--no-mirror"], log=scratch / "ours.log"
    )


def resampled(spacing_mm: float) -> np.ndarray:
    """The CT at another spacing, int16."""
    from scipy.ndimage import zoom

    found: np.ndarray = zoom(read(CT).astype(np.float32), 3.0 / spacing_mm, order=1, mode="nearest", grid_mode=True)
    return found.round().astype(np.int16)


def read(path: Path) -> np.ndarray:
    import nibabel as nib

    return np.asarray(nib.load(path).dataobj)


def write_volume(path: Path, volume: np.ndarray, spacing_mm: float) -> None:
    import nibabel as nib

    nib.save(nib.Nifti1Image(volume, np.diag([spacing_mm] * 3 + [1.0])), path)


if __name__ == "__main__":
    main()
