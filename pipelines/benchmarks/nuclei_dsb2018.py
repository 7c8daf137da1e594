"""Ours against MONAI's recipe on the 80 stained-tissue tiles of DSB 2018: the same network, the same number of steps.

python pipelines/benchmarks/nuclei_dsb2018.py DATA OUTPUT [--arm ours] [--steps 250] [--fold 0]

DATA is the folder `train` with `images` and `labels`. Four folds by tile. Every arm trains the same small HoVerNet (a
quarter of the width, one unit a stage; windows of 192, output 100, batches of 4) for the same number of optimiser steps
from the same weights:

ours     loss, augmentation, AdamW with one cycle and averaged weights; separation calibrated on 16 training tiles
monai    HoVerNetLoss, Adam 1e-4, transforms and HoVerNetInstanceMapPostProcessing as in MONAI's tutorial
mixed    MONAI's loss and transforms with our optimiser

Each arm's maps are separated in both ways, so that what training and what post-processing is worth can be told apart.
MONAI's ColorJitter needs torchvision; a jitter of the same ranges stands in for it.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from medarch.core.separation import Separation
from medarch.evaluation.nuclei.aggregated_jaccard import aggregated_jaccard
from medarch.evaluation.nuclei.calibrate_separation import calibrate_separation
from medarch.evaluation.nuclei.overlap_table import overlap_table
from medarch.evaluation.nuclei.panoptic_quality import PanopticQuality, panoptic_quality
from medarch.evaluation.nuclei.pixel_dice import pixel_dice
from medarch.networks.nuclei.crop_centre import crop_centre
from medarch.networks.nuclei.hovernet import HoVerNet
from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.tasks.nuclei.distance_maps import distance_maps
from medarch.tasks.nuclei.hover_loss import HoverTarget, hover_loss
from medarch.tasks.nuclei.separate_nuclei import separate_nuclei
from medarch.training.nuclei.draw_window import draw_window

WINDOW, BATCH, FOLDS = (192, 192), 4, 4
NETWORK: dict[str, Any] = {"width": 0.25, "depths": (1, 1, 1, 1)}
ARMS = ("ours", "monai", "mixed")
Batch = tuple[Tensor, HoverTarget]


def read(folder: Path) -> dict[str, NucleiImage]:
    return {
        path.stem: NucleiImage(
            np.array(Image.open(path).convert("RGB")),
            np.array(Image.open(folder / "labels" / path.name)).astype(np.int32),
        )
        for path in sorted((folder / "images").glob("*.png"))
    }


def target_of(labels: list[np.ndarray], output: tuple[int, ...]) -> HoverTarget:
    """Maps are made of whole windows, then cropped to the network's output."""
    maps = torch.from_numpy(np.stack([distance_maps(label) for label in labels]))
    inside = torch.from_numpy(np.stack(labels))[:, None] > 0
    return HoverTarget(crop_centre(inside, output)[:, 0], crop_centre(maps, output))


def our_batch(cases: list[NucleiImage], network: HoVerNet, seed: int, number: int) -> Batch:
    images, labels = [], []
    for index in range(BATCH):
        rng = np.random.default_rng((seed, number, index))
        case = cases[rng.integers(len(cases))]
        image, label = draw_window(case, (WINDOW[0], WINDOW[1]), network.margin_voxels, rng, augment=True)
        images.append(image)
        labels.append(label[0])
    return torch.from_numpy(np.stack(images)), target_of(labels, network.output_voxels(WINDOW))


