"""The counts must be those of numpy's own legacy generator, which nnU-Net calls."""

import numpy as np
import pytest

from medarch.core.fingerprint import IntensityStatistics
from medarch.planning.foreground_draws import foreground_draws
from medarch.planning.pooled_statistics import merge_weighted, pooled_statistics


@pytest.mark.parametrize(
    ("population", "draws", "channels"),
    [
        (1, 50, 2),
        (2, 1000, 3),
        (5, 1_500_000, 2),  # goes on after the first block of words
        (4096, 40_000, 2),  # no word is rejected
        (4097, 384_615, 3),  # almost every second word is
        (8191, 10, 2),
        (1_500_000, 700_000, 2),  # more voxels than a block has words
    ],
)
def test_counts_equal_numpys_choice_channel_after_channel(population: int, draws: int, channels: int) -> None:
    random = np.random.RandomState(1234)
    voxels = np.arange(population)
    expected = [np.bincount(random.choice(voxels, draws, replace=True), minlength=population) for _ in range(channels)]
    np.testing.assert_array_equal(foreground_draws(population, draws=draws, channels=channels), expected)


def test_a_case_without_foreground_is_never_drawn_from() -> None:
    assert foreground_draws(0, draws=10, channels=2).shape == (2, 0)


@pytest.mark.parametrize("seed", range(20))
def test_pooled_statistics_equal_numpy_on_the_expanded_values(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [
        (random.normal(size=size).round(1), random.integers(0, 5, size=size)) for size in random.integers(1, 60, size=4)
    ]
    expanded = np.concatenate([np.repeat(values, weights) for values, weights in parts])
    low, median, high = np.percentile(expanded, [0.5, 50, 99.5])
    expected = IntensityStatistics(
        mean=expanded.mean(),
        median=median,
        std=expanded.std(),
        min=expanded.min(),
        max=expanded.max(),
        percentile_00_5=low,
        percentile_99_5=high,
    )
    assert pooled_statistics(parts).model_dump() == pytest.approx(expected.model_dump(), rel=1e-12, abs=1e-12)


def test_merging_sums_equal_values_and_drops_those_never_drawn() -> None:
    values, weights = merge_weighted(np.array([3.0, 1.0, 3.0, 2.0]), np.array([1, 2, 4, 0]))
    assert values.tolist() == [1.0, 3.0]
    assert weights.tolist() == [2, 5]
