"""``medarch register``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medarch.cli.console import errors_told, print_table, progress_bar, say_json
from medarch.cli.durations import seconds
from medarch.cli.options import DeviceName, Json, Verbose
from medarch.cli.read_numbers import read_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medarch.core.evaluation import Measurement
    from medarch.core.pair_report import PairReport
    from medarch.core.registration_estimate import ImageGrid, RegistrationEstimate

PairOfFiles = tuple[Path, Path]


def register(
    fixed: Annotated[Path, typer.Argument(help="Image whose grid the results have.", show_default=False)],
    moving: Annotated[Path, typer.Argument(help="Image that is moved onto it.", show_default=False)],
    output: Annotated[Path, typer.Argument(help="Folder for the results.", show_default=False)],
    linear: Annotated[str, typer.Option(help="First step: affine, similarity, rigid or none.")] = "affine",
    deformable: Annotated[bool, typer.Option(help="Then a smooth, invertible deformation.")] = True,
    similarity: Annotated[
        str,
        typer.Option(
            help="lncc (images of one kind), mind or nmi (of two kinds), mse (one scale of intensities); auto: lncc or "
            "mind, by how the pair correlates."
        ),
    ] = "auto",
    smoothness: Annotated[float, typer.Option(min=0.0, help="Weight of the deformation's gradient.")] = 0.3,
    iterations: Annotated[str, typer.Option(help="At a quarter, half and the whole of the resolution.")] = "40,40,40",
    start: Annotated[
        str, typer.Option(help="auto, files (as they place the images) or centres (of mass on each other).")
    ] = "auto",
    start_from: Annotated[
        Path | None,
        typer.Option("--start-from", help="A transform in place of the linear step, such as a network's field."),
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option("--time-budget", "-t", help="Return what there is after so long: 30s, 5m.")
    ] = None,
    fixed_mask: Annotated[Path | None, typer.Option("--fixed-mask", help="Voxels of the fixed image to use.")] = None,
    moving_mask: Annotated[
        Path | None, typer.Option("--moving-mask", help="Voxels of the moving image to use.")
    ] = None,
    labels: Annotated[
        PairOfFiles | None,
        typer.Option(metavar="FIXED MOVING", help="Label maps to judge by; the registration does not see them."),
    ] = None,
    landmarks: Annotated[
        PairOfFiles | None, typer.Option(metavar="FIXED MOVING", help="Landmarks to judge by, .csv or .fcsv.")
    ] = None,
    device: DeviceName = "auto",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check and align the pair, print what would be done at what cost in time and memory, stop.",
        ),
    ] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Register two images without training: affine, then a diffeomorphism. Any grids, spacings and orientations."""
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        chosen: dict[str, Any] = {
            "linear": linear,
            "deformable": deformable,
            "similarity": similarity,
            "smoothness": smoothness,
            "iterations": read_numbers("--iterations", iterations, counts=[3], example="40,40,40"),
            "start": start,
            "seconds": seconds(time_budget),
            "start_from": start_from,
            "fixed_mask": fixed_mask,
            "moving_mask": moving_mask,
            "labels": labels,
            "landmarks": landmarks,
            "device": device,
        }
        if dry_run:
            _print_estimate(api.estimate_registration(fixed, moving, **chosen), as_json=json)
            return
        with progress_bar("register", unit="iteration") as progress:
            report = api.register(fixed, moving, output, **chosen, progress=progress)
        if json:
            say_json(report.model_dump(mode="json"))
        else:
            _print(report, output)


def _print(report: PairReport, output: Path) -> None:
    values = report.measures.values
    if report.rows:
        rows = []
        for before, after in zip(report.before, report.rows, strict=True):
            dsc = [_text(row.values["dsc"], 3) for row in (before, after)]
            rows.append([after.label, *dsc, *(_text(row.values["hd95_mm"], 2) for row in (before, after))])
        print_table("labels", ["label", "DSC before", "DSC", "HD95 before, mm", "HD95, mm"], rows)
        typer.echo(f"mean DSC {_mean(report.before)} before, {_mean(report.rows)} after")
    if values["tre_mm"] is not None:
        typer.echo(f"landmarks {_text(values['tre_before_mm'], 2)} mm apart before, {_text(values['tre_mm'], 2)} after")
    typer.echo(
        f"folds {values['folding_share'] or 0:.4%}, SD of log Jacobian {_text(values['sd_log_jacobian'], 3)}, "
        f"inverse consistent to {_text(values['inverse_consistency_mm'], 3)} mm; {_text(values['seconds'], 1)} s"
    )
    typer.echo(f"compared by {report.similarity}" + (f": {report.because}" if report.because else ""))
    typer.echo(f"in {output}: {', '.join(report.files.values())}")


def _print_estimate(found: RegistrationEstimate, *, as_json: bool) -> None:
    if as_json:
        say_json(found.model_dump(mode="json"))
        return
    typer.echo(f"fixed {_grid(found.fixed)}; moving {_grid(found.moving)}")
    typer.echo(
        f"{found.overlap:.0%} of the fixed image lies in the moving one where the files place them"
        + ("" if found.linear == "none" else f", {found.overlap_aligned:.0%} after the linear step ({found.linear})")
    )
    typer.echo(f"compared by {found.similarity}" + (f": {found.because}" if found.because else ""))
    if found.levels:
        rows = [
            ["×".join(map(str, level.size)), _edges(level), f"{level.iterations}", f"{level.seconds:.1f}"]
            for level in found.levels
        ]
        print_table("deformation", ["grid", "mm", "iterations", "seconds"], rows)
    typer.echo(
        f"about {found.seconds:.0f} s on {found.device} ({found.read_seconds + found.align_seconds:.1f} until aligned, "
        f"{found.finish_seconds:.1f} for the inverse, {found.write_seconds:.1f} for writing and measuring), "
        f"at most {found.peak_bytes / 2**20:.0f} MiB of memory; nothing was written"
    )


def _grid(grid: ImageGrid) -> str:
    return f"{'×'.join(map(str, grid.size))} of {_edges(grid)} mm"


def _edges(grid: ImageGrid) -> str:
    return "×".join(f"{edge:.3g}" for edge in grid.spacing_mm)


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _mean(rows: Sequence[Measurement]) -> str:
    found = [value for row in rows if (value := row.values["dsc"]) is not None]
    return f"{sum(found) / len(found):.3f}" if found else "-"
