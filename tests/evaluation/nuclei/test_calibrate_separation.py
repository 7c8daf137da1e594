"""Constants found on validation images."""

import numpy as np
from scipy import ndimage
from test_nuclei_measures import discs

from medarch.core.separation import Separation
from medarch.evaluation.nuclei.calibrate_separation import calibrate_separation, mean_quality
from medarch.tasks.nuclei.distance_maps import distance_maps


def maps(seed):
    """What a network might give: flattened distances and noise, which the default constants do not suit."""
    truth, _ = discs(seed, count=60, size=200)
    generator = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(generator.normal(size=(3, 200, 200)), (0, 1.5, 1.5))
    probability = ndimage.gaussian_filter((truth > 0).astype(np.float32), 1) + 0.3 * noise[0]
    return probability, (0.7 * distance_maps(truth) + 0.6 * noise[1:]).astype(np.float32), truth


def test_calibrated_constants_are_better_on_images_they_were_not_chosen_on():
    settings, score = calibrate_separation([maps(seed) for seed in range(3)], Separation())
    assert score == mean_quality([maps(seed) for seed in range(3)], settings)
    unseen = [maps(seed) for seed in range(10, 13)]
    assert mean_quality(unseen, settings) > mean_quality(unseen, Separation()) + 0.005


def test_perfect_maps_leave_little_to_choose():
    truth, _ = discs(0)
    perfect = ((truth > 0).astype(np.float32), distance_maps(truth), truth)
    settings, score = calibrate_separation([perfect], Separation())
    assert score >= mean_quality([perfect], Separation()) > 0.9
    assert mean_quality([], settings) == 0.0
