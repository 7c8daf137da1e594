"""Stain normalisation on images made of known stains."""

import numpy as np
import pytest

from medarch.core.errors import PreprocessingError
from medarch.preprocessing.stain.macenko import measure_stains, normalise_stains
from medarch.preprocessing.stain.optical_density import from_optical_density, optical_density
from medarch.preprocessing.stain.reinhard import ColourStatistics

FIRST = np.array(((0.65, 0.70, 0.29), (0.16, 0.95, 0.27)))
SECOND = np.array(((0.75, 0.60, 0.28), (0.25, 0.90, 0.36)))


def unit(stains):
    return stains / np.linalg.norm(stains, axis=1, keepdims=True)


def amounts(seed=0, size=120):
    """Glass, tissue in eosin, nuclei in haematoxylin and little eosin."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    tissue = columns > size // 6
    nuclei = ((rows % 20 - 10) ** 2 + (columns % 20 - 10) ** 2 < 36) & tissue
    haematoxylin = np.where(nuclei, generator.uniform(0.7, 1.6, tissue.shape), 0.02 * tissue)
    eosin = np.where(nuclei, 0.03, generator.uniform(0.4, 1.0, tissue.shape)) * tissue
    return np.stack([haematoxylin, eosin], axis=-1)


def stained(stains, seed=0):
    return from_optical_density(amounts(seed) @ unit(stains))


def test_densities_come_back_to_the_same_colours():
    every = np.stack([np.arange(256)] * 3, axis=-1).astype(np.uint8)
    assert np.array_equal(from_optical_density(optical_density(every)), every)
    assert (optical_density(np.full(3, 255, np.uint8)) == 0).all()


def test_macenko_finds_the_stains_that_an_image_was_made_with():
    for stains in (FIRST, SECOND):
        found = measure_stains(stained(stains))
        for vector, expected in zip((found.haematoxylin, found.eosin), unit(stains), strict=True):
            assert np.dot(vector, expected) > 0.995
    assert type(found).parse(found.to_json()) == found


def test_macenko_gives_the_image_another_stain_would_have_given():
    wanted = stained(SECOND)
    got = normalise_stains(stained(FIRST), measure_stains(wanted))
    before = np.abs(stained(FIRST).astype(float) - wanted).mean()
    after = np.abs(got.astype(float) - wanted).mean()
    assert after < 0.15 * before


def test_macenko_agrees_with_monai():
    from monai.apps.pathology.transforms import ExtractHEStains

    image = stained(FIRST)
    theirs = ExtractHEStains(tli=255)(image)
    theirs = theirs / np.linalg.norm(theirs, axis=0)
    ours = measure_stains(image)
    # In this image MONAI takes one for the other.
    agreement = np.array((ours.haematoxylin, ours.eosin)) @ theirs
    assert agreement.max(axis=1).min() > 0.999


def test_glass_and_one_colour_are_told():
    with pytest.raises(PreprocessingError, match="pixels of tissue"):
        measure_stains(np.full((50, 50, 3), 250, np.uint8))
    with pytest.raises(PreprocessingError, match="one"):
        measure_stains(np.full((50, 50, 3), 90, np.uint8))


def test_reinhard_gives_an_image_the_statistics_of_another():
    target, image = stained(SECOND, 1), stained(FIRST)
    wanted = ColourStatistics.of(target)
    got = ColourStatistics.of(wanted.apply(image))
    np.testing.assert_allclose(got.mean, wanted.mean, atol=0.02)
    np.testing.assert_allclose(got.std, wanted.std, rtol=0.15)
    same = ColourStatistics.of(image).apply(image)
    assert np.abs(same.astype(int) - image).max() <= 1
