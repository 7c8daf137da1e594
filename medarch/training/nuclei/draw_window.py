"""One window of an image of nuclei, augmented."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.training.nuclei.vary_stain import vary_stain

ANGLE = math.pi
SCALES = (0.8, 1.25)
P_AFFINE, P_STAIN, P_BLUR, P_NOISE, P_LIGHT = 0.7, 0.7, 0.2, 0.2, 0.5
BLUR_PIXELS = (0.3, 1.2)
NOISE_STD = 0.05
COPIES = 3
"""Of a nucleus that its image and the mirror images before and behind it may hold, along each axis."""
BRIGHTNESS, CONTRAST = 0.1, (0.75, 1.25)
DEVIATIONS = 4.0
"""Of volumes, whose intensities are standardised: what counts as the range from dark to bright."""
ALIKE = 1.1
"""Axes may change places if voxels along them differ less in length."""


def draw_window(
    case: NucleiImage,
    window: tuple[int, ...],
    margin: int,
    rng: np.random.Generator,
    *,
    augment: bool,
    spacing: Sequence[float] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Return a window at a random place: image ``(C, *window)`` float32, label ``(2, *window)`` int32.

    Of pictures the image is from 0 to 1, of volumes it is standardised. The middle of the window, ``margin`` pixels in
    from each side, lies inside of the image where the image is large enough; what is seen beyond the image is its
    mirror image. Label plane 0 holds nuclei, plane 1 their types. Rotation and scale move nuclei; maps of distances are
    to be made afterwards.

    Args:
        case: the image.
        window: rows and columns; of volumes planes before them.
        margin: of the network.
        rng: for all that is random.
        augment: False: only the place is random.
        spacing: lengths of a voxel along the axes, in the shortest of them; empty: all 1.
    """
    size = np.array(window)
    shape = np.array(case.instances.shape)
    inner = size - 2 * margin
    slack = np.maximum(shape - inner, 0)
    corner = np.floor(rng.uniform(0, 1, len(size)) * (slack + 1)) - margin
    corner = np.where(shape < inner, -((size - shape) // 2), corner)
    centre = corner + (size - 1) / 2
    matrix = np.eye(len(size))
    if augment:
        lengths = tuple(spacing) or (1.0,) * len(size)
        matrix = _turned(rng, lengths)
        if rng.random() < P_AFFINE:
            matrix = matrix @ _affine(rng, lengths)
    image, labels = _sample(case, matrix, centre, window)
    picture = case.image.dtype == np.uint8
    if augment:
        image = _vary_colour(image, rng) if picture else _vary_brightness(image, rng, DEVIATIONS)
    scaled = np.ascontiguousarray(np.moveaxis(image, -1, 0)).astype(np.float32)
    return scaled / 255 if picture else scaled, labels


def _turned(rng: np.random.Generator, spacing: Sequence[float]) -> np.ndarray:
    """One of the eight ways to lay down a square, or of those to lay down a box of voxels."""
    dim = len(spacing)
    flips = np.diag(rng.choice((-1.0, 1.0), dim))
    if dim == 2:
        return flips if rng.random() < 0.5 else flips[::-1]
    order = np.arange(dim)
    for low, high in ((1, 2), (0, 1), (0, 2)):
        long, short = max(spacing[low], spacing[high]), min(spacing[low], spacing[high])
        if rng.random() < 0.5 and long < ALIKE * short:
            order[[low, high]] = order[[high, low]]
    return flips[order]


def _affine(rng: np.random.Generator, spacing: Sequence[float]) -> np.ndarray:
    """Turned in the plane of the last two axes (in depth microscopes blur otherwise), scaled along every axis."""
    dim = len(spacing)
    angle = rng.uniform(-ANGLE, ANGLE)
    low, high = np.log(SCALES)
    scale = np.exp(rng.uniform(low, high, dim))
    turn = np.eye(dim)
    ratio = spacing[-1] / spacing[-2]
    turn[-2:, -2:] = (
        (math.cos(angle), -math.sin(angle) * ratio),
        (math.sin(angle) / ratio, math.cos(angle)),
    )
    moved: np.ndarray = turn @ np.diag(scale)
    return moved


def _sample(
    case: NucleiImage, matrix: np.ndarray, centre: np.ndarray, window: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    offset = centre - matrix @ ((np.array(window) - 1) / 2)
    places = np.tensordot(matrix, np.indices(window), axes=1) + offset.reshape(-1, *(1,) * len(window))
    nearest = np.rint(places).astype(int)
    shape = case.instances.shape
    inside = tuple(_reflect(index, size) for index, size in zip(nearest, shape, strict=True))
    if np.allclose(places, nearest):
        image = case.image[inside]
    else:
        image = np.stack(
            [
                ndimage.affine_transform(case.image[..., channel], matrix, offset, window, order=1, mode="reflect")
                for channel in range(case.image.shape[-1])
            ],
            axis=-1,
        )
    labels = np.zeros((2, *window), np.int32)
    # A nucleus and its mirror image are two nuclei.
    copy = sum(
        np.clip(index // size + 1, 0, COPIES - 1) * COPIES**axis
        for axis, (index, size) in enumerate(zip(nearest, shape, strict=True))
    )
    instances = case.instances[inside]
    labels[0] = np.where(instances > 0, instances * COPIES ** len(shape) + copy, 0)
    if case.types is not None:
        labels[1] = case.types[inside]
    return image, labels


def _reflect(index: np.ndarray, size: int) -> np.ndarray:
    period = index % (2 * size)
    inside: np.ndarray = np.minimum(period, 2 * size - 1 - period)
    return inside


def _vary_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < P_STAIN:
        image = vary_stain(image, rng)
    bounded: np.ndarray = np.clip(_vary_brightness(image, rng, 255), 0, 255)
    return bounded


def _vary_brightness(image: np.ndarray, rng: np.random.Generator, bright: float) -> np.ndarray:
    """Blur, contrast, brightness and noise of ``(*window, C)``, whose intensities have a range of ``bright``."""
    if rng.random() < P_BLUR:
        sigma = rng.uniform(*BLUR_PIXELS)
        # Along the first axis of volumes, whose voxels may be longer, slices stay apart.
        image = ndimage.gaussian_filter(image, (*(0,) * (image.ndim - 3), sigma, sigma, 0))
    values: np.ndarray = image.astype(np.float32)
    if rng.random() < P_LIGHT:
        mean = values.mean()
        values = (values - mean) * rng.uniform(*CONTRAST) + mean + bright * rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    if rng.random() < P_NOISE:
        values = values + rng.normal(0, bright * rng.uniform(0, NOISE_STD), values.shape)
    return values
