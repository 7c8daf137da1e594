"""Batches of whole cases."""

import numpy as np
import pytest
import torch
from small_plan import small_plan

from medarch.core.classes import ClassScheme
from medarch.core.geometry import Geometry
from medarch.core.plan import AugmentationPlan
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.fit_to_input import fit_to_input
from medarch.preprocessing.prepare_case import prepare_case
from medarch.training.case_source import CaseSource
from medarch.training.finish_batch import finish_batch
from medarch.training.weight_average import WeightAverage

CASES = [f"c{number}" for number in range(7)]
TARGETS = {case: (number % 2, 1 - number % 2) for number, case in enumerate(CASES)}


def configuration(*, dim=3, preset="nnunet", batch=3):
    plan = small_plan(task="classification", classes=ClassScheme(names=("a", "b")), dim=dim, spacing_mm=(1.0, 1.0, 1.0))
    found = plan.configuration()
    axes = tuple(range(dim))
    augmentation = AugmentationPlan(preset=preset, mirror_axes=axes, rotation_degrees=(30.0,) * (3 if dim == 3 else 1))
    training = found.training.model_copy(update={"augmentation": augmentation})
    return found.model_copy(update={"training": training, "batch_size": batch})


@pytest.fixture(scope="module", params=[3, 2])
def stored(request, tmp_path_factory):
    dim = request.param
    store = CaseStore(tmp_path_factory.mktemp("store"))
    recipe = configuration(dim=dim).preprocessing
    for number, case in enumerate(CASES):
        shape = (14 + number, 15, 9 if dim == 3 else 1)
        image = np.random.default_rng(number).normal(size=(1, *shape)).astype(np.float32)
        store.write(prepare_case(image, Geometry.from_array(shape, np.eye(4)), case=case, recipe=recipe), {})
    return dim, store


def source(stored, *, augment, preset="nnunet"):
    dim, store = stored
    made = configuration(dim=dim, preset=preset)
    return CaseSource(store, CASES, targets=TARGETS, configuration=made, augment=augment)


def test_every_case_is_seen_once_before_any_is_seen_again(stored):
    made = source(stored, augment=True)
    seen = [case for number in range(7) for case in made._cases(number)]
    for start in range(0, 21, 7):
        assert sorted(seen[start : start + 7]) == CASES
    assert seen[:7] != seen[7:14]


def test_validation_goes_through_the_cases_once_in_order(stored):
    made = source(stored, augment=False)
    assert len(made) == 3
    batches = [made[number] for number in range(len(made))]
    assert [len(batch.image) for batch in batches] == [3, 3, 1]
    targets = torch.cat([batch.target for batch in batches])
    assert targets.tolist() == [list(TARGETS[case]) for case in CASES]


def test_a_batch_is_a_function_of_its_number(stored):
    first, again, other = (
        finish_batch(source(stored, augment=True)[number], configuration(dim=stored[0]), torch.device("cpu"))[0]
        for number in (4, 4, 5)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_augmentation_a_moved_case_is_the_one_that_prediction_sees(stored):
    """Both ways to the input agree: the resampled one of training and the cut one of prediction."""
    _, store = stored
    made = source(stored, augment=True, preset="none")
    images, targets = finish_batch(made[0], made.configuration, torch.device("cpu"))
    for image, target, case in zip(images, targets, made._cases(0), strict=True):
        expected = fit_to_input(store.read_image(case), made.configuration.patch_voxels)
        assert np.allclose(image.numpy(), expected, atol=1e-4)
        assert tuple(target.tolist()) == TARGETS[case]
    assert images.shape[2:] == tuple(made.configuration.patch_voxels)


def test_augmented_cases_differ_from_the_stored_ones_and_stay_finite(stored):
    made = source(stored, augment=True)
    images, _ = finish_batch(made[0], made.configuration, torch.device("cpu"))
    assert torch.isfinite(images).all()
    for image, case in zip(images, made._cases(0), strict=True):
        plain = fit_to_input(stored[1].read_image(case), made.configuration.patch_voxels)
        assert not np.allclose(image.numpy(), plain, atol=1e-3)


def test_averaged_weights_come_with_the_statistics_of_their_activations():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)).train()
    average = WeightAverage(network, decay=0.9)
    for _ in range(200):
        network(torch.randn(64, 4) + 3)
        average.update()
    with average.applied():
        held = network[1].running_mean.clone()
    now = network[1].running_mean
    assert torch.allclose(held, now, atol=0.2)
    assert not torch.equal(held, now)
    assert held.abs().max() > 0.1
