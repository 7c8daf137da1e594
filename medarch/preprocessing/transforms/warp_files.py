"""A file or a folder of files through transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medarch.core.errors import DatasetError
from medarch.core.parallel import run_parallel
from medarch.io.suffix import is_volume_file, split_suffix
from medarch.io.transforms.transform_suffix import TRANSFORM_FORMATS
from medarch.preprocessing.transforms.sample_volume import Interpolation
from medarch.preprocessing.transforms.warp_file import (
    TransformFile,
    Warp,
    Warped,
    is_landmark_file,
    read_chain,
    warp_file,
)

_WRITABLE = (".nii.gz", ".nii", ".nrrd", ".mha", ".png", ".tif", ".tiff", ".bmp", ".csv", ".fcsv")


@dataclass(frozen=True)
class WarpedFiles:
    """What became of the files, by name."""

    written: dict[str, Warped]
    failed: dict[str, str]
    """The reason by file."""


def warp_files(
    source: Path,
    output: Path,
    transforms: Sequence[TransformFile],
    *,
    reference: Path | None,
    inverse: bool = False,
    interpolation: Interpolation = "linear",
    fill: float = 0.0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WarpedFiles:
    """Carry files from the moving image's space to the reference's; of a folder a bad one costs only itself.

    Args:
        source: an image, label map or landmark file, or a folder of them.
        output: the file, or the folder for files of the same names.
        transforms: from the fixed image to the moving one, the first acts first on a fixed point; a folder stands for
            the transform in it that has the file's name.
        reference: the image whose grid results get; a folder stands for the image of the same name.
        inverse: invert the transforms together.
        interpolation: of images; ``nearest`` for label maps.
        fill: the value outside of the input.
        workers: processes; default one a core, 0 for none.
        progress: called with files done and all.

    Raises:
        MedarchError: of a single file whatever stops it; of a folder if there is nothing in it, or a transform that
            all files share cannot be read.
    """
    if not any(each.path.is_dir() for each in transforms):
        read_chain(tuple(transforms))

    def job(file: Path, target: Path) -> Warp:
        return Warp(file, target, tuple(transforms), reference, inverse, interpolation, fill)

    if not source.is_dir():
        target = output / _output_name(source) if output.is_dir() else output
        return WarpedFiles({source.name: _warp_one(job(source, target))}, {})
    jobs = [job(file, output / _output_name(file)) for file in _find(source)]
    written: dict[str, Warped] = {}
    failed: dict[str, str] = {}
    for done, outcome in enumerate(run_parallel(_warp_one, jobs, workers=workers), start=1):
        name = outcome.item.source.name
        if outcome.value is not None:
            written[name] = outcome.value
        else:
            failed[name] = str(outcome.error)
        if progress is not None:
            progress(done, len(jobs))
    return WarpedFiles(dict(sorted(written.items())), dict(sorted(failed.items())))


def _find(folder: Path) -> list[Path]:
    files = [
        path
        for path in sorted(folder.iterdir())
        if is_volume_file(path) or (is_landmark_file(path) and not path.name.startswith("."))
    ]
    targets = [_output_name(file) for file in files]
    twice = sorted({name for name in targets if targets.count(name) > 1})
    if twice or not files:
        raise DatasetError(
            f"{'two files would become one' if twice else 'nothing to warp'} in {folder}",
            expected="images, label maps, or landmarks (.csv, .fcsv)",
            found=", ".join(twice) or "none (subfolders are not searched)",
            fix="move one away" if twice else "name the folder that holds them",
        )
    return files


def _output_name(file: Path) -> str:
    """The file's own name, if that can be written."""
    if file.name.lower().endswith(_WRITABLE):
        return file.name
    return split_suffix(file)[0] + ".nii.gz"


def _warp_one(warp: Warp) -> Warped:
    """Fill in what stands in folders, then warp."""
    transforms = tuple(
        TransformFile(_of_name(each.path, warp.source, tuple(TRANSFORM_FORMATS)), each.inverted)
        for each in warp.transforms
    )
    reference = warp.reference and _of_name(warp.reference, warp.source, ())
    return warp_file(Warp(warp.source, warp.target, transforms, reference, warp.inverse, warp.interpolation, warp.fill))


def _of_name(place: Path, source: Path, suffixes: tuple[str, ...]) -> Path:
    """The path, or of a folder the file in it that is named as ``source`` but for the suffix."""
    if not place.is_dir():
        return place
    wanted = _stem(source)
    if suffixes:
        found = [path for suffix in suffixes if (path := place / (wanted + suffix)).is_file()]
    else:
        found = [path for path in place.iterdir() if is_volume_file(path) and split_suffix(path)[0] == wanted]
    if len(found) != 1:
        raise DatasetError(
            f"no single file for {source.name} in {place}",
            expected=f"one file {wanted} with a suffix of {'transforms' if suffixes else 'images'}",
            found=", ".join(path.name for path in found) or "none",
            fix="name it as the input, or give one file for all",
        )
    return found[0]


def _stem(path: Path) -> str:
    return path.stem if is_landmark_file(path) else split_suffix(path)[0]
