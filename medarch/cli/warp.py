"""``medarch warp``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medarch.cli.console import SOME_FAILED, errors_told, progress_bar, say_json
from medarch.cli.options import Json, Verbose, Workers


class Interpolation(StrEnum):
    """How values between voxels are found."""

    linear = "linear"
    cubic = "cubic"
    nearest = "nearest"


def warp(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="An image, label map or landmarks (.csv, .fcsv) of the moving image, or a folder of them.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Argument(help="The file, or the folder, for the result.", show_default=False)],
    transform: Annotated[
        list[str],
        typer.Option(
            "--transform",
            "-t",
            help="A displacement field (.nii.gz .nrrd .mha), .h5, .tfm, or .mat of ANTs. Repeatable, in the order of "
            "ANTs: the first acts first on a fixed point, so warp before affine. [FILE,1] inverts one. "
            "A folder: the transform that is named as the input.",
            show_default=False,
        ),
    ],
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            "-r",
            help="The fixed image: results get its grid. A folder: the image of the input's name. Landmarks need none.",
            show_default=False,
        ),
    ] = None,
    inverse: Annotated[
        bool,
        typer.Option("--inverse", help="The way back: INPUT is of the fixed image, --reference the moving one."),
    ] = False,
    interpolation: Annotated[
        Interpolation, typer.Option("--interpolation", "-n", help="For label maps: nearest.")
    ] = Interpolation.linear,
    fill: Annotated[float, typer.Option(help="Value outside of INPUT, e.g. -1000 for CT.")] = 0.0,
    field: Annotated[
        Path | None,
        typer.Option(help="Also write all transforms as one displacement field on the reference's grid."),
    ] = None,
    workers: Workers = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Move images, label maps and landmarks with transforms of medarch, ITK, ANTs or 3D Slicer.

    Transforms map the fixed image to the moving one, as all of these programs write them; landmarks follow the images.
    Exit code 0: all done; 1: some files of a folder failed; 2: nothing could be done.
    """
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with progress_bar("warp") as progress:
            result = api.warp(
                source,
                output,
                transform,
                reference=reference,
                inverse=inverse,
                interpolation=interpolation.value,
                fill=fill,
                field=field,
                workers=workers,
                progress=progress,
            )
        if json:
            written = {
                name: {"path": str(row.path), "defined": row.defined, "inside": row.inside, "note": row.note}
                for name, row in result.written.items()
            }
            say_json({"written": written, "failed": result.failed})
        else:
            typer.echo(f"{len(result.written)} file(s) written to {output}")
            for name, row in result.written.items():
                if row.note:
                    typer.secho(f"  {name}: {row.note}", fg="yellow", err=True)
            for name, reason in result.failed.items():
                typer.secho(f"  {name}: {reason}", fg="red", err=True)
        if result.failed:
            raise typer.Exit(SOME_FAILED)
