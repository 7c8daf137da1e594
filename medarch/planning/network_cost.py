"""What a network costs by itself, whatever its task and data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from medarch.core.plan import NetworkPlan, Voxels
from medarch.networks.build_network import build_network
from medarch.planning.memory.device_memory import CONTEXT_BYTES, SLACK_SHARE
from medarch.planning.memory.kernel_workspace import workspace_of
from medarch.planning.memory.predict_memory import OPTIMIZER_COPIES
from medarch.planning.memory.storage_watch import StorageWatch


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one image."""

    parameters: int
    forward_flop: float
    """Operations of a prediction; a multiplication and an addition are two."""
    training_bytes: int
    """Forward and backward of a batch of one in float32, with SGD on a CPU."""


def network_cost(plan: NetworkPlan, patch: Voxels) -> NetworkCost:
    """Run a network forward and backward on tensors without data and watch what is allocated.

    As :func:`~medarch.planning.memory.predict_memory.predict_memory`, without a task's loss.

    Args:
        plan: of the network.
        patch: spatial size of the image.
    """
    watch = StorageWatch(str, workspace_of("cpu"))
    with FakeTensorMode(), watch:
        network = build_network(plan).train()
        image = torch.empty(1, plan.in_channels, *patch)
        before = watch.flop
        outputs = network(image)
        forward_flop = watch.flop - before
        parts = outputs if isinstance(outputs, list | tuple) else [outputs]
        total = sum(part.sum() for part in parts if part is not None)
        total.backward()
        parameters = sum(parameter.numel() for parameter in network.parameters())
    tensors = sum(part.bytes for part in watch.at_peak()) + OPTIMIZER_COPIES["sgd"] * parameters * 4
    return NetworkCost(
        parameters=parameters,
        forward_flop=forward_flop,
        training_bytes=int(tensors * (1 + SLACK_SHARE["cpu"])) + CONTEXT_BYTES["cpu"],
    )
