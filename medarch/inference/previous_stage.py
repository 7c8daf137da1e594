"""What the earlier stage of a cascade says of a case: predicted here, or a finished label map."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medarch.core.dataset import Case
from medarch.core.errors import ModelError, PredictionError
from medarch.core.geometry import Geometry
from medarch.inference.load_model import PREVIOUS_STAGE, Model
from medarch.inference.output_file import output_file
from medarch.inference.predict_case import predict_labels
from medarch.inference.window import Window
from medarch.io.read_case import CaseVolumes
from medarch.io.read_label_map import read_label_map
from medarch.io.write_volume import write_volume
from medarch.preprocessing.prepare_case import prepare_case

FinishedLabels = Mapping[str, Path]
"""Label maps of the earlier stage by case."""


@dataclass(frozen=True)
class PreviousStage:
    """The earlier stage's label map of each case, on the grid of the case's files, without postprocessing."""

    model: Model
    """Of the second stage."""
    finished: FinishedLabels | None
    """Take these; None to predict them with the model's own earlier stage."""
    window: Window | None
    """Of the earlier stage's sliding window; None with ``finished``."""
    keep: Path | None
    """Folder to write predicted label maps to."""
    scratch: Path
    """Folder on whose disk logits may lie meanwhile."""
    device: AbstractContextManager[object]
    """Held while a network runs: the second stage works on another case meanwhile."""

    def predict(self, case: Case, volumes: CaseVolumes) -> np.ndarray:
        """Return ``(I, J, K)`` labels of a case that was read.

        Raises:
            PredictionError: there is no finished label map of the case.
            GeometryError: the finished label map lies on another grid.
            VolumeError: the finished label map is damaged or holds other values.
            OutOfMemoryError: the device is too small.
        """
        if self.finished is not None:
            return self.read(case.id, volumes.geometry)
        if self.model.previous is None or self.window is None:
            raise ModelError(f"{self.model.folder} has no earlier stage", fix=f"put it into its {PREVIOUS_STAGE}/")
        model = self.model.previous
        recipe = model.configuration.preprocessing
        prepared = prepare_case(volumes.images, volumes.geometry, case=case.id, recipe=recipe)
        with self.device:
            labels = predict_labels(model, prepared, window=self.window, scratch=self.scratch)
        if self.keep is not None:
            write_volume(output_file(self.keep, case), labels, volumes.geometry, like=case.images[0])
        return labels

    def read(self, case: str, grid: Geometry) -> np.ndarray:
        """Return the finished label map ``(I, J, K)`` of a case; raises as :meth:`predict` does."""
        path = (self.finished or {}).get(case)
        if path is None:
            raise PredictionError(
                f"no label map of the previous stage for case {case}",
                expected=f"a file named {case} with any image suffix",
                found=f"{len(self.finished or {})} label maps of other cases",
                fix="predict this case with the previous stage, or leave --previous-stage-predictions away",
            )
        waived = "GEOMETRY_MISMATCH" in self.model.waived
        return read_label_map(path, labels=self.model.plan.labels, grid=None if waived else grid).array
