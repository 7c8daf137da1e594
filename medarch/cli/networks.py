"""``medarch networks``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from medarch.cli.console import errors_told, print_table, say_json
from medarch.cli.options import Json
from medarch.cli.read_numbers import read_numbers

if TYPE_CHECKING:
    from medarch.api.show_network import NetworkFacts
    from medarch.networks.architecture import Architecture

networks = typer.Typer(help="Networks that a plan can name as its architecture.", no_args_is_help=True)


@networks.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(help="Of names: 'resnet*'.")] = "*",
    task: Annotated[str | None, typer.Option(help="segmentation, classification, ...; default all.")] = None,
    json: Json = False,
) -> None:
    """Name the networks, their papers and published sizes."""
    with errors_told(as_json=json):
        from medarch import api

        found = api.list_networks(pattern, task=task)
        if json:
            say_json({"networks": [_described(entry) for entry in found]})
            return
        print_table(
            f"{len(found)} networks",
            ["network", "task", "paper", "parameters as published"],
            [
                [
                    entry.name,
                    entry.task,
                    _paper(entry),
                    f"{entry.oracle.parameters:,} ({entry.oracle.how})" if entry.oracle else "",
                ]
                for entry in found
            ],
        )


@networks.command("show")
def show(
    name: Annotated[str, typer.Argument(help="As `medarch networks list` says.")],
    dim: Annotated[int, typer.Option(min=2, max=3, help="2 or 3.")] = 3,
    channels: Annotated[int, typer.Option(min=1, help="Of the image.")] = 1,
    classes: Annotated[int, typer.Option(min=1, help="Outputs.")] = 2,
    patch: Annotated[
        str | None, typer.Option(help="Size of the image, e.g. 32,128,128; default 96 an axis in 3D, 224 in 2D.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what a network is and what it costs: parameters, operations, receptive field, memory of training."""
    with errors_told(as_json=json):
        from medarch import api

        size = None if patch is None else read_numbers("--patch", patch, counts=[dim], smallest=1)
        facts = api.show_network(name, dim=dim, in_channels=channels, heads=classes, patch_voxels=size)
        if json:
            say_json(_described(facts.entry) | _costs(facts))
            return
        _print(facts)


def _described(entry: Architecture) -> dict[str, Any]:
    oracle = entry.oracle
    return {
        "name": entry.name,
        "task": entry.task,
        "paper": {"authors": entry.paper.authors, "year": entry.paper.year, "where": entry.paper.where},
        "origin": entry.origin,
        "caution": entry.caution or None,
        "dims": list(entry.dims),
        "published_parameters": oracle.parameters if oracle else None,
        "published_how": f"{oracle.how}: {oracle.source}" if oracle else None,
        "outputs_checked_against": entry.checked_against or None,
        "changed_for_3d": entry.changed_for_3d,
        "is_encoder": bool(entry.encoder),
        "onnx": entry.no_onnx or True,
    }


def _costs(facts: NetworkFacts) -> dict[str, Any]:
    return {
        "dim": facts.dim,
        "in_channels": facts.in_channels,
        "heads": facts.heads,
        "patch_voxels": list(facts.patch_voxels),
        "parameters": facts.parameters,
        "forward_gflop": facts.forward_gflop,
        "training_bytes": facts.training_bytes,
        "receptive_field_voxels": facts.receptive_field_voxels and list(facts.receptive_field_voxels),
    }


def _paper(entry: Architecture) -> str:
    first, *others = entry.paper.authors.split(", ")
    return f"{first}{' et al.' if others else ''} {entry.paper.year}, {entry.paper.where}"


def _print(facts: NetworkFacts) -> None:
    entry, oracle = facts.entry, facts.entry.oracle
    field = facts.receptive_field_voxels
    images = "2 × " if entry.task == "registration" else ""
    lines = {
        "task": entry.task,
        "paper": f"{entry.paper.authors} {entry.paper.year}, {entry.paper.where}",
        "origin": entry.origin,
        "caution": entry.caution,
        "as published": f"{oracle.parameters:,} parameters ({oracle.how}: {oracle.source})" if oracle else "",
        "outputs equal": entry.checked_against,
        "in 3D": entry.changed_for_3d,
        "ONNX": entry.no_onnx or "yes",
        "input": f"{images}{facts.in_channels} × {'×'.join(map(str, facts.patch_voxels))}, {facts.heads} outputs",
        "parameters": f"{facts.parameters:,}",
        "operations": f"{facts.forward_gflop:,.2f} GFLOP forward",
        "receptive field": "×".join(map(str, field)) + " voxels" if field else "the whole image",
        "training": f"{facts.training_bytes / 2**20:,.0f} MiB an image (float32, SGD; predicted)",
    }
    typer.echo(entry.name)
    for title, text in lines.items():
        if text:
            typer.echo(f"  {title + ':':<17}{text}")
