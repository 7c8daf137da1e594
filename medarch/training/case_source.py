"""Batches of whole cases with the class of each. Every batch is a pure function of its number, as of patches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from medarch.core.plan import Configuration
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.fit_to_input import fit_to_input
from medarch.preprocessing.sampling_theta import sampling_theta
from medarch.training.draw_augmentation import draw_augmentation
from medarch.training.patch_source import VALIDATION_STREAM, RawBatch
from medarch.training.resample_patches import keep_axis_0, patch_matrix, source_box

SHIFT = 1 / 16
"""An augmented case is moved by up to this share of the input along each axis."""


class CaseSource(Dataset[RawBatch]):
    """``source[n]`` is batch ``n``. Training cases come in a new order each time all have been seen; the validation
    cases come once, in order, the last batch perhaps smaller.

    Args:
        store: prepared cases.
        cases: which of them.
        targets: what is to be learnt of each case, see ``Task.blank_label``.
        configuration: of the plan.
        augment: for training.
    """

    def __init__(
        self,
        store: CaseStore,
        cases: Sequence[str],
        *,
        targets: Mapping[str, Sequence[int]],
        configuration: Configuration,
        augment: bool,
    ) -> None:
        self.store = store
        self.cases = list(cases)
        self.targets = {case: tuple(targets[case]) for case in cases}
        self.configuration = configuration
        self.augment = augment
        dim = configuration.network.dim
        self.size = (1,) * (3 - dim) + tuple(configuration.patch_voxels)
        self.flat = dim == 2 or configuration.training.augmentation.dummy_2d
        self.stream = 0 if augment else VALIDATION_STREAM

    def __len__(self) -> int:
        return 2**31 if self.augment else math.ceil(len(self.cases) / self.configuration.batch_size)

    def __getitem__(self, number: int) -> RawBatch:
        cases = self._cases(number)
        channels = len(self.configuration.preprocessing.normalisation)
        batch = RawBatch(
            image=torch.zeros(len(cases), channels, *self.size),
            label=None,
            target=torch.tensor([self.targets[case] for case in cases], dtype=torch.int16),
            draws=[] if self.augment else None,
            moved=[],
        )
        moved: list[tuple[np.ndarray, np.ndarray]] = []
        for index, case in enumerate(cases):
            image = self.store.read_image(case)
            if not self.augment or batch.draws is None:
                batch.image[index] = torch.from_numpy(fit_to_input(image, self.size))
                continue
            training = self.configuration.training
            rng = np.random.default_rng((training.seed, self.stream, number, index))
            draw = draw_augmentation(training.augmentation, channels, dim=self.configuration.network.dim, rng=rng)
            batch.draws.append(draw)
            matrix = patch_matrix(draw.rotation, draw.scale)
            shift = rng.uniform(-SHIFT, SHIFT, 3) * self.size * (training.augmentation.preset != "none")
            source, theta = self._move(image, keep_axis_0(matrix) if self.flat else matrix, shift)
            batch.moved.append(index)
            moved.append((source, theta))
        if moved:
            self._pack(batch, moved)
        return batch

    def _cases(self, number: int) -> list[str]:
        size, total = self.configuration.batch_size, len(self.cases)
        if not self.augment:
            return self.cases[number * size : (number + 1) * size]
        chosen = []
        for place in range(number * size, (number + 1) * size):
            # Cheap for the number of cases that have volumes; the order depends on the round alone.
            order = np.random.default_rng((self.configuration.training.seed, place // total)).permutation(total)
            chosen.append(self.cases[order[place % total]])
        return chosen

    def _move(self, image: np.ndarray, matrix: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the part of the case that the moved input sees, and the matrix that samples it there."""
        shape = np.array(image.shape[1:])
        # Centred as fit_to_input centres: whole voxels, the rest at the far end.
        corner = np.where(shape >= self.size, (shape - self.size) // 2, -((np.array(self.size) - shape) // 2))
        centre = corner + (np.array(self.size) - 1) / 2 + (shift * (shape > 1))
        ranges = source_box(matrix, centre, self.size)
        box = []
        for (start, stop), side in zip(ranges, shape.tolist(), strict=True):
            low = min(max(start, 0), side - 1)
            box.append((low, max(min(stop, side), low + 1)))
        part = image[(slice(None), *(slice(*ends) for ends in box))]
        # A voxel of background on every side, into which interpolation fades as at the border of the whole case.
        part = np.pad(part - image.min(axis=(1, 2, 3), keepdims=True), [(0, 0), (1, 1), (1, 1), (1, 1)])
        origin = np.array([start for start, _ in box]) - 1
        return part, np.concatenate([matrix, (centre - origin)[:, None]], axis=1)

    def _pack(self, batch: RawBatch, moved: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """Stack parts of different sizes into one tensor, padded at their far ends."""
        sides = np.max([part.shape[1:] for part, _ in moved], axis=0).tolist()
        batch.moved_image = torch.zeros(len(moved), batch.image.shape[1], *sides)
        for row, (part, _) in enumerate(moved):
            inside = (slice(None), *(slice(0, side) for side in part.shape[1:]))
            batch.moved_image[row][inside] = torch.from_numpy(part)
        thetas = [sampling_theta(way[:, :3], way[:, 3], patch=self.size, source=sides) for _, way in moved]
        batch.theta = torch.from_numpy(np.stack(thetas)).float()
