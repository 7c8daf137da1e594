"""Volumes of crowded ellipsoids as a microscope shows them: blurred, noisy, voxels longer along one axis."""

import numpy as np
from scipy import ndimage


def nuclei_volume(seed, *, shape=(24, 72, 80), spacing_um=(2.0, 1.0, 1.0), count=55, radii_um=(6.0, 10.0)):
    """Instances ``shape`` int32, many of which touch, and the image ``shape`` uint16.

    ``spacing_um`` is that of the array's axes.
    """
    generator = np.random.default_rng(seed)
    spacing = np.array(spacing_um)
    places = np.indices(shape).reshape(3, -1).T * spacing
    labels = np.zeros(shape, np.int32)
    for number in range(1, count + 1):
        centre = generator.uniform(0, 1, 3) * np.array(shape) * spacing
        radii = generator.uniform(*radii_um, 3)
        turn = np.linalg.qr(generator.normal(size=(3, 3)))[0]
        inside = ((((places - centre) @ turn) / radii) ** 2).sum(axis=1).reshape(shape) < 1
        free = inside & (labels == 0)
        # What is mostly covered by others would be a sickle.
        if free.sum() > 0.7 * inside.sum() > 0:
            labels[free] = number
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        pieces, _ = ndimage.label(labels[box] == number)
        sizes = np.bincount(pieces.ravel())[1:]
        labels[box][(pieces > 0) & (pieces != sizes.argmax() + 1)] = 0
    brightness = generator.uniform(600, 1200, count + 1)
    brightness[0] = 100
    blurred = ndimage.gaussian_filter(brightness[labels], 1.0 / spacing)
    noisy = generator.poisson(blurred / 4) * 4 + generator.normal(0, 15, shape)
    return labels, noisy.clip(0, 65535).astype(np.uint16)
