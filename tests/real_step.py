"""One training step as the program takes it, outside of Lightning."""

import time

import torch

from medarch.networks.build_optimizer import build_optimizer
from medarch.networks.levers.checkpoint_blocks import checkpoint_blocks
from medarch.networks.levers.offload_activations import offload_activations
from medarch.planning.autocast_as_planned import autocast_as_planned
from medarch.tasks.create_task import create_task


def real_step(plan, configuration, device="cpu"):
    """Take a step with the optimiser's state there already; return its seconds."""
    task, training = create_task(plan, configuration), configuration.training
    network = task.build_network().to(device).train()
    checkpoint_blocks(network, training.checkpoint)
    optimizer = build_optimizer(network, training)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    sides = configuration.patch_voxels
    image = torch.randn(configuration.batch_size, configuration.network.in_channels, *sides, device=device)
    label = task.blank_label(configuration.batch_size).to(device)
    started = time.perf_counter()
    offloaded = offload_activations() if training.offload_activations else torch.enable_grad()
    with autocast_as_planned(training.precision, device), offloaded:
        loss = task.loss(network(image), task.target(label, image))
    loss.backward()
    optimizer.step()
    loss.item()
    return time.perf_counter() - started
