"""The model's own page: what it is, what it was trained on, how good it is, and what it must not be used for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from medarch.core.dataset import Dataset
from medarch.core.evaluation import Evaluation, Interval
from medarch.core.files import write_text
from medarch.core.load_evaluation import AnyEvaluation
from medarch.core.plan import Configuration, Plan
from medarch.core.registration_evaluation import RegistrationEvaluation


def write_model_card(
    folder: Path,
    *,
    plan: Plan,
    configuration: Configuration,
    dataset: Dataset,
    scores: Mapping[str, AnyEvaluation],
    software: Mapping[str, str],
) -> None:
    """Write ``MODEL_CARD.md`` and ``metrics.json`` into a model folder.

    Args:
        folder: the model folder.
        plan: what was trained.
        configuration: of the plan.
        dataset: training data; no path of it is written.
        scores: fold folder name → evaluation of its validation cases.
        software: package → version.
    """
    metrics = {
        fold: {
            summary.label: {name: interval.model_dump() for name, interval in summary.measures.items()}
            for summary in evaluation.summaries
        }
        | _of_pairs(evaluation)
        for fold, evaluation in scores.items()
    }
    write_text(folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    measure = next((evaluation.main_measure for evaluation in scores.values()), Evaluation.main_measure)
    patch = "×".join(map(str, configuration.patch_voxels))
    lines = [
        f"# {plan.dataset}: {plan.name}, {configuration.name}",
        "",
        "A research model. Not a medical device; not for diagnosis.",
        "",
        f"- Task: {_task(plan)}",
        f"- Input: {', '.join(plan.channels)}; any grid and orientation",
        f"- Network: {configuration.network.architecture}, "
        + (f"features {'-'.join(map(str, configuration.network.features))}, " if configuration.network.features else "")
        + f"patch {patch}, batch {configuration.batch_size}",
        f"- Training data: {len(dataset.cases)} cases of {dataset.name}. Licence: {dataset.licence or 'not stated'}",
        "",
        "## Validation",
        "",
        f"| fold | class | {measure.upper()} (95 % interval) | cases |",
        "|---|---|---|---|",
        *(
            f"| {fold.removeprefix('fold_')} | {summary.label} | {_interval(summary.measures[measure])} | "
            f"{summary.measures[measure].used} / {summary.measures[measure].total} |"
            for fold, evaluation in scores.items()
            for summary in evaluation.summaries
        ),
        "",
        "## Software",
        "",
        ", ".join(f"{name} {number}" for name, number in software.items()),
        "",
    ]
    write_text(folder / "MODEL_CARD.md", "\n".join(lines))


def _task(plan: Plan) -> str:
    names = plan.classes.names if plan.classes else plan.labels.foreground_names
    return f"{plan.task} of {', '.join(names)}" if names else plan.task


def _of_pairs(evaluation: AnyEvaluation) -> dict[str, object]:
    if not isinstance(evaluation, RegistrationEvaluation):
        return {}
    return {"pair": {name: interval.model_dump() for name, interval in evaluation.pair_summaries.items()}}


def _interval(interval: Interval) -> str:
    if interval.mean is None:
        return "undefined"
    if interval.low is None or interval.high is None:
        return f"{interval.mean:.4f}"
    return f"{interval.mean:.4f} ({interval.low:.4f} to {interval.high:.4f})"
