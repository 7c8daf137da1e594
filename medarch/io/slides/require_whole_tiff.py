"""Whether a TIFF file is all there, before a reader passes over what is missing."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from medarch.core.errors import SlideError

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_OFFSETS, _COUNTS = (273, 324), (279, 325)
_HAMAMATSU = 65420
"""NDPI keeps the upper half of offsets in a way of its own: only its first pages can be followed."""
_MOST_PAGES = 100_000


def require_whole_tiff(path: Path) -> None:
    """Follow the chain of pages and look whether every tile and strip lies inside the file. Other files pass.

    Readers open a file whose last pages are cut off and find fewer levels, or report a slide of an unknown format.

    Raises:
        SlideError: the file is cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16:
            return
        version = struct.unpack(order + "H", head[2:4])[0]
        if version not in (42, 43):
            return
        big = version == 43
        offset = struct.unpack(order + "Q", head[8:16])[0] if big else struct.unpack(order + "I", head[4:8])[0]
        for page in range(_MOST_PAGES):
            if not offset:
                return
            reached = _page(stream, offset, size, order, big=big)
            if reached is None:
                return
            end, offset = reached
            if end > size:
                raise _cut(path, f"page {page + 1} reaches to byte {end}", size)
            if offset >= size:
                raise _cut(path, f"page {page + 2} at byte {offset}", size)


def _page(stream: BinaryIO, offset: int, size: int, order: str, *, big: bool) -> tuple[int, int] | None:
    """Where the furthest byte of a page's data lies, and the next page; None for pages that cannot be followed."""
    width, entry, pointer = (8, 20, "Q") if big else (2, 12, "I")
    word = struct.calcsize(order + pointer)
    stream.seek(offset)
    head = stream.read(width)
    if len(head) < width:
        return size + 1, 0
    count = struct.unpack(order + ("Q" if big else "H"), head)[0]
    table = stream.read(count * entry + word)
    if len(table) < count * entry + word:
        return offset + width + count * entry + word, 0
    values: dict[int, tuple[int, ...]] = {}
    end = offset + width + len(table)
    for index in range(count):
        row = table[index * entry : (index + 1) * entry]
        tag, kind = struct.unpack(order + "HH", row[:4])
        if tag == _HAMAMATSU:
            return None
        number = struct.unpack(order + pointer, row[4 : 4 + word])[0]
        length = number * _SIZES.get(kind, 1)
        content = row[4 + word :]
        if length > word:
            place = struct.unpack(order + pointer, content[:word])[0]
            end = max(end, place + length)
            if tag in (*_OFFSETS, *_COUNTS) and place + length <= size:
                stream.seek(place)
                content = stream.read(length)
        if tag in (*_OFFSETS, *_COUNTS) and kind in _INTEGERS and len(content) >= length:
            values[tag] = struct.unpack(f"{order}{number}{_INTEGERS[kind]}", content[:length])
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        ends = [at + many for at, many in zip(values.get(offsets, ()), values.get(counts, ()), strict=False) if many]
        end = max(end, *ends, 0)
    return end, struct.unpack(order + pointer, table[-word:])[0]


def _cut(path: Path, what: str, size: int) -> SlideError:
    return SlideError(
        f"{path} is cut short",
        expected=what,
        found=f"a file of {size} bytes",
        fix="copy the slide again from its source",
    )
