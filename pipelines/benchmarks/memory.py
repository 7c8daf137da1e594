"""Memory, predicted against measured; and what plans for small budgets gain by levers. Results: docs/memory.md.

    python pipelines/benchmarks/memory.py points  OUT            # on this device; goes on where it stopped
    python pipelines/benchmarks/memory.py levers  OUT PLANS      # ten MSD fingerprints at 4, 8 and 24 GiB (no device)
    python pipelines/benchmarks/memory.py budgets OUT            # on a GPU: plans for 4 to 80 GiB train, capped
    python pipelines/benchmarks/memory.py gpu     OUT            # points and budgets, the table and the plot
    python pipelines/benchmarks/memory.py render  OUT            # table and plot again

Measured is what the allocator itself counts: on a CPU the `[memory]` events of torch's profiler, on a GPU
`torch.cuda.max_memory_allocated` (and `max_memory_reserved`, which has the allocator's slack in it).
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from medarch.core.fingerprint import Fingerprint
from medarch.core.labels import LabelScheme
from medarch.core.plan import Configuration, Plan, TrainingPlan
from medarch.networks.levers.pull import pull
from medarch.planning.lever_ladder import lever_ladder, needed
from medarch.planning.memory.predict_memory import predict_memory
from medarch.planning.memory.sketch_plan import sketch_plan
from medarch.planning.search_patch import PatchSearch

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from allocated_bytes import allocated_bytes
from nnunet_files import read_nnunet_dataset, read_nnunet_fingerprint
from real_step import real_step

GIB, MIB = 2**30, 2**20
BUDGETS_GIB = (4, 8, 11, 24, 40, 80)
UNETS = ("plain_unet", "residual_unet", "reversible_unet")


def points(scale: int) -> Iterator[tuple[str, tuple[int, ...], int, Sequence[str]]]:
    """Network, patch, batch, levers; sides are multiplied by ``scale`` for a GPU."""
    cube, flat = (48 * scale,) * 3, (256 * scale,) * 2
    large = (64 * scale,) * 3
    for name in UNETS:
        for levers in ((), ("selective",), ("blocks",), ("stages",), ("bf16",), ("bf16", "stages"), ("adamw",)):
            yield name, cube, 2, levers
    for batch in (1, 2, 4):
        yield "plain_unet", cube, batch, ()
        yield "plain_unet", flat, 4 * batch, ()
    yield "plain_unet", large, 1, ()
    yield "plain_unet", large, 2, ("blocks",)
    yield "plain_unet", (32 * scale, 96 * scale, 96 * scale), 2, ()
    yield "plain_unet", flat, 8, ("blocks",)
    yield "plain_unet", flat, 8, ("bf16",)
    yield "reversible_unet", large, 2, ()
    yield "reversible_unet", flat, 8, ()
    for name in ("unet", "unetplusplus", "encoder_decoder", "eff_unet", "fc_densenet56"):
        yield name, cube, 1, ()
        yield name, flat, 2, ()
    for name in ("resnet18", "resnet50", "densenet121", "efficientnet_b0", "convnext_tiny", "mobilenet_v2"):
        yield name, (64 * scale,) * 3, 4, ()
        yield name, (224 * scale,) * 2, 8, ()
    for name in ("pyramid", "voxelmorph2", "unet_register"):
        yield name, (80 * scale, 96 * scale, 96 * scale), 2, ()
    yield "pyramid", (80 * scale, 96 * scale, 96 * scale), 2, ("bf16",)
    for levers in ((), ("blocks",), ("bf16",)):
        yield "hovernet", flat, 2, levers
    yield "resnet18", (64 * scale,) * 3, 4, ("blocks",)
    yield "resnet18", (64 * scale,) * 3, 4, ("bf16",)


def sketch(name: str, patch: tuple[int, ...], batch: int, levers: Sequence[str]) -> tuple[Plan, Configuration]:
    plan = sketch_plan(name, patch_voxels=patch, batch_size=batch, heads=3)
    return plan, pull(plan.configuration(), levers)


def measured(step: Callable[[], float], device: str) -> tuple[float, int, int]:
    """Seconds, bytes allocated at most, bytes reserved at most."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        seconds = step()
        return seconds, torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    seconds, most = allocated_bytes(step)
    return seconds, most, most


