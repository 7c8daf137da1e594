"""Groups whose mean shape is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates
from small_pair import image, textured

from medarch.core.errors import UsageError
from medarch.core.geometry import Geometry
from medarch.inference.registration.build_template import build_template
from medarch.inference.registration.settings import RegistrationSettings
from medarch.preprocessing.transforms.warp_volume import warp_volume

SHAPE = (22, 24, 20)
QUICK = RegistrationSettings(iterations=(20, 20, 15))


@pytest.fixture(scope="module")
def group():
    """The mean shape, four members around it, and their template."""
    base = textured(SHAPE)
    generator = np.random.default_rng(2)
    fields = [np.stack([gaussian_filter(generator.normal(size=SHAPE), 4.0) for _ in range(3)]) for _ in range(2)]
    fields = [4.0 * field / np.abs(field).max() for field in fields]
    members = [
        image(map_coordinates(base, np.indices(SHAPE) + sign * field, order=3, mode="nearest"))
        for field in fields
        for sign in (1, -1)
    ]
    return base, members, build_template(members, rounds=2, settings=RegistrationSettings(iterations=(40, 40, 30)))


def correlation(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def test_the_template_is_the_mean_shape_and_sharper_than_the_mean_image(group):
    base, members, template = group
    mean = np.mean([member.array[0] for member in members], axis=0)
    assert correlation(template.array[0], base) > 0.985
    contrast = [np.std(np.gradient(array / array.max())) for array in (template.array[0], mean)]
    assert contrast[0] > contrast[1]


def test_members_agree_after_their_transforms(group):
    _, members, template = group
    grid = members[0].geometry
    warped = [
        warp_volume(member.array, grid, grid, chain).array[0]
        for member, chain in zip(members, template.chains, strict=True)
    ]
    before = np.std([member.array[0] for member in members], axis=0).mean()
    assert np.std(warped, axis=0).mean() < 0.5 * before


def test_the_mean_shape_settles(group):
    assert group[2].drift_mm[-1] < 0.5


def test_no_member_is_preferred():
    """Two members of one shape in two sizes: whichever comes first, the template has the size between."""
    large = textured((22, 24, 20))
    places = (np.indices(large.shape) - 10.5) * 1.3 + 10.5
    small = map_coordinates(large, places, order=3, mode="constant")
    found = [build_template(pair, rounds=2, settings=QUICK) for pair in _both_orders(small, large)]
    volumes = [(template.array[0] > 0.3).sum() for template in found]
    sizes = [(member > 0.3 * np.percentile(member, 99.5)).sum() for member in (small, large)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.05)
    assert volumes[0] == pytest.approx(np.sqrt(sizes[0] * sizes[1]), rel=0.15)


def _both_orders(first, second):
    return [[image(first), image(second)], [image(second), image(first)]]


def test_grids_may_differ_and_one_image_is_no_group():
    member = image(textured(SHAPE))
    far = np.diag([2.0, 2.0, 2.0, 1.0])
    far[:3, 3] = (100.0, 50.0, -30.0)
    coarse = image(textured(SHAPE)[::2, ::2, ::2], Geometry.from_array((11, 12, 10), far))
    template = build_template([member, coarse], rounds=1, settings=QUICK)
    assert template.array.shape == (1, *SHAPE)
    assert correlation(template.array[0], member.array[0]) > 0.9
    with pytest.raises(UsageError, match="two images"):
        build_template([member])
