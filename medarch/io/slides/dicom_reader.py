"""DICOM slides that OpenSlide refuses, frame by frame: one file, one level."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from medarch.core.errors import SlideError
from medarch.io.slides.slide import Slide, SlideLevel

if TYPE_CHECKING:
    from pydicom import Dataset

SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""VL Whole Slide Microscopy Image Storage."""
_PILLOW_SYNTAXES = {
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.90": "JPEG 2000, lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
_ITEM, _UNDEFINED = b"\xfe\xff\x00\xe0", 0xFFFFFFFF
_KEPT_FRAMES = 64


class DicomReader(Slide):
    """A VL Whole Slide Microscopy image whose frames have a stated place: ``TILED_FULL``, or a position a frame.

    Frames without a place are refused: writers differ in their order, and a wrong one scrambles the slide silently.
    """

    reader = "dicom"

    def __init__(self, path: Path) -> None:
        import pydicom

        self._file = path.open("rb")
        header = pydicom.dcmread(self._file, stop_before_pixels=True)
        _require_slide(header, path)
        self._frame_size = (int(header.Columns), int(header.Rows))
        whole = (int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows))
        self._places = _places(header, whole, self._frame_size, path)
        self._encapsulated = header.file_meta.TransferSyntaxUID.is_encapsulated
        self._implicit = header.file_meta.TransferSyntaxUID.is_implicit_VR
        self._spans = self._find_frames(int(header.NumberOfFrames))
        self._frame = lru_cache(maxsize=_KEPT_FRAMES)(self._decode)
        super().__init__(path, (SlideLevel(whole, 1.0),), mpp=_stated_spacing(header))

    def _find_frames(self, count: int) -> list[tuple[int, int]]:
        """Offset and length of each frame in the file; the stream stands before the element of the pixel data."""
        stream = self._file
        if not self._encapsulated:
            # Tag, type and length before the pixels take 12 bytes, or 8 where types are implicit.
            start = stream.tell() + (8 if self._implicit else 12)
            length = self._frame_size[0] * self._frame_size[1] * 3
            return [(start + index * length, length) for index in range(count)]
        stream.seek(12, io.SEEK_CUR)
        _read_item(stream)  # the basic offset table
        spans = []
        while (item := _read_item(stream)) is not None:
            spans.append(item)
        return spans

    def _decode(self, index: int) -> np.ndarray:
        import PIL.Image

        if index >= len(self._spans):
            raise SlideError(
                f"{self.path} is cut short, or a frame is stored in several fragments",
                expected=f"{len(self._places)} frames of one fragment",
                found=f"{len(self._spans)} fragments",
                fix="convert the slide again, e.g. with wsidicomizer",
            )
        offset, length = self._spans[index]
        self._file.seek(offset)
        content = self._file.read(length)
        width, height = self._frame_size
        if not self._encapsulated:
            return np.frombuffer(content, np.uint8).reshape(height, width, 3)
        with PIL.Image.open(io.BytesIO(content)) as picture:
            return np.asarray(picture.convert("RGB"))

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        canvas = np.full((height, width, 3), 255, np.uint8)
        frame_width, frame_height = self._frame_size
        for index, (column, row) in enumerate(self._places):
            left, right = max(column, x), min(column + frame_width, x + width)
            top, bottom = max(row, y), min(row + frame_height, y + height)
            if right > left and bottom > top:
                frame = self._frame(index)
                canvas[top - y : bottom - y, left - x : right - x] = frame[
                    top - row : bottom - row, left - column : right - column
                ]
        return canvas

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _require_slide(header: Dataset, path: Path) -> None:
    syntax = header.file_meta.TransferSyntaxUID
    found = ""
    if header.get("SOPClassUID") != SLIDE_CLASS:
        found = f"SOP class {header.get('SOPClassUID', 'not stated')}"
    elif header.get("SamplesPerPixel") != 3 or header.get("BitsAllocated") != 8:
        found = f"{header.get('SamplesPerPixel')} samples of {header.get('BitsAllocated')} bits"
    elif syntax.is_encapsulated and syntax not in _PILLOW_SYNTAXES:
        found = f"transfer syntax {syntax.name}"
    elif "TotalPixelMatrixColumns" not in header:
        found = "no TotalPixelMatrixColumns"
    if found:
        raise SlideError(
            f"{path} is not a DICOM slide that medarch reads",
            expected="VL Whole Slide Microscopy, 8-bit RGB, uncompressed, JPEG baseline or JPEG 2000",
            found=found,
            fix="convert it, e.g. with wsidicomizer",
        )


def _places(header: Dataset, whole: tuple[int, int], frame: tuple[int, int], path: Path) -> list[tuple[int, int]]:
    """Column and row of each frame's corner."""
    if header.get("DimensionOrganizationType") == "TILED_FULL":
        across, down = (-(-size // side) for size, side in zip(whole, frame, strict=True))
        return [(column * frame[0], row * frame[1]) for row in range(down) for column in range(across)]
    places = []
    for group in header.get("PerFrameFunctionalGroupsSequence", ()):
        position = group.get("PlanePositionSlideSequence")
        if position:
            column = int(position[0].ColumnPositionInTotalImagePixelMatrix)
            row = int(position[0].RowPositionInTotalImagePixelMatrix)
            places.append((column - 1, row - 1))
    if len(places) != int(header.NumberOfFrames):
        raise SlideError(
            f"{path} does not say where its tiles lie",
            expected="DimensionOrganizationType TILED_FULL, or a PlanePositionSlideSequence for every frame "
            "(DICOM PS3.3 C.7.6.17.3)",
            found=f"{header.NumberOfFrames} frames, {len(places)} positions, "
            f"DimensionOrganizationType {header.get('DimensionOrganizationType', 'absent')}",
            fix="convert the original slide again, e.g. with wsidicomizer: any order assumed here could scramble it",
        )
    return places


def _stated_spacing(header: Dataset) -> tuple[float, float] | None:
    """PixelSpacing in µm. The imaged volume is not used: writers fill it with constants."""
    for group in header.get("SharedFunctionalGroupsSequence", ()):
        for measures in group.get("PixelMeasuresSequence", ()):
            if "PixelSpacing" in measures:
                row, column = (float(value) * 1000 for value in measures.PixelSpacing)
                return column, row
    return None


def _read_item(stream: BinaryIO) -> tuple[int, int] | None:
    """Offset and length of the next item, passed over; None at the end of the sequence or of the file."""
    head = stream.read(8)
    length = int.from_bytes(head[4:], "little")
    if len(head) < 8 or head[:4] != _ITEM or length == _UNDEFINED:
        return None
    offset = stream.tell()
    stream.seek(length, io.SEEK_CUR)
    return offset, length
