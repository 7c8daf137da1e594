"""``medarch evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medarch.cli.console import SOME_FAILED, errors_told, progress_bar, say_json
from medarch.cli.options import Json, Verbose, Workers


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of predictions.", show_default=False)],
    references: Annotated[
        Path,
        typer.Argument(
            help="Folder of reference label maps of the same names; of a classification the dataset or labels.csv; "
            "of a registration the dataset, or a folder of label maps by case.",
            show_default=False,
        ),
    ],
    dataset: Annotated[
        Path | None,
        typer.Option("--dataset", "-d", help="Dataset or plan.json that names the labels; default: the model's."),
    ] = None,
    nsd_tolerance: Annotated[float, typer.Option(min=0, help="Tolerance of the surface Dice in mm.")] = 1.0,
    empty_policy: Annotated[
        str,
        typer.Option(help="medarch: missed and spurious structures count as worst. nnunet: as in its summary.json."),
    ] = "medarch",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write; default: beside the predictions.")
    ] = None,
    workers: Workers = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure predictions: DSC, NSD, HD95, ASSD and volume error with confidence intervals, per case and class.

    Of a classification: AUROC, AUPRC, accuracy, balanced accuracy, F1, calibration and the confusion matrix. Of a
    registration: DSC and HD95 before and after, landmarks, folds, smoothness and time. Of nuclei:
    PQ, AJI, Dice, and F-scores of detection and types.
    """
    if empty_policy not in ("medarch", "nnunet"):
        raise typer.BadParameter("--empty-policy is medarch or nnunet")
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api
        from medarch.core.registration_evaluation import RegistrationEvaluation
        from medarch.evaluation.format_evaluation import format_evaluation

        with progress_bar("evaluate") as progress:
            result = api.evaluate(
                predictions,
                references,
                dataset=dataset,
                nsd_tolerance_mm=nsd_tolerance,
                empty_policy=empty_policy,  # type: ignore[arg-type]
                workers=workers,
                output=output,
                progress=progress,
            )
        if json:
            say_json(result.model_dump(mode="json"))
        else:
            typer.echo(format_evaluation(result))
        rows = result.pairs if isinstance(result, RegistrationEvaluation) else result.rows
        if any(row.status == "failed" for row in rows):
            raise typer.Exit(SOME_FAILED)
