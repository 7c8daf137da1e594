"""``medarch preprocess``."""

from __future__ import annotations

import typer

from medarch.cli.console import errors_told, progress_bar, say_json
from medarch.cli.options import Configuration, Json, PlanPath, Verbose, Workers


def preprocess(
    plan: PlanPath,
    configuration: Configuration = None,
    workers: Workers = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Prepare the cases of a plan (training does it by itself); what is prepared already is not touched."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with progress_bar("preprocess") as progress:
            store = api.preprocess(plan, configuration=configuration, workers=workers, progress=progress)
        cases = store.ids()
        if json:
            say_json({"folder": str(store.folder), "cases": len(cases)})
        else:
            typer.echo(f"{len(cases)} prepared cases in {store.folder}")
