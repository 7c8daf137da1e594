"""From the network's grid exactly back to the file's grid."""

from __future__ import annotations

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.prepared import PreparedCase
from medarch.preprocessing.network_view import network_view
from medarch.preprocessing.resample import resample
from medarch.preprocessing.resample_labels import resample_labels
from medarch.preprocessing.way_back_axis import way_back_axis


def resample_to_crop(scores: np.ndarray, record: PreparedCase) -> np.ndarray:
    """Resample logits or probabilities to the cropped grid of the file (linearly, as nnU-Net; coarse axis apart).

    Args:
        scores: ``(C, N0, N1, N2)``.
        record: the way the case came.

    Returns:
        ``(C, *record.cropped_shape)`` float32, along network axes. Decode there, then :func:`paste`.

    Raises:
        PreprocessingError: the scores are not on the record's network grid.
    """
    _check_shape(scores.shape[1:], record.shape, record)
    return resample(
        scores,
        record.cropped_shape,
        order=record.score_order,
        separate_axis=way_back_axis(record),
        coarse_order=record.coarse_order,
    )


def paste(array: np.ndarray, record: PreparedCase, *, fill: float = 0) -> np.ndarray:
    """Put an array of the cropped grid into the file's whole grid, in the file's axis order and directions.

    Args:
        array: ``(..., *record.cropped_shape)`` along network axes.
        record: the way the case came.
        fill: value outside the crop.

    Returns:
        ``(..., I, J, K)`` of the same type.

    Raises:
        PreprocessingError: the array is not on the record's cropped grid.
    """
    _check_shape(array.shape[-3:], record.cropped_shape, record)
    result = np.full((*array.shape[:-3], *record.geometry.shape), fill, dtype=array.dtype)
    turned = network_view(result, permutation=record.permutation, flips=record.flips)
    first, second, third = (slice(*ends) for ends in record.crop)
    turned[..., first, second, third] = array
    return result


def restore_labels(labels: np.ndarray, record: PreparedCase) -> np.ndarray:
    """Bring a label map ``(N0, N1, N2)`` of the network's grid to the file's grid ``(I, J, K)``, 0 outside the crop.

    Scores restored before they are decoded (:func:`resample_to_crop`) give smoother outlines.
    """
    _check_shape(labels.shape, record.shape, record)
    cropped = resample_labels(
        labels, record.cropped_shape, separate_axis=way_back_axis(record), coarse_order=record.coarse_order
    )
    return paste(cropped, record)


def restore_scores(scores: np.ndarray, record: PreparedCase, *, fill: float = 0) -> np.ndarray:
    """Bring scores ``(C, N0, N1, N2)`` to the file's grid ``(C, I, J, K)``, float32, ``fill`` outside the crop."""
    return paste(resample_to_crop(scores, record), record, fill=fill)


def _check_shape(found: tuple[int, ...], expected: tuple[int, ...], record: PreparedCase) -> None:
    if tuple(found) != expected:
        raise PreprocessingError(
            f"an array does not lie on the grid that case {record.id} was prepared for",
            expected=str(expected),
            found=str(tuple(found)),
            fix="use the record that was made together with the network's input",
        )
