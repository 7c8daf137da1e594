"""``medarch ensemble``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medarch.cli.console import SOME_FAILED, errors_told, progress_bar, say_json
from medarch.cli.options import Json, Verbose


def ensemble(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Prediction folders with probabilities (medarch's or nnU-Net's).", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the label maps.", show_default=False)],
    dataset: Annotated[
        Path | None,
        typer.Option("--dataset", "-d", help="Dataset or plan.json that names the labels; default: the model's."),
    ] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Also write the mean probabilities.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Average every case again; default: go on.")] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Average the class probabilities of several prediction folders and decide once."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with progress_bar("ensemble") as progress:
            result = api.ensemble(
                folders, output, dataset=dataset, probabilities=probabilities, restart=restart, progress=progress
            )
        if json:
            say_json(result.model_dump(mode="json"))
        else:
            typer.echo(f"{len(result.cases) - len(result.failed)} case(s) in {output}, {len(result.failed)} failed")
            for row in result.failed:
                typer.secho(f"  {row.case}: {row.error}", fg="red", err=True)
        if result.failed:
            raise typer.Exit(SOME_FAILED)
