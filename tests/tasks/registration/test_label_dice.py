import pytest
import torch
from monai.losses import DiceLoss

from medarch.tasks.registration.label_dice import label_dice


def test_it_is_monais_dice_over_the_labels_that_occur():
    generator = torch.Generator().manual_seed(0)
    fixed = (torch.rand(2, 4, 6, 7, 5, generator=generator) > 0.7).float()
    moving = torch.rand(2, 4, 6, 7, 5, generator=generator)
    fixed[:, 2], moving[:, 2] = 0, 0
    kept = [0, 1, 3]
    expected = DiceLoss(smooth_nr=0, smooth_dr=0)(moving[:, kept], fixed[:, kept])
    assert label_dice(fixed, moving).item() == pytest.approx(expected.item(), abs=1e-6)


def test_equal_labels_cost_nothing_and_missed_ones_everything():
    fixed = torch.zeros(1, 2, 8, 8)
    fixed[:, :, 2:5, 3:6] = 1
    assert label_dice(fixed, fixed).item() == pytest.approx(0, abs=1e-6)
    assert label_dice(fixed, torch.zeros_like(fixed)).item() == 1
    mask = torch.ones(1, 1, 8, 8)
    mask[:, :, 2:5, 3:6] = 0
    assert label_dice(fixed, torch.zeros_like(fixed), mask=mask).item() == 0
