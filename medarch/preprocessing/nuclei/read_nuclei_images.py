"""Images of nuclei from a dataset, at the resolution of a plan."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from medarch.core.dataset import Case
from medarch.core.errors import PreprocessingError
from medarch.core.plan import PreprocessingPlan
from medarch.io.nuclei.read_nuclei import read_nuclei, read_rgb, read_volume_of_nuclei
from medarch.preprocessing.network_view import network_view
from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.preprocessing.nuclei.resize_nearest import resize_nearest
from medarch.preprocessing.prepare_case import prepare_case
from medarch.preprocessing.resample_labels import resample_labels


def read_nuclei_image(case: Case, *, scale: float = 1.0) -> NucleiImage:
    """Read one case.

    Args:
        case: with a label.
        scale: pixels of the plan a pixel of the file.

    Raises:
        VolumeError: a file cannot be read.
        DatasetError: a file holds no map of nuclei.
        PreprocessingError: the files do not belong together.
    """
    image = read_rgb(case.images[0])
    if case.label is None:
        raise PreprocessingError(f"case {case.id} has no instance map", fix="add it")
    instances, types = read_nuclei(case.label, case.types)
    if instances.shape != image.shape[:2]:
        raise PreprocessingError(
            f"image and instance map of case {case.id} differ in size",
            expected="×".join(map(str, image.shape[:2])),
            found="×".join(map(str, instances.shape)),
            fix="pair the right files, see `medarch check`",
        )
    if scale == 1.0:
        return NucleiImage(image, instances, types)
    size = tuple(max(1, round(side * scale)) for side in instances.shape)
    return NucleiImage(
        resize_rgb(image, size), resize_nearest(instances, size), None if types is None else resize_nearest(types, size)
    )


def read_nuclei_images(cases: Iterable[Case], *, scale: float = 1.0) -> dict[str, NucleiImage]:
    """Read many cases; see :func:`read_nuclei_image`."""
    return {case.id: read_nuclei_image(case, scale=scale) for case in cases}


def read_nuclei_volumes(cases: Iterable[Case], recipe: PreprocessingPlan) -> dict[str, NucleiImage]:
    """Read many volumes with instances, turned, normalised and resampled as a plan says.

    Raises:
        VolumeError: a file is damaged.
        DatasetError: a file holds no map of nuclei, or is no volume.
        GeometryError: files of a case lie on different grids.
        PreprocessingError: a case has no instances, or does not suit the recipe.
    """
    return {case.id: _read_volume(case, recipe) for case in cases}


def _read_volume(case: Case, recipe: PreprocessingPlan) -> NucleiImage:
    volumes, types = read_volume_of_nuclei(case, channels=len(recipe.normalisation))
    if volumes.label is None:
        raise PreprocessingError(f"case {case.id} has no instance map", fix="add it")
    prepared = prepare_case(volumes.images, volumes.geometry, case=case.id, recipe=recipe)
    record = prepared.record

    def to_network(labels: np.ndarray) -> np.ndarray:
        # The nearest voxel: outlines of touching nuclei are not to be blended.
        turned = network_view(labels, permutation=record.permutation, flips=record.flips)
        return np.ascontiguousarray(resample_labels(turned, record.shape, order=0))

    return NucleiImage(
        np.moveaxis(prepared.image, 0, -1), to_network(volumes.label), None if types is None else to_network(types)
    )


def resize_rgb(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """``(J, I, 3)`` uint8 at another size: means of areas where it becomes smaller, bilinear where larger."""
    from PIL import Image

    rows, columns = size
    way = Image.Resampling.BOX if rows < image.shape[0] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((columns, rows), way))
