"""What nuclei of a slide cost, whether they depend on how it is divided, and whether the outputs are right.

python pipelines/benchmarks/nuclei_slide.py invariance SLIDE OUTPUT [--mpp 0.5] [--model MODEL] [--network-mpp 0.5]
python pipelines/benchmarks/nuclei_slide.py cost SLIDE OUTPUT [--mpp ...] [--model MODEL | --network hovernet]
python pipelines/benchmarks/nuclei_slide.py growth PICTURE OUTPUT
python pipelines/benchmarks/nuclei_slide.py million OUTPUT

invariance  predicts with chunks of 256, 512 and 1024 pixels, 1 and 2 workers, and with runs that are killed (SIGKILL)
            after a quarter, a half and three quarters of the first run's time and then given again; compares all
            outputs byte by byte; draws the GeoJSON again and compares it with the label image, pixel by pixel
cost        one run in a process of its own: CPU-seconds, mm² of tissue, peak memory of the process and its workers
growth      slides of 3000², 6000² and 12000² pixels, the picture again and again beside glass: peak memory of each
million     10⁶ nuclei into GeoJSON, label image and tables: CPU-seconds and peak memory

Without --model the maps come from a network without training that finds dark blobs (tests/inference/nuclei). With
--network hovernet each tile is also put through a full HoVerNet (fast, 6 outputs, untrained), whose output is not used:
the cost is that of HoVerNet, the nuclei are still real ones. A line of JSON per result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
sys.path[:0] = [str(REPOSITORY / "tests" / "inference" / "nuclei"), str(REPOSITORY / "tests" / "io" / "nuclei")]

OUTPUTS = ("nuclei.geojson", "nuclei.csv", "nuclei.parquet", "labels.ome.tif", "overlay.png", "detail.png",
           "summary.json")  # fmt: skip


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def load(model: str | None, network: str, mpp: float) -> Any:
    if model:
        from medarch.inference.nuclei.model_files import load_nuclei_model

        return load_nuclei_model(Path(model))
    from colour_network import nuclei_model

    found = nuclei_model(mpp=mpp)
    if network == "colour":
        return found
    import torch

    from medarch.networks.nuclei.hovernet import HoVerNet

    torch.manual_seed(0)
    hovernet = HoVerNet(2, 3, 6).eval().to(memory_format=torch.channels_last)
    (colour,) = found.network.networks

    def both(tiles: torch.Tensor) -> torch.Tensor:
        hovernet(tiles.contiguous(memory_format=torch.channels_last))
        return colour(tiles)

    return replace(found, network=replace(found.network, networks=(both,)))


def run(arguments: argparse.Namespace) -> None:
    """One prediction in this process; called by the others."""
    from medarch.inference.nuclei.predict_slides import predict_slides
    from medarch.inference.nuclei.slide_options import SlideOptions

    model = load(arguments.model, arguments.network, arguments.network_mpp)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    options = SlideOptions(mpp=arguments.mpp, chunk=arguments.chunk, workers=arguments.workers)
    prediction = predict_slides(model, {"slide": Path(arguments.slide)}, Path(arguments.output), options=options)
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    say(
        error=prediction.cases[0].error,
        cpu_s=round(own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime, 1),
        wall_s=round(prediction.cases[0].seconds, 1),
        model_mib=before // 1024,
        peak_mib=own.ru_maxrss // 1024,
        peak_worker_mib=others.ru_maxrss // 1024,
    )


def start(arguments: argparse.Namespace, output: Path, *, chunk: int, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "run", arguments.slide, str(output), "--chunk", str(chunk), "--workers",
               str(workers), "--network", arguments.network, "--network-mpp", str(arguments.network_mpp)]  # fmt: skip
    for name in ("mpp", "model"):
        if getattr(arguments, name):
            command += [f"--{name}", str(getattr(arguments, name))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    text, _ = process.communicate()
    facts: dict[str, Any] = json.loads(text)
    if facts["error"]:
        raise SystemExit(facts["error"])
    return facts


def digests(output: Path) -> dict[str, str]:
    return {name: hashlib.sha256((output / "slide" / name).read_bytes()).hexdigest() for name in OUTPUTS}


def invariance(arguments: argparse.Namespace) -> None:
    root = Path(arguments.output)
    shutil.rmtree(root, ignore_errors=True)
    first = root / "256_1"
    facts = finish(start(arguments, first, chunk=256, workers=1))
    reference = digests(first)
    nuclei = json.loads((first / "slide" / "summary.json").read_text())["nuclei"]
    say(run="256 px, 1 worker", nuclei=nuclei, **facts)
    for chunk, workers in ((512, 1), (1024, 1), (256, 2), (512, 2), (1024, 2)):
        output = root / f"{chunk}_{workers}"
        finish(start(arguments, output, chunk=chunk, workers=workers))
        say(run=f"{chunk} px, {workers} worker(s)", equal_bytes=digests(output) == reference)
        shutil.rmtree(output)
    for share in (0.25, 0.5, 0.75):
        output = root / "killed"
        process = start(arguments, output, chunk=512, workers=2)
        work = output / "slide" / ".work"
        until = time.monotonic() + share * facts["wall_s"]
        while not work.exists() and process.poll() is None:  # what comes before is importing
            time.sleep(0.05)
            until = time.monotonic() + share * facts["wall_s"]
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        died = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = len(list(work.rglob("*.npy"))) + len(list(work.rglob("*.npz")))
        resumed = finish(start(arguments, output, chunk=512, workers=2))
        say(run=f"killed after {share:.0%} of the time", was_running=died, files_kept=kept,
            cpu_s_of_the_rest=resumed["cpu_s"], equal_bytes=digests(output) == reference)  # fmt: skip
        shutil.rmtree(output)
    raster(first / "slide")


def raster(folder: Path) -> None:
    """Draw the GeoJSON again: every pixel's centre that lies in a polygon takes its number."""
    import numpy as np
    import shapely
    import tifffile

    labels = tifffile.imread(folder / "labels.ome.tif")
    summary = json.loads((folder / "summary.json").read_text())
    step = summary["network_mpp"] / summary["mpp"]
    features = json.loads((folder / "nuclei.geojson").read_text())["features"]
    drawn = np.zeros(np.add(labels.shape, 2), labels.dtype)
    valid = 0
    for number, feature in enumerate(features, start=1):
        rings = [np.array(ring) / step for ring in feature["geometry"]["coordinates"]]
        polygon = shapely.Polygon(rings[0], rings[1:])
        valid += polygon.is_valid
        left, top, right, bottom = (int(value) for value in polygon.bounds)
        y, x = np.mgrid[top : bottom + 1, left : right + 1]
        drawn[top : bottom + 1, left : right + 1][shapely.contains_xy(polygon, x + 0.5, y + 0.5)] = number
    same = drawn[: labels.shape[0], : labels.shape[1]] == labels
    say(polygons=len(features), valid=valid, pixels=same.size, pixels_that_differ=int((~same).sum()))


