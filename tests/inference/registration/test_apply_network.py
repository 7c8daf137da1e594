"""What a network is not asked: pairs that do not meet."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_plan import small_plan

from medarch.core.errors import PredictionError
from medarch.core.geometry import Geometry
from medarch.core.plan import RegistrationPlan
from medarch.inference.load_case_model import CaseModel
from medarch.inference.registration.apply_network import apply_network
from medarch.networks.motion.jacobian_determinant import jacobian_determinant
from medarch.preprocessing.pair_grid import PairGrid
from medarch.preprocessing.prepare_case import prepare_case
from medarch.tasks.create_task import create_task


@pytest.fixture
def model(tmp_path):
    plan = small_plan(task="registration", registration=RegistrationPlan(alignment="world"), spacing_mm=(1.0, 1.0, 1.0))
    configuration = plan.configuration()
    task = create_task(plan, configuration)
    torch.manual_seed(0)
    network = task.build_network().eval()
    return CaseModel(tmp_path, "", plan, configuration, task, (network, network), torch.device("cpu"))


def prepared(model, *, origin_mm=0.0, shape=(16, 16, 8)):
    affine = np.eye(4)
    affine[0, 3] = origin_mm
    image = np.random.default_rng(0).normal(size=(1, *shape))
    return prepare_case(
        image, Geometry.from_array(shape, affine), case=f"at{origin_mm:g}", recipe=model.configuration.preprocessing
    )


def applied(model, fixed, moving, **how):
    size = model.configuration.patch_voxels
    return apply_network(
        model, fixed, moving, PairGrid.of(fixed.record, moving.record, size=size, alignment="world"), **how
    )


def test_an_identical_pair_all_but_stays_where_it_is(model):
    """An untrained network starts from the identity, and optimising an identical pair leaves it there."""
    case = prepared(model)
    for optimise in (False, True):
        found = applied(model, case, case, optimise=optimise)
        assert found.shape == (1, 3, *model.configuration.patch_voxels)
        assert found.abs().max() < 0.01


class Downhill(torch.nn.Module):
    """A field that mirrors with its pair: the slope of the moving image."""

    def forward(self, pair):
        return torch.cat(torch.gradient(pair[:, 1:], dim=(2, 3, 4)), dim=1)


def asked(model, **changes):
    """The model with other settings in its plan."""
    registration = model.configuration.registration.model_copy(update=changes)
    configuration = model.configuration.model_copy(update={"registration": registration})
    task = create_task(model.plan, configuration)
    return replace(model, configuration=configuration, task=task)


def blob(model, place):
    """A case with one smooth, bright ball."""
    grid = np.stack(np.meshgrid(*map(np.arange, (16, 16, 8)), indexing="ij"))
    distance = np.square(grid - np.array(place).reshape(3, 1, 1, 1)).sum(0)
    image = np.exp(-distance / 12)[None] + np.random.default_rng(1).normal(size=(1, 16, 16, 8)) / 100
    geometry = Geometry.from_array((16, 16, 8), np.eye(4))
    return prepare_case(image, geometry, case=f"ball{place[0]}", recipe=model.configuration.preprocessing)


def test_what_was_trained_on_images_alone_goes_on_for_the_pair(model):
    """An untrained network moves nothing; a few iterations move the ball most of the way, and fold nothing."""
    pair = blob(model, (7, 8, 4)), blob(model, (9, 8, 4))
    found = applied(model, *pair)
    along = found.flatten(2).abs().mean(2)[0]
    assert float(jacobian_determinant(found).min()) > 0
    assert float(found[0, along.argmax()].amax()) > 1
    for trained_on in ({"label_weight": 1.0}, {"landmark_weight": 0.1}, {"refine_iterations": 0}):
        assert applied(asked(model, **trained_on), *pair).abs().max() < 0.01
    further = applied(asked(model, label_weight=1.0, refine_iterations=20), *pair)
    assert float(further[0, along.argmax()].amax()) > 1


def test_mirrored_copies_are_mirrored_back(model):
    """A network that treats left as right says the same of every copy; the averaged field is its own."""
    model = asked(model, refine_iterations=0)
    inference = model.configuration.inference.model_copy(update={"mirror_axes": (0, 2)})
    configuration = model.configuration.model_copy(update={"inference": inference})
    mirrored = replace(model, configuration=configuration, networks=(Downhill(),))
    pair = prepared(model), prepared(model)
    found, alone = applied(mirrored, *pair), applied(mirrored, *pair, mirror=False)
    assert alone.abs().max() > 0.1
    torch.testing.assert_close(found, alone)


def test_images_apart_in_the_world_are_refused(model):
    with pytest.raises(PredictionError, match="nothing of at500 lies on at0"):
        applied(model, prepared(model), prepared(model, origin_mm=500.0))


def test_a_slice_is_refused_by_a_network_of_volumes(model):
    with pytest.raises(PredictionError, match="dimension"):
        applied(model, prepared(model), prepared(model, shape=(16, 16, 1)))
