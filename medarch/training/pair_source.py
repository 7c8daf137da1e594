"""Batches of pairs of cases. Every batch is a pure function of its number, as of patches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import Dataset

from medarch.core.dataset import Pair
from medarch.core.errors import PreprocessingError
from medarch.core.landmarks import Landmarks
from medarch.core.pairing import Pairing
from medarch.core.plan import AugmentationPlan, Configuration, RegistrationPlan
from medarch.core.prepared import PreparedCase
from medarch.preprocessing.case_store import CaseStore
from medarch.preprocessing.network_matrix import network_matrix
from medarch.preprocessing.pair_grid import PairGrid
from medarch.preprocessing.sampling_theta import sampling_theta
from medarch.training.patch_source import VALIDATION_STREAM, RawBatch
from medarch.training.resample_patches import OUTSIDE, keep_axis_0, patch_matrix

P_TOGETHER = 0.5
"""How often both images are turned and scaled alike; then one of them, a little, against the other."""
SCALE_TOGETHER = (0.9, 1.1)
APART = 0.25
"""Rotation of one image against the other, as a share of the angles that both turn by."""
SHIFT_APART = 1 / 20
"""Largest shift of one image against the other as a share of each side."""
SCALE_APART = (0.95, 1.05)


class PairSource(Dataset[RawBatch]):
    """``source[n]`` is batch ``n``: pairs drawn anew for training, a fixed spread of them for validation.

    Images come as they are stored, each with the matrix that samples it on the pair's grid; the device does the rest.
    Augmentation moves, scales and mirrors both images alike, so that new anatomy meets, and one of them a little
    against the other, so that a network also meets pairs that lie apart.

    Args:
        store: prepared cases.
        pairing: pairs of these cases.
        configuration: of the plan.
        labelled: whether batches carry label maps.
        augment: for training.
        landmarks: of cases that have some; those of one name are one place.
    """

    def __init__(
        self,
        store: CaseStore,
        pairing: Pairing,
        *,
        configuration: Configuration,
        labelled: bool,
        augment: bool,
        landmarks: Mapping[str, Landmarks] | None = None,
    ) -> None:
        self.store = store
        self.pairing = pairing
        self.configuration = configuration
        self.settings = configuration.registration or RegistrationPlan()
        self.labelled = labelled
        self.augment = augment
        self.landmarks = landmarks or {}
        dim = configuration.network.dim
        self.size = (1,) * (3 - dim) + tuple(configuration.patch_voxels)
        self.flat = dim == 2 or configuration.training.augmentation.dummy_2d
        training = configuration.training
        self.chosen = [] if augment else pairing.spread(training.validation_iterations * configuration.batch_size)

    def __len__(self) -> int:
        return 2**31 if self.augment else math.ceil(len(self.chosen) / self.configuration.batch_size)

    def __getitem__(self, number: int) -> RawBatch:
        configuration = self.configuration
        rows = configuration.batch_size
        if self.augment:
            seeds = [(configuration.training.seed, 0, number, index) for index in range(rows)]
            generators = [np.random.default_rng(seed) for seed in seeds]
            pairs = [self.pairing[int(rng.integers(len(self.pairing)))] for rng in generators]
        else:
            pairs = self.chosen[number * rows : (number + 1) * rows]
            generators = [np.random.default_rng((0, VALIDATION_STREAM))] * len(pairs)
        images, labels, ways, points = [], [], [], []
        for pair, rng in zip(pairs, generators, strict=True):
            records = self.store.record(pair.fixed), self.store.record(pair.moving)
            grid = PairGrid.of(*records, size=configuration.patch_voxels, alignment=self.settings.alignment)
            moves = self._draw(rng)
            places = [place @ move for place, move in zip((grid.fixed, grid.moving), moves, strict=True)]
            points.append(self._points(pair, records, places))
            for case, place in zip((pair.fixed, pair.moving), places, strict=True):
                image = self.store.read_image(case)
                images.append(image - image.min(axis=(1, 2, 3), keepdims=True))
                labels.append(self._label(case, image.shape[1:]) if self.labelled else None)
                ways.append(place)
        return replace(self._pack(images, labels, ways), landmarks=_stacked(points))

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """``(4, 4)`` each: voxel of the input → voxel of the input, for the fixed and for the moving image."""
        augmentation = self.configuration.training.augmentation
        if not self.augment or augmentation.preset == "none":
            return np.eye(4), np.eye(4)
        together = self._about_centre(self._mirror(rng, augmentation), np.zeros(3))
        if augmentation.preset == "light":
            return together, together
        limits = _limits(augmentation)
        turned, angles, scale = rng.random() < P_TOGETHER, rng.uniform(-limits, limits), rng.uniform(*SCALE_TOGETHER)
        if turned:
            together = together @ self._about_centre(self._linear(angles, scale), np.zeros(3))
        shift = rng.uniform(-SHIFT_APART, SHIFT_APART, 3) * self.size * (np.array(self.size) > 1)
        apart = self._linear(rng.uniform(-limits, limits) * APART, rng.uniform(*SCALE_APART))
        which = rng.random()
        if which >= P_TOGETHER:
            return together, together
        moved = self._about_centre(apart, shift) @ together
        return (moved, together) if which < P_TOGETHER / 2 else (together, moved)

    def _mirror(self, rng: np.random.Generator, augmentation: AugmentationPlan) -> np.ndarray:
        signs = np.ones(3)
        for axis in augmentation.mirror_axes:
            signs[axis + 3 - self.configuration.network.dim] = rng.choice((-1.0, 1.0))
        return np.diag(signs)

    def _linear(self, angles: np.ndarray, scale: float) -> np.ndarray:
        matrix = patch_matrix(angles, scale)
        return keep_axis_0(matrix) if self.flat else matrix

    def _about_centre(self, linear: np.ndarray, shift: np.ndarray) -> np.ndarray:
        centre = (np.array(self.size) - 1) / 2
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = linear, centre + shift - linear @ centre
        return matrix

    def _label(self, case: str, shape: Sequence[int]) -> np.ndarray:
        try:
            return np.array(self.store.read_label(case))  # a copy: torch takes no views that are only read
        except PreprocessingError:  # this case has none
            return np.full(shape, OUTSIDE, dtype=np.int16)

    def _points(self, pair: Pair, records: tuple[PreparedCase, PreparedCase], ways: Sequence[np.ndarray]) -> np.ndarray:
        """``(2, N, D)`` voxels of the input: the landmarks that both images have, where augmentation puts them."""
        known = [self.landmarks.get(case) for case in (pair.fixed, pair.moving)]
        names = [name for name in known[0].names if name in known[1].names] if known[0] and known[1] else []
        found = np.empty((2, len(names), self.configuration.network.dim))
        for row, (each, record, way) in enumerate(zip(known, records, ways, strict=True)):
            if each is not None and names:
                to_input = np.linalg.inv(network_matrix(record) @ way)
                found[row] = (each.at(names) @ to_input[:3, :3].T + to_input[:3, 3])[:, 3 - found.shape[2] :]
        return found

    def _pack(self, images: list[np.ndarray], labels: list[np.ndarray | None], ways: list[np.ndarray]) -> RawBatch:
        """Stack images of different sizes into one tensor, filled up at their far ends."""
        sides = np.max([image.shape[1:] for image in images], axis=0).tolist()
        rows, channels = len(images), len(images[0])
        packed = torch.zeros(rows, channels, *sides)
        packed_labels = torch.full((rows, 1, *sides), OUTSIDE, dtype=torch.int16) if self.labelled else None
        thetas = []
        for row, (image, label, way) in enumerate(zip(images, labels, ways, strict=True)):
            inside = (slice(None), *(slice(0, side) for side in image.shape[1:]))
            packed[row][inside] = torch.from_numpy(image)
            if packed_labels is not None and label is not None:
                packed_labels[row][inside] = torch.from_numpy(label)
            centre = (way @ [*(np.array(self.size) - 1) / 2, 1.0])[:3]
            thetas.append(sampling_theta(way[:3, :3], centre, patch=self.size, source=sides))
        return RawBatch(
            image=torch.zeros(rows // 2, 0, *self.size),
            label=None,
            draws=None,
            moved=[],
            moved_image=packed,
            moved_label=packed_labels,
            theta=torch.from_numpy(np.stack(thetas)).float(),
            paired=True,
        )


def _stacked(points: list[np.ndarray]) -> torch.Tensor | None:
    """``(B, 2, N, D)``, filled up with NaN; None without points."""
    most = max(each.shape[1] for each in points)
    if not most:
        return None
    filled = [np.pad(each, ((0, 0), (0, most - each.shape[1]), (0, 0)), constant_values=np.nan) for each in points]
    return torch.from_numpy(np.stack(filled)).float()


def _limits(augmentation: AugmentationPlan) -> np.ndarray:
    degrees = augmentation.rotation_degrees
    limits: np.ndarray = np.radians(np.array(degrees if len(degrees) == 3 else (degrees[0], 0.0, 0.0)))
    return limits
