"""Options that several verbs have, defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DatasetPath = Annotated[
    Path,
    typer.Argument(help="Dataset: a folder in nnU-Net v2 or MSD layout, or a .csv/.json manifest.", show_default=False),
]
PlanPath = Annotated[Path, typer.Argument(help="Plan folder: WORKSPACE/DATASET/PLAN.", show_default=False)]
WorkspacePath = Annotated[Path, typer.Option("--workspace", "-w", help="Folder for everything medarch writes.")]
Configuration = Annotated[
    str | None, typer.Option("--configuration", "-c", help="2d, 3d_fullres, 3d_lowres; default the plan's.")
]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Workers = Annotated[int | None, typer.Option("--workers", "-j", min=0, help="Processes; default one a core.")]
Waive = Annotated[
    list[str] | None, typer.Option("--waive", help="Accept this check code, e.g. GEOMETRY_MISMATCH. Repeatable.")
]
NnunetId = Annotated[
    int, typer.Option("--nnunet-id", min=1, max=999, help="Number for nnU-Net, if the dataset is not DatasetXXX_NAME.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done.")]
