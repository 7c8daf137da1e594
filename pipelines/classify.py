"""The classification story, end to end: check, plan, train, predict, evaluate, report.

python pipelines/classify.py DATASET --time-budget 10m

DATASET: a folder with dataset.json ("task": "classification") and labels.csv, or one folder a class; see
docs/classification.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import medarch
from medarch.cli.durations import seconds


def main() -> None:
    """Run the story on a dataset that has labelled test cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--time-budget", default="10m", help="training time: 4m, 1h")
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
    say(f"plan: {plan.configuration().network.architecture} on {'×'.join(map(str, plan.configuration().patch_voxels))}")
    for reason in plan.reasons:
        print(f"           {reason.decision} = {reason.value}: {reason.because}")

    trained = medarch.train(folder, device=options.device)
    print((trained.folder / "validation" / "evaluation.md").read_text())
    say(f"train: model in {trained.model}")

    # A dataset stands for its test cases.
    predictions = folder / "predictions"
    result = medarch.predict(trained.model, options.dataset, predictions, device=options.device, restart=True)
    say(f"predict: {len(result.cases) - len(result.failed)} of {len(result.cases)} cases")

    evaluation = medarch.evaluate(predictions, options.dataset)
    print((predictions / "evaluation.md").read_text())
    say(f"evaluate: mean AUROC {evaluation.mean():.4f}")

    page = medarch.report(folder, predictions=predictions)
    say(f"report: {page}")


if __name__ == "__main__":
    main()
