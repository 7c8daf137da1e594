"""One case from its file's grid to the network's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medarch.core.errors import PreprocessingError
from medarch.core.geometry import Geometry
from medarch.core.plan import PreprocessingPlan
from medarch.core.prepared import Box, PreparedCase
from medarch.preprocessing.crop import nonzero_box
from medarch.preprocessing.network_view import network_view
from medarch.preprocessing.nonzero_mask import nonzero_mask
from medarch.preprocessing.normalise import normalise
from medarch.preprocessing.resample import Resampler, resample
from medarch.preprocessing.resample_labels import resample_labels
from medarch.preprocessing.separate_axis import separate_axis
from medarch.preprocessing.target_grid import target_grid
from medarch.preprocessing.way_to_network import way_to_network

OUTSIDE = -1
"""Label of background voxels in the empty space around the body (nnU-Net's value). Train on it as on background."""


@dataclass(frozen=True)
class PreparedArrays:
    """What the network sees of a case, and the way back."""

    image: np.ndarray
    """``(C, N0, N1, N2)`` float32."""
    label: np.ndarray | None
    """``(N0, N1, N2)`` int16; :data:`OUTSIDE` marks background outside the nonzero mask."""
    record: PreparedCase


def prepare_case(
    images: np.ndarray,
    geometry: Geometry,
    *,
    case: str,
    recipe: PreprocessingPlan,
    label: np.ndarray | None = None,
    resampler: Resampler = resample,
) -> PreparedArrays:
    """Reorient, crop, normalise and resample a case, in nnU-Net v2's order and with its rules.

    Args:
        images: ``(C, I, J, K)`` in file order, left unchanged.
        geometry: the file's grid.
        case: id of the case.
        recipe: what to do.
        label: ``(I, J, K)`` integers, for training cases.
        resampler: of the image.

    Raises:
        PreprocessingError: the arrays do not fit each other, the grid or the recipe, or intensities are not finite.
    """
    _check_shapes(images, geometry, recipe, label)
    permutation, flips = way_to_network(geometry, recipe)
    turned = network_view(images, permutation=permutation, flips=flips)
    full_shape = (turned.shape[1], turned.shape[2], turned.shape[3])
    box: Box = nonzero_box(turned) if recipe.crop == "nonzero" else tuple((0, size) for size in full_shape)  # type: ignore[assignment]
    inner = tuple(slice(*ends) for ends in box)

    image = np.array(turned[(slice(None), *inner)], dtype=np.float32, order="C")
    cropped_label = None
    if label is not None:
        turned_label = network_view(label, permutation=permutation, flips=flips)
        cropped_label = np.array(turned_label[inner], dtype=np.int16, order="C")
    normalise(image, recipe.normalisation, inside=_mark_outside(image, cropped_label, recipe))

    cropped_shape = (image.shape[1], image.shape[2], image.shape[3])
    old_mm = geometry.spacing_mm
    cropped_mm = (old_mm[permutation[0]], old_mm[permutation[1]], old_mm[permutation[2]])
    spacing_mm, shape = target_grid(cropped_shape, cropped_mm, recipe)
    coarse = separate_axis(cropped_mm, spacing_mm, ratio=recipe.separate_plane_ratio)
    if cropped_label is not None:
        cropped_label = resample_labels(
            cropped_label, shape, order=recipe.label_order, separate_axis=coarse, coarse_order=recipe.coarse_order
        )
    return PreparedArrays(
        image=resampler(image, shape, order=recipe.image_order, separate_axis=coarse, coarse_order=recipe.coarse_order),
        label=cropped_label,
        record=PreparedCase(
            id=case,
            geometry=geometry,
            permutation=permutation,
            flips=flips,
            full_shape=full_shape,
            crop=box,
            cropped_shape=cropped_shape,
            cropped_spacing_mm=cropped_mm,
            shape=shape,
            spacing_mm=spacing_mm,
            separate_plane_ratio=recipe.separate_plane_ratio,
            score_order=recipe.score_order,
            coarse_order=recipe.coarse_order,
        ),
    )


def _mark_outside(image: np.ndarray, label: np.ndarray | None, recipe: PreprocessingPlan) -> np.ndarray | None:
    """Write OUTSIDE into ``label``; return the voxels that masked normalisation uses, if any channel wants it.

    As in nnU-Net, labelled voxels count as inside even where the image is empty.
    """
    masked = any(channel.inside_mask for channel in recipe.normalisation)
    if not masked and (label is None or recipe.crop == "none"):
        return None
    inside = nonzero_mask(image)
    if label is not None:
        label[(label == 0) & ~inside] = OUTSIDE
        inside = label != OUTSIDE
    return inside if masked else None


def _check_shapes(images: np.ndarray, geometry: Geometry, recipe: PreprocessingPlan, label: np.ndarray | None) -> None:
    expected = (len(recipe.normalisation), *geometry.shape)
    if images.shape != expected:
        raise PreprocessingError(
            "the image does not fit the plan",
            expected=f"(channels, i, j, k) = {expected}",
            found=str(images.shape),
            fix="give the case as many channels as the dataset has, on one grid",
        )
    if label is not None and label.shape != geometry.shape:
        raise PreprocessingError(
            "the label map does not lie on the image's grid",
            expected=str(geometry.shape),
            found=str(label.shape),
            fix="resample the label map onto the image, or see `medarch check`",
        )
