"""The main story, end to end: check, plan, train, predict, evaluate, report.

python pipelines/segment.py data_samples/hippocampus --time-budget 4m
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import medarch
from medarch.cli.durations import seconds


def main() -> None:
    """Run the story on a dataset that has test images with labels (imagesTs, labelsTs)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--time-budget", default="4m", help="training time: 4m, 1h")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.0f} s] {text}", flush=True)

    report = medarch.check(options.dataset)
    say(f"check: {report.cases} cases, {len(report.errors)} errors")

    plan = medarch.plan(
        options.dataset, options.workspace, device=options.device, time_budget_s=seconds(options.time_budget)
    )
    folder = options.workspace / plan.dataset / plan.name
    configuration = plan.configuration()
    say(f"plan: patch {'×'.join(map(str, configuration.patch_voxels))}, batch {configuration.batch_size}, "
        f"features {'-'.join(map(str, configuration.network.features))}")  # fmt: skip
    for reason in plan.reasons:
        print(f"           {reason.decision} = {reason.value}: {reason.because}")

    # Every case but the test cases is trained on; the test cases judge.
    trained = medarch.train(folder, fold="all", device=options.device, validate=False)
    say(f"train: model in {trained.model}")

    predictions = folder / "predictions"
    result = medarch.predict(
        trained.model, options.dataset / "imagesTs", predictions, device=options.device, restart=True
    )
    say(f"predict: {len(result.cases) - len(result.failed)} of {len(result.cases)} cases")

    evaluation = medarch.evaluate(predictions, options.dataset / "labelsTs")
    print((predictions / "evaluation.md").read_text())
    say(f"evaluate: mean foreground DSC {evaluation.mean():.4f}")

    page = medarch.report(folder, fold="all", predictions=predictions)
    say(f"report: {page}")


if __name__ == "__main__":
    main()
