"""Many cases judged: a bad case costs only itself; a killed run goes on."""

from __future__ import annotations

import csv
import io
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from medarch.core.dataset import Case
from medarch.core.files import remove_leftovers, write_text
from medarch.core.folder_lock import folder_lock
from medarch.core.prediction import CasePrediction, Prediction
from medarch.inference.classify_case import classify_case, explain_case
from medarch.inference.failed_case import failed_case
from medarch.inference.ledger import Ledger, file_sha256
from medarch.inference.load_case_model import CaseModel
from medarch.inference.prepare_input import prepare_input
from medarch.io.write_volume import write_volume
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.prepare_case import PreparedArrays
from medarch.tasks.classification import Classification

SALIENCY = "saliency"
TABLE = "predictions.csv"
log = logging.getLogger(__name__)


def classify_cases(
    model: CaseModel[Classification],
    cases: Sequence[Case],
    output: Path,
    *,
    mirror: bool = True,
    saliency: bool = True,
    restart: bool = False,
    store: CaseStore | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Judge cases; write ``predictions.json``, ``predictions.csv`` and ``saliency/CASE.nii.gz`` into a folder.

    Args:
        model: the networks.
        cases: what to judge; classes they are known to have are not looked at.
        output: folder.
        mirror: average over mirrored copies.
        saliency: write where the networks looked.
        restart: judge every case again, whatever the folder holds.
        store: prepared cases, just checked against their files.
        progress: called with the number of cases done and of all.

    Raises:
        PredictionError: the folder holds predictions of another model or other settings.
    """
    axes = model.configuration.inference.mirror_axes if mirror else ()
    settings = {"model_sha256": model.sha256, "mirror_axes": [str(axis) for axis in axes], "saliency": saliency}
    run = _Run(model, output, mirror, saliency, store)
    with folder_lock(output):
        for folder in (output, output / SALIENCY):
            remove_leftovers(folder)
        ledger = Ledger(output, settings)
        done = ledger.open(restart=restart)
        rows = {case.id: done[case.id].model_copy(update={"status": "skipped"}) for case in cases if case.id in done}
        todo = [case for case in cases if case.id not in done]
        with ThreadPoolExecutor(1, "read") as reader:
            coming: Future[PreparedArrays] | None = None
            for index, case in enumerate(todo):
                ready = coming or reader.submit(run.prepare, case)
                coming = reader.submit(run.prepare, todo[index + 1]) if index + 1 < len(todo) else None
                row = run.judge(case, ready)
                ledger.add(row)
                rows[case.id] = row
                log.info("%s: %s in %.1f s", row.case, row.status, row.seconds)
                if progress is not None:
                    progress(len(rows), len(cases))
        prediction = Prediction(
            model=model.folder,
            model_sha256=model.sha256,
            settings={**settings, "mirror_axes": tuple(map(str, axes))},
            cases=tuple(rows[case.id] for case in cases),
        )
        prediction.save(output / "predictions.json")
        write_text(output / TABLE, _table(prediction, model.task.class_names()))
        return prediction


@dataclass(frozen=True)
class _Run:
    """What all cases of a run share."""

    model: CaseModel[Classification]
    output: Path
    mirror: bool
    saliency: bool
    store: CaseStore | None

    def prepare(self, case: Case) -> PreparedArrays:
        """Take the case from the store, if it lies there as this model wants it, or read and prepare it."""
        return prepare_input(self.model, case, store=self.store).arrays

    def judge(self, case: Case, ready: Future[PreparedArrays]) -> CasePrediction:
        """Return the case's row; any fault becomes a row, too."""
        started = time.monotonic()
        try:
            return self._judge(case, ready.result(), started)
        except Exception as error:  # noqa: BLE001 - the boundary where a batch isolates a case
            return failed_case(case.id, error, images=case.images, seconds=round(time.monotonic() - started, 3))

    def _judge(self, case: Case, prepared: PreparedArrays, started: float) -> CasePrediction:
        task = self.model.task
        probabilities = classify_case(self.model, prepared, mirror=self.mirror)
        decided = task.decide(probabilities)
        picture = None
        if self.saliency:
            picture = self.output / SALIENCY / f"{case.id}.nii.gz"
            picture.parent.mkdir(parents=True, exist_ok=True)
            where = explain_case(self.model, prepared, decided)
            write_volume(picture, where, prepared.record.geometry, like=case.images[0])
        names = task.class_names()
        return CasePrediction(
            case=case.id,
            status="done",
            images=case.images,
            output=picture,
            output_sha256=None if picture is None else file_sha256(picture),
            seconds=round(time.monotonic() - started, 3),
            classes=tuple(name for name, found in zip(names, decided, strict=True) if found),
            class_probabilities={name: float(share) for name, share in zip(names, probabilities, strict=True)},
            saliency=picture,
        )


def _table(prediction: Prediction, names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "status", "decided", *names, "error"])
    for row in prediction.cases:
        shares = [f"{row.class_probabilities[name]:.6f}" if name in row.class_probabilities else "" for name in names]
        writer.writerow([row.case, row.status, "|".join(row.classes or ()), *shares, row.error or ""])
    return text.getvalue()
