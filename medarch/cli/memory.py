"""``medarch memory``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medarch.cli.console import DONE, SOME_FAILED, errors_told, print_table, say_json
from medarch.cli.options import Configuration, Json
from medarch.cli.read_numbers import read_numbers

if TYPE_CHECKING:
    from medarch.api import MemoryReport

COLUMNS = {
    "weights": ("parameters", "gradients", "optimiser"),
    "kept": ("saved",),
    "temporary": ("batch", "temporary"),
    "workspace": ("workspace",),
}
"""Title → kinds. Weights with their gradients and the optimiser's state; kept: for the backward pass."""


def memory(
    source: Annotated[str, typer.Argument(help="A network (`medarch networks list`), a plan folder or a plan.json.")],
    configuration: Configuration = None,
    patch: Annotated[
        str | None, typer.Option(help="Sides in voxels: 128,128,128; default the plan's, or that.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Patches a step; default the plan's, or 2.")] = None,
    channels: Annotated[int, typer.Option(min=1, help="Of a network's image.")] = 1,
    classes: Annotated[int, typer.Option(min=2, help="A network's outputs.")] = 2,
    precision: Annotated[str | None, typer.Option(help="float32, bf16 or fp16; default the plan's.")] = None,
    levers: Annotated[
        str | None,
        typer.Option(help="Of accumulate, selective, blocks, stages, offload, sgd, adamw; with commas between."),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, a GPU (h100, a100-40, rtx4090, t4, ...) or a size: 11GiB, cpu:8GiB.")
    ] = "auto",
    inference: Annotated[bool, typer.Option("--inference", help="One tile of a prediction, not a step.")] = False,
    picture: Annotated[Path | None, typer.Option(help="PNG or SVG to draw it into.")] = None,
    json: Json = False,
) -> None:
    """Say where the memory of a training step is, layer by layer, for any device, without running it.

    Exit code 1: the device has not so much.
    """
    with errors_told(as_json=json):
        from medarch import api

        sides = patch and patch.replace("x", ",").replace("×", ",")
        report = api.memory(
            source,
            configuration=configuration,
            patch_voxels=read_numbers("--patch", sides, counts=[2, 3], smallest=1) if sides else None,
            batch_size=batch,
            in_channels=channels,
            heads=classes,
            precision=precision,
            levers=[name.strip() for name in levers.split(",")] if levers else (),
            device=device,
            inference=inference,
            picture=picture,
        )
        if json:
            say_json(_record(report))
        else:
            _print(report)
            if picture is not None:
                typer.echo(f"picture: {picture}")
        raise typer.Exit(DONE if report.fits else SOME_FAILED)


def _record(report: MemoryReport) -> dict[str, object]:
    found = report.prediction
    return {
        "device": report.device.model_dump(mode="json"),
        "fits": report.fits,
        "bytes": found.bytes,
        "tensor_bytes": found.tensor_bytes,
        "parts": found.parts,
        **found.model_dump(mode="json"),
    }


def _print(report: MemoryReport) -> None:
    found, chosen = report.prediction, report.configuration
    rows = [(layer.layer, layer.parts, layer.bytes) for layer in found.grouped()]
    rows.append(("all", found.parts, found.tensor_bytes))
    print_table(
        f"{chosen.network.architecture}, {'×'.join(map(str, chosen.patch_voxels))}, batch {chosen.batch_size}: "
        "MiB when the step takes most",
        ["layer", *COLUMNS, "sum"],
        [
            [name, *(_mib(sum(parts.get(kind, 0) for kind in kinds)) for kinds in COLUMNS.values()), _mib(total)]
            for name, parts, total in rows
        ],
    )
    bound = "measured rules" if found.device == "cpu" else "a bound"
    typer.echo(
        f"{_gib(found.bytes)} = tensors {_gib(found.tensor_bytes)} (kernel workspace by {bound}) "
        f"+ runtime {_gib(found.context_bytes)} + left free {_gib(found.slack_bytes)}"
        + (f"; and {_gib(found.host_bytes)} of the host" if found.host_bytes else "")
    )
    typer.echo(
        f"{report.device.name} has {_gib(report.device.memory_bytes)}: " + ("fits" if report.fits else "does not fit")
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f}" if size else ""


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
