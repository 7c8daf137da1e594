"""From class probabilities to a label map, plane by plane."""

from __future__ import annotations

import numpy as np

from medarch.core.errors import PredictionError
from medarch.core.labels import LabelScheme
from medarch.io.plane_spans import plane_spans
from medarch.io.volume_planes import VolumePlanes
from medarch.tasks.decode_probabilities import decode_probabilities


def decode_planes(probabilities: VolumePlanes, labels: LabelScheme) -> np.ndarray:
    """Return the label map ``(I, J, K)``, see :func:`~medarch.tasks.decode_probabilities.decode_probabilities`.

    Raises:
        PredictionError: there are other channels than the labels say.
    """
    classes, i, j, k = probabilities.shape
    if classes != labels.heads:
        raise PredictionError(
            "probabilities do not fit the labels",
            expected=f"{labels.heads} classes",
            found=str(classes),
            fix="name the dataset these predictions belong to",
        )
    out: np.ndarray | None = None
    for low, high in plane_spans(classes, (i, j, k)):
        planes = decode_probabilities(probabilities.planes(slice(None), low, high), labels)
        if out is None:
            out = np.empty((k, j, i), dtype=planes.dtype).transpose(2, 1, 0)
        out[..., low:high] = planes
    if out is None:
        raise ValueError("a volume without planes")
    return out
