"""Three stages a case, each ahead of the next: read and prepare, networks, write."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from medarch.core.dataset import Case
from medarch.core.geometry import Geometry
from medarch.core.prediction import CasePrediction
from medarch.inference.byte_budget import ByteBudget
from medarch.inference.case_bytes import case_bytes
from medarch.inference.case_scores import CaseScores
from medarch.inference.ensemble import Ensemble
from medarch.inference.failed_case import failed_case
from medarch.inference.ledger import file_sha256
from medarch.inference.load_model import PREVIOUS_STAGE, Model
from medarch.inference.output_file import output_file
from medarch.inference.predict_case import predict_labels, predict_scores
from medarch.inference.prediction_options import PredictionOptions
from medarch.inference.prepare_input import NetworkInput, prepare_input
from medarch.inference.previous_stage import FinishedLabels, PreviousStage
from medarch.inference.score_bytes import score_bytes
from medarch.io.volume_planes import VolumePlanes
from medarch.io.write_planes import write_planes
from medarch.io.write_volume import write_volume
from medarch.preprocessing.case_store import CaseStore
from medarch.tasks.apply_postprocessing import apply_postprocessing

PROBABILITIES = "probabilities"


@dataclass(frozen=True)
class Pipeline:
    """What all cases of a run share.

    Stages run in threads: numpy, torch and the decompression of files leave Python's lock alone, arrays need not be
    copied, and a thread cannot vanish as a killed process does. Whatever a stage raises becomes the case's error.
    """

    ensemble: Ensemble
    output: Path
    options: PredictionOptions
    store: CaseStore | None = None
    finished: FinishedLabels | None = None
    device: Lock = field(default_factory=Lock)

    def predict(self, cases: Sequence[Case]) -> Iterator[CasePrediction]:
        """Yield what became of each case, in order."""
        budget = ByteBudget(self.options.memory_bytes)
        with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
            try:
                tickets = [_Ticket(number, case, budget) for number, case in enumerate(cases)]
                coming = deque(reader.submit(self._prepare, ticket) for ticket in tickets)
                leaving: deque[tuple[_Ticket, Future[CasePrediction]]] = deque()
                for ticket in tickets:
                    leaving.append((ticket, self._through_networks(ticket, coming.popleft(), writer)))
                    while leaving and (len(leaving) > 1 or leaving[0][1].done()):
                        yield _outcome(*leaving.popleft())
                while leaving:
                    yield _outcome(*leaving.popleft())
            finally:
                budget.close()
                reader.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, ticket: _Ticket) -> list[NetworkInput]:
        models = self.ensemble.models
        count = 0
        try:
            count = case_bytes(ticket.case, [model.configuration for model in models])
            if len(models) > 1 or self.options.probabilities:
                count += score_bytes(ticket.case, classes=models[0].head.classes)
        finally:
            ticket.enter(count)  # whatever happened: the cases behind this one wait for it
        return [
            prepare_input(
                model,
                ticket.case,
                store=self.store,
                previous=self._previous_stage(model),
                region=self.options.region,
            )
            for model in models
        ]

    def _previous_stage(self, model: Model) -> PreviousStage | None:
        if model.configuration.previous_stage is None:
            return None
        window = None if model.previous is None else self.options.window(model.previous.configuration)
        keep = self.output / PREVIOUS_STAGE if self.options.keep_previous_stage else None
        return PreviousStage(model, self.finished, window, keep, self.output, self.device)

    def _through_networks(
        self, ticket: _Ticket, ready: Future[list[NetworkInput]], writer: ThreadPoolExecutor
    ) -> Future[CasePrediction]:
        """Wait for the case and ask the networks; what is left to do happens in the writer."""
        leaving: Future[CasePrediction] = Future()
        error = ready.exception()
        if error is None:
            inputs = ready.result()
            try:
                with self.device:
                    found = self._ask(inputs)
                return writer.submit(self._finish, ticket, found, inputs)
            except Exception as raised:  # noqa: BLE001 - the boundary where a batch isolates a case
                error = raised
        leaving.set_exception(error)
        return leaving

    def _ask(self, inputs: Sequence[NetworkInput]) -> np.ndarray | CaseScores:
        """A label map where that is all that is wanted of one model; else the probabilities, for what follows."""
        windows = [self.options.window(model.configuration) for model in self.ensemble.models]
        if len(inputs) == 1 and not self.options.probabilities:
            (model,), (one,), (window,) = self.ensemble.models, inputs, windows
            return predict_labels(model, one.arrays, window=window, scratch=self.output, region=one.region)
        found: list[CaseScores] = []
        with ExitStack() as unless_complete:
            for model, one, window in zip(self.ensemble.models, inputs, windows, strict=True):
                found.append(
                    predict_scores(model, one.arrays, window=window, scratch=self.output, decide=len(inputs) == 1)
                )
                unless_complete.enter_context(found[-1])
            unless_complete.pop_all()
        if len(found) == 1:
            return found[0]
        return CaseScores([member for scores in found for member in scores.members], found[0].scheme)

    def _finish(self, ticket: _Ticket, found: np.ndarray | CaseScores, inputs: list[NetworkInput]) -> CasePrediction:
        geometry, region = inputs[0].arrays.record.geometry, inputs[0].region
        inputs.clear()  # they make room for the next case's network
        if isinstance(found, np.ndarray):
            return self._write(ticket, found, geometry)
        with found:
            labels = found.labels()
            if region is not None:
                labels[~region] = 0
            return self._write(ticket, labels, geometry, found.probabilities if self.options.probabilities else None)

    def _write(
        self, ticket: _Ticket, labels: np.ndarray, geometry: Geometry, probabilities: VolumePlanes | None = None
    ) -> CasePrediction:
        case = ticket.case
        labels = apply_postprocessing(labels, self.ensemble.postprocessing.steps if self.options.postprocess else ())
        target = output_file(self.output, case)
        write_volume(target, labels, geometry, like=case.images[0])
        shares = None
        if probabilities is not None:
            shares = output_file(self.output / PROBABILITIES, case)
            write_planes(shares, probabilities, geometry, like=case.images[0])
        return CasePrediction(
            case=case.id,
            status="done",
            images=case.images,
            output=target,
            output_sha256=file_sha256(target),
            probabilities=shares,
            seconds=ticket.seconds,
            voxels=_count(self.ensemble.models[0], labels),
        )


class _Ticket:
    """A case's place in the run, and what it takes of the budget."""

    def __init__(self, number: int, case: Case, budget: ByteBudget) -> None:
        self.number, self.case = number, case
        self._budget = budget
        self._taken: int | None = None
        self._started = time.monotonic()

    def enter(self, count: int) -> None:
        """Wait until the case may come into memory."""
        if not self._budget.take(self.number, count):
            raise RuntimeError("the run has ended")
        self._taken = count
        self._started = time.monotonic()

    def leave(self) -> None:
        """Its arrays are gone."""
        if self._taken is not None:
            self._budget.give_back(self._taken)

    @property
    def seconds(self) -> float:
        """Since it came in."""
        return round(time.monotonic() - self._started, 3)


def _outcome(ticket: _Ticket, future: Future[CasePrediction]) -> CasePrediction:
    """Wait for a case. Whatever ended its work, even what ends a thread, is this case's fault alone."""
    error = future.exception()
    ticket.leave()
    if error is None:
        return future.result()
    return failed_case(ticket.case.id, error, images=ticket.case.images, seconds=ticket.seconds)


def _count(model: Model, labels: np.ndarray) -> dict[str, int]:
    scheme = model.plan.labels
    # Plane by plane: bincount makes eight bytes of every voxel.
    counts = np.zeros(scheme.values[-1] + 1, dtype=np.int64)
    for plane in np.moveaxis(labels, -1, 0):
        counts += np.bincount(plane.ravel(), minlength=len(counts))
    return {name: int(counts[list(scheme.members(name))].sum()) for name in scheme.foreground_names}
