"""Batches of windows of images of nuclei. Every batch is a function of its number, so a run can resume exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from medarch.core.plan import Configuration
from medarch.preprocessing.nuclei.nuclei_images import NucleiImages
from medarch.tasks.nuclei.distance_maps import distance_maps
from medarch.tasks.nuclei.hover_loss import UNKNOWN
from medarch.tasks.nuclei.nuclei import Nuclei
from medarch.training.nuclei.draw_window import draw_window
from medarch.training.patch_source import VALIDATION_STREAM, RawBatch

DRAWS = 4
"""Windows to choose from where rare types are sought."""


class NucleiSource(Dataset[RawBatch]):
    """``source[n]`` is batch ``n``: windows of images drawn uniformly.

    Where nuclei have types, every other window of a batch is the one of :data:`DRAWS` that holds most of a type drawn
    uniformly, so that rare types are seen.

    Args:
        images: by case.
        cases: which of them.
        task: for the size of the output.
        configuration: of the plan.
        augment: for training.
    """

    def __init__(
        self, images: NucleiImages, cases: Sequence[str], *, task: Nuclei, configuration: Configuration, augment: bool
    ) -> None:
        self.images = images
        self.cases = list(cases)
        self.task = task
        self.configuration = configuration
        self.augment = augment
        self.stream = 0 if augment else VALIDATION_STREAM
        self.unknown = task.plan.labels.ignore_value
        self.window = tuple(configuration.patch_voxels)
        self.inside = tuple(slice(task.margin, size - task.margin) for size in self.window)
        """What the network gives, within the window."""

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> RawBatch:
        pairs = [self._window(number, index) for index in range(self.configuration.batch_size)]
        image = torch.from_numpy(np.stack([image for image, _ in pairs]))
        return RawBatch(
            image=image[:, :, None] if self.task.dim == 2 else image,
            label=None,
            target=torch.from_numpy(np.stack([target for _, target in pairs])),
            draws=None,
            moved=[],
        )

    def _window(self, number: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.configuration.training.seed, self.stream, number, index))
        augment = self.augment and self.configuration.training.augmentation.preset != "none"
        wanted = int(rng.integers(1, self.task.types)) if self.task.types > 1 and index % 2 else 0
        best: tuple[np.ndarray, np.ndarray] | None = None
        most = -1
        for _ in range(DRAWS if wanted else 1):
            case = self.images[self.cases[rng.integers(len(self.cases))]]
            image, label = draw_window(
                case, self.window, self.task.margin, rng, augment=augment, spacing=self.task.spacing
            )
            held = int((label[1][self.inside] == wanted).sum()) if wanted else 0
            if held > most:
                best, most = (image, label), held
        if best is None:
            raise ValueError("no window was drawn")
        return best[0], self._target(best[1])

    def _target(self, label: np.ndarray) -> np.ndarray:
        """Maps are made of the whole window, so of whole nuclei, and then cut to what the network gives."""
        types = label[1].astype(np.float32)
        if self.unknown is not None:
            types[label[1] == self.unknown] = UNKNOWN
        types[(label[0] > 0) & (label[1] == 0)] = UNKNOWN
        planes = np.concatenate([(label[:1] > 0).astype(np.float32), distance_maps(label[0]), types[None]])
        return np.ascontiguousarray(planes[(slice(None), *self.inside)])
