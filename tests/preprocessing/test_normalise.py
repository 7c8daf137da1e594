import numpy as np
import pytest
from scipy import stats

from medarch.core.errors import PreprocessingError
from medarch.core.fingerprint import IntensityStatistics
from medarch.core.plan import ChannelNormalisation
from medarch.preprocessing.normalise import normalise

STATISTICS = IntensityStatistics(
    mean=50.0, median=40.0, std=20.0, min=-900.0, max=2000.0, percentile_00_5=-30.0, percentile_99_5=120.0
)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).normal(300, 80, size=(1, 6, 7, 8)).astype(np.float32)


def run(image: np.ndarray, scheme: str, inside: np.ndarray | None = None, **options) -> np.ndarray:
    result = image.copy()
    normalise(result, [ChannelNormalisation(scheme=scheme, **options)], inside=inside)
    return result


def test_zscore_is_scipys(image):
    np.testing.assert_allclose(run(image, "zscore"), stats.zscore(image.astype(float), axis=None), atol=1e-5)


def test_masked_zscore_uses_and_changes_the_inside_only(image):
    inside = np.zeros(image.shape[1:], dtype=bool)
    inside[1:4, 2:6] = True
    image[0, ~inside] = 0
    result = run(image, "zscore", inside, inside_mask=True)
    np.testing.assert_allclose(result[0, inside], stats.zscore(image[0, inside].astype(float)), atol=1e-5)
    assert not result[0, ~inside].any()


def test_zscore_keeps_its_precision_far_from_zero():
    image = np.random.default_rng(0).normal(60_000, 3, size=(1, 40, 40, 40)).astype(np.float32)
    np.testing.assert_allclose(run(image, "zscore"), stats.zscore(image.astype(float), axis=None), atol=2e-3)


def test_ct_clips_to_the_datasets_percentiles_before_it_standardises():
    image = np.array([-1000.0, -30.0, 50.0, 120.0, 3000.0], dtype=np.float32).reshape(1, 1, 1, 5)
    np.testing.assert_allclose(run(image, "ct", statistics=STATISTICS).ravel(), [-4.0, -4.0, 0.0, 3.5, 3.5])


def test_rescaling_fills_zero_to_one(image):
    result = run(image, "rescale_to_0_1")
    assert (result.min(), result.max()) == (0.0, 1.0)
    assert np.corrcoef(result.ravel(), image.ravel())[0, 1] == pytest.approx(1)


def test_rgb_divides_by_255_and_refuses_other_ranges(image):
    assert run(np.full((1, 2, 2, 2), 51, dtype=np.float32), "rgb_to_0_1").max() == pytest.approx(0.2)
    with pytest.raises(PreprocessingError, match=r"0\.\.255"):
        run(image, "rgb_to_0_1")


def test_none_changes_nothing(image):
    np.testing.assert_array_equal(run(image, "none"), image)


def test_channels_are_normalised_on_their_own(image):
    pair = np.concatenate([image, image * 7 + 3])
    normalise(pair, [ChannelNormalisation(scheme="none"), ChannelNormalisation(scheme="zscore")])
    np.testing.assert_array_equal(pair[:1], image)
    np.testing.assert_allclose(pair[1:], run(image, "zscore"), atol=1e-5)


def test_a_constant_image_becomes_zero():
    assert not run(np.full((1, 3, 3, 3), 7, dtype=np.float32), "zscore").any()


@pytest.mark.parametrize("scheme", ["zscore", "ct", "rescale_to_0_1", "rgb_to_0_1"])
def test_not_a_number_is_an_error_not_a_poisoned_case(image, scheme):
    image[0, 0, 0, 0] = np.nan
    with pytest.raises(PreprocessingError, match="NaN"):
        run(image, scheme, statistics=STATISTICS)


def test_ct_without_statistics_says_so(image):
    with pytest.raises(PreprocessingError, match="statistics"):
        run(image, "ct")
