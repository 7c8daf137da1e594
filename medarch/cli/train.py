"""``medarch train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medarch.cli.console import errors_told, progress_bar, say_json
from medarch.cli.durations import seconds
from medarch.cli.options import Configuration, DeviceName, Json, PlanPath, Verbose, Workers


def train(
    plan: PlanPath,
    configuration: Configuration = None,
    fold: Annotated[str, typer.Option("--fold", "-f", help="0 to 4, or all.")] = "0",
    device: DeviceName = "auto",
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the plan's.")] = None,
    time_budget: Annotated[
        str | None, typer.Option("--time-budget", "-t", help="In place of the plan's: 15m, 2h.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="In place of the plan's.")] = None,
    pretrained: Annotated[
        Path | None,
        typer.Option(help="Weights to start from: .safetensors or .pth of torchvision, timm, medarch; a model folder."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget an earlier run of this fold; default: go on.")
    ] = False,
    validate: Annotated[bool, typer.Option(help="Predict and score the fold's validation cases at the end.")] = True,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Keep the validation cases' class probabilities, for select.")
    ] = False,
    workers: Workers = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train one fold, or go on where a stopped run stood; write the model; score the validation cases."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with progress_bar("preprocess") as progress:
            result = api.train(
                plan,
                configuration=configuration,
                fold=fold,
                device=device,
                epochs=epochs,
                time_budget_s=seconds(time_budget),
                seed=seed,
                pretrained=pretrained,
                restart=restart,
                validate=validate,
                probabilities=probabilities,
                workers=workers,
                progress=progress,
            )
        score = result.evaluation.mean() if result.evaluation else None
        if json:
            measure = result.evaluation.main_measure if result.evaluation else "dsc"
            say_json({"folder": str(result.folder), "model": str(result.model), f"validation_{measure}": score})
            return
        if result.evaluation is not None:
            typer.echo((result.folder / "validation" / "evaluation.md").read_text())
        typer.echo(f"model written; next: medarch predict {result.model} INPUT OUTPUT")
