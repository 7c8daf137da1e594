import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss, DiceLoss
from small_plan import LABELS, small_plan
from torch.nn import functional as F

from medarch.tasks.create_task import create_task

REGIONS = {"background": 0, "whole": (1, 2, 3), "core": (2, 3), "enhancing": (3,)}
ORDER = (1, 2, 3)


def task_of(labels=None, **changes):
    plan = small_plan(labels, **changes)
    return create_task(plan, plan.configuration())


def random_label(classes, *, size=(2, 1, 6, 8, 8), seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, classes, size)).to(torch.int16)


def random_logits(heads, *, size=(6, 8, 8), seed=0):
    return torch.randn(2, heads, *size, generator=torch.Generator().manual_seed(seed))


def monai_labels(logits, label, *, batch):
    loss = DiceCELoss(
        include_background=False, to_onehot_y=True, softmax=True, batch=batch, smooth_nr=1e-5, smooth_dr=1e-5
    )
    # MONAI counts 1 - Dice, nnU-Net and we -Dice.
    return loss(logits, label.long()) - 1


def monai_regions(logits, truth, *, batch):
    dice = DiceLoss(sigmoid=True, batch=batch, smooth_nr=1e-5, smooth_dr=1e-5)
    return dice(logits, truth) - 1 + F.binary_cross_entropy_with_logits(logits, truth)


def region_truth(label):
    return torch.cat([label >= 1, label >= 2, label >= 3], dim=1).float()


@pytest.mark.parametrize("batch_dice", [False, True])
def test_the_loss_on_labels_equals_monai(batch_dice):
    task = task_of(batch_dice=batch_dice)
    logits, label = random_logits(3), random_label(3)
    torch.testing.assert_close(
        task.loss(logits, task.target(label)), monai_labels(logits, label, batch=batch_dice), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("batch_dice", [False, True])
def test_the_loss_on_regions_equals_monai(batch_dice):
    task = task_of(REGIONS, regions_class_order=ORDER, batch_dice=batch_dice)
    logits, label = random_logits(3), random_label(4)
    expected = monai_regions(logits, region_truth(label), batch=batch_dice)
    torch.testing.assert_close(task.loss(logits, task.target(label)), expected, rtol=1e-5, atol=1e-6)


def test_batch_dice_pools_the_samples():
    logits, label = random_logits(3), random_label(3)
    label[1] = label[1].clamp_max(1)
    pooled, single = (task_of(batch_dice=flag).loss(logits, label[:, 0].long()) for flag in (True, False))
    assert abs(float(pooled - single)) > 1e-3


def test_outside_the_case_counts_as_background():
    task = task_of()
    logits, label = random_logits(3), random_label(3)
    outside = label.clone()
    outside[label == 0] = -1
    assert (task.target(outside) == task.target(label)).all()
    assert torch.isfinite(task.loss(logits, task.target(outside)))


@pytest.mark.parametrize("batch_dice", [False, True])
def test_unannotated_voxels_do_not_count_in_the_loss_on_labels(batch_dice):
    task = task_of({**LABELS, "ignore": 3}, batch_dice=batch_dice)
    logits, label = random_logits(3), random_label(3)
    label[:, :, 4:] = 3
    torch.testing.assert_close(
        task.loss(logits, task.target(label)),
        monai_labels(logits[:, :, :4], label[:, :, :4], batch=batch_dice),
        rtol=1e-5,
        atol=1e-6,
    )


def test_unannotated_voxels_do_not_count_in_the_loss_on_regions():
    task = task_of({**REGIONS, "ignore": 4}, regions_class_order=ORDER)
    logits, label = random_logits(3), random_label(4)
    expected = monai_regions(logits[:, :, :4], region_truth(label[:, :, :4]), batch=False)
    label[:, :, 4:] = 4
    torch.testing.assert_close(task.loss(logits, task.target(label)), expected, rtol=1e-5, atol=1e-6)


def test_unannotated_voxels_get_no_gradient():
    task = task_of({**LABELS, "ignore": 3})
    logits, label = random_logits(3).requires_grad_(), random_label(3)
    label[0, 0, 2] = 3
    task.loss(logits, task.target(label)).backward()
    assert (logits.grad[0, :, 2] == 0).all()
    assert (logits.grad[0, :, 3] != 0).all()


def test_a_patch_without_annotation_has_a_finite_loss():
    task = task_of({**LABELS, "ignore": 3})
    label = torch.full((2, 1, 6, 8, 8), 3, dtype=torch.int16)
    assert torch.isfinite(task.loss(random_logits(3), task.target(label)))


def test_deep_supervision_halves_each_resolution_and_leaves_the_coarsest_out():
    task = task_of()
    coarse = random_label(3, size=(2, 1, 3, 4, 4))
    # Labels constant in blocks of 4: every rule of down-sampling gives the same coarse label.
    label = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3).repeat_interleave(4, 4)
    middle = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4)
    outputs = [
        random_logits(3, size=size, seed=size[0]).requires_grad_() for size in ((12, 16, 16), (6, 8, 8), (3, 4, 4))
    ]
    expected = 2 / 3 * monai_labels(outputs[0], label, batch=False) + 1 / 3 * monai_labels(
        outputs[1], middle, batch=False
    )
    loss = task.loss(outputs, task.target(label))
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    loss.backward()
    assert (outputs[2].grad == 0).all()


