"""One window of an image of nuclei, augmented."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from medarch.preprocessing.nuclei.nuclei_images import NucleiImage
from medarch.training.nuclei.vary_stain import vary_stain

ANGLE = math.pi
SCALES = (0.8, 1.25)
P_AFFINE, P_STAIN, P_BLUR, P_NOISE, P_LIGHT = 0.7, 0.7, 0.2, 0.2, 0.5
BLUR_PIXELS = (0.3, 1.2)
NOISE_STD = 0.05
COPIES = 9
"""Of a nucleus that its image and the mirror images around it may hold."""
BRIGHTNESS, CONTRAST = 0.1, (0.75, 1.25)


def draw_window(
    case: NucleiImage, window: tuple[int, int], margin: int, rng: np.random.Generator, *, augment: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return a window at a random place: image ``(3, *window)`` float32 from 0 to 1, label ``(2, *window)`` int32.

    The middle of the window, ``margin`` pixels in from each side, lies inside of the image where the image is large
    enough; what is seen beyond the image is its mirror image. Label plane 0 holds nuclei, plane 1 their types.
    Rotation and scale move nuclei; maps of distances are to be made afterwards.

    Args:
        case: the image.
        window: rows and columns.
        margin: of the network.
        rng: for all that is random.
        augment: False: only the place is random.
    """
    size = np.array(window)
    shape = np.array(case.instances.shape)
    inner = size - 2 * margin
    slack = np.maximum(shape - inner, 0)
    corner = np.floor(rng.uniform(0, 1, 2) * (slack + 1)) - margin
    corner = np.where(shape < inner, -((size - shape) // 2), corner)
    centre = corner + (size - 1) / 2
    matrix = np.eye(2)
    if augment:
        matrix = _turned(rng)
        if rng.random() < P_AFFINE:
            matrix = matrix @ _affine(rng)
    image, labels = _sample(case, matrix, centre, window)
    if augment:
        image = _vary_colour(image, rng)
    scaled = np.ascontiguousarray(np.moveaxis(image, -1, 0)).astype(np.float32) / 255
    return scaled, labels


def _turned(rng: np.random.Generator) -> np.ndarray:
    """One of the eight ways to lay down a square."""
    flips = np.diag(rng.choice((-1.0, 1.0), 2))
    return flips if rng.random() < 0.5 else flips[::-1]


def _affine(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(-ANGLE, ANGLE)
    low, high = np.log(SCALES)
    scale = np.exp(rng.uniform(low, high, 2))
    turn = np.array(((math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))))
    moved: np.ndarray = turn @ np.diag(scale)
    return moved


def _sample(
    case: NucleiImage, matrix: np.ndarray, centre: np.ndarray, window: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    offset = centre - matrix @ ((np.array(window) - 1) / 2)
    places = np.einsum("ab,bji->aji", matrix, np.indices(window)) + offset[:, None, None]
    nearest = np.rint(places).astype(int)
    shape = case.instances.shape
    rows, columns = (_reflect(index, size) for index, size in zip(nearest, shape, strict=True))
    if np.allclose(places, nearest):
        image = case.image[rows, columns]
    else:
        image = np.stack(
            [
                ndimage.affine_transform(case.image[..., channel], matrix, offset, window, order=1, mode="reflect")
                for channel in range(3)
            ],
            axis=-1,
        )
    labels = np.zeros((2, *window), np.int32)
    # A nucleus and its mirror image are two nuclei.
    copy = sum(
        np.clip(index // size + 1, 0, 2) * 3**axis
        for axis, (index, size) in enumerate(zip(nearest, shape, strict=True))
    )
    instances = case.instances[rows, columns]
    labels[0] = np.where(instances > 0, instances * COPIES + copy, 0)
    if case.types is not None:
        labels[1] = case.types[rows, columns]
    return image, labels


def _reflect(index: np.ndarray, size: int) -> np.ndarray:
    period = index % (2 * size)
    inside: np.ndarray = np.minimum(period, 2 * size - 1 - period)
    return inside


def _vary_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < P_STAIN:
        image = vary_stain(image, rng)
    if rng.random() < P_BLUR:
        sigma = rng.uniform(*BLUR_PIXELS)
        image = ndimage.gaussian_filter(image, (sigma, sigma, 0))
    values: np.ndarray = image.astype(np.float32)
    if rng.random() < P_LIGHT:
        mean = values.mean()
        values = (values - mean) * rng.uniform(*CONTRAST) + mean + 255 * rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    if rng.random() < P_NOISE:
        values = values + rng.normal(0, 255 * rng.uniform(0, NOISE_STD), values.shape)
    bounded: np.ndarray = np.clip(values, 0, 255)
    return bounded
