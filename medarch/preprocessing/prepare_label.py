"""A label map of a file's grid on the grid its case was prepared to."""

from __future__ import annotations

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.plan import PreprocessingPlan
from medarch.core.prepared import PreparedCase
from medarch.preprocessing.network_view import network_view
from medarch.preprocessing.resample_labels import resample_labels
from medarch.preprocessing.separate_axis import separate_axis


def prepare_label(label: np.ndarray, record: PreparedCase, *, recipe: PreprocessingPlan) -> np.ndarray:
    """Take a label map the way a prepared case went; what lies outside its crop is left out.

    Unlike :func:`prepare_case`, which sees the image, this marks no background as outside the body.

    Args:
        label: ``(I, J, K)`` integers on the grid ``record.geometry``.
        record: the way the case went.
        recipe: how it was prepared.

    Returns:
        ``record.shape`` int16.

    Raises:
        PreprocessingError: the label map has another shape than the case's file.
    """
    if label.shape != record.geometry.shape:
        raise PreprocessingError(
            f"a label map does not lie on the grid of case {record.id}",
            expected=str(record.geometry.shape),
            found=str(label.shape),
            fix="resample it onto the image",
        )
    turned = network_view(label, permutation=record.permutation, flips=record.flips)
    first, second, third = (slice(*ends) for ends in record.crop)
    return resample_labels(
        np.array(turned[first, second, third], dtype=np.int16, order="C"),
        record.shape,
        order=recipe.label_order,
        separate_axis=separate_axis(record.cropped_spacing_mm, record.spacing_mm, ratio=recipe.separate_plane_ratio),
        coarse_order=recipe.coarse_order,
    )
