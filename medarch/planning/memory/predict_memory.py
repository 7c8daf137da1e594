"""Bytes of a step, on any device, without the device."""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from medarch.core.plan import Configuration, Plan, TrainingPlan
from medarch.networks.build_optimizer import build_optimizer
from medarch.networks.levers.checkpoint_blocks import checkpoint_blocks
from medarch.networks.levers.offload_activations import offload_activations
from medarch.planning.autocast_as_planned import autocast_as_planned
from medarch.planning.memory.device_memory import CONTEXT_BYTES, SLACK_SHARE
from medarch.planning.memory.kernel_workspace import workspace_of
from medarch.planning.memory.layer_clock import BETWEEN, LayerClock
from medarch.planning.memory.memory_prediction import LayerMemory, MemoryPrediction
from medarch.planning.memory.storage_watch import StorageWatch
from medarch.tasks.create_task import create_task
from medarch.tasks.task import Task

GRANULE = {"cpu": 1, "cuda": 512, "mps": 256}
"""Sizes that the device's allocator rounds up to."""
OPTIMIZER_COPIES = {"sgd": 1, "adamw": 2}


def predict_memory(
    plan: Plan, configuration: Configuration, *, batch_size: int | None = None, device: str, inference: bool = False
) -> MemoryPrediction:
    """Run a step on tensors without data and write down what is made and freed.

    Tensors are counted exactly: their sizes and lifetimes are those of the real step. Added are what kernels take for
    themselves (:mod:`~medarch.planning.memory.kernel_workspace`: measured on CPUs, a bound on GPUs) and what the
    runtime takes. Seconds, whatever the size of the patch.

    Args:
        plan: for the task.
        configuration: network, patch, precision, optimiser and levers.
        batch_size: in place of the configuration's own.
        device: ``cpu``, ``cuda`` or ``mps``.
        inference: the forward pass of a prediction instead of a training step.
    """
    rows = configuration.batch_size if batch_size is None else batch_size
    task = create_task(plan, configuration)
    with FakeTensorMode():
        network = task.build_network().train(not inference)
        clock = LayerClock(network)
        watch = StorageWatch(lambda: clock.layer, workspace_of(device), granule=GRANULE[device])
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            watch.adopt(tensor, "parameters", name.rpartition(".")[0])
        with watch:
            if inference:
                _infer(task, network, rows, watch)
            else:
                _train(task, network, rows, watch, device)
        parameters = sum(parameter.numel() for parameter in network.parameters())
    return _prediction(watch, [name for name, _ in network.named_modules()], device, parameters)


def _train(task: Task, network: nn.Module, rows: int, watch: StorageWatch, device: str) -> None:
    training = task.configuration.training
    checkpoint_blocks(network, training.checkpoint)
    build_optimizer(network, training)
    state = _optimizer_state(network, training, watch)
    image, label = _batch(task, rows, watch)
    offloaded = offload_activations(host=watch.elsewhere) if training.offload_activations else nullcontext()
    with autocast_as_planned(training.precision, "cpu"), offloaded:
        outputs = network(image)
        target = task.target(label, image)
        watch.adopt(target, "batch", "")
        loss = task.loss(outputs, target)
    watch.mark_saved()
    # Lightning keeps nothing of the outputs while it goes backwards, either.
    del outputs, target
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            watch.adopt(parameter.grad, "gradients", name.rpartition(".")[0])
    _step_optimizer(network, training, device)
    del state


def _infer(task: Task, network: nn.Module, rows: int, watch: StorageWatch) -> None:
    image, _ = _batch(task, rows, watch)
    with torch.no_grad(), autocast_as_planned(task.configuration.training.precision, "cpu"):
        network(image)


def _batch(task: Task, rows: int, watch: StorageWatch) -> tuple[Tensor, Tensor]:
    configuration = task.configuration
    image = torch.empty(rows, configuration.network.in_channels, *configuration.patch_voxels)
    label = task.blank_label(rows)
    for tensor in (image, label):
        watch.adopt(tensor, "batch", "")
    return image, label


def _optimizer_state(network: nn.Module, training: TrainingPlan, watch: StorageWatch) -> list[Tensor]:
    """As it is from the second step on, and the average of the weights."""
    copies = OPTIMIZER_COPIES[training.optimizer]
    state = []
    for name, parameter in network.named_parameters():
        count = copies * parameter.requires_grad + (training.weight_average_decay is not None)
        state += [torch.empty_like(parameter.detach()) for _ in range(count)]
        for tensor in state[len(state) - count :]:
            watch.adopt(tensor, "optimiser", name.rpartition(".")[0])
    return state


def _step_optimizer(network: nn.Module, training: TrainingPlan, device: str) -> None:
    """What the step itself makes: one more copy of all parameters, or, one after another, two of each."""
    trained = [parameter.detach() for parameter in network.parameters() if parameter.grad is not None]
    if training.optimizer == "adamw" or device == "cuda":
        # Kept in a list, as torch's foreach kernels do.
        copies = [torch.empty_like(parameter) for parameter in trained]
        copies.clear()
        return
    for parameter in trained:
        first, second = torch.empty_like(parameter), torch.empty_like(parameter)
        del first, second


def _prediction(watch: StorageWatch, order: list[str], device: str, parameters: int) -> MemoryPrediction:
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for allocation in watch.at_peak():
        found[allocation.layer][allocation.kind] += allocation.bytes
    places = {name: number for number, name in enumerate(order)} | {BETWEEN: len(order), "": len(order) + 1}
    layers = tuple(
        LayerMemory(layer=layer, parts=dict(found[layer]))
        for layer in sorted(found, key=lambda layer: places.get(layer, len(order)))
    )
    tensors = sum(layer.bytes for layer in layers)
    return MemoryPrediction(
        device=device,
        layers=layers,
        context_bytes=CONTEXT_BYTES[device],
        slack_bytes=int(SLACK_SHARE[device] * tensors),
        host_bytes=watch.host_bytes,
        parameters=parameters,
        flop=watch.flop,
        traffic_bytes=watch.traffic_bytes,
    )