def cost(arguments: argparse.Namespace) -> None:
    root = Path(arguments.output)
    shutil.rmtree(root, ignore_errors=True)
    facts = finish(start(arguments, root, chunk=arguments.chunk, workers=arguments.workers))
    summary = json.loads((root / "slide" / "summary.json").read_text())
    say(
        slide=summary["slide"],
        network=arguments.model or arguments.network,
        network_mpp=summary["network_mpp"],
        tissue_mm2=round(summary["tissue_mm2"], 3),
        nuclei=summary["nuclei"],
        cpu_s_per_mm2=round(facts["cpu_s"] / summary["tissue_mm2"], 1),
        warnings=summary["warnings"],
        **facts,
    )
    raster(root / "slide")


def growth(arguments: argparse.Namespace) -> None:
    import numpy as np
    import PIL.Image
    import tifffile

    field = np.asarray(PIL.Image.open(arguments.slide).convert("RGB"))
    root = Path(arguments.output)
    root.mkdir(parents=True, exist_ok=True)

    def tiles(side: int) -> Any:
        for row in range(0, side, 512):
            for column in range(0, side, 512):
                if column < side // 2:
                    rows, columns = np.arange(row, row + 512) % 1500, np.arange(column, column + 512) % 1500
                    yield field[rows[:, None], columns]
                else:
                    yield np.full((512, 512, 3), 244, np.uint8)

    for side in (3000, 6000, 12000):
        slide = root / f"{side}.tif"
        tifffile.imwrite(slide, tiles(side), shape=(side, side, 3), dtype=np.uint8, tile=(512, 512), photometric="rgb",
                         compression="zlib", resolution=(20000, 20000), resolutionunit=3, metadata=None)  # fmt: skip
        arguments.slide = str(slide)
        output = root / str(side)
        facts = finish(start(arguments, output, chunk=1024, workers=1))
        say(pixels=side**2, nuclei=json.loads((output / "slide" / "summary.json").read_text())["nuclei"], **facts)


