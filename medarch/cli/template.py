"""``medarch template``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from medarch.cli.console import errors_told, progress_bar, say_json
from medarch.cli.options import DeviceName, Json, Verbose


def template(
    source: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="A folder of images, or a manifest.", show_default=False)
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the template and the transforms.", show_default=False)],
    rounds: Annotated[int, typer.Option(min=1, help="Of registering and averaging; 1 is an affine template.")] = 4,
    linear: Annotated[str, typer.Option(help="First step: affine, similarity or rigid.")] = "affine",
    similarity: Annotated[str, typer.Option(help="lncc, mind, nmi or mse.")] = "lncc",
    smoothness: Annotated[float, typer.Option(min=0.0, help="Weight of the deformations' gradient.")] = 0.3,
    device: DeviceName = "auto",
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Average a group of images in its mean shape, without preferring any of them."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        chosen: dict[str, Any] = {"linear": linear, "similarity": similarity}
        with progress_bar("template", unit="registration") as progress:
            report = api.template(
                source, output, rounds=rounds, smoothness=smoothness, device=device, progress=progress, **chosen
            )
        if json:
            say_json(report.model_dump(mode="json"))
            return
        moved = ", ".join(f"{value:.2f}" for value in report.drift_mm)
        typer.echo(f"{len(report.transforms)} images, {report.seconds:.0f} s; the mean shape moved by {moved} mm")
        typer.echo(f"in {output}: {report.template}, transforms/, template.json")