def monai_transforms(output: tuple[int, ...]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    from monai.apps.pathology.transforms.post.dictionary import HoVerNetInstanceMapPostProcessingd  # noqa: F401
    from monai.transforms import (
        CastToTyped,
        CenterSpatialCropd,
        Compose,
        ComputeHoVerMapsd,
        Lambdad,
        MedianSmoothd,
        OneOf,
        RandAffined,
        RandFlipd,
        RandGaussianNoised,
        RandGaussianSmoothd,
        ScaleIntensityRanged,
    )

    def jitter(image: Any) -> Any:
        x = torch.as_tensor(image, dtype=torch.float32) / 255
        grey = x.mean(0, keepdim=True)
        random = np.random.default_rng().uniform
        x = x * random(229 / 255, 281 / 255)
        x = (x - x.mean()) * random(0.95, 1.10) + x.mean()
        x = grey + (x - grey) * random(0.8, 1.2)
        return (x * 255).clamp(0, 255)

    both = ["image", "label"]
    return Compose(
        [
            RandAffined(
                keys=both,
                prob=1.0,
                rotate_range=(np.pi,),
                scale_range=(0.2, 0.2),
                shear_range=(0.05, 0.05),
                translate_range=(6, 6),
                padding_mode="zeros",
                mode="nearest",
            ),
            CenterSpatialCropd(keys=both, roi_size=WINDOW),
            RandFlipd(keys=both, prob=0.5, spatial_axis=0),
            RandFlipd(keys=both, prob=0.5, spatial_axis=1),
            OneOf(
                transforms=[
                    RandGaussianSmoothd(keys="image", sigma_x=(0.1, 1.1), sigma_y=(0.1, 1.1), prob=1.0),
                    MedianSmoothd(keys="image", radius=1),
                    RandGaussianNoised(keys="image", prob=1.0, std=0.05 * 255),
                ]
            ),
            Lambdad(keys="image", func=jitter),
            ScaleIntensityRanged(keys="image", a_min=0, a_max=255, b_min=0, b_max=1, clip=True),
            CastToTyped(keys="label", dtype=torch.int32),
            ComputeHoVerMapsd(keys="label"),
            CenterSpatialCropd(keys=["label", "hover_label"], roi_size=output),
        ]
    )


def monai_batch(cases: list[NucleiImage], change: Callable[..., Any], seed: int, number: int) -> Batch:
    rows = []
    change.set_random_state(seed * 100_003 + number)  # type: ignore[attr-defined]
    for index in range(BATCH):
        rng = np.random.default_rng((seed, number, index))
        case = cases[rng.integers(len(cases))]
        # Their patches come cut out with an overlap; here a place is drawn.
        height, width = case.instances.shape
        top, left = rng.integers(0, height - WINDOW[0] + 1), rng.integers(0, width - WINDOW[1] + 1)
        box = (slice(top, top + WINDOW[0]), slice(left, left + WINDOW[1]))
        rows.append(
            change(
                {"image": np.moveaxis(case.image[box], -1, 0).astype(np.float32), "label": case.instances[box][None]}
            )
        )
    image = torch.stack([torch.as_tensor(row["image"]).float() for row in rows])
    nuclei = torch.stack([torch.as_tensor(row["label"])[0] > 0 for row in rows])
    maps = torch.stack([torch.as_tensor(row["hover_label"]).float() for row in rows])
    return image, HoverTarget(nuclei, maps)


def monai_loss(output: Tensor, target: HoverTarget) -> Tensor:
    from monai.apps.pathology.losses.hovernet_loss import HoVerNetLoss
    from monai.utils.enums import HoVerNetBranch

    # As in MONAI's tutorial.
    loss = HoVerNetLoss(lambda_hv_mse=1.0)
    truth = torch.stack([~target.nuclei, target.nuclei], dim=1).float()
    found: Tensor = loss(
        {HoVerNetBranch.NP: output[:, :2], HoVerNetBranch.HV: output[:, 2:4]},
        {HoVerNetBranch.NP: truth, HoVerNetBranch.HV: target.distances},
    )
    return found


def train(arm: str, cases: list[NucleiImage], *, steps: int, seed: int) -> HoVerNet:
    torch.manual_seed(seed)
    network = HoVerNet(2, 3, 1, **NETWORK).train()
    monai_way = arm != "ours"
    change = monai_transforms(network.output_voxels(WINDOW)) if monai_way else None
    averaged = None
    if arm == "monai":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-5)
        # A tenth after half of the run, as 25 of 50 epochs.
        schedule: Any = torch.optim.lr_scheduler.StepLR(optimizer, step_size=max(1, steps // 2), gamma=0.1)
    else:
        optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps + 1, pct_start=0.15)
        averaged = torch.optim.swa_utils.AveragedModel(
            network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.97), use_buffers=True
        )
    for number in range(steps):
        image, target = monai_batch(cases, change, seed, number) if change else our_batch(cases, network, seed, number)
        output = network(image)
        loss = monai_loss(output, target) if monai_way else hover_loss(output, target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 12.0 if averaged else float("inf"))
        optimizer.step()
        schedule.step()
        if averaged:
            averaged.update_parameters(network)
        if number % 25 == 0:
            print(f"  step {number} loss {float(loss):.3f}", flush=True)
    final: HoVerNet = averaged.module if averaged else network  # type: ignore[assignment]
    return final.eval()


@torch.no_grad()
def predict(network: HoVerNet, image: np.ndarray) -> Tensor:
    """Raw maps of a whole tile, in one window over its mirrored surroundings."""
    margin = network.margin_voxels
    rest = [-(size + 2 * margin) % 8 for size in image.shape[:2]]
    padded = np.pad(image, [(margin, margin + more) for more in rest] + [(0, 0)], mode="symmetric")
    output = network(torch.from_numpy(np.ascontiguousarray(np.moveaxis(padded, -1, 0))[None]).float() / 255)
    return output[0, :, : image.shape[0], : image.shape[1]]


