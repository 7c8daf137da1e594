"""``medarch select``."""

from __future__ import annotations

from typing import Annotated

import typer

from medarch.cli.console import errors_told, print_table, progress_bar, say_json
from medarch.cli.options import DeviceName, Json, PlanPath, Verbose, Workers


def select(
    plan: PlanPath,
    folds: Annotated[
        str | None, typer.Option("--folds", "-f", help="Which cross-validation, e.g. 0,1,2; default all folds.")
    ] = None,
    ensembles: Annotated[bool, typer.Option(help="Consider pairs of configurations, too.")] = True,
    device: DeviceName = "auto",
    workers: Workers = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Find the best configuration or pair by cross-validation, and its postprocessing; say how to predict with it.

    Probabilities that training did not keep (train --probabilities) are predicted again.
    """
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with progress_bar("select") as progress:
            result = api.select(
                plan,
                folds=folds.split(",") if folds else None,
                ensembles=ensembles,
                device=device,
                workers=workers,
                progress=progress,
            )
        if json:
            say_json(result.model_dump(mode="json"))
            return
        rows = [
            [
                " + ".join(candidate.configurations),
                f"{candidate.dsc:.4f}",
                "*" if candidate.configurations == result.winner else "",
            ]
            for candidate in result.candidates
        ]
        print_table(f"{result.cases} cases of folds {', '.join(result.folds)}", ["configuration", "DSC", ""], rows)
        rules = result.postprocessing
        typer.echo(f"postprocessing: {rules} (DSC {rules.dsc_before:.4f} before, {rules.dsc_after:.4f} after)")
        typer.echo(f"next: {result.commands[0]}")
        for command in result.commands[1:]:
            typer.echo(f"  or: {command}")