def measure_points(out: Path, device: str) -> None:
    target = out / f"points_{device}.csv"
    rows = list(csv.DictReader(target.open())) if target.exists() else []
    done = {row["point"] for row in rows}
    for name, patch, batch, levers in points(1 if device == "cpu" else 2):
        point = f"{name} {'×'.join(map(str, patch))} batch {batch} {' '.join(levers)}".strip()
        if point in done:
            continue
        plan, configuration = sketch(name, patch, batch, levers)
        started = time.perf_counter()
        found = predict_memory(plan, configuration, device=device)
        took = time.perf_counter() - started
        seconds, allocated, reserved = measured(partial(real_step, plan, configuration, device), device)
        row: dict[str, Any] = {
            "point": point, "network": name, "precision": configuration.training.precision,
            "predicted_mib": round(found.tensor_bytes / MIB, 1), "measured_mib": round(allocated / MIB, 1),
            "reserved_mib": round(reserved / MIB, 1), "error": round(found.tensor_bytes / allocated - 1, 4),
            "workspace_mib": round(found.parts["workspace"] / MIB, 1), "seconds_to_predict": round(took, 2),
            "seconds_of_step": round(seconds, 2), "gflop": round(found.flop / 1e9, 1),
            "gigabytes_moved": round(found.traffic_bytes / 1e9, 2),
        }  # fmt: skip
        rows.append({key: str(value) for key, value in row.items()})
        print(point, row["predicted_mib"], row["measured_mib"], f"{row['error']:+.1%}", flush=True)
        write_rows(target, rows)


def write_rows(target: Path, rows: Sequence[dict[str, Any]]) -> None:
    with target.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def measure_budgets(out: Path) -> None:
    """Plans for part of the GPU's memory train without running out, and use at least 85 % of it."""
    rows = []
    total = torch.cuda.get_device_properties(0).total_memory
    for gib in BUDGETS_GIB:
        budget = gib * GIB
        if budget > total:
            continue
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(budget / total)
        plan, start = budget_start()
        # The cap is on the allocator: the runtime's own memory lies beside it.
        search = PatchSearch(plan, start, memory_bytes=budget, device="cuda", asked={})
        chosen, levers = best_in(search)
        found = search.predict(chosen)
        worst, out_of_memory = 0, False
        try:
            for _ in range(3):
                worst = max(worst, measured(partial(real_step, plan, chosen, "cuda"), "cuda")[2])
        except torch.OutOfMemoryError:
            out_of_memory = True
        rows.append(
            {
                "budget_gib": gib, "patch": "×".join(map(str, chosen.patch_voxels)), "batch": chosen.batch_size,
                "levers": " ".join(levers), "predicted_gib": round(found.bytes / GIB, 2),
                "reserved_gib": round(worst / GIB, 2), "used": round(worst / budget, 3), "out_of_memory": out_of_memory,
            }
        )  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
        write_rows(out / "budgets_cuda.csv", rows)
    torch.cuda.set_per_process_memory_fraction(1.0)


def budget_start() -> tuple[Plan, Configuration]:
    """Whole-body CT: a median case that no memory holds, so that the budget decides."""
    plan = sketch_plan("plain_unet", patch_voxels=(512, 512, 512), training=TrainingPlan(precision="bf16"), heads=15)
    return plan, plan.configuration()


