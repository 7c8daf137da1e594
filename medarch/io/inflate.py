"""Decompression that notices what readers overlook: cut streams, changed bytes, rubbish at the end."""

from __future__ import annotations

import zlib
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
    pieces: list[bytes] = []
    while content:
        if pieces and not content.startswith(GZIP_MAGIC):
            raise fault("EXTRA_BYTES", path, found=f"{len(content)} bytes after the compressed stream")
        stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            pieces.append(stream.decompress(content))
        except zlib.error as error:
            # zlib's words: "incorrect data check" and "incorrect length check" are the checksums in the trailer.
            code = "BAD_CRC" if "check" in str(error) and "header" not in str(error) else "CORRUPT_STREAM"
            raise fault(code, path, found=str(error)) from error
        if not stream.eof:
            size = sum(map(len, pieces))
            raise fault(
                "TRUNCATED",
                path,
                expected="a complete compressed stream",
                found=f"its end is missing after {size} bytes",
            )
        content = stream.unused_data.lstrip(b"\0")  # tape blocks are padded with zeros
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def inflate_start(content: bytes, size: int) -> bytes:
    """Return up to ``size`` bytes of a stream whose end may be missing; empty when it cannot be read."""
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(content, size)
    except zlib.error:
        return b""
