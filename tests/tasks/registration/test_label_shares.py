"""Shares of labels against torch's one-hot map and average pooling."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from medarch.tasks.registration.label_shares import label_shares

VALUES = (1, 4, 36)


@pytest.mark.parametrize("grid", [(7, 9), (6, 8, 10), (5, 7, 9)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.int16, torch.int64, torch.float32])
def test_shares_are_those_of_average_pooling(grid: tuple[int, ...], stride: int, dtype: torch.dtype) -> None:
    pick = torch.randint(0, 6, (2, 1, *grid), generator=torch.Generator().manual_seed(1))
    label = torch.tensor([-1, 0, 1, 4, 36, 99])[pick].to(dtype)
    one_hot = torch.cat([label == value for value in VALUES], dim=1).float()
    pool = F.avg_pool3d if len(grid) == 3 else F.avg_pool2d
    expected = pool(one_hot, stride, ceil_mode=True, count_include_pad=False)
    torch.testing.assert_close(label_shares(label, VALUES, stride=stride), expected)
    assert label.unique().tolist() == [-1, 0, 1, 4, 36, 99]  # left as it was
