"""``medarch postprocess``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medarch.cli.console import SOME_FAILED, errors_told, progress_bar, say_json
from medarch.cli.options import Json, Verbose, Workers


def postprocess(
    predictions: Annotated[Path, typer.Argument(help="Folder of predicted label maps.", show_default=False)],
    output: Annotated[
        Path | None, typer.Argument(help="Folder for the postprocessed label maps.", show_default=False)
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="postprocessing.json; default the one in PREDICTIONS.")
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option("--references", help="Find the rules by these, and write PREDICTIONS/postprocessing.json."),
    ] = None,
    dataset: Annotated[
        Path | None,
        typer.Option("--dataset", "-d", help="Dataset or plan.json that names the labels; default: the model's."),
    ] = None,
    workers: Workers = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Keep the largest components where cross-validation says that it helps: find the rules, apply them, or both."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with progress_bar("postprocess") as progress:
            found, cases = api.postprocess(
                predictions,
                output,
                rules=rules,
                references=references,
                dataset=dataset,
                workers=workers,
                progress=progress,
            )
        failed = {} if cases is None else cases.failed
        if json:
            written = None if cases is None else len(cases.written)
            say_json({"rules": found.model_dump(mode="json"), "written": written, "failed": failed})
        else:
            if references is not None:
                typer.echo(f"DSC {found.dsc_before:.4f} before, {found.dsc_after:.4f} after")
            typer.echo(f"rules: {found}")
            if cases is not None:
                typer.echo(f"{len(cases.written)} label map(s) in {output}")
            for case, reason in failed.items():
                typer.secho(f"  {case}: {reason}", fg="red", err=True)
        if failed:
            raise typer.Exit(SOME_FAILED)
