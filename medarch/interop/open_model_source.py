"""Where a trained nnU-Net model lies: its own folder, a dataset's results folder, or a zip of them."""

from __future__ import annotations

import contextlib
import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from medarch.core.errors import ModelError
from medarch.io.dataset_json import load_json

LARGEST_TEXT_BYTES = 256 * 2**20
LARGEST_CHECKPOINT_BYTES = 16 * 2**30
LARGEST_ARCHIVE_BYTES = 128 * 2**30
MOST_MEMBERS = 100_000
"""What a zip may unpack to. A checkpoint of nnU-Net's largest preset has about 1 GB."""
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error, lzma.LZMAError)
"""What zipfile raises on archives that are damaged or of an unknown kind."""
_TEXTS = ("plans.json", "dataset.json", "postprocessing.json")


@contextlib.contextmanager
def open_model_source(source: Path, *, configuration: str | None = None) -> Iterator[Path]:
    """Yield the folder ``TRAINER__PLANS__CONFIGURATION``, unpacked into a temporary folder if need be.

    Its siblings lie beside it. Of a zip only plans, datasets, postprocessing and checkpoints of the chosen
    configuration and of its previous stage are unpacked.

    Args:
        source: a model folder, a dataset's results folder, or a zip as ``nnUNetv2_export_model_to_zip`` writes it.
        configuration: which one, where the source holds several.

    Raises:
        ModelError: there is no model, or there are several; the zip is damaged, too large, or names files outside.
    """
    if source.is_dir():
        yield find_model_folder(source, configuration)
        return
    if not source.exists():
        raise ModelError(f"{source} does not exist", expected="a model folder or a zip", fix="check the path")
    if not zipfile.is_zipfile(source):
        raise ModelError(
            f"{source} is no model", expected="a model folder or a zip of one", found="a file that is no zip"
        )
    with tempfile.TemporaryDirectory(prefix="medarch-import-") as name:
        try:
            with zipfile.ZipFile(source) as archive:
                folder = _unpack(archive, Path(name), configuration)
        except _DAMAGE as error:
            raise ModelError(
                f"{source} is a damaged zip, or cannot be unpacked into {name}",
                found=f"{type(error).__name__}: {error}"[:200],
                fix="copy the file again, complete, or unpack it yourself and import the folder",
            ) from error
        yield folder


def find_model_folder(folder: Path, configuration: str | None = None) -> Path:
    """Return the one model folder that ``folder`` is, or holds one or two levels below.

    Raises:
        ModelError: there is none, or there are several to choose from.
    """
    if (folder / "plans.json").exists() and any(folder.glob("fold_*")):
        found = [folder]
    else:
        plans = [*folder.glob("*/plans.json"), *folder.glob("*/*/plans.json")]
        found = sorted(path.parent for path in plans if any(path.parent.glob("fold_*")))
    chosen = [path for path in found if configuration in (None, path.name.rpartition("__")[2])]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(path.name for path in found)
    if not found:
        raise ModelError(
            f"{folder} holds no trained nnU-Net model",
            expected="a folder TRAINER__PLANS__CONFIGURATION with plans.json, dataset.json and fold_*/checkpoint_*.pth",
            found=", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "an empty folder",
            fix="give the folder that nnUNetv2_train wrote (below nnUNet_results), or an exported zip",
        )
    if not chosen:
        raise ModelError(f"no configuration {configuration!r} in {folder}", expected=names, fix="choose one of those")
    raise ModelError(
        f"{folder} holds {len(chosen)} models",
        expected="one",
        found=", ".join(path.name for path in chosen),
        fix="choose with --configuration, or give the folder of one",
    )


def sibling_configuration(folder: Path, configuration: str) -> Path | None:
    """Return the folder of another configuration of the same trainer and plans, if it is there."""
    sibling = folder.with_name(f"{folder.name.rpartition('__')[0]}__{configuration}")
    return sibling if "__" in folder.name and (sibling / "plans.json").exists() else None


def _unpack(archive: zipfile.ZipFile, target: Path, configuration: str | None) -> Path:
    members = _safe_members(archive)
    free = shutil.disk_usage(target).free
    folders = {name.parent for name in members if name.name.startswith("checkpoint_")}

    def unpack(wanted: Callable[[PurePosixPath], bool]) -> None:
        nonlocal free
        for name, info in members.items():
            path = target.joinpath(*name.parts)
            if not wanted(name) or path.exists():
                continue
            limit = LARGEST_TEXT_BYTES if name.suffix == ".json" else LARGEST_CHECKPOINT_BYTES
            free -= info.file_size
            if info.file_size > limit or free < 0:
                raise _unsafe(str(name), f"{info.file_size} bytes", f"at most {limit} bytes, and room on {target}")
            path.parent.mkdir(parents=True, exist_ok=True)
            # zipfile reads no more than the size that was checked.
            with archive.open(info) as packed, path.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 2**20)

    unpack(lambda name: name.name in _TEXTS)
    for folder in folders:
        target.joinpath(*folder.parts).mkdir(parents=True, exist_ok=True)
    chosen = find_model_folder(target, configuration)
    models = {chosen} | _previous_stages(chosen)
    unpack(lambda name: name.name.startswith("checkpoint_") and target.joinpath(*name.parts).parents[1] in models)
    return chosen


def _previous_stages(folder: Path) -> set[Path]:
    configurations = load_json(folder / "plans.json").get("configurations", {})
    stages = {entry.get("previous_stage") for entry in configurations.values()} - {None}
    return {path for stage in stages if (path := sibling_configuration(folder, str(stage)))}


def _safe_members(archive: zipfile.ZipFile) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Return the files of an archive; any that is not a plain file inside it makes the whole archive suspect."""
    infos = archive.infolist()
    total = sum(info.file_size for info in infos)
    if len(infos) > MOST_MEMBERS or total > LARGEST_ARCHIVE_BYTES:
        found = f"{len(infos)} members, {total} bytes"
        raise _unsafe(str(archive.filename), found, f"at most {MOST_MEMBERS} members, {LARGEST_ARCHIVE_BYTES} bytes")
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in infos:
        name = PurePosixPath(info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or "\\" in info.filename or ":" in info.filename:
            raise _unsafe(info.filename, "a path that leads outside", "paths inside the archive")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or info.flag_bits & 0x1:
            raise _unsafe(info.filename, "a link, a device or an encrypted file", "plain files")
        if info.is_dir():
            continue
        if name in members:
            raise _unsafe(info.filename, "the same name twice", "every file once")
        members[name] = info
    return members


def _unsafe(name: str, found: str, expected: str) -> ModelError:
    return ModelError(
        f"the zip was refused because of {name}",
        expected=expected,
        found=found,
        fix="nothing was imported. Ask who made the archive, or unpack it yourself and import the folder",
    )
