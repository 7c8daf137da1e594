"""Bytes and operations of one training step, predicted without running it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from medarch.core.plan import Configuration, Estimate, Plan
from medarch.planning.allocation_watch import AllocationWatch
from medarch.tasks.create_task import create_task

WORKSPACE_SHARE = 0.10
"""Kernel workspaces never reach the dispatcher; measured misses lie below this share for float32 above 300 MiB."""
CONTEXT_BYTES = {"cpu": 300 * 2**20, "cuda": 900 * 2**20, "mps": 500 * 2**20}
"""What the runtime takes before the first tensor."""
OPTIMIZER_COPIES = {"sgd": 1, "adamw": 2}


@dataclass(frozen=True)
class StepCost:
    """Cost of one training step of a batch."""

    bytes: int
    parameters: int
    flop: float

    def estimate(self, *, seconds: float | None, timing: str) -> Estimate:
        """As the plan states it; ``timing`` says where the seconds come from."""
        return Estimate(
            training_bytes=self.bytes,
            parameters=self.parameters,
            gflop_per_step=self.flop / 1e9,
            seconds_per_step=seconds,
            method=f"tensor bytes by fake-tensor run + 10 % kernel workspace + context; {timing}",
        )


def predict_training_bytes(plan: Plan, configuration: Configuration, *, batch_size: int, device: str) -> StepCost:
    """Run forward, loss and backward on tensors without data and watch what is allocated.

    Exact for tensors; kernel workspaces and the context are added as stated bounds. Takes one to three seconds at any
    patch size.

    Args:
        plan: for the task.
        configuration: network, patch, precision and optimiser.
        batch_size: patches a step, in place of the configuration's own.
        device: ``cpu``, ``cuda`` or ``mps``.
    """
    task = create_task(plan, configuration)
    training = configuration.training
    channels = configuration.network.in_channels
    watch = AllocationWatch()
    with FakeTensorMode(), watch, FlopCounterMode(display=False) as flops:
        network = task.build_network().train()
        image = torch.empty(batch_size, channels, *configuration.patch_voxels)
        label = task.blank_label(batch_size)
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(training.precision)
        with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            outputs = network(image)
            loss = task.loss(outputs, task.target(label))
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = sum(parameter.numel() for parameter in network.parameters())
    copies = OPTIMIZER_COPIES[training.optimizer] + (training.weight_average_decay is not None)
    tensors = watch.peak + copies * parameters * 4
    return StepCost(
        bytes=int(tensors * (1 + WORKSPACE_SHARE)) + CONTEXT_BYTES[device],
        parameters=parameters,
        flop=float(flops.get_total_flops()),
    )
