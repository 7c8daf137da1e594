"""Which slides a path means."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from medarch.core.errors import DatasetError
from medarch.io.slides.open_slide import SLIDE_SUFFIXES, is_slide


def find_slides(source: Path) -> dict[str, Path]:
    """Slides by name, in alphabetical order.

    A file is one slide. A folder stands for its slides and pictures; of its subfolders each that holds ``.dcm`` files
    is one DICOM slide, and so is a folder that holds nothing else. Names are those of the files without suffix, or
    with it where two files would have one name.

    Raises:
        DatasetError: there is no slide.
    """
    source = Path(source).absolute()
    if source.is_file():
        paths = [source]
    elif source.is_dir():
        paths = _in_folder(source)
    else:
        raise DatasetError(f"nothing at {source}", expected="a slide or a folder of slides", fix="check the path")
    if not paths:
        raise DatasetError(
            f"no slide in {source}",
            expected=", ".join(SLIDE_SUFFIXES),
            found="no such file",
            fix="give a slide, or a folder that holds some",
        )
    stems = Counter(map(_stem, paths))
    return {(_stem(path) if stems[_stem(path)] == 1 else path.name): path for path in paths}


def _in_folder(folder: Path) -> list[Path]:
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and is_slide(path)]
    if found and all(path.suffix.lower() == ".dcm" for path in found):
        return [folder]  # the levels of one slide
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and any(path.glob("*.dcm"))]
    return sorted([*found, *inside])


def _stem(path: Path) -> str:
    name = path.name
    suffixes = sorted(SLIDE_SUFFIXES, key=len, reverse=True)
    suffix = next((suffix for suffix in suffixes if name.lower().endswith(suffix)), "")
    return name[: -len(suffix)] if suffix and not path.is_dir() else name
