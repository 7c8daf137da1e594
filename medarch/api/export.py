"""From a model to another program's form of it."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from medarch.api.find_model import find_model
from medarch.core.errors import ModelError, UsageError
from medarch.core.files import atomic_path

FORMATS = ("nnunet", "onnx", "monai")


def export(
    model: Path,
    output: Path,
    *,
    as_format: str,
    folds: Sequence[str] | None = None,
    nnunet_id: int = 999,
    zipped: bool = False,
) -> Path:
    """Write a model so that another program can use it, whole or not at all.

    Args:
        model: model folder, or the plan folder it lies in.
        output: for ``nnunet`` a folder as nnU-Net's ``nnUNet_results``, or the zip file; for ``onnx`` the file; for
            ``monai`` the bundle's folder.
        as_format: ``nnunet`` (v2.3 to 2.8), ``onnx`` or ``monai``.
        folds: for ``onnx`` and ``monai``, which are averaged; default all. nnU-Net's folder holds all.
        nnunet_id: number of the dataset, if its name is not of the form ``DatasetXXX_NAME``.
        zipped: write the file that ``nnUNetv2_install_pretrained_model_from_zip`` installs.

    Returns:
        For ``nnunet`` what to give to ``nnUNetv2_predict_from_modelfolder -m``, or the zip file; else ``output``.

    Raises:
        PlanError: the other program cannot express the plan; the message names what.
        ModelError: ``model`` is no complete model folder.
        UsageError: the output exists, the format is unknown, or has no such option.
    """
    if as_format not in FORMATS:
        raise UsageError(f"unknown format {as_format!r}", expected=", ".join(FORMATS), found=as_format)
    folder = find_model(model)
    if not (folder / "model.json").exists():
        raise ModelError(
            f"{folder} is not a model folder", expected="model.json", fix="give what `medarch train` wrote"
        )
    if as_format != "nnunet":
        return _export_network(folder, output, as_format, folds, zipped)
    if folds is not None:
        raise UsageError("nnU-Net's folder holds all folds", expected="no folds", found=", ".join(folds))
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


def _export_network(folder: Path, output: Path, as_format: str, folds: Sequence[str] | None, zipped: bool) -> Path:
    if zipped:
        raise UsageError(f"no zip for {as_format}", expected="--as nnunet", found="--zip", fix="leave --zip away")
    if output.exists():
        raise _exists(output)
    if as_format == "onnx":
        from medarch.interop.export_onnx import export_onnx

        return export_onnx(folder, output, folds=folds)
    from medarch.interop.export_monai import export_monai

    return export_monai(folder, output, folds=folds)


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
