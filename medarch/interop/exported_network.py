"""The networks of a model as one module that needs nothing of medarch to be understood."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from medarch.core.errors import PlanError
from medarch.inference.load_network import load_network
from medarch.inference.model_folder import ModelFolder, read_model_folder, weights_name
from medarch.tasks.create_task import create_task


class ExportedNetwork(nn.Module):
    """Mean logits of all folds: ``(T, C, *patch)`` → ``(T, heads, *patch)``.

    Args:
        networks: one a fold.
        flips: spatial axes of each mirrored copy that is averaged over; ``[()]`` for none.
        axes: network axis ``n`` is tile axis ``axes[n]``; default: tiles have the network's axes.
    """

    def __init__(
        self, networks: Sequence[nn.Module], *, flips: Sequence[Sequence[int]] = ((),), axes: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.flips = [[axis + 2 for axis in flip] for flip in flips]
        self.there = [0, 1, *(axis + 2 for axis in axes)] if axes else []
        self.back = [self.there.index(axis) for axis in range(len(self.there))]

    def forward(self, tiles: Tensor) -> Tensor:
        """Return the mean logits."""
        if self.there:
            tiles = tiles.permute(self.there).contiguous()
        total: Tensor | None = None
        for network in self.networks:
            for flip in self.flips:
                logits = network(tiles.flip(flip)).flip(flip) if flip else network(tiles)
                total = logits if total is None else total + logits
        if total is None:
            raise ValueError("no networks")
        mean = total / (len(self.networks) * len(self.flips))
        return mean.permute(self.back) if self.back else mean


def networks_of(folder: Path, folds: Sequence[str] | None) -> tuple[ModelFolder, list[nn.Module]]:
    """Read a model folder and load its networks: float32, on the CPU.

    Raises:
        PlanError: it is not a segmentation model, or the second stage of a cascade.
        ModelError: it is incomplete, or lacks a fold.
    """
    model = read_model_folder(folder, folds)
    if model.plan.task != "segmentation":
        raise PlanError("only segmentation networks can be exported", expected="segmentation", found=model.plan.task)
    if model.configuration.previous_stage is not None:
        raise PlanError(
            "the second stage of a cascade needs the labels of the first as channels",
            expected="a configuration without previous_stage",
            found=model.configuration.name,
            fix="export the first stage, or a configuration of one stage",
        )
    task = create_task(model.plan, model.configuration)
    return model, [load_network(folder / weights_name(fold), task) for fold in model.folds]


def random_tiles(model: ModelFolder, count: int) -> Tensor:
    """``(count, C, *patch)`` to compare programs with, always the same."""
    generator = torch.Generator().manual_seed(0)
    network = model.configuration.network
    return torch.randn(count, network.in_channels, *model.configuration.patch_voxels, generator=generator)
