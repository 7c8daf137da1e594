"""How long threads wait actively for each other, and what that costs. Results: docs/prediction.md, On a shared machine.

    python pipelines/benchmarks/waiting.py MODEL IMAGE [--threads 2] [--runs 3]

A tile of the image goes through the model with all mirrored copies, on as many threads as asked, with nothing else on
the machine and beside one and two programs that never rest. Each measurement is a process of its own, because OpenMP
reads its settings once; one that takes longer than 150 s is given up. Linux with GNU's OpenMP.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SPINS: tuple[str | None, ...] = (None, "30000", "3000", "300")
"""None: GNU OpenMP's own, 300000."""
LIMIT_S = 150
REPEATS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(seconds_of_a_tile(chosen.model, chosen.image, chosen.threads))
        return
    print("| beside | rounds | seconds a tile, each run |\n|---|---|---|", flush=True)
    for programs in (0, 1, 2):
        for spins in SPINS:
            with busy(programs):
                runs = [measured(chosen.model, chosen.image, chosen.threads, spins) for _ in range(chosen.runs)]
            print(f"| {programs} programs | {spins or 'default'} | {', '.join(runs)} |", flush=True)


def seconds_of_a_tile(model: Path, image: Path, threads: int) -> float:
    """Median over a few passes after the first."""
    import torch

    from medarch.core.dataset import Case
    from medarch.core.kept_memory import kept_memory
    from medarch.inference.estimate_cases import _central_tile, _through
    from medarch.inference.load_model import load_model
    from medarch.inference.prediction_options import PredictionOptions
    from medarch.inference.prepare_input import prepare_input

    torch.set_num_threads(threads)
    loaded = load_model(model, device="cpu")
    window = PredictionOptions(mirror=True).window(loaded.configuration)
    tile = _central_tile(prepare_input(loaded, Case(id="case", images=(image,))).arrays, window)
    times = []
    with kept_memory():
        for _ in range(REPEATS):
            began = time.perf_counter()
            _through(loaded, tile, window)
            times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def measured(model: Path, image: Path, threads: int, spins: str | None) -> str:
    """Seconds as a process with this setting measures them."""
    own = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    surroundings = own if spins is None else {**own, "GOMP_SPINCOUNT": spins}
    command: Sequence[str] = [sys.executable, __file__, str(model), str(image), "--measure", "--threads", str(threads)]
    try:
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"more than {LIMIT_S} s in all"
    return f"{float(done.stdout.split()[-1]):.3f}"


@contextlib.contextmanager
def busy(programs: int) -> Iterator[None]:
    """Run programs that never rest, in sessions of their own as those of other users."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(programs)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    main()
