"""Two smooth blobs with structure, and one image moved by a known transform, made by SciPy."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from medarch.core.geometry import Geometry
from medarch.inference.registration.pair_image import PairImage


def textured(shape=(28, 32, 26), *, seed=0):
    """``(I, J, K)``: a bright body on black with texture inside."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.0)
    lines = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    body = 1 / (1 + np.exp(12 * (np.sqrt(sum(line**2 for line in lines)) - 0.7)))
    return (body * (1 + 0.6 * noise / noise.std())).astype(np.float32)


def on_grid(array, geometry, world, target):
    """Sample ``array`` (on ``geometry``) at ``world`` of the points of another grid: the fixed image that needs it."""
    index = np.indices(target.shape).reshape(3, -1)
    points = target.matrix[:3, :3] @ index + target.matrix[:3, 3:]
    points = world[:3, :3] @ points + world[:3, 3:]
    inverse = np.linalg.inv(geometry.matrix)
    places = inverse[:3, :3] @ points + inverse[:3, 3:]
    return map_coordinates(array, places, order=3, mode="constant").reshape(target.shape).astype(np.float32)


def image(array, geometry=None, mask=None):
    """A pair's image; by default voxels of 1 mm."""
    array = np.asarray(array)
    return PairImage(array[np.newaxis], geometry or Geometry.from_array(array.shape, np.eye(4)), mask)