def test_one_output_in_a_list_counts_fully():
    task = task_of()
    logits, target = random_logits(3), task.target(random_label(3))
    torch.testing.assert_close(task.loss([logits], target), task.loss(logits, target))


def test_the_tally_counts_hits_false_alarms_and_misses():
    task = task_of({**LABELS, "ignore": 3})
    logits, label = random_logits(3), random_label(4)
    tally = task.tally([logits, logits[:, :, ::2]], task.target(label)).numpy()
    found, truth = logits.argmax(1).numpy(), label[:, 0].numpy()
    for row, value in zip(tally, (1, 2), strict=True):
        known = truth != 3
        counts = [
            (known & (found == value) & (truth == value)).sum(),
            (known & (found == value) & (truth != value)).sum(),
            (known & (found != value) & (truth == value)).sum(),
        ]
        assert row.tolist() == counts


def test_the_tally_of_regions_counts_overlapping_classes():
    task = task_of(REGIONS, regions_class_order=ORDER)
    logits, label = random_logits(3), random_label(4)
    tally = task.tally(logits, task.target(label)).numpy()
    truth, found = region_truth(label).bool().numpy(), (logits.sigmoid() > 0.5).numpy()
    for index, row in enumerate(tally):
        both = truth[:, index], found[:, index]
        assert row.tolist() == [(both[0] & both[1]).sum(), (~both[0] & both[1]).sum(), (both[0] & ~both[1]).sum()]


def test_the_score_is_the_pooled_dice_and_absent_classes_do_not_count():
    task = task_of()
    scores = task.score(torch.tensor([[6.0, 1.0, 3.0], [0.0, 0.0, 0.0]]))
    assert scores["organ"] == pytest.approx(12 / 16)
    assert np.isnan(scores["lesion"])
    assert scores["mean"] == pytest.approx(12 / 16)
    assert task.score(torch.zeros(2, 3))["mean"] == 0.0


def test_regions_are_written_in_their_order():
    scores = random_logits(3)[0].numpy()
    for order in ((1, 2, 3), (3, 1, 2)):
        task = task_of(REGIONS, regions_class_order=order)
        decoded = task.decode(scores)
        assert decoded.dtype == np.uint8
        for place in np.ndindex(decoded.shape):
            value = 0
            for channel in range(3):
                if scores[(channel, *place)] > 0:
                    value = order[channel]
            assert decoded[place] == value


def test_probabilities_are_torchs_softmax_and_sigmoid():
    scores = random_logits(3)[0]
    np.testing.assert_allclose(task_of().probabilities(scores.numpy().copy()), scores.softmax(0), rtol=1e-5, atol=1e-7)
    regions = task_of(REGIONS, regions_class_order=ORDER)
    np.testing.assert_allclose(regions.probabilities(scores.numpy().copy()), scores.sigmoid(), rtol=1e-5, atol=1e-7)


def test_a_forced_patch_is_centred_on_classes_that_are_present():
    task = task_of(REGIONS, regions_class_order=ORDER)
    assert task.focus_values([1, 2]) == [(1, 2), (2,)]
    assert task.focus_values([]) == []