def monai_separation(raw: Tensor, kernel: int) -> np.ndarray:
    from monai.apps.pathology.transforms import HoVerNetInstanceMapPostProcessing

    _, instances = HoVerNetInstanceMapPostProcessing(sobel_kernel_size=kernel)(raw[:2], raw[2:4])
    return np.asarray(instances).squeeze().astype(np.int32)


def our_maps(raw: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return raw[:2].softmax(0)[1].numpy(), raw[2:4].numpy()


def run(arm: str, fold: int, data: dict[str, NucleiImage], steps: int) -> dict[str, Any]:
    names = sorted(data)
    test = names[fold::FOLDS]
    training = [name for name in names if name not in set(test)]
    begin = time.process_time()
    network = train(arm, [data[name] for name in training], steps=steps, seed=fold)
    seconds = time.process_time() - begin
    calibrating = training[:: len(training) // 16][:16]
    maps = [(*our_maps(predict(network, data[name].image)), data[name].instances) for name in calibrating]
    settings, on_training = calibrate_separation(maps, Separation())
    rows = []
    for name in test:
        raw, truth = predict(network, data[name].image), data[name].instances
        for way, found in (
            ("ours, calibrated", separate_nuclei(*our_maps(raw), settings)),
            ("ours, default", separate_nuclei(*our_maps(raw), Separation())),
            ("monai 21", monai_separation(raw, 21)),
            ("monai default", monai_separation(raw, 5)),
        ):
            table = overlap_table(truth, found)
            quality = panoptic_quality(table)
            rows.append(
                {
                    "case": name,
                    "way": way,
                    "pq": quality.quality,
                    "dice": pixel_dice(table),
                    "aji": aggregated_jaccard(table),
                    "counts": [quality.hits, quality.spurious, quality.missed, quality.iou_sum],
                }
            )
    return {
        "arm": arm,
        "fold": fold,
        "steps": steps,
        "training_cpu_s": seconds,
        "separation": settings.model_dump(),
        "pq_of_training_tiles": on_training,
        "rows": rows,
    }


def summarise(folder: Path) -> None:
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("*_fold*.json"))]
    print("| trained | separated | folds | PQ | pooled PQ | DQ | SQ | AJI | Dice |")
    print("|---|---|---|---|---|---|---|---|---|")
    for arm in ARMS:
        mine = [one for one in runs if one["arm"] == arm]
        for way in dict.fromkeys(row["way"] for one in mine for row in one["rows"]):
            rows = [row for one in mine for row in one["rows"] if row["way"] == way]
            total = sum((PanopticQuality(*row["counts"]) for row in rows), PanopticQuality())
            means = [100 * float(np.nanmean([row[name] for row in rows])) for name in ("pq", "aji", "dice")]
            pooled = [100 * value for value in (total.quality, total.detection, total.segmentation)]
            cells = [means[0], *pooled, *means[1:]]
            print(f"| {arm} | {way} | {len(mine)} | " + " | ".join(f"{value:.1f}" for value in cells) + " |")


def differences(folder: Path, samples: int = 10_000) -> None:
    """PQ of ours, calibrated, less that of the others: mean over tiles, with a 95 % bootstrap interval."""
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("*_fold*.json"))]
    scores: dict[tuple[str, str], dict[str, float]] = {}
    for one in runs:
        for row in one["rows"]:
            scores.setdefault((one["arm"], row["way"]), {})[row["case"]] = 100 * row["pq"]
    ours = scores.get(("ours", "ours, calibrated"), {})
    rng = np.random.default_rng(0)
    for (arm, way), other in scores.items():
        gains = np.array([ours[case] - other[case] for case in sorted(ours) if case in other])
        gains = gains[np.isfinite(gains)]
        if len(gains) and gains.any():
            means = gains[rng.integers(0, len(gains), (samples, len(gains)))].mean(axis=1)
            low, high = np.percentile(means, (2.5, 97.5))
            print(f"less {arm}, {way}: {gains.mean():+.1f} ({low:+.1f} to {high:+.1f}), {len(gains)} tiles")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--arm", choices=ARMS, action="append")
    parser.add_argument("--fold", type=int, action="append")
    parser.add_argument("--steps", type=int, default=250)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    data = read(options.data)
    options.output.mkdir(parents=True, exist_ok=True)
    for fold in options.fold or range(FOLDS):
        for arm in options.arm or ARMS[:2]:
            target = options.output / f"{arm}_fold{fold}.json"
            if target.exists():
                continue
            print(f"{arm}, fold {fold}", flush=True)
            target.write_text(json.dumps(run(arm, fold, data, options.steps)))
            summarise(options.output)
    summarise(options.output)
    differences(options.output)


if __name__ == "__main__":
    main()
