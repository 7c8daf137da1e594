"""``medarch report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medarch.cli.console import errors_told, say_json
from medarch.cli.options import Configuration, Json, PlanPath, Verbose


def report(
    plan: PlanPath,
    configuration: Configuration = None,
    fold: Annotated[str, typer.Option("--fold", "-f", help="Whose training and validation to show.")] = "0",
    predictions: Annotated[
        Path | None, typer.Option(help="Show these evaluated predictions instead of the fold's validation.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: WORKSPACE/DATASET/report.html.")
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write one HTML page: scores, curves, worst and best cases outlined, and the plan's reasons."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        target = api.report(plan, configuration=configuration, fold=fold, predictions=predictions, target=output)
        if json:
            say_json({"report": str(target)})
        else:
            typer.echo(f"report written: {target}")
