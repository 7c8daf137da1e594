"""What a field is that started from another one."""

import pytest
import torch
from small_pair import textured

from medarch.inference.registration.grid_image import GridImage
from medarch.inference.registration.optimise_velocity import optimise_velocity
from medarch.inference.registration.settings import RegistrationSettings
from medarch.networks.motion.compose import compose
from medarch.networks.motion.jacobian_determinant import jacobian_determinant
from medarch.networks.motion.warp import warp

SETTINGS = RegistrationSettings(iterations=(0, 15, 15), smoothness=0.01)
"""Little is asked of the field: it goes where the images lead it."""


def wave(steepness):
    """A displacement along the first axis that shrinks voxels to ``1 - steepness`` in places; it folds from 1 on."""
    places = torch.arange(28.0)
    field = torch.zeros(1, 3, 28, 32, 26)
    field[0, 0] = (steepness / 0.7 * torch.sin(0.7 * places)).view(-1, 1, 1)
    return field


def pair():
    """Where the moving image has to be squeezed until it folds."""
    values = torch.from_numpy(textured())[None, None]
    return [GridImage(each, torch.eye(4, dtype=torch.float64)) for each in (warp(values, wave(1.4)), values)]


@pytest.mark.parametrize("steepness", [1.1, 1.6])
def test_what_goes_on_from_a_steep_or_folded_field_has_no_folds_and_an_inverse(steepness):
    start = wave(steepness)
    assert bool((jacobian_determinant(start) <= 0).any()) == (steepness > 1.5)
    found = optimise_velocity(*pair(), torch.eye(4, dtype=torch.float64), SETTINGS, start=start)
    assert jacobian_determinant(found.displacement).min() > 0
    there_and_back = compose(found.displacement, found.inverse())
    assert there_and_back[..., 3:-3, 3:-3, 3:-3].abs().mean() < 0.02
