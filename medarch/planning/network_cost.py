"""What a network costs by itself, whatever its task and data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from medarch.core.plan import NetworkPlan, Voxels
from medarch.networks.build_network import build_network
from medarch.planning.allocation_watch import AllocationWatch
from medarch.planning.predict_training_bytes import CONTEXT_BYTES, OPTIMIZER_COPIES, WORKSPACE_SHARE


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

    As :func:`~medarch.planning.predict_training_bytes.predict_training_bytes`, without a task's loss.

    Args:
        plan: of the network.
        patch: spatial size of the image.
    """
    watch = AllocationWatch()
    with FakeTensorMode(), watch:
        network = build_network(plan).train()
        image = torch.empty(1, plan.in_channels, *patch)
        with FlopCounterMode(display=False) as flops:
            outputs = network(image)
        total = sum(output.sum() for output in (outputs if isinstance(outputs, list | tuple) else [outputs]))
        total.backward()
        parameters = sum(parameter.numel() for parameter in network.parameters())
    tensors = watch.peak + OPTIMIZER_COPIES["sgd"] * parameters * 4
    return NetworkCost(
        parameters=parameters,
        forward_flop=float(flops.get_total_flops()),
        training_bytes=int(tensors * (1 + WORKSPACE_SHARE)) + CONTEXT_BYTES["cpu"],
    )
