"""One label map a case from the probabilities of several prediction folders."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from medarch.core.errors import PredictionError
from medarch.core.files import remove_leftovers
from medarch.core.folder_lock import folder_lock
from medarch.core.prediction import CasePrediction, Prediction
from medarch.inference.failed_case import failed_case
from medarch.inference.ledger import Ledger, file_sha256
from medarch.inference.pipeline import PROBABILITIES
from medarch.io.probability_files import ProbabilitySource
from medarch.io.write_planes import write_planes
from medarch.io.write_volume import write_volume
from medarch.tasks.decode_planes import decode_planes
from medarch.tasks.mean_planes import MeanPlanes


def ensemble_folders(
    sources: Sequence[ProbabilitySource],
    output: Path,
    *,
    model: Path,
    probabilities: bool = False,
    restart: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Average probabilities case by case and decide; a killed run goes on, a bad case costs only itself.

    Args:
        sources: the members.
        output: folder.
        model: folder whose ``plan.json`` names the labels, for the record.
        probabilities: write the mean, too.
        restart: average every case again.
        progress: called with cases done and all.

    Raises:
        PredictionError: the members differ in cases, labels or grids, or ``output`` holds another ensemble.
    """
    cases = _require_one_set(sources)
    settings: dict[str, Any] = {"members": [source.identity for source in sources], "probabilities": probabilities}
    ledger = Ledger(output, settings)
    with folder_lock(output):
        for folder in (output, output / PROBABILITIES):
            remove_leftovers(folder)
        done = ledger.open(restart=restart)
        rows = []
        for number, case in enumerate(cases, start=1):
            if case in done:
                row = done[case].model_copy(update={"status": "skipped"})
            else:
                row = _one(case, sources, output, probabilities=probabilities)
                ledger.add(row)
            rows.append(row)
            if progress is not None:
                progress(number, len(cases))
        record = {**settings, "members": tuple(settings["members"])}
        digest = "+".join(source.identity for source in sources)
        prediction = Prediction(model=model, model_sha256=digest, settings=record, cases=tuple(rows))
        prediction.save(output / "predictions.json")
        return prediction


def _one(case: str, sources: Sequence[ProbabilitySource], output: Path, *, probabilities: bool) -> CasePrediction:
    started = time.monotonic()
    like = sources[0].label_maps[case]
    try:
        with contextlib.ExitStack() as files:
            members = [files.enter_context(source.open(case, scratch=output)) for source in sources]
            mean = MeanPlanes(members)
            labels = decode_planes(mean, sources[0].labels)
            grid = sources[0].grid(case)
            target = output / like.name
            write_volume(target, labels, grid, like=like)
            shares = output / PROBABILITIES / like.name if probabilities else None
            if shares is not None:
                write_planes(shares, mean, grid, like=like)
        return CasePrediction(
            case=case,
            status="done",
            images=(),
            output=target,
            output_sha256=file_sha256(target),
            probabilities=shares,
            seconds=round(time.monotonic() - started, 3),
        )
    except Exception as error:  # noqa: BLE001 - the boundary where a batch isolates a case
        return failed_case(case, error)


def _require_one_set(sources: Sequence[ProbabilitySource]) -> list[str]:
    """The cases, in order; refuses members of different cases, labels or grids."""
    first = sources[0]
    cases = set(first.label_maps)
    for other in sources[1:]:
        if other.labels != first.labels:
            raise _differ("labels", first, other, str(first.labels.labels), str(other.labels.labels))
        if set(other.label_maps) != cases:
            apart = sorted(cases ^ set(other.label_maps))
            listed = ", ".join(apart[:5]) + (" ..." if len(apart) > 5 else "")
            raise _differ("cases", first, other, f"{len(cases)} equal cases", f"{listed} in one of them only")
        for case in sorted(cases):
            if differences := first.grid(case).differences(other.grid(case)):
                raise _differ(f"grids of case {case}", first, other, "one grid", "; ".join(differences))
    if not cases:
        raise PredictionError(
            f"no probabilities in {first.name}",
            expected="predictions made with --probabilities (nnU-Net: --save_probabilities)",
            fix="predict again with that option",
        )
    return sorted(cases)


def _differ(
    what: str, first: ProbabilitySource, other: ProbabilitySource, expected: str, found: str
) -> PredictionError:
    return PredictionError(
        f"{first.name} and {other.name} differ in {what}",
        expected=expected,
        found=found,
        fix="average predictions of the same images by models of the same dataset",
    )
