"""Any slide or picture, through the reader that fits it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medarch.core.errors import SlideError, UsageError
from medarch.io.slides.dicom_reader import DicomReader
from medarch.io.slides.openslide_reader import OpenSlideReader
from medarch.io.slides.picture_reader import PictureReader
from medarch.io.slides.require_whole_tiff import require_whole_tiff
from medarch.io.slides.slide import Slide
from medarch.io.slides.tiff_reader import TiffReader
from medarch.io.slides.tiffslide_reader import TiffSlideReader

READERS: dict[str, Callable[[Path], Slide]] = {
    "openslide": OpenSlideReader,
    "tiffslide": TiffSlideReader,
    "tiff": TiffReader,
    "dicom": DicomReader,
    "picture": PictureReader,
}

_ORDERS = {
    ".png": ("picture",),
    ".jpg": ("picture",),
    ".jpeg": ("picture",),
    ".bmp": ("picture",),
    ".ome.tif": ("tiff",),
    ".ome.tiff": ("tiff",),
    ".dcm": ("openslide", "dicom"),
    ".tif": ("openslide", "tiff", "tiffslide"),
    ".tiff": ("openslide", "tiff", "tiffslide"),
    ".svs": ("openslide", "tiffslide"),
    ".ndpi": ("openslide", "tiffslide"),
    ".scn": ("openslide", "tiffslide"),
    ".bif": ("openslide", "tiffslide"),
    ".svslide": ("openslide", "tiffslide"),
    ".mrxs": ("openslide",),
    ".vms": ("openslide",),
    ".vmu": ("openslide",),
    ".czi": ("openslide",),
}
"""Readers to try by suffix. OME-TIFF goes to tifffile: OpenSlide sees neither its levels nor its pixel size."""

SLIDE_SUFFIXES = tuple(_ORDERS)


def open_slide(path: Path | str, *, mpp: float | None = None, reader: str = "auto") -> Slide:
    """Open a slide.

    Args:
        path: a file, or a folder that holds one DICOM slide.
        mpp: µm a level-0 pixel, instead of what the file states.
        reader: one of :data:`READERS`, or ``auto``: the first that opens it.

    Raises:
        SlideError: the file is missing, damaged, cut short or of no format that medarch reads.
        UsageError: there is no such reader.
    """
    path = _file(Path(path))
    require_whole_tiff(path)
    if reader != "auto":
        if reader not in READERS:
            raise UsageError(
                f"unknown slide reader {reader!r}", expected=", ".join(("auto", *READERS)), fix="choose one of those"
            )
        return _opened(path, (reader,)).with_mpp(mpp)
    return _opened(path, _readers(path)).with_mpp(mpp)


def is_slide(path: Path) -> bool:
    """Whether the name is that of a slide or a picture (every format of :data:`SLIDE_SUFFIXES`)."""
    return path.name.lower().endswith(SLIDE_SUFFIXES) and not path.name.startswith(".")


def _readers(path: Path) -> tuple[str, ...]:
    name = path.name.lower()
    for suffix in sorted(_ORDERS, key=len, reverse=True):
        if name.endswith(suffix):
            return ("tiff", *_ORDERS[suffix]) if suffix in (".tif", ".tiff") and _is_ome(path) else _ORDERS[suffix]
    return ("openslide", "tiffslide", "dicom", "picture")


def _is_ome(path: Path) -> bool:
    with path.open("rb") as stream:
        return b"<OME" in stream.read(4096) or _description_is_ome(path)


def _description_is_ome(path: Path) -> bool:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return bool(file.is_ome)
    except Exception:  # noqa: BLE001 - a damaged file is told by the readers
        return False


def _opened(path: Path, readers: tuple[str, ...]) -> Slide:
    refusals = []
    for name in readers:
        try:
            return READERS[name](path)
        except SlideError:
            raise
        except ImportError as error:
            refusals.append(f"{name}: {error} (pip install 'medarch[histology]')")
        except Exception as error:  # noqa: BLE001 - each library raises its own kinds on files it cannot read
            refusals.append(f"{name}: {type(error).__name__}: {str(error)[:150]}")
    raise SlideError(
        f"{path} cannot be opened as a slide",
        expected=f"a file of {', '.join(SLIDE_SUFFIXES)}",
        found="; ".join(refusals),
        fix="copy it again from its source, or convert it to a pyramidal TIFF",
    )


def _file(path: Path) -> Path:
    if path.is_dir():
        files = sorted(path.glob("*.dcm"))
        if files:
            return files[0]
        raise SlideError(f"{path} holds no DICOM slide", expected="*.dcm files of one slide", found="a folder without")
    try:
        if path.stat().st_size:
            return path
    except OSError as error:
        raise SlideError(f"cannot read {path}", found=error.strerror or str(error), fix="check the path") from error
    raise SlideError(f"{path} is empty", expected="a slide", found="0 bytes", fix="copy it again from its source")
