"""Encoder-decoders of the registry under one wall-clock, hippocampus fold 0: configs/studies/networks.yaml, as a table.

    python pipelines/benchmarks/networks_hippocampus.py --budget 3m

Each network is planned for the budget on this machine, trained, and predicts the 52 validation cases, one after the
other with nothing beside it. The same command goes on after a kill; the folder holds the whole study with its
statistics (study.md).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import yaml
from peer import REPOSITORY

import medarch
from medarch.core.study import StudyResult, StudyRun

STUDY = REPOSITORY / "configs/studies/networks.yaml"


def main() -> None:
    options = parse_arguments()
    study = write_study(options)
    started = time.monotonic()

    def tell(run: str, status: str, detail: str) -> None:
        first = detail.splitlines()[0] if detail else ""
        print(f"[{time.monotonic() - started:6.0f} s] {status:<8}{run}  {first}", flush=True)

    outcome = medarch.compare(study, tell=tell)
    print_table(outcome.result)
    print(f"statistics in {outcome.folder / 'study.md'}")
    sys.exit(any(run.status == "failed" for run in outcome.result.runs))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=REPOSITORY.parent / "shared/data/Task04_Hippocampus")
    parser.add_argument("--budget", default="3m", help="wall-clock of each training")
    parser.add_argument("--output", type=Path, default=Path("workspace/studies/networks"))
    return parser.parse_args()


def write_study(options: argparse.Namespace) -> Path:
    """The study of the repository with these paths and this time, beside its output."""
    content = yaml.safe_load(STUDY.read_text())
    output = options.output.absolute()
    content |= {"output": str(output), "budget": {"wall_clock": options.budget}}
    content["datasets"] = [{**content["datasets"][0], "path": str(options.dataset.absolute())}]
    for method in content["methods"]:
        if "with" in method:
            method["with"] = [str((STUDY.parent / path).resolve()) for path in method["with"]]
    output.mkdir(parents=True, exist_ok=True)
    file = output / STUDY.name
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def print_table(result: StudyResult) -> None:
    print(f"\n{'':<16}{'DSC':>8}{'parameters':>14}{'train s':>9}{'s a case':>10}{'peak GiB':>10}")
    for run in result.runs:
        if run.status != "done":
            print(f"{run.method:<16}{run.status}")
            continue
        cost = run.cost
        cells = (
            f"{mean_dsc(result, run):.4f}",
            f"{cost.parameters or 0:,}",
            f"{cost.train_s or 0:.0f}",
            f"{(cost.predict_s or 0) / len(run.cases):.2f}",
            f"{(cost.peak_memory_bytes or 0) / 2**30:.2f}",
        )
        print(f"{run.method:<16}{cells[0]:>8}{cells[1]:>14}{cells[2]:>9}{cells[3]:>10}{cells[4]:>10}")


def mean_dsc(result: StudyResult, run: StudyRun) -> float:
    """Mean over classes and cases of one run."""
    found = [row.values["dsc"] for row in result.rows if (row.method, row.fold) == (run.method, run.fold)]
    values = [value for value in found if value is not None]
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
