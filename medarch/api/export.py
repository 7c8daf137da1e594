"""From a model to another program's form of it."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from medarch.api.find_model import find_model
from medarch.core.errors import ModelError, UsageError
from medarch.core.files import atomic_path

FORMATS = ("nnunet",)


def export(model: Path, output: Path, *, as_format: str, nnunet_id: int = 999, zipped: bool = False) -> Path:
    """Write a model so that another program can use it, whole or not at all.

    Args:
        model: model folder, or the plan folder it lies in.
        output: for ``nnunet`` a folder as nnU-Net's ``nnUNet_results``, or the zip file.
        as_format: ``nnunet`` (v2.3 to 2.8).
        nnunet_id: number of the dataset, if its name is not of the form ``DatasetXXX_NAME``.
        zipped: write the file that ``nnUNetv2_install_pretrained_model_from_zip`` installs.

    Returns:
        What to give to ``nnUNetv2_predict_from_modelfolder -m``, or the zip file.

    Raises:
        PlanError: the other program cannot express the plan; the message names what.
        ModelError: ``model`` is no complete model folder.
        UsageError: the output exists, or the format is unknown.
    """
    if as_format not in FORMATS:
        raise UsageError(f"unknown format {as_format!r}", expected=", ".join(FORMATS), found=as_format)
    folder = find_model(model)
    if not (folder / "model.json").exists():
        raise ModelError(
            f"{folder} is not a model folder", expected="model.json", fix="give what `medarch train` wrote"
        )
    from medarch.interop.export_model import export_model

    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=output.parent) as name:
        written = export_model(folder, Path(name), number=nnunet_id)
        if not zipped:
            return _move(written, output)
        if output.exists():
            raise _exists(output)
        with atomic_path(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path for path in Path(name).rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(name))
    return output


def _move(last: Path, output: Path) -> Path:
    """Move the folders of all stages into ``output / DATASET``; none if one of them is there already."""
    target = output / last.parent.name
    stages = [(folder, target / folder.name) for folder in last.parent.iterdir()]
    for _, place in stages:
        if place.exists():
            raise _exists(place)
    target.mkdir(parents=True, exist_ok=True)
    for folder, place in stages:
        shutil.move(folder, place)
    return target / last.name


def _exists(path: Path) -> UsageError:
    return UsageError(f"{path} exists", expected="a new name", fix="choose another output, or move that away")
