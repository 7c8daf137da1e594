"""A comparison study with nnU-Net, end to end: configs/studies/hippocampus.yaml with your paths and your time.

    python pipelines/compare_with_nnunet.py --peer-python ../envs/peer/bin/python --budget 2m

nnU-Net is not installed beside medarch; it runs in its own environment (python3 -m venv ../envs/peer &&
../envs/peer/bin/pip install nnunetv2). The same command goes on after a kill.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import yaml

import medarch

REPOSITORY = Path(__file__).resolve().parents[1]
STUDY = REPOSITORY / "configs/studies/hippocampus.yaml"


def main() -> None:
    """Write the study with these paths beside its output, and run it."""
    options = parse_arguments()
    content = yaml.safe_load(options.study.read_text())
    output = options.output.absolute()
    content |= {"output": str(output), "budget": {"wall_clock": options.budget}}
    content["datasets"] = [{**content["datasets"][0], "path": str(options.dataset.absolute())}]
    for method in content["methods"]:
        if "nnunet" in method:
            method["nnunet"]["python"] = str(options.peer_python.absolute())
    if options.folds is not None:
        content["folds"] = options.folds
    output.mkdir(parents=True, exist_ok=True)
    file = output / options.study.name
    file.write_text(yaml.safe_dump(content, sort_keys=False))

    started = time.monotonic()

    def tell(run: str, status: str, detail: str) -> None:
        first = detail.splitlines()[0] if detail else ""
        print(f"[{time.monotonic() - started:6.0f} s] {status:<8}{run}  {first}", flush=True)

    outcome = medarch.compare(file, tell=tell)
    failed = [run for run in outcome.result.runs if run.status == "failed"]
    print(f"{len(outcome.result.runs) - len(failed)} of {len(outcome.result.runs)} runs; tables in {outcome.folder}")
    sys.exit(bool(failed))


def parse_arguments() -> argparse.Namespace:
    """Where nnU-Net and the data are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    peer = Path(os.environ.get("MEDARCH_PEER_PYTHON", REPOSITORY.parent / "envs/peer/bin/python"))
    parser.add_argument("--dataset", type=Path, default=REPOSITORY.parent / "shared/data/Task04_Hippocampus")
    parser.add_argument("--peer-python", type=Path, default=peer, help="python of nnU-Net's environment")
    parser.add_argument("--budget", default="2m", help="wall-clock of each training")
    parser.add_argument("--folds", type=int, help="how many; default the study's")
    parser.add_argument("--output", type=Path, default=Path("workspace/studies/hippocampus"))
    parser.add_argument("--study", type=Path, default=STUDY)
    return parser.parse_args()


if __name__ == "__main__":
    main()
