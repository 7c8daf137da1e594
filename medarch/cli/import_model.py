"""``medarch import``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medarch.cli.console import errors_told, print_table, say_json
from medarch.cli.import_dataset import import_dataset
from medarch.cli.options import Json, Verbose, Workers, WorkspacePath

if TYPE_CHECKING:
    from medarch.interop.import_nnunet import ImportedModel


class CheckpointName(StrEnum):
    """nnU-Net's checkpoints of a fold."""

    final = "final"
    best = "best"


def import_model(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="nnU-Net v2 model: the folder TRAINER__PLANS__CONFIGURATION, a dataset's results folder, or a zip. Or "
            "a dataset's folder in nnUNet_preprocessed.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Argument(help="Model folder to write; default ./DATASET_CONFIGURATION.", show_default=False)
    ] = None,
    configuration: Annotated[
        str | None, typer.Option("--configuration", "-c", help="Which one, where MODEL holds several.")
    ] = None,
    folds: Annotated[
        str | None, typer.Option("--folds", "-f", help="E.g. 0,1 or all; default every numbered fold.")
    ] = None,
    checkpoint: Annotated[
        CheckpointName | None, typer.Option(help="Default final, or best (with a warning) where there is no final.")
    ] = None,
    previous_stage: Annotated[
        Path | None, typer.Option(help="The earlier stage of a cascade; default the folder beside MODEL.")
    ] = None,
    trust_trainer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Accept this trainer class: its network is the one of the plans.")
    ] = None,
    workspace: WorkspacePath = Path("workspace"),
    workers: Workers = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it is a model folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported and write nothing.")] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Turn a trained nnU-Net v2 model into a medarch model folder. No pickle is executed; nnU-Net is not needed.

    A folder of nnUNet_preprocessed becomes a dataset in --workspace, to train on without the raw images. What medarch
    cannot reproduce is refused by name. Exit code 0: imported; 2: refused.
    """
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api
        from medarch.interop.read_preprocessed import is_preprocessed

        if is_preprocessed(source):
            if output is not None:
                raise typer.BadParameter("a preprocessed dataset goes into --workspace, not to OUTPUT")
            import_dataset(source, workspace, configuration=configuration, workers=workers, as_json=json)
            return

        result = api.import_model(
            source,
            output,
            configuration=configuration,
            folds=[fold.strip() for fold in folds.split(",")] if folds else None,
            checkpoint=None if checkpoint is None else checkpoint.value,
            previous_stage=previous_stage,
            trust_trainer=trust_trainer,
            overwrite=overwrite,
            dry_run=dry_run,
        )
        if json:
            say_json(result.model_dump(mode="json"))
            return
        _tell(result)
        typer.echo("dry run: nothing written" if result.output is None else f"imported; in {result.output}")


def _tell(model: ImportedModel) -> None:
    needed = model.needs_previous_stage
    rows = {
        "folds": f"{', '.join(model.folds)} (checkpoint_{model.checkpoint}, {model.trainer})",
        "network": f"{model.architecture}, features {'-'.join(map(str, model.features))}",
        "patch": "×".join(map(str, model.patch_voxels)),
        "spacing": " × ".join("as it is" if size is None else f"{size:.4g}" for size in model.spacing_mm) + " mm",
        "reader": f"{model.reader}: orientation {model.orientation or 'as stored'}, file axes {model.axes}",
        "channels": ", ".join(map(" ".join, zip(model.channels, model.normalisation, strict=True))),
        "classes": ", ".join(model.classes),
        "mirror axes": ", ".join(map(str, model.mirror_axes)) or "none",
        "postprocessing": "; ".join(f"keep the largest component of {values}" for values in model.postprocessing or ())
        or "none",
    }
    if needed is not None:
        rows["previous stage"] = needed + (" (not found)" if model.previous_stage is None else "")
    print_table(f"{model.dataset} {model.configuration}", ["", "imported"], [[*row] for row in rows.items()])
    if model.previous_stage is not None:
        _tell(model.previous_stage)
