"""One network from its weights."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from medarch.core.errors import ModelError
from medarch.networks.without_weights import without_weights
from medarch.tasks.task import Task


def load_network(path: Path, task: Task) -> nn.Module:
    """Return the network in float32 on the CPU, in evaluation mode, its weights without gradients.

    Raises:
        ModelError: the file is damaged, or its weights are of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
        with without_weights():
            network = task.build_network()
        network.load_state_dict(state, assign=True)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(
            f"cannot load the weights {path}",
            expected="weights of the network in plan.json",
            found=str(error)[:500],
            fix="copy the model folder again, complete",
        ) from error
    return network.eval().requires_grad_(False)
