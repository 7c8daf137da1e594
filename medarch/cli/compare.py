"""``medarch compare``."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medarch.cli.console import SOME_FAILED, errors_told, print_table, say_json
from medarch.cli.durations import spoken
from medarch.cli.options import Json, Verbose

if TYPE_CHECKING:
    from medarch.api.compare import StudyOutcome


def compare(
    study: Annotated[Path, typer.Argument(help="Study file, see docs/studies.md.", show_default=False)],
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Run this method now, leave the others. Repeatable.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget earlier runs (of --only, if given); default: go on.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs, their state and the time left.")] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare methods on datasets, folds and seeds with one budget; a crash costs only its run.

    The same command goes on where it stood and tries failed runs again. Exit code 0: all done; 1: some runs failed;
    2: refused.
    """
    with errors_told(as_json=json, verbose=verbose):
        from medarch import api

        with _live_lines() as tell:
            outcome = api.compare(study, only=only or (), restart=restart, dry_run=dry_run, tell=tell)
        if json:
            say_json(_as_json(outcome, dry_run=dry_run))
        elif dry_run:
            _list_runs(outcome)
        else:
            counts = Counter(run.status for run in outcome.result.runs)
            typer.echo(", ".join(f"{count} {status}" for status, count in counts.items()) + f"; in {outcome.folder}")
            for run in outcome.result.runs:
                if run.status == "failed":
                    name = f"{run.dataset}/{run.method}/fold_{run.fold}/seed_{run.seed}"
                    typer.secho(f"  {name}: {run.error}", fg="red", err=True)
        if not dry_run and any(run.status == "failed" for run in outcome.result.runs):
            raise typer.Exit(SOME_FAILED)


def _list_runs(outcome: StudyOutcome) -> None:
    rows = [
        [run.dataset, run.method, str(run.fold), str(run.seed), run.status, str(len(run.cases)),
         run.error.splitlines()[0] if run.error else ""]
        for run in outcome.result.runs
    ]  # fmt: skip
    title = f"{outcome.result.name}: {len(rows)} runs, budget {outcome.result.budget}"
    print_table(title, ["dataset", "method", "fold", "seed", "state", "cases", ""], rows)
    left = "unknown" if outcome.expected_s is None else f"about {spoken(outcome.expected_s)}, without preparation"
    typer.echo(f"time left: {left}")


def _as_json(outcome: StudyOutcome, *, dry_run: bool) -> dict[str, object]:
    runs = [run.model_dump(mode="json", exclude={"cases"}) | {"cases": len(run.cases)} for run in outcome.result.runs]
    return {"folder": str(outcome.folder), "dry_run": dry_run, "expected_s": outcome.expected_s, "runs": runs}


@contextmanager
def _live_lines() -> Iterator[Callable[[str, str, str], None]]:
    """One line a run that changes in place on a terminal; a line a change elsewhere."""
    states: dict[str, tuple[str, float]] = {}
    if not sys.stderr.isatty():
        yield _print_line
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    class Lines:
        def __rich__(self) -> Text:
            now = time.monotonic()
            return Text("\n".join(
                f"{status:<8} {key}" + (f"  {spoken(now - since)}" if status == "running" else "")
                for key, (status, since) in states.items()
            ))  # fmt: skip

    with Live(Lines(), console=Console(stderr=True), refresh_per_second=2):

        def tell(key: str, status: str, detail: str) -> None:
            states[key] = (status, time.monotonic())

        yield tell


def _print_line(key: str, status: str, detail: str) -> None:
    first = detail.splitlines()[0] if detail else ""
    typer.echo(f"{time.strftime('%H:%M:%S')} {status:<8} {key}" + (f"  {first}" if first else ""), err=True)
