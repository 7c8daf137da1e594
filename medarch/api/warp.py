"""From images, label maps and landmarks to the same on another image's grid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medarch.api.progress import Progress
from medarch.core.errors import UsageError

if TYPE_CHECKING:
    from medarch.preprocessing.transforms.warp_file import TransformFile
    from medarch.preprocessing.transforms.warp_files import WarpedFiles

_INVERTED = re.compile(r"\[(.+),\s*([01])\]")
"""As ANTs writes it: ``[FILE,1]``."""


def warp(
    source: Path,
    output: Path,
    transforms: Sequence[Path | str],
    *,
    reference: Path | None = None,
    inverse: bool = False,
    interpolation: Literal["linear", "cubic", "nearest"] = "linear",
    fill: float = 0.0,
    field: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> WarpedFiles:
    """Carry a file or a folder of files from the moving image's space to the fixed one's; see
    :func:`medarch.preprocessing.transforms.warp_files.warp_files`.

    Args:
        source: an image, label map or landmark file, or a folder of them.
        output: the file, or the folder.
        transforms: files that map the fixed image to the moving one, of medarch, ITK, ANTs or 3D Slicer; the first acts
            first on a fixed point, as ANTs lists them; ``"[FILE,1]"`` is the inverse of one.
        reference: the fixed image; landmarks need none.
        inverse: the other way: ``source`` belongs to the fixed image, ``reference`` is the moving one.
        interpolation: of images; ``nearest`` for label maps.
        fill: the value outside of the input.
        field: also write all transforms as one displacement field on the reference's grid.
        workers: processes for a folder.
        progress: called with files done and all.

    Raises:
        UsageError: there is no transform, or a field is to be written without one reference and one chain.
    """
    from medarch.preprocessing.transforms.warp_files import warp_files

    if not transforms:
        raise UsageError("no transform", expected="--transform FILE", found="none", fix="name one or several")
    chain = [_transform_file(each) for each in transforms]
    if field is not None:
        _write_field(field, chain, reference, inverse=inverse)
    return warp_files(
        source,
        output,
        chain,
        reference=reference,
        inverse=inverse,
        interpolation=interpolation,
        fill=fill,
        workers=workers,
        progress=progress,
    )


def _transform_file(given: Path | str) -> TransformFile:
    from medarch.preprocessing.transforms.warp_file import TransformFile

    match = _INVERTED.fullmatch(str(given))
    return TransformFile(Path(match[1]), match[2] == "1") if match else TransformFile(Path(given))


def _write_field(path: Path, files: Sequence[TransformFile], reference: Path | None, *, inverse: bool) -> None:
    from medarch.io.read_geometry import read_geometry
    from medarch.io.transforms.write_transform import write_transform
    from medarch.preprocessing.transforms.compose_field import compose_field
    from medarch.preprocessing.transforms.warp_file import read_chain

    if reference is None or reference.is_dir() or any(each.path.is_dir() for each in files):
        raise UsageError(
            "one field is of one grid and one chain",
            expected="--reference IMAGE and transforms that are files",
            found="a folder" if reference else "no reference",
            fix="warp one case at a time to get its field",
        )
    chain = read_chain(tuple(files))
    write_transform(path, compose_field(chain.inverse() if inverse else chain, read_geometry(reference)[0]))
