"""``medarch info``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from medarch.cli.console import say_json
from medarch.cli.options import Json

PACKAGES = ("medarch", "torch", "monai", "lightning", "numpy", "scipy", "nibabel", "SimpleITK", "torchio")
PRESETS = {
    "auto": "patch, width, batch and schedule for the device at hand and your time budget",
    "nnunet": "nnU-Net v2's default plan",
    "resenc-m": "nnU-Net's residual encoder plan for 8 GB",
    "resenc-l": "nnU-Net's residual encoder plan for 24 GB",
    "resenc-xl": "nnU-Net's residual encoder plan for 40 GB",
}
TASKS = {
    "segmentation": "labels, overlapping regions, ignore label; 2D and 3D",
    "classification": "one class a case, or any number of findings; 2D and 3D",
    "registration": "pairs of images brought together; with or without labels; 2D and 3D",
    "nuclei": "instances and types in histology, tiles and whole slides (2D), and in volumes (3D)",
}
FORMATS = (".nii.gz", ".nii", ".hdr/.img", ".nrrd", ".mha", ".mhd", ".png", ".tif", ".bmp", ".jpg")


def info(json: Json = False) -> None:
    """Say what this installation can do, without loading torch."""
    content = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "tasks": TASKS,
        "presets": PRESETS,
        "formats": FORMATS,
    }
    if json:
        say_json(content)
        return
    typer.echo(f"medarch {_version('medarch')} on Python {content['python']}, {content['system']}")
    typer.echo("\npackages  " + ", ".join(f"{name} {_version(name)}" for name in PACKAGES[1:]))
    for title, entries in (("tasks", TASKS), ("presets", PRESETS)):
        typer.echo(f"\n{title}")
        for name, meaning in entries.items():
            typer.echo(f"  {name:<14}{meaning}")
    typer.echo("\nformats   " + " ".join(FORMATS))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
