"""What the task makes of a pair and a field: the loss it is trained on and the score it is judged by."""

import pytest
import torch
from small_plan import small_plan
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.core.plan import RegistrationPlan
from medarch.networks.register.registration_output import RegistrationOutput
from medarch.tasks.create_task import create_task

SHAPE = (8, 16, 16)


def task(**settings):
    plan = small_plan(task="registration", registration=RegistrationPlan(**settings), spacing_mm=(1.0, 1.0, 1.0))
    return create_task(plan, plan.configuration())


def moved_pair(*, shift=2, rows=2):
    """A box in the moving image lies ``shift`` voxels further along the last axis than in the fixed one."""
    image, label = torch.zeros(rows, 2, *SHAPE), torch.zeros(rows, 2, *SHAPE, dtype=torch.int16)
    for channel, start in ((0, 4), (1, 4 + shift)):
        image[:, channel, 2:6, 3:9, start : start + 6] = 1
        label[:, channel, 2:6, 3:6, start : start + 6] = 1
        label[:, channel, 2:6, 6:9, start : start + 6] = 2
    return image, label


def constant_field(shift, *, rows=2):
    field = torch.zeros(rows, 3, *SHAPE)
    field[:, 2] = shift
    return field


@pytest.mark.parametrize("similarity", ["lncc", "mse", "nmi", "mind"])
def test_the_field_that_brings_the_pair_together_costs_least(similarity):
    made = task(similarity=similarity, label_weight=1.0, window=3)
    image, label = moved_pair()
    target = made.target(label, image)
    losses = [made.loss(constant_field(shift), target).item() for shift in (0.0, 1.0, 2.0, 3.0)]
    assert min(losses) == losses[2]
    scores = made.score(made.tally(constant_field(2.0), target))
    assert scores["mean"] == scores["organ"] == scores["lesion"] == 1.0
    assert made.score(made.tally(constant_field(0.0), target))["mean"] == pytest.approx(2 * 4 / 12)


def test_local_correlation_sees_further_than_its_window():
    made = task(similarity="lncc", label_weight=0.0, smoothness_weight=0.0, window=3)
    image = torch.zeros(1, 2, 24, 24, 48)
    image[:, 0, 10:14, 10:14, 10:14] = 1
    image[:, 1, 10:14, 10:14, 30:34] = 1
    target = made.target(torch.zeros(1, 2, 24, 24, 48, dtype=torch.int16), image)
    field = torch.zeros(1, 3, 24, 24, 48)
    losses = []
    for shift in (4.0, 12.0, 20.0):  # that leave 16, 8 and 0 voxels between them
        field[:, 2] = shift
        losses.append(made.loss(field, target).item())
    assert losses[0] > losses[1] + 1e-4
    assert losses[1] > losses[2] + 1e-2


def test_smoothness_is_asked_of_what_the_network_says():
    made = task(similarity="mse", smoothness_weight=3.0)
    image, label = moved_pair()
    rough = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    outputs = RegistrationOutput(constant_field(2.0), rough, None)
    expected = 3.0 * sum(rough.diff(dim=axis).square().mean() for axis in (2, 3, 4))
    assert made.loss(outputs, made.target(label, image)).item() == pytest.approx(expected.item(), rel=1e-5)


def test_both_directions_count_and_have_to_agree():
    image, label = moved_pair()
    there, back = constant_field(2.0), constant_field(-2.0)
    flat = torch.zeros_like(there)
    made = task(similarity="mse", bidirectional=True, inverse_consistency_weight=1.0, label_weight=1.0)
    target = made.target(label, image)
    assert made.loss(RegistrationOutput(there, flat, back), target).item() == pytest.approx(0, abs=1e-6)
    lost = made.loss(RegistrationOutput(there, flat, torch.zeros_like(back)), target).item()
    assert lost == pytest.approx(F.mse_loss(*image.split(1, 1)).item() / 2 + 4 + (1 - 2 / 3) / 2, rel=1e-4)


def test_folds_are_punished_if_asked_for():
    image, label = moved_pair()
    folded = constant_field(2.0)
    folded[:, 2, :, :, 8:] -= 3
    losses = []
    for weight in (0.0, 5.0):
        made = task(similarity="mse", smoothness_weight=0.0, jacobian_weight=weight)
        losses.append(made.loss(folded, made.target(label, image)).item())
    assert losses[1] > losses[0] + 0.05
    assert made.tally(folded, made.target(label, image))[-1, 2] > 0


def test_pairs_without_labels_are_judged_by_their_images_and_do_not_dilute_the_others():
    made = task(similarity="mse", label_weight=1.0)
    image, label = moved_pair()
    label[1] = -1
    target = made.target(label, image)
    alone = made.target(label[:1], image[:1])
    apart = made.loss(constant_field(0.0), target) - made.loss(constant_field(0.0, rows=1), alone)
    assert apart.item() == pytest.approx(0, abs=1e-6)
    assert torch.equal(
        made.tally(constant_field(0.0), target)[:-1], made.tally(constant_field(0.0, rows=1), alone)[:-1]
    )


def test_landmarks_cost_their_distance_in_mm_and_what_is_unknown_costs_nothing():
    plan = small_plan(
        task="registration",
        registration=RegistrationPlan(landmark_weight=0.5, bidirectional=True),
        spacing_mm=(3.0, 1.0, 2.0),
    )
    made = create_task(plan, plan.configuration())
    nan = float("nan")
    fixed = torch.tensor([[[4.0, 8, 8], [2, 3, 4]], [[1, 1, 1], [nan, nan, nan]]])
    moving = fixed + torch.tensor([0.0, 0, 2])
    landmarks = torch.stack([fixed, moving], 1)
    for shift, expected in ((2.0, 0.0), (0.0, 4.0), (3.0, 2.0)):
        field = constant_field(shift)
        field.requires_grad_()
        loss = made.landmark_loss(field, landmarks)
        assert loss.item() == pytest.approx(0.5 * expected, abs=1e-5)
        loss.backward()
        assert field.grad.isfinite().all()
    both = RegistrationOutput(constant_field(2.0), constant_field(0.0), constant_field(0.0))
    assert made.landmark_loss(both, landmarks).item() == pytest.approx(0.5 * (0 + 4) / 2, abs=1e-5)


def test_labels_at_half_the_resolution_are_moved_by_half_the_voxels():
    image, label = moved_pair()
    label[:, :, 2:6, 3:9] = 0
    for channel, start in ((0, 4), (1, 6)):  # boxes of whole blocks
        label[:, channel, 2:6, 4:6, start : start + 6] = 1
        label[:, channel, 2:6, 6:8, start : start + 6] = 2
    made = task(similarity="mse", smoothness_weight=0.0, label_weight=1.0, label_stride=2)
    target = made.target(label, image)
    losses = [made.loss(constant_field(shift), target).item() for shift in (0.0, 2.0)]
    assert losses[1] == pytest.approx(0, abs=1e-6)
    assert losses[0] == pytest.approx(F.mse_loss(*image.split(1, 1)).item() + 1 / 3, abs=1e-5)


def test_a_plan_that_does_not_say_how_to_register_is_refused():
    plan = small_plan(task="registration", registration=RegistrationPlan())
    configuration = plan.configuration().model_copy(update={"registration": None})
    with pytest.raises(PlanError, match="how to register"):
        create_task(plan, configuration)
