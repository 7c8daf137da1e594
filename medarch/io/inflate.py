"""Decompression that notices what readers overlook: cut streams, changed bytes, rubbish at the end."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from medarch.io.fault import fault

GZIP_MAGIC = b"\x1f\x8b"
_GZIP_OR_ZLIB = 47  # 32 (detect the wrapper) + 15 (largest window), see zlib's inflateInit2


def inflate(content: bytes, path: Path) -> bytes:
    """Return the decompressed data of a gzip or zlib stream; gzip files of several members are joined.

    Raises:
        VolumeError: the stream is cut (``TRUNCATED``), fails its checksum (``BAD_CRC``), is damaged
            (``CORRUPT_STREAM``), or something else follows it (``EXTRA_BYTES``).
    """
    pieces = list(inflate_pieces([content], path, at_once=0))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def inflate_pieces(content: Iterable[bytes], path: Path, *, at_once: int = 2**24) -> Iterator[bytes]:
    """Yield what :func:`inflate` returns, at most ``at_once`` bytes at a time (0: as they come); raises as it does."""
    stream = None
    size = 0
    held = b""
    members = 0
    for piece in content:
        held += piece
        while held:
            if stream is None:
                held = held.lstrip(b"\0") if members else held  # tape blocks are padded with zeros
                if not held or GZIP_MAGIC.startswith(held):
                    break
                if members and not held.startswith(GZIP_MAGIC):
                    raise fault("EXTRA_BYTES", path, found=f"{len(held)} bytes or more after the compressed stream")
                stream = zlib.decompressobj(_GZIP_OR_ZLIB)
            try:
                found = stream.decompress(held, at_once)
            except zlib.error as error:
                # zlib's words: "incorrect data check" and "incorrect length check" are the checksums in the trailer.
                code = "BAD_CRC" if "check" in str(error) and "header" not in str(error) else "CORRUPT_STREAM"
                raise fault(code, path, found=str(error)) from error
            size += len(found)
            held = stream.unused_data if stream.eof else stream.unconsumed_tail
            if stream.eof:
                stream, members = None, members + 1
            yield found
    if stream is None and held and members:
        raise fault("EXTRA_BYTES", path, found=f"{len(held)} bytes after the compressed stream")
    if stream is not None or held:
        raise fault(
            "TRUNCATED",
            path,
            expected="a complete compressed stream",
            found=f"its end is missing after {size} bytes",
        )


def inflate_start(content: bytes, size: int) -> bytes:
    """Return up to ``size`` bytes of a stream whose end may be missing; empty when it cannot be read."""
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(content, size)
    except zlib.error:
        return b""
