"""The table of nuclei as CSV and Parquet."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from medarch.core.files import atomic_path

GROUP_ROWS = 65536
"""Rows of a Parquet row group, whatever the pieces are that rows come in."""
DECIMALS = 4


def write_tables(
    csv_path: Path, parquet_path: Path | None, pieces: Iterable[dict[str, np.ndarray]], *, decimals: int = DECIMALS
) -> None:
    """Write pieces of columns one after another into both files, each whole or not at all.

    Args:
        csv_path: numbers with so many decimals.
        parquet_path: full precision; None where pyarrow is not installed.
        pieces: columns of equal length; at least one piece, which may be of no rows.
        decimals: of fractions in the CSV.
    """
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_text(csv_path))
        parquet = None if parquet_path is None else stack.enter_context(_Parquet.open(parquet_path))
        for number, columns in enumerate(pieces):
            if number == 0:
                csv.writer(stream, lineterminator="\n").writerow(columns)
            _write_lines(stream, columns, decimals)
            if parquet is not None:
                parquet.add(columns)


@contextlib.contextmanager
def _text(path: Path) -> Iterator[io.TextIOBase]:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def _write_lines(stream: io.TextIOBase, columns: dict[str, np.ndarray], decimals: int) -> None:
    texts = []
    for values in columns.values():
        if values.dtype.kind == "f":
            texts.append([f"{value:.{decimals}f}" for value in values.tolist()])
        elif values.dtype.kind == "O":
            quoted = {value: _quoted(value) for value in set(values.tolist())}
            texts.append([quoted[value] for value in values.tolist()])
        else:
            texts.append(list(map(str, values.tolist())))
    stream.writelines(",".join(row) + "\n" for row in zip(*texts, strict=True))


def _quoted(value: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([value])
    return line.getvalue()


class _Parquet:
    """Collects rows until they fill a row group."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: list[dict[str, np.ndarray]] = []
        self._rows = 0
        self._writer: object = None

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[_Parquet]:
        with atomic_path(path) as temporary:
            table = cls(temporary)
            try:
                yield table
                table._flush(everything=True)
            finally:
                table._close()

    def add(self, columns: dict[str, np.ndarray]) -> None:
        self._kept.append(columns)
        self._rows += len(columns["id"])
        if self._rows >= GROUP_ROWS:
            self._flush(everything=False)

    def _flush(self, *, everything: bool) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._kept:
            return
        columns = {name: np.concatenate([piece[name] for piece in self._kept]) for name in self._kept[0]}
        take = self._rows if everything else self._rows // GROUP_ROWS * GROUP_ROWS
        table = pa.table(
            {
                name: pa.array(values[:take], pa.string() if values.dtype.kind == "O" else None)
                for name, values in columns.items()
            }
        )
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        if take:
            self._writer.write_table(table, row_group_size=GROUP_ROWS)  # type: ignore[attr-defined]
        self._kept = [{name: values[take:] for name, values in columns.items()}]
        self._rows -= take

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()  # type: ignore[attr-defined]
