"""The engines of this machine: seconds a tile, labels against float32, and how much of the processor they use.

    python pipelines/benchmarks/engines.py [--model MODEL --image IMAGE] [--only large|trained]

- large: the network of `predict.py` (118 classes, 16 to 160 features, random weights, 7 MB), one tile of 112×96×112.
  Random weights say nothing of Dice; the share of voxels with float32's label is given, and it is a hard test: no class
  is likelier than another.
- trained: a model folder and an image of it. Dice is the lowest of its classes on up to three tiles, mirrored copies
  averaged.

The first row is torch as users have it: contiguous float32, memory given back to the system after each layer. All other
rows run as `medarch predict` runs them. Peaks are torch's largest matrix product on the same threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medarch.core.kept_memory import kept_memory
from medarch.core.plan import NetworkPlan
from medarch.inference.engines.load_engine import ENGINES, load_engine
from medarch.inference.linear_head import LinearHead

CPU = torch.device("cpu")
PATCH = (112, 96, 112)
CLASSES = 118
RUNS = 4
SIZE = 4096
"""Of the square matrices whose product gives the peak."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--only", choices=["large", "trained"])
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma separated")
    options = parser.parse_args()
    names = [name for name in options.engines.split(",") if not ENGINES[name].missing(CPU)]
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
    if options.only != "trained":
        large(names)
    if options.only != "large" and options.model:
        trained(names, options.model, options.image)


def large(names: Sequence[str]) -> None:
    peaks = {dtype: peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
    print("peak of matrix products, GFLOP/s: " + ", ".join(f"{str(d)[6:]} {value:.0f}" for d, value in peaks.items()))
    network = large_network()
    head = LinearHead.of([network], classes=CLASSES)
    tiles = torch.randn(1, 1, *PATCH, generator=torch.Generator().manual_seed(0))
    work = operations(network, tiles) / 1e9
    print(f"one tile of {'×'.join(map(str, PATCH))}: {work:.0f} GFLOP in convolutions")

    def labels(features: Tensor) -> Tensor:
        return head.logits(features[0].float().movedim(0, -1)).argmax(-1)

    columns = ("engine", "s/tile", "times faster", "GFLOP/s", "of peak", "equal labels", "first tile, s")
    print_row(*columns)
    base: tuple[float, Tensor] | None = None
    for title, name, memory in rows(names):
        engine = load_engine(name, network, CPU)
        given = tiles.to(engine.dtype)
        with memory():
            first, seconds, features = clock(lambda: engine(given))  # noqa: B023 - called at once
        found = labels(features)
        base = base or (seconds, found)
        rate = work / seconds
        share = rate / peaks[ENGINES[name].compute]
        equal = (found == base[1]).float().mean().item()
        print_row(
            title, f"{seconds:.3f}", f"{base[0] / seconds:.2f}", f"{rate:.0f}", f"{share:.0%}", f"{equal:.5f}",
            f"{first:.1f}",
        )  # fmt: skip


def trained(names: Sequence[str], folder: Path, image: Path) -> None:
    from medarch.inference.choose_engine import COMPARED, LOOKED_AT, agreement
    from medarch.inference.engines.sample_tiles import sample_tiles
    from medarch.inference.load_model import load_model
    from medarch.inference.prediction_options import PredictionOptions
    from medarch.inference.prepare_input import prepare_input
    from medarch.inference.stream_features import stream_features
    from medarch.io.find_inputs import find_inputs

    model = load_model(folder)
    window = PredictionOptions().window(model.configuration)
    case = find_inputs(image, channels=len(model.plan.channels))[0]
    prepared = prepare_input(model, case).arrays.image
    head = LinearHead.of(model.networks[:1], classes=model.configuration.network.heads)
    samples = [tile for tile, _ in zip(sample_tiles(prepared, window), range(LOOKED_AT), strict=False)]

    @torch.inference_mode()
    def labels(engine: Any) -> list[Any]:
        slabs = (next(stream_features([engine], head, tile.to(engine.dtype), window=window)) for tile in samples)
        return [model.task.decode(head.logits(s.features.movedim(0, -1)).movedim(-1, 0).numpy()) for s in slabs]

    reference = labels(load_engine("eager", model.networks[0], CPU))
    chosen = [number for number, found in enumerate(reference) if found.any()][:COMPARED]
    samples, reference = [samples[number] for number in chosen], [reference[number] for number in chosen]
    voxels = sum(int((found > 0).sum()) for found in reference)
    print(f"\n{folder}: patch {'×'.join(map(str, window.patch))}, {voxels} labelled voxels compared")
    print_row("engine", "s/tile", "times faster", "Dice", "first tile, s")
    base = None
    for title, name, memory in rows(names):
        engine = load_engine(name, model.networks[0], CPU)
        batch = samples[0].to(engine.dtype).reshape(1, len(samples[0]), *window.patch)
        with memory():
            first, seconds, _ = clock(lambda: engine(batch))  # noqa: B023 - called at once
            dice = agreement(labels(engine), reference)
        base = base or seconds
        told = "too few" if dice is None else f"{dice:.5f}"
        print_row(title, f"{seconds:.4f}", f"{base / seconds:.2f}", told, f"{first:.1f}")


def rows(names: Sequence[str]) -> list[tuple[str, str, Callable[[], Any]]]:
    return [("torch, float32", "eager", nullcontext), *((name, name, kept_memory) for name in names)]


def large_network() -> nn.Module:
    from medarch.networks.build_network import build_network

    torch.manual_seed(0)
    plan = NetworkPlan(
        architecture="plain_unet", dim=3, in_channels=1, heads=CLASSES, features=(16, 32, 64, 128, 160),
        strides=((1, 1, 1), *[(2, 2, 2)] * 4), kernels=((3, 3, 3),) * 5, blocks=(2,) * 5, decoder_blocks=(2,) * 4,
    )  # fmt: skip
    return build_network(plan).eval().requires_grad_(False)


def clock(run: Callable[[], Tensor]) -> tuple[float, float, Tensor]:
    """Seconds of the first run, the fastest of the next ones, and what it returned."""
    started = time.perf_counter()
    result = run()
    first = time.perf_counter() - started
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return first, min(seconds), result


def peak(dtype: torch.dtype) -> float:
    """GFLOP/s of a large matrix product."""
    left, right = torch.randn(SIZE, SIZE).to(dtype), torch.randn(SIZE, SIZE).to(dtype)
    _, seconds, _ = clock(lambda: left @ right)
    return 2 * SIZE**3 / seconds / 1e9


def operations(network: nn.Module, tiles: Tensor) -> float:
    """Multiplications and additions of all convolutions but the head."""
    total = 0.0

    def count(layer: Any, given: tuple[Tensor], made: Tensor) -> None:
        nonlocal total
        # A transposed convolution spreads each voxel it is given, any other gathers each voxel it makes.
        voxels = given[0][0, 0].numel() if layer.transposed else made[0, 0].numel()
        total += 2.0 * layer.weight.numel() * voxels

    kinds = nn.Conv3d | nn.ConvTranspose3d
    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, kinds)]
    with torch.inference_mode():
        LinearHead.features_of(network, tiles)
    for hook in hooks:
        hook.remove()
    return total


def print_row(*cells: str) -> None:
    print(f"{cells[0]:<18}" + "".join(f"{cell:>15}" for cell in cells[1:]), flush=True)


if __name__ == "__main__":
    main()
