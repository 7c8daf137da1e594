"""Batches of patches from prepared cases. Every batch is a pure function of its number, so a run can resume exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from medarch.core.plan import Configuration
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.previous_labels import PreviousLabels
from medarch.preprocessing.sample_locations import ANNOTATED
from medarch.preprocessing.sampling_theta import sampling_theta
from medarch.tasks.task import Task
from medarch.training.draw_augmentation import Draw, draw_augmentation
from medarch.training.draw_label_errors import LabelErrors, draw_label_errors
from medarch.training.resample_patches import OUTSIDE, keep_axis_0, patch_matrix, source_box
from medarch.training.torchio_adapter import apply_torchio

VALIDATION_STREAM = 1


@dataclass
class RawBatch:
    """What is read for one batch; the augmentation finishes it on the device.

    Samples that are rotated or scaled come as larger source boxes with a sampling matrix, the others as patches.
    """

    image: Tensor
    """``(B, C, *patch)``; rows of moved samples are empty until they are resampled."""
    label: Tensor | None
    """``(B, 1, *patch)`` int16; in a cascade ``(B, 2, *patch)``, the second channel what the first stage said. None
    where the target does not lie in the image."""
    draws: list[Draw] | None
    moved: list[int]
    moved_image: Tensor | None = None
    moved_label: Tensor | None = None
    theta: Tensor | None = None
    label_errors: list[LabelErrors] | None = None
    """Of a cascade's first stage, if the batch is augmented."""
    target: Tensor | None = None
    """``(B, ...)``, of tasks whose target belongs to the case as a whole."""
    paired: bool = False
    """Whether rows of what is moved are, in turn, the fixed and the moving image of a pair."""
    landmarks: Tensor | None = None
    """``(B, 2, N, D)`` in voxels of the finished images, of the fixed and of the moving one, NaN where a pair has fewer
    than N; None where no pair has any."""


