"""``medarch plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medarch.cli.console import errors_told, print_table, progress_bar, say_json
from medarch.cli.durations import seconds, spoken
from medarch.cli.options import DatasetPath, DeviceName, Json, NnunetId, Verbose, Waive, Workers, WorkspacePath

if TYPE_CHECKING:
    from medarch.core.plan import Configuration, Plan
    from medarch.planning.lever_alternatives import Alternative


def plan(
    dataset: DatasetPath,
    workspace: WorkspacePath = Path("workspace"),
    preset: Annotated[
        str,
        typer.Option("--preset", "-p", help="auto (this device, your time), nnunet, resenc-m, resenc-l or resenc-xl."),
    ] = "auto",
    task: Annotated[
        str | None, typer.Option(help="registration: bring the dataset's images together; default what it says.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the plan; default the preset.")] = None,
    device: DeviceName = "auto",
    memory: Annotated[
        float | None,
        typer.Option(help="GB that training may use; default what the device has free (auto) or the preset's."),
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option("--time-budget", "-t", help="Training time to fit the schedule to: 15m, 2h, 1h30m.")
    ] = None,
    spacing: Annotated[
        str | None,
        typer.Option(help="Target spacing in mm along the file's axes, e.g. 1,1,2.5; default from the data."),
    ] = None,
    changes: Annotated[
        list[Path] | None,
        typer.Option("--with", help="YAML with what shall differ, e.g. configs/adamw.yaml. Repeatable."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and its reasons, write none.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also print what else the memory could be spent on (a minute).")
    ] = False,
    as_format: Annotated[
        str | None, typer.Option("--as", help="nnunet: also write what nnUNetv2_preprocess and _train go on from.")
    ] = None,
    nnunet_id: NnunetId = 999,
    waive: Waive = None,
    workers: Workers = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Take the dataset's fingerprint and decide patch, network, batch and schedule, each with its reason."""
    if task not in (None, "registration"):
        raise typer.BadParameter("--task is registration, or left out")
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with progress_bar("fingerprint") as progress:
            made = api.plan(
                dataset,
                workspace,
                preset=preset,
                task=task,  # type: ignore[arg-type]
                name=name,
                device=device,
                memory_gb=memory,
                time_budget_s=seconds(time_budget),
                target_spacing_mm=_spacing(spacing),
                changes=changes or (),
                waive=waive or (),
                workers=workers,
                dry_run=dry_run,
                as_format=as_format,
                nnunet_id=nnunet_id,
                progress=progress,
            )
        folder = workspace / made.dataset / made.name
        others = api.plan_alternatives(made, memory_gb=memory) if explain else []
        if json:
            further: dict[str, object] = {"nnunet": str(folder / "nnunet")} if as_format and not dry_run else {}
            further |= {"alternatives": [vars(other) for other in others]} if explain else {}
            say_json({"folder": None if dry_run else str(folder), "plan": made.model_dump(mode="json"), **further})
            return
        _print(made)
        if explain:
            _print_alternatives(others)
        if as_format and not dry_run:
            typer.echo(f"for nnU-Net: {folder / 'nnunet'}")
        typer.echo("dry run: nothing written" if dry_run else f"plan written; next: medarch train {folder}")


def _spacing(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        i, j, k = (float(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not three numbers; write e.g. 1,1,2.5") from error
    return i, j, k


def _print(made: Plan) -> None:
    print_table(
        f"{made.dataset}, plan {made.name}",
        ["configuration", "patch", "batch", "features", "spacing mm", "median case", "memory", "one step"],
        [_row(configuration) for configuration in made.configurations.values()],
    )
    print_table(
        "Reasons", ["decision", "value", "because"], [[row.decision, row.value, row.because] for row in made.reasons]
    )


def _print_alternatives(others: list[Alternative]) -> None:
    print_table(
        "The same memory, spent otherwise",
        ["network", "levers", "patch", "of a median case", "memory", "time a voxel", ""],
        [
            [
                other.architecture,
                ", ".join(other.levers) or "none",
                "×".join(map(str, other.patch_voxels)),
                f"{other.context:.0%}",
                f"{other.bytes / 2**30:.2f} GiB",
                f"{other.time_per_voxel:.2f}",
                "Pareto" if other.best else "",
            ]
            for other in others
        ],
    )


def _row(configuration: Configuration) -> list[str]:
    estimate = configuration.estimate
    step = estimate.seconds_per_step if estimate else None
    return [
        configuration.name,
        "×".join(map(str, configuration.patch_voxels)),
        str(configuration.batch_size),
        "-".join(map(str, configuration.network.features)),
        "×".join("-" if size is None else f"{size:.4g}" for size in configuration.preprocessing.spacing_mm),
        "×".join(map(str, configuration.median_shape)),
        f"{estimate.training_bytes / 2**30:.2f} GiB" if estimate else "not predicted",
        spoken(step) if step else "not measured",
    ]
