"""Prediction of large volumes with many classes: medarch against nnU-Net and MONAI, in time and memory.

    python pipelines/benchmarks/predict.py [--only nnunet|long|monai|scaling|probabilities] [--classes 118]

- nnunet: a CT of 244×202×224 voxels at 1.5 mm, a network of 118 classes at 3 mm with random weights (nnU-Net's own,
  taken over by `medarch import`), no flips; `nnUNetv2_predict_from_modelfolder -npp 1 -nps 1` against `medarch
  predict`. Whole processes, label maps compared; nnU-Net adds tiles up in float16, so its labels are also compared
  with float32 accumulators in their place (random weights make many near ties, which float16 decides anew).
- long: the same network on 512×512×400 voxels at 0.8 mm: does it stay within 4 GiB? What nnU-Net would need is
  computed.
- monai: the network alone on the 3 mm volume, tiles blended and decided, against MONAI's sliding window, plain and
  buffered, for 3 and 118 classes.
- scaling: 1, 2, 4 and 8 of these volumes behind each other, 2, 20 and 118 classes.
- probabilities: 1, 2 and 4 of these volumes behind each other with `--probabilities`, and `medarch ensemble` of two
  such folders: does memory depend on their length? What the array of all classes takes is printed beside it.

What `medarch predict --dry-run` said before the first two is printed beside what they took.
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
        work(options.worker, options.classes, options.times, options.scratch)
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
    if options.only in (None, "scaling"):
        scaling(scratch)
    if options.only in (None, "probabilities"):
        probabilities(peer, scratch, options.classes)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["nnunet", "long", "monai", "scaling", "probabilities"])
    parser.add_argument("--classes", type=int, default=118)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--worker", choices=["medarch", "monai", "monai buffered", "scaling"], help="used by itself")
    parser.add_argument("--times", type=int, default=1, help="used by itself")
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
    print_estimate(model, inputs, ours[-1])
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
    print_estimate(model, inputs, cost)
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


def scaling(scratch: Path) -> None:
    """Time and memory of streaming and decoding onto a grid twice as fine; image and label map not counted."""
    print(f"\n{'volumes':>8}{'classes':>9}{'seconds':>10}{'s a volume':>12}{'MB above image and labels':>27}")
    for classes in (2, 20, 118):
        for times in (1, 2, 4, 8):
            command = [sys.executable, __file__, "--worker", "scaling", "--classes", str(classes)]
            command += ["--times", str(times), "--scratch", scratch]
            log = scratch / "worker.log"
            measure(command, log=log, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
            found = json.loads(log.read_text().splitlines()[-1])
            each = found["seconds"] / times
            print(
                f"{times:>8}{classes:>9}{found['seconds']:>10.2f}{each:>12.2f}{found['bytes'] / 1e6:>27.0f}", flush=True
            )


def probabilities(peer: Path, scratch: Path, classes: int) -> None:
    """Whole processes: from images to probabilities, and from two folders of them (one folder twice) to their mean."""
    _, model = make_models(peer, scratch, classes)
    print(f"\n{'volumes':>8}{'array GiB':>11}{'':<12}{'wall s':>8}{'CPU s':>8}{'peak GiB':>10}", flush=True)
    for times in (1, 2, 4):
        inputs, output = scratch / f"ct_{times}", scratch / f"shares_{times}"
        volume = np.concatenate([read(CT)] * times, axis=2).astype(np.int16)
        if not inputs.exists():
            inputs.mkdir()
            write_volume(inputs / "ct_0000.nii.gz", volume, 3.0)
        predicted = predict_ours(model, inputs, output, scratch, "--probabilities")
        mean = scratch / f"mean_{times}"
        shutil.rmtree(mean, ignore_errors=True)
        program = Path(sys.executable).parent / "medarch"
        command = [program, "ensemble", output, output, "--output", mean, "--probabilities"]
        averaged = measure(command, log=scratch / "ours.log")
        array = classes * volume.size * 4 / GIB
        for name, cost in (("predict", predicted), ("ensemble", averaged)):
            row = f"{cost.wall_s:>8.1f}{cost.cpu_s:>8.1f}{cost.peak_bytes / GIB:>10.2f}"
            print(f"{times:>8}{array:>11.2f}  {name:<10}{row}", flush=True)
        print_estimate(model, inputs, predicted, "--probabilities")
        shutil.rmtree(output)
        shutil.rmtree(mean)


def work(name: str, classes: int, times: int, scratch: Path) -> None:
    """One way to get a label map on the network's grid; prints its seconds, weights and image not counted."""
    import resource

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
    image = torch.cat([image] * times, dim=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with torch.inference_mode():
        started = time.perf_counter()
        if name == "scaling":
            labels = ours(network, image, classes, zoom=2)
        elif name == "medarch":
            labels = ours(network, image, classes)
        else:
            labels = monai(buffered=name == "monai buffered")(network, image, classes)
        seconds = time.perf_counter() - started
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before - labels.nbytes
    np.save(scratch / f"{name}_{classes}.npy", labels)
    print(json.dumps({"seconds": seconds, "bytes": taken}))


def ours(network: Any, image: Any, classes: int, zoom: int = 1) -> np.ndarray:
    """Features streamed, labels decided block by block on a grid ``zoom`` times finer, as `medarch predict` does."""
    import torch

    from medarch.core.geometry import Geometry
    from medarch.core.labels import LabelScheme
    from medarch.core.prepared import PreparedCase
    from medarch.inference.engines.load_engine import load_engine
    from medarch.inference.label_assembler import LabelAssembler
    from medarch.inference.linear_head import LinearHead
    from medarch.inference.stream_features import stream_features
    from medarch.inference.window import Window

    shape = tuple(image.shape[1:])
    fine = tuple(side * zoom for side in shape)
    record = PreparedCase(
        id="ct", geometry=Geometry.from_array(fine, np.eye(4)), permutation=(0, 1, 2), flips=(False,) * 3,
        full_shape=fine, crop=tuple((0, side) for side in fine), cropped_shape=fine, shape=shape,
        cropped_spacing_mm=(3.0 / zoom,) * 3, spacing_mm=(3.0,) * 3,
    )  # fmt: skip
    labels = LabelScheme(labels={"background": 0} | {f"class{value}": value for value in range(1, classes)})
    engine = load_engine("channels_last", network, torch.device("cpu"))
    head = LinearHead.of([network], classes=classes)
    assembler = LabelAssembler(head, labels, record)
    for slab in stream_features([engine], head, image, window=Window(PATCH)):
        assembler.add(slab)
    return assembler.result


def monai(*, buffered: bool) -> Any:
    """MONAI's sliding window. Its own Gaussian is cut off at 1e-3, far from the centre both tiles of a voxel count the
    same; with ours in its place label maps can be compared.
    """

    def run(network: Any, image: Any, classes: int) -> np.ndarray:
        from monai.inferers import sliding_window_inference

        from medarch.inference.tiles import gaussian_weights

        options = {"buffer_steps": 1, "buffer_dim": -1} if buffered else {}
        logits = sliding_window_inference(
            image[None], PATCH, 1, network, overlap=0.5, roi_weight_map=gaussian_weights(PATCH), **options
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


def predict_ours(model: Path, inputs: Path, output: Path, scratch: Path, *options: str) -> Cost:
    shutil.rmtree(output, ignore_errors=True)
    program = Path(sys.executable).parent / "medarch"
    return measure(
        [program, "predict", model, inputs, output, "--device", "cpu", "--no-mirror", *options],
        log=scratch / "ours.log",
    )


def print_estimate(model: Path, inputs: Path, cost: Cost, *options: str) -> None:
    """What the dry run says of the same command; starting the program is no part of it."""
    program = Path(sys.executable).parent / "medarch"
    command = [program, "predict", model, inputs, "unused", "--device", "cpu", "--no-mirror", *options]
    command += ["--dry-run", "--json"]
    (row,) = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"dry run: {row['seconds']:.1f} s and {row['peak_bytes'] / GIB:.2f} GiB; ", end="")
    print(f"measured, with start-up: {cost.wall_s:.1f} s and {cost.peak_bytes / GIB:.2f} GiB")


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
