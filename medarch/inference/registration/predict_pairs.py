"""Many pairs through a trained network: a bad pair costs only itself; a killed run goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medarch.core.dataset import Case
from medarch.core.files import remove_leftovers
from medarch.core.folder_lock import folder_lock
from medarch.core.pair_input import PairInput
from medarch.core.prediction import CasePrediction, Prediction
from medarch.core.spatial_transform import DisplacementField, TransformChain
from medarch.inference.failed_case import failed_case
from medarch.inference.ledger import Ledger, file_sha256
from medarch.inference.load_case_model import CaseModel
from medarch.inference.prepare_input import prepare_input
from medarch.inference.registration.apply_network import apply_network
from medarch.inference.registration.field_on_grid import field_on_grid
from medarch.io.read_case import CaseVolumes, read_case
from medarch.io.read_volume import read_volume
from medarch.io.transforms.write_field import write_field
from medarch.io.write_volume import write_volume
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.pair_grid import PairGrid
from medarch.preprocessing.transforms.compose_field import compose_field
from medarch.preprocessing.transforms.warp_volume import warp_volume
from medarch.tasks.registration.registration import Registration

FOLDERS = ("warped", "fields", "inverse", "labels")
log = logging.getLogger(__name__)


def predict_pairs(
    model: CaseModel[Registration],
    pairs: Sequence[PairInput],
    output: Path,
    *,
    mirror: bool = True,
    optimise: bool = False,
    inverse: bool = False,
    restart: bool = False,
    store: CaseStore | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Register pairs; write ``warped/PAIR``, ``fields/PAIR`` and, of labelled moving images, ``labels/PAIR``.

    Everything lies on the fixed image's own grid, ``inverse/PAIR`` on the moving image's; fields are as ITK, ANTs and
    3D Slicer apply them.

    Args:
        model: the networks.
        pairs: what to register.
        output: folder.
        mirror: average over copies of the pair mirrored as the plan says.
        optimise: go on from the network's field for each pair alone.
        inverse: also write the way back, solved point by point from the written field.
        restart: register every pair again, whatever the folder holds.
        store: prepared cases, just checked against their files.
        progress: called with the number of pairs done and of all.

    Raises:
        PredictionError: the folder holds predictions of another model.
    """
    settings = {"model_sha256": model.sha256, "mirror": mirror, "optimise": optimise, "inverse": inverse}
    run = _Run(model, output, mirror, optimise, inverse, store)
    with folder_lock(output):
        for folder in (output, *(output / name for name in FOLDERS)):
            remove_leftovers(folder)
        ledger = Ledger(output, settings)
        done = ledger.open(restart=restart)
        rows: list[CasePrediction] = []
        for pair in pairs:
            if pair.id in done:
                rows.append(done[pair.id].model_copy(update={"status": "skipped"}))
            else:
                rows.append(run.register(pair))
                ledger.add(rows[-1])
                log.info("%s: %s in %.1f s", pair.id, rows[-1].status, rows[-1].seconds)
            if progress is not None:
                progress(len(rows), len(pairs))
        prediction = Prediction(model=model.folder, model_sha256=model.sha256, settings={**settings}, cases=tuple(rows))
        prediction.save(output / "predictions.json")
        return prediction


@dataclass(frozen=True)
class _Run:
    """What all pairs of a run share."""

    model: CaseModel[Registration]
    output: Path
    mirror: bool
    optimise: bool
    inverse: bool
    store: CaseStore | None

    def register(self, pair: PairInput) -> CasePrediction:
        """Return the pair's row; any fault becomes a row, too."""
        started = time.monotonic()
        try:
            return self._register(pair, started)
        except Exception as error:  # noqa: BLE001 - the boundary where a batch isolates a case
            images = (*pair.fixed.images, *pair.moving.images)
            row = failed_case(pair.id, error, images=images, seconds=round(time.monotonic() - started, 3))
            return row.model_copy(update={"pair": pair})

    def _register(self, pair: PairInput, started: float) -> CasePrediction:
        configuration = self.model.configuration
        fixed, moving = (prepare_input(self.model, case, store=self.store).arrays for case in (pair.fixed, pair.moving))
        alignment = self.model.task.settings.alignment
        grid = PairGrid.of(fixed.record, moving.record, size=configuration.patch_voxels, alignment=alignment)
        displacement = apply_network(self.model, fixed, moving, grid, mirror=self.mirror, optimise=self.optimise)
        field = field_on_grid(displacement, grid, fixed.record, moving.record)
        seconds = time.monotonic() - started
        warped, labels = self._write(pair, field)
        start = grid.start(fixed.record, moving.record).tolist()
        return CasePrediction(
            case=pair.id,
            status="done",
            images=(*pair.fixed.images, *pair.moving.images),
            output=warped,
            output_sha256=file_sha256(warped),
            seconds=round(seconds, 3),
            field=self._path("fields", pair),
            inverse=self._path("inverse", pair) if self.inverse else None,
            labels=labels,
            pair=pair,
            start=tuple(tuple(row) for row in start),  # type: ignore[arg-type]
        )

    def _write(self, pair: PairInput, field: DisplacementField) -> tuple[Path, Path | None]:
        """Return the files of the warped image and of the warped label map."""
        chain = TransformChain((field,))
        write_field(self._path("fields", pair), field)
        volumes = self._read(pair.moving)
        image = warp_volume(volumes.images, volumes.geometry, field.geometry, chain).array
        if self.inverse:
            write_field(self._path("inverse", pair), compose_field(chain.inverse(), volumes.geometry))
        warped = self._path("warped", pair)
        write_volume(warped, image, field.geometry, like=pair.fixed.images[0])
        if pair.moving.label is None:
            return warped, None
        label = read_volume(pair.moving.label)
        moved = warp_volume(label.array, label.geometry, field.geometry, chain, interpolation="nearest").array
        target = self._path("labels", pair)
        write_volume(target, moved, field.geometry, like=pair.fixed.images[0])
        return warped, target

    def _read(self, case: Case) -> CaseVolumes:
        images = Case(id=case.id, images=case.images)
        return read_case(images, channels=len(self.model.plan.channels), waived=self.model.waived)

    def _path(self, folder: str, pair: PairInput) -> Path:
        path = self.output / folder / f"{pair.id}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
