"""What every verb shares at the shell's edge: errors, exit codes, JSON, progress."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

DONE, SOME_FAILED, USAGE = 0, 1, 2
"""Exit codes: everything done; some cases failed or the check found errors; the request could not be carried out."""


@contextmanager
def errors_told(*, as_json: bool = False, verbose: bool = False) -> Iterator[None]:
    """Print a typed error as one clear message and exit with code 2; let programming errors through."""
    from medarch.core.errors import MedarchError

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr
    )
    try:
        yield
    except MedarchError as error:
        if as_json:
            say_json(
                {
                    "error": error.summary,
                    "code": error.code,
                    "expected": error.expected,
                    "found": error.found,
                    "fix": error.fix,
                }
            )
        typer.secho(f"{error.code} {error.summary}", fg="red", bold=True, err=True)
        for name in ("expected", "found", "fix"):
            if text := getattr(error, name):
                typer.echo(f"  {name + ':':<10}{text}", err=True)
        raise typer.Exit(USAGE) from error
    except KeyboardInterrupt as error:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from error


def say_json(content: Any) -> None:
    """Print one line of JSON, the last of the output."""
    typer.echo(json.dumps(content))


@contextmanager
def progress_bar(name: str, *, unit: str = "case") -> Iterator[Callable[[int, int], None]]:
    """Yield ``progress(done, total)``: a bar on a terminal, silence elsewhere."""
    from tqdm import tqdm

    bar = tqdm(desc=name, unit=unit, disable=not sys.stderr.isatty(), dynamic_ncols=True, leave=False)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    try:
        yield progress
    finally:
        bar.close()


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table that fits the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
