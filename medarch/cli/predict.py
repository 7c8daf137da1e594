"""``medarch predict``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medarch.cli.console import SOME_FAILED, errors_told, print_table, progress_bar, say_json
from medarch.cli.options import DeviceName, Json, Verbose

if TYPE_CHECKING:
    from medarch.core.prediction import CaseEstimate


def predict(
    model: Annotated[
        Path, typer.Argument(help="Model folder, the plan folder it lies in, or a selection.json.", show_default=False)
    ],
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="An image, a folder of images (any names), or a manifest; of a registration a table of pairs "
            "(columns fixed and moving), or a dataset.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the predictions.", show_default=False)],
    folds: Annotated[
        str | None, typer.Option("--folds", "-f", help="Folds to average, e.g. 0,1,2; default all trained.")
    ] = None,
    device: DeviceName = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32, bf16 or fp16.")] = "auto",
    engine: Annotated[
        str,
        typer.Option(
            help="auto (the fastest here with float32's labels, measured once if the run is long), eager, "
            "channels_last, bf16, fp16, compile, compile_bf16, compile_fp16, openvino, openvino_bf16 or onnxruntime."
        ),
    ] = "auto",
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror", help="Average over mirrored copies (default); --no-mirror is up to 8 times faster."
        ),
    ] = None,
    step: Annotated[
        float | None, typer.Option(min=0.1, max=1.0, help="Distance of tiles as a share of the patch; default 0.5.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="One fold, no mirrored copies, --step 0.75, unless given otherwise.")
    ] = False,
    roi: Annotated[
        Path | None,
        typer.Option(help="A mask, or a folder of masks named by case: label only inside, exactly as the whole case."),
    ] = None,
    body: Annotated[bool, typer.Option("--body", help="Label only the body and 12 mm around it.")] = False,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Also write class probabilities.")] = False,
    postprocess: Annotated[
        bool, typer.Option(help="Keep the largest components where cross-validation says that it helps.")
    ] = True,
    previous_stage_predictions: Annotated[
        Path | None,
        typer.Option(
            "--previous-stage-predictions", help="A cascade: finished label maps of its earlier stage, named by case."
        ),
    ] = None,
    keep_previous_stage: Annotated[
        bool, typer.Option("--keep-previous-stage", help="A cascade: also write what its earlier stage says.")
    ] = False,
    mpp: Annotated[
        float | None, typer.Option(help="Slides: micrometres a pixel, where the file does not state it.")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option(help="Slides: side of a chunk of post-processing, pixels; changes no output.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Slides: processes of post-processing; change no output.")] = None,
    tissue: Annotated[bool, typer.Option("--tissue/--everywhere", help="Slides: look only where tissue is.")] = True,
    optimise: Annotated[
        bool, typer.Option("--optimise", help="A registration: go on from the network's field for each pair alone.")
    ] = False,
    inverse: Annotated[
        bool, typer.Option("--inverse", help="A registration: also write the way back, inverse/PAIR.nii.gz.")
    ] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Predict every case again; default: go on.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Probe one case, print what each will cost in time and memory, stop.")
    ] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Predict cases on their own grids. A bad case costs only itself; the same command again goes on where it stood.

    Exit code 0: all done; 1: some cases failed (see ledger.jsonl); 2: nothing could be done.
    """
    # Where no bar can be drawn (Slurm, cron) a line a case tells how far it is.
    with errors_told(as_json=json, verbose=verbose or not sys.stderr.isatty()):
        from medarch import api

        chosen: dict[str, Any] = {
            "folds": folds.split(",") if folds else None,
            "device": device,
            "precision": precision,
            "engine": engine,
            "mirror": mirror,
            "step": step,
            "fast": fast,
            "mpp": mpp,
            "chunk": chunk,
            "workers": workers,
            "tissue": tissue,
        }
        if dry_run:
            rows = api.estimate_prediction(model, source, probabilities=probabilities, **chosen)
            _print_estimates(rows, as_json=json)
            return
        slides = (api.find_model(model) / "nuclei.json").is_file()
        with progress_bar("predict", unit="tile" if slides else "case") as progress:
            result = api.predict(
                model,
                source,
                output,
                **chosen,
                roi=roi,
                body=body,
                probabilities=probabilities,
                postprocess=postprocess,
                previous_stage_predictions=previous_stage_predictions,
                keep_previous_stage=keep_previous_stage,
                optimise=optimise,
                inverse=inverse,
                restart=restart,
                progress=progress,
            )
        if json:
            say_json(result.model_dump(mode="json"))
        else:
            counts = {
                status: sum(row.status == status for row in result.cases) for status in ("done", "skipped", "failed")
            }
            typer.echo(
                f"{counts['done']} done, {counts['skipped']} done before, {counts['failed']} failed; in {output}"
            )
            for row in result.failed:
                typer.secho(f"  {row.case}: {row.error}", fg="red", err=True)
        if result.failed:
            raise typer.Exit(SOME_FAILED)


def _print_estimates(estimates: Sequence[CaseEstimate], *, as_json: bool) -> None:
    if as_json:
        say_json([estimate.model_dump(mode="json") for estimate in estimates])
        return
    rows = [
        [row.case, f"{row.passes}", f"{row.seconds:.1f}", f"{row.peak_bytes / 2**20:.0f}"]
        if row.passes
        else [row.case, "", "unreadable", ""]
        for row in estimates
    ]
    seconds = sum(row.seconds for row in estimates)
    print_table(
        f"{len(estimates)} case(s), about {seconds:.0f} s in all",
        ["case", "network passes", "seconds", "peak MiB"],
        rows,
    )
