"""``medarch check``."""

from __future__ import annotations

import typer

from medarch.cli.console import SOME_FAILED, errors_told, print_table, progress_bar, say_json
from medarch.cli.options import DatasetPath, Json, Verbose, Waive, Workers


def check(
    dataset: DatasetPath, waive: Waive = None, workers: Workers = None, json: Json = False, verbose: Verbose = False
) -> None:
    """List every problem of a dataset at once, each with its code, the case, what was expected and the fix."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with progress_bar("check") as progress:
            found = api.check(dataset, waive=waive or (), workers=workers, progress=progress)
        if found.findings and not json:
            print_table(
                f"{found.dataset}: {len(found.findings)} finding(s)",
                ["severity", "code", "case", "expected", "found", "fix"],
                [[row.severity, row.code, row.case or "", row.expected, row.found, row.fix] for row in found.findings],
            )
        if json:
            say_json(found.model_dump(mode="json"))
        else:
            warnings = len(found.findings) - len(found.errors)
            typer.echo(f"{found.dataset}: {found.cases} cases, {len(found.errors)} errors, {warnings} warnings")
        if found.errors:
            raise typer.Exit(SOME_FAILED)