def million(arguments: argparse.Namespace) -> None:
    from random_nuclei import write_parts

    from medarch.io.nuclei.nuclei_columns import nuclei_columns
    from medarch.io.nuclei.nuclei_scale import NucleiScale
    from medarch.io.nuclei.numbered_parts import loaded_rows, number_parts
    from medarch.io.nuclei.write_geojson import write_geojson
    from medarch.io.nuclei.write_label_image import write_label_image
    from medarch.io.nuclei.write_tables import write_tables

    root = Path(arguments.output)
    grid = write_parts(root / "parts", 25, 25)
    scale = NucleiScale(1.0, 0.25, (0, 0), ("neoplastic", "inflammatory", "connective"))
    identity = "01234567-89ab-4def-8123-0123456789ab"

    def measured(name: str, target: Path, write: Any) -> None:
        before, begin = peak_mib(), time.process_time()
        write()
        say(output=name, cpu_s=round(time.process_time() - begin, 1), more_peak_mib=round(peak_mib() - before),
            megabytes=round(target.stat().st_size / 1e6))  # fmt: skip

    begin = time.process_time()
    numbered = number_parts(grid)
    count = sum(part.count for line in numbered for part in line)
    say(nuclei=count, numbering_cpu_s=round(time.process_time() - begin, 1))
    geojson, labels, table = (root / name for name in ("n.geojson", "l.ome.tif", "n.csv"))
    size = (26000, 26000)

    def tables() -> None:
        write_tables(table, table.with_suffix(".parquet"), nuclei_columns(loaded_rows(numbered), scale))

    measured("GeoJSON", geojson, lambda: write_geojson(geojson, loaded_rows(numbered), scale, slide=identity[:8] * 2))
    measured("CSV and Parquet", table, tables)
    measured("label image", labels, lambda: write_label_image(labels, numbered, size=size, mpp=0.25, identity=identity))


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    slides = (("run", run), ("invariance", invariance), ("cost", cost), ("growth", growth))
    for name, function in slides:
        verb = verbs.add_parser(name)
        verb.add_argument("slide")
        verb.add_argument("output")
        verb.add_argument("--mpp", type=float)
        verb.add_argument("--model")
        verb.add_argument("--network", choices=("colour", "hovernet"), default="colour")
        verb.add_argument("--network-mpp", type=float, default=0.5)
        verb.add_argument("--chunk", type=int, default=1024)
        verb.add_argument("--workers", type=int, default=1)
        verb.set_defaults(function=function)
    verb = verbs.add_parser("million")
    verb.add_argument("output")
    verb.set_defaults(function=million)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    arguments.function(arguments)


if __name__ == "__main__":
    main()
