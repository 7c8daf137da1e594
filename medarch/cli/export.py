"""``medarch export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medarch.cli.console import errors_told, say_json
from medarch.cli.options import Json, NnunetId, Verbose


def export(
    model: Annotated[Path, typer.Argument(help="Model folder, or the plan folder it lies in.", show_default=False)],
    output: Annotated[
        Path,
        typer.Argument(
            help="nnunet: folder like nnUNet_results, with --zip the file; onnx: file; monai: folder of the bundle.",
            show_default=False,
        ),
    ],
    as_format: Annotated[str, typer.Option("--as", help="nnunet, onnx or monai.", show_default=False)],
    folds: Annotated[
        str | None, typer.Option("--folds", "-f", help="onnx, monai: folds to average, e.g. 0,1,2; default all.")
    ] = None,
    zipped: Annotated[
        bool, typer.Option("--zip", help="One file, for nnUNetv2_install_pretrained_model_from_zip.")
    ] = False,
    nnunet_id: NnunetId = 999,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a model in another program's form. What that form cannot hold is refused by name."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        written = api.export(
            model,
            output,
            as_format=as_format,
            folds=folds.split(",") if folds else None,
            nnunet_id=nnunet_id,
            zipped=zipped,
        )
        if json:
            say_json({"output": str(written)})
            return
        if as_format == "onnx":
            typer.echo(f"network written; ONNX Runtime gets the same logits as torch: {written}")
            return
        if as_format == "monai":
            run = f"python -m monai.bundle run --config_file {written}/configs/inference.json --bundle_root {written}"
            typer.echo(f"bundle written; next: {run} --dataset_dir IMAGES --output_dir PREDICTIONS")
            return
        command = "install_pretrained_model_from_zip" if zipped else "predict_from_modelfolder -i INPUT -o OUTPUT -m"
        typer.echo(f"model written; next: nnUNetv2_{command} {written}")
