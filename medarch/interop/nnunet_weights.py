"""nnU-Net's state dict as medarch's, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from medarch.core.errors import ModelError
from medarch.core.plan import NetworkPlan
from medarch.interop.nnunet_names import medarch_name
from medarch.networks.build_network import build_network
from medarch.networks.without_weights import without_weights


def medarch_weights(state: Mapping[str, Tensor], plan: NetworkPlan, *, conv_bias: bool = True) -> dict[str, Tensor]:
    """Return the weights of the network that ``plan`` describes, float32.

    Args:
        state: nnU-Net's ``network_weights``, with or without the prefixes of wrappers.
        plan: of the network.
        conv_bias: False when nnU-Net's convolutions have no bias; medarch's then get a bias of 0.

    Raises:
        ModelError: a tensor is missing, left over or of another shape, or the copies of one differ.
    """
    with without_weights():
        network = build_network(plan)
    expected = network.state_dict()
    found = _merge_copies(state, plan.architecture)
    if not conv_bias:
        found = {name: torch.zeros(expected[name].shape) for name in _biases(network)} | found
    missing, unused = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or unused:
        raise _misfit(
            f"{len(missing)} tensor(s) missing: {', '.join(missing[:3]) or '-'}; "
            f"{len(unused)} without a place: {', '.join(unused[:3]) or '-'}"
        )
    for name, tensor in found.items():
        if tensor.shape != expected[name].shape:
            raise _misfit(f"{name} of shape {tuple(tensor.shape)} in place of {tuple(expected[name].shape)}")
    # A copy of its own for each: contiguous, and free of the file.
    return {name: tensor.detach().to(torch.float32).contiguous().clone() for name, tensor in found.items()}


def _merge_copies(state: Mapping[str, Tensor], architecture: str) -> dict[str, Tensor]:
    merged: dict[str, Tensor] = {}
    for theirs, tensor in state.items():
        name = medarch_name(_unwrapped(theirs), architecture)
        first = merged.setdefault(name, tensor)
        if first is not tensor and not _same(first, tensor):
            raise ModelError(
                f"the checkpoint holds two different tensors for {name}",
                expected="copies of one tensor, as nnU-Net writes them",
                found=f"{theirs} differs from its copy",
                fix="the file was altered after training; use the original",
            )
    return merged


def _unwrapped(name: str) -> str:
    """Strip what DistributedDataParallel and torch.compile put in front, and count layers as without dropout."""
    for prefix in ("module.", "_orig_mod."):
        name = name.removeprefix(prefix)
    # Dropout has no weights, but pushes the norm from place 1 of a block's list of layers to place 2.
    return name.replace(".all_modules.2.", ".all_modules.1.")


def _same(first: Tensor, second: Tensor) -> bool:
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.data_ptr() == second.data_ptr() and first.stride() == second.stride():
        return True
    return torch.equal(first, second)


def _biases(network: nn.Module) -> list[str]:
    """Biases of all convolutions but the heads, whose bias nnU-Net always has."""
    return [
        f"{name}.bias"
        for name, module in network.named_modules()
        if isinstance(module, nn.modules.conv._ConvNd) and module.bias is not None and not name.startswith("heads.")
    ]


def _misfit(found: str) -> ModelError:
    return ModelError(
        "the weights do not fit the network that plans.json describes",
        expected="every tensor of that network, and no other",
        found=found,
        fix="the model was trained with other plans or another network than its folder says",
    )
