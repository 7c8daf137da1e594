"""What the trainer and the predictor expect of every task; a new task is tested by being registered."""

import numpy as np
import pytest
import torch
from small_plan import small_plan

from medarch.core.classes import ClassScheme
from medarch.core.plan import RegistrationPlan
from medarch.planning.memory.predict_memory import predict_memory
from medarch.tasks.create_task import TASKS, create_task
from medarch.tasks.deciding_task import DecidingTask

REGIONS = {"background": 0, "whole": (1, 2), "core": 2}
CLASSES = ("normal", "benign", "malignant")
PLANS = {
    "segmentation": {"segmentation": {}, "regions": {"labels": REGIONS, "regions_class_order": (1, 2)}},
    "classification": {
        "classes": {"classes": ClassScheme(names=CLASSES)},
        "findings": {"classes": ClassScheme(names=CLASSES, multi_label=True)},
        "2d": {"classes": ClassScheme(names=CLASSES), "dim": 2},
    },
    "registration": {
        "labelled": {"registration": RegistrationPlan(label_weight=1.0, bidirectional=True)},
        "unlabelled": {"registration": RegistrationPlan(similarity="mse"), "labels": {"background": 0}},
        "2d": {"registration": RegistrationPlan(similarity="mind", smoothness="bending"), "dim": 2, "channels": 2},
    },
    "nuclei": {"types": {"dim": 2, "channels": 3}, "3d": {"dim": 3}},
}


@pytest.fixture(params=[(task, kind) for task in sorted(TASKS) for kind in PLANS[task]], ids="-".join)
def plan(request):
    task, kind = request.param
    return small_plan(task=task, **PLANS[task][kind])


@pytest.fixture
def task(plan):
    return create_task(plan, plan.configuration())


def batch(task, *, seed=0):
    configuration = task.configuration
    rng = np.random.default_rng(seed)
    size = (configuration.batch_size, configuration.network.in_channels, *configuration.patch_voxels)
    blank = task.blank_label(configuration.batch_size)
    low, high = (0, 2) if task.per_case else (-1, task.plan.labels.values[-1] + 1)
    label = torch.from_numpy(rng.integers(low, high, blank.shape)).to(blank.dtype)
    if task.name == "nuclei":
        label[:, 1:-1] = torch.from_numpy(rng.uniform(-1, 1, label[:, 1:-1].shape))
    return torch.from_numpy(rng.normal(size=size)).float(), label


def test_the_name_is_the_one_in_plans(task, plan):
    assert task.name == plan.task


def test_the_loss_is_finite_and_reaches_every_parameter(task):
    torch.manual_seed(0)
    network = task.build_network().train()
    image, label = batch(task)
    loss = task.loss(network(image), task.target(label, image))
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_a_few_steps_lower_the_loss(task):
    torch.manual_seed(0)
    network = task.build_network().train()
    image, label = batch(task)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        loss = task.loss(network(image), task.target(label, image))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@torch.no_grad()
def test_the_tally_adds_up_over_batches(task):
    torch.manual_seed(0)
    network = task.build_network().eval()
    (image, label), (other_image, other_label) = batch(task), batch(task, seed=1)
    parts = [
        task.tally(network(images), task.target(labels, images))
        for images, labels in ((image, label), (other_image, other_label))
    ]
    images, labels = torch.cat([image, other_image]), torch.cat([label, other_label])
    assert torch.equal(parts[0] + parts[1], task.tally(network(images), task.target(labels, images)))
    scores = task.score(parts[0])
    assert set(scores) == {*task.class_names(), "mean"}
    assert np.isfinite(scores["mean"])


@torch.no_grad()
def test_decoding_gives_one_integer_a_voxel_or_class(task):
    if not isinstance(task, DecidingTask):
        pytest.skip(f"{task.name} decides between no classes")
    image, _ = batch(task)
    scores = task.build_network().eval()(image)[0].numpy()
    decoded = task.decode(scores)
    assert decoded.shape == (scores.shape if task.per_case else scores.shape[1:])
    assert np.issubdtype(decoded.dtype, np.unsignedinteger)
    assert set(np.unique(decoded)) <= ({0, 1} if task.per_case else set(task.plan.labels.values))
    shares = task.probabilities(scores.copy())
    assert shares.shape == scores.shape
    assert shares.min() >= 0
    assert shares.max() <= 1


def test_memory_can_be_predicted_without_running(task, plan):
    costs = [predict_memory(plan, plan.configuration(), batch_size=size, device="cpu") for size in (1, 4)]
    assert costs[0].parameters == sum(parameter.numel() for parameter in task.build_network().parameters())
    assert costs[1].bytes > costs[0].bytes
    assert costs[1].flop == pytest.approx(4 * costs[0].flop)