class PatchSource(Dataset[RawBatch]):
    """``source[n]`` is batch ``n``.

    Sampling follows nnU-Net (section 1.13 of its rules): cases uniformly with replacement; the last third of a batch is
    centred on a voxel of a class drawn uniformly among those the case has. Patches stay inside the case where it is
    large enough, and are centred on it where it is not.
    """

    def __init__(
        self,
        store: CaseStore,
        cases: Sequence[str],
        *,
        task: Task,
        configuration: Configuration,
        augment: bool,
        previous: PreviousLabels | None = None,
    ) -> None:
        self.store = store
        self.previous = previous
        self.cases = list(cases)
        self.task = task
        self.configuration = configuration
        self.augment = augment
        dim = configuration.network.dim
        self.patch = (1,) * (3 - dim) + tuple(configuration.patch_voxels)
        augmentation = configuration.training.augmentation
        self.flat = dim == 2 or augmentation.dummy_2d
        self.stream = 0 if augment else VALIDATION_STREAM

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> RawBatch:
        configuration = self.configuration
        size = configuration.batch_size
        channels = len(configuration.preprocessing.normalisation)
        labels = torch.full((size, self._label_maps, *self.patch), OUTSIDE, dtype=torch.int16)
        batch = RawBatch(
            image=torch.zeros(size, channels, *self.patch),
            label=labels,
            draws=[] if self.augment else None,
            moved=[],
            label_errors=[] if self.augment and self.previous is not None else None,
        )
        moved: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        for index in range(size):
            rng = np.random.default_rng((configuration.training.seed, self.stream, number, index))
            case, corner = self._place(index, rng)
            matrix = np.eye(3)
            if self.augment and batch.draws is not None:
                augmentation = configuration.training.augmentation
                draw = draw_augmentation(augmentation, channels, dim=configuration.network.dim, rng=rng)
                batch.draws.append(draw)
                if draw.moves:
                    matrix = patch_matrix(draw.rotation, draw.scale)
            if (matrix == np.eye(3)).all():
                box = [(start, start + side) for start, side in zip(corner, self.patch, strict=True)]
                image, label = self._read(case, box, rng)
                batch.image[index] = torch.from_numpy(image)
                labels[index] = torch.from_numpy(label)
            else:
                matrix = keep_axis_0(matrix) if self.flat else matrix
                centre = np.asarray(corner) + (np.asarray(self.patch) - 1) / 2
                box = self._clip(case, source_box(matrix, centre, self.patch))
                image, label = self._read(case, box, rng)
                batch.moved.append(index)
                moved.append((image, label, matrix, centre - [start for start, _ in box]))
            if batch.label_errors is not None:
                batch.label_errors.append(self._draw_label_errors(rng))
        self._pack_moved(batch, moved)
        return batch

    @property
    def _label_maps(self) -> int:
        return 1 if self.previous is None else 2

    def _draw_label_errors(self, rng: np.random.Generator) -> LabelErrors:
        if self.configuration.training.augmentation.preset != "nnunet":
            return LabelErrors()
        return draw_label_errors(len(self.task.plan.labels.foreground_values), rng=rng)

    def _place(self, index: int, rng: np.random.Generator) -> tuple[str, list[int]]:
        """Draw a case and the corner of a patch in it."""
        case = self.cases[int(rng.integers(len(self.cases)))]
        shape = self.store.shape(case)
        training = self.configuration.training
        size = self.configuration.batch_size
        centre = None
        uniform = rng.random(3)
        forced = index >= round(size * (1 - training.foreground_share))
        if size == 1:
            forced = rng.random() < training.foreground_share
        locations = self.store.locations(case)
        if forced or self.task.plan.labels.ignore_value is not None:
            centre = self._focus(locations, rng, forced=forced)
        corner = []
        for axis, (side, patch) in enumerate(zip(shape, self.patch, strict=True)):
            if side <= patch:
                corner.append((side - patch) // 2)
            elif centre is not None:
                corner.append(int(np.clip(centre[axis] - patch // 2, 0, side - patch)))
            else:
                corner.append(int(uniform[axis] * (side - patch + 1)))
        return case, corner

    def _focus(self, locations: dict[int, np.ndarray], rng: np.random.Generator, *, forced: bool) -> np.ndarray | None:
        """A voxel of a class (forced), or any annotated voxel (datasets with an ignore label)."""
        present = [value for value, voxels in locations.items() if value > 0 and len(voxels)]
        groups = self.task.focus_values(present)
        if forced and groups:
            values: Sequence[int] = groups[int(rng.integers(len(groups)))]
        else:
            values = [ANNOTATED] if ANNOTATED in locations else present
        candidates = [locations[value] for value in values]
        total = sum(map(len, candidates))
        if not total:
            return None
        pick = int(rng.integers(total))
        for voxels in candidates:
            if pick < len(voxels):
                return np.asarray(voxels[pick])
            pick -= len(voxels)
        return None

    def _clip(self, case: str, box: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Limit a source box to the case, plus one voxel of outside so that interpolation fades as at padding."""
        clipped = []
        for (start, stop), side in zip(box, self.store.shape(case), strict=True):
            low = min(max(start, -1), side)
            clipped.append((low, max(min(stop, side + 1), low + 1)))
        return clipped

    def _read(
        self, case: str, box: Sequence[tuple[int, int]], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read ``(C, *box)`` and ``(L, *box)`` of a box that may reach beyond the case: image 0 and label -1 there."""
        shape = self.store.shape(case)
        first, second, third = (
            (min(max(start, 0), side), min(max(stop, 0), side)) for (start, stop), side in zip(box, shape, strict=True)
        )
        inner = (first, second, third)
        image = self.store.read_image(case, inner)
        labels = [self.store.read_label(case, inner)]
        if self.previous is not None:
            labels.append(self.previous.read(case, inner))
        label = np.stack(labels)
        torchio = self.configuration.training.augmentation.torchio
        if self.augment and torchio:
            image, label = apply_torchio(torchio, image, label, rng=rng)
        pad = [(low - start, stop - high) for (start, stop), (low, high) in zip(box, inner, strict=True)]
        return np.pad(image, [(0, 0), *pad]), np.pad(label, [(0, 0), *pad], constant_values=OUTSIDE)

    def _pack_moved(self, batch: RawBatch, moved: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]) -> None:
        """Stack source boxes of different sizes into one tensor, padded at their far ends."""
        if not moved:
            return
        sides = np.max([label.shape[1:] for _, label, _, _ in moved], axis=0)
        batch.moved_image = torch.zeros(len(moved), batch.image.shape[1], *sides)
        batch.moved_label = torch.full((len(moved), self._label_maps, *sides), OUTSIDE, dtype=torch.int16)
        thetas = []
        for row, (image, label, matrix, centre) in enumerate(moved):
            inside = (slice(None), *(slice(0, side) for side in label.shape[1:]))
            batch.moved_image[row][inside] = torch.from_numpy(image)
            batch.moved_label[row][inside] = torch.from_numpy(label)
            thetas.append(sampling_theta(matrix, centre, patch=self.patch, source=sides.tolist()))
        batch.theta = torch.from_numpy(np.stack(thetas)).float()
