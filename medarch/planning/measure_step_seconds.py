"""Seconds of one training step on the device at hand, measured on a small patch and scaled."""

from __future__ import annotations

import math
import time

import torch

from medarch.core.plan import Configuration, Plan
from medarch.planning.autocast_as_planned import autocast_as_planned
from medarch.tasks.create_task import create_task

LARGEST_TIMED_PATCH = {"cpu": 2**18, "cuda": 2**22, "mps": 2**20}
"""Voxels; a larger patch is halved along its axes for the measurement and the time scaled up by voxels."""
REPEATS = 3


def measure_step_seconds(plan: Plan, configuration: Configuration, *, batch_size: int, device: str) -> float:
    """Time forward, loss and backward of the configuration's network with random weights and data.

    Returns:
        Seconds for ``batch_size`` patches: the fastest of three steps, because other programs only ever make one
        slower.
    """
    divisor = configuration.network.divisor
    patch = list(configuration.patch_voxels)
    while math.prod(patch) > LARGEST_TIMED_PATCH[device]:
        axis = max(range(len(patch)), key=lambda axis: patch[axis] / divisor[axis])
        if patch[axis] <= 2 * divisor[axis]:
            break
        patch[axis] = max(divisor[axis], patch[axis] // 2 // divisor[axis] * divisor[axis])
    timed = configuration.model_copy(update={"patch_voxels": tuple(patch)})
    rows = min(2, batch_size)
    seconds = _time_step(plan, timed, rows=rows, device=device)
    return seconds * batch_size / rows * math.prod(configuration.patch_voxels) / math.prod(patch)


def _time_step(plan: Plan, configuration: Configuration, *, rows: int, device: str) -> float:
    task = create_task(plan, configuration)
    network = task.build_network().to(device).train()
    image = torch.randn(rows, configuration.network.in_channels, *configuration.patch_voxels, device=device)
    label = task.blank_label(rows).to(device)
    fastest = math.inf
    for _ in range(REPEATS):
        started = time.perf_counter()
        with autocast_as_planned(configuration.training.precision, device):
            loss = task.loss(network(image), task.target(label, image))
        loss.backward()  # type: ignore[no-untyped-call]
        network.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        fastest = min(fastest, time.perf_counter() - started)
    return fastest
