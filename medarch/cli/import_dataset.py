"""``medarch import`` of a dataset that nnU-Net preprocessed."""

from __future__ import annotations

from pathlib import Path

import typer

from medarch.cli.console import print_table, progress_bar, say_json


def import_dataset(
    source: Path, workspace: Path, *, configuration: str | None, workers: int | None, as_json: bool
) -> None:
    """Take the folder over into a workspace and say how to train from there."""
    from medarch import api

    with progress_bar("import") as progress:
        result = api.import_preprocessed(
            source, workspace, configuration=configuration, workers=workers, progress=progress
        )
    if as_json:
        say_json(result.model_dump(mode="json"))
        return
    rows = [[plan, ", ".join(prepared) or "none prepared"] for plan, prepared in result.plans.items()]
    print_table(f"{result.dataset}: {result.cases} cases", ["plan", "configurations"], rows)
    plan, prepared = next((plan, prepared) for plan, prepared in result.plans.items() if prepared)
    typer.echo(f"imported; next: medarch train {result.folder / plan} -c {prepared[-1]}")