def best_in(search: PatchSearch, width: int = 32) -> tuple[Configuration, list[str]]:
    """The largest patch with as few levers as it needs, then the largest batch."""
    plain = search.largest(width) or search.smallest(width)
    if plain is None:
        raise SystemExit("no patch can be pooled")
    levers: list[str] = []
    if plain.patch_voxels != search.whole(width):
        ladder = lever_ladder(search, plain)
        plain = search.largest(width, [rung.lever for rung in ladder]) or plain
        levers = [rung.lever for rung in needed(search, plain, ladder)]
    chosen = pull(plain, levers)
    if chosen.training.accumulate == 1:
        two, three = search.predict(chosen).bytes, search.predict(chosen, chosen.batch_size + 1).bytes
        more = max(0, (search.memory_bytes - two) // max(1, three - two))
        chosen = chosen.model_copy(update={"batch_size": chosen.batch_size + more})
    return chosen, levers


def levers_table(out: Path, folder: Path) -> None:
    """For each fingerprint and budget: nnU-Net's patch, ours without levers, ours with."""
    rows = []
    for dataset in sorted(path for path in folder.iterdir() if path.is_dir()):
        for gib in (4, 8, 24):
            rows.append(levers_row(dataset, gib))
            print(json.dumps(rows[-1]), flush=True)
            write_rows(out / "levers.csv", rows)


def levers_row(dataset: Path, gib: int) -> dict[str, Any]:
    from medarch.core.plan import Device
    from medarch.planning.plan_nnunet import plan_nnunet

    fingerprint, labels, channels = golden(dataset)
    # nnU-Net's own budget of 8 GB, scaled as its planner does with -gpu_memory_target.
    theirs = plan_nnunet(fingerprint, dataset.name, channels, labels, memory_gb=gib * GIB / 1e9)
    name = "3d_fullres" if "3d_fullres" in theirs.configurations else "2d"
    start = theirs.configuration(name)
    bf16 = start.training.model_copy(update={"precision": "bf16", "weight_average_decay": 0.99})
    plan = theirs.model_copy(update={"device": Device(kind="cuda", name="a GPU", memory_bytes=gib * GIB)})
    search = PatchSearch(
        plan,
        start.model_copy(update={"training": bf16, "batch_dice": False}),
        memory_bytes=gib * GIB,
        device="cuda",
        asked={},
    )
    plain = search.largest(32)
    chosen, levers = best_in(search)
    before = search.predict(plain, 2).work / 2 / math.prod(plain.patch_voxels) if plain else math.nan
    after = search.predict(chosen).work / chosen.batch_size / math.prod(chosen.patch_voxels)
    theirs_voxels = math.prod(start.patch_voxels)
    return {
        "dataset": dataset.name, "gib": gib, "median": "×".join(map(str, start.median_shape)),
        "nnunet": "×".join(map(str, start.patch_voxels)), "nnunet_context": round(search.context(start), 3),
        "without_levers": "×".join(map(str, plain.patch_voxels)) if plain else "none",
        "ours": "×".join(map(str, chosen.patch_voxels)), "ours_context": round(search.context(chosen), 3),
        "batch": chosen.batch_size * chosen.training.accumulate, "levers": " ".join(levers) or "none",
        "voxels_gained": round(math.prod(chosen.patch_voxels) / theirs_voxels, 2),
        "time_per_voxel": round(after / before, 2) if plain else "",
        "predicted_gib": round(search.predict(chosen).bytes / GIB, 2),
    }  # fmt: skip


def golden(dataset: Path) -> tuple[Fingerprint, LabelScheme, tuple[str, ...]]:
    """A fingerprint that nnU-Net took, read as the tests read it."""
    channels, labels, _ = read_nnunet_dataset(dataset)
    return read_nnunet_fingerprint(dataset), labels, channels


def render(out: Path) -> None:
    for device in ("cpu", "cuda"):
        source = out / f"points_{device}.csv"
        if source.exists():
            rows = list(csv.DictReader(source.open()))
            draw_points(rows, out / f"memory_points_{device}.png")
            (out / f"points_{device}.md").write_text(points_text(rows))


def points_text(rows: Sequence[dict[str, str]]) -> str:
    lines = ["| point | predicted MiB | measured MiB | error |", "|---|---|---|---|"]
    lines += [
        f"| {row['point']} | {row['predicted_mib']} | {row['measured_mib']} | {float(row['error']):+.1%} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def draw_points(rows: Sequence[dict[str, str]], target: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    for precision, colour in (("float32", "#1f3b57"), ("bf16", "#e07a3f"), ("fp16", "#3c7a89")):
        mine = [row for row in rows if row["precision"] == precision]
        if mine:
            axes.scatter(
                [float(row["measured_mib"]) for row in mine],
                [100 * float(row["error"]) for row in mine],
                label=precision,
                color=colour,
                s=22,
            )
    axes.axhspan(-3, 5, color="#e9eef2", zorder=0)
    axes.axvline(300, color="#999999", linewidth=0.8)
    axes.set(xscale="log", xlabel="measured peak, MiB", ylabel="predicted / measured - 1, %")
    axes.legend(frameon=False)
    figure.savefig(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["points", "levers", "budgets", "gpu", "render"])
    parser.add_argument("out", type=Path)
    parser.add_argument("plans", type=Path, nargs="?")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if given.what in ("budgets", "gpu") and device == "cpu":
        raise SystemExit("no CUDA device here")
    if given.what in ("points", "gpu"):
        measure_points(given.out, device)
    if given.what in ("budgets", "gpu"):
        measure_budgets(given.out)
    if given.what == "levers":
        if given.plans is None:
            raise SystemExit("give the folder of nnU-Net's fingerprints, too")
        levers_table(given.out, given.plans)
    render(given.out)


if __name__ == "__main__":
    main()
