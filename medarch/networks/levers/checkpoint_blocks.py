"""Activation checkpointing of any network of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from medarch.core.plan import Checkpoint

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)


def checkpoint_blocks(network: nn.Module, how: Checkpoint) -> int:
    """Make the blocks of a network forget what they compute, and compute it again in the backward pass.

    Source: Chen et al. 2016, arXiv:1604.06174. Gradients are those of the plain network: random numbers are drawn
    again, and batch normalisation follows its statistics in the first pass only. Parameter names do not change.

    Args:
        network: changed in place.
        how: ``blocks``: each smallest block (convolution, norm, activation; a residual block) keeps its input alone;
            ``stages``: each outermost block (a stage of the encoder, a level of the decoder); ``selective``: as stages,
            but keeping the results of convolutions, so that norms and activations alone are computed again; ``none``.

    Returns:
        How many blocks there are.
    """
    if how == "none":
        return 0
    blocks = find_blocks(network, outermost=how != "blocks")
    if how == "selective":
        for module in network.modules():
            if getattr(module, "inplace", False):
                # What is kept of a convolution must not become its activation.
                module.inplace = False  # type: ignore[assignment]
    for block in blocks:
        # The class's method stays as it is; an attribute of the instance comes before it.
        block.forward = partial(_recomputed, block, block.forward, how == "selective")
    return len(blocks)


def find_blocks(network: nn.Module, *, outermost: bool) -> list[nn.Module]:
    """Members of sequences and lists of modules that hold a convolution and something else."""
    listed = (nn.Sequential, nn.ModuleList)
    members = {id(child) for parent in network.modules() if isinstance(parent, listed) for child in parent.children()}
    fit = [module for module in network.modules() if id(module) in members and _is_block(module)]
    inside = {
        id(module): {id(child) for child in module.modules() if child is not module} & {id(other) for other in fit}
        for module in fit
    }
    if outermost:
        within = set().union(*inside.values())
        return [module for module in fit if id(module) not in within]
    return [module for module in fit if not inside[id(module)]]


def _is_block(module: nn.Module) -> bool:
    if isinstance(module, nn.ModuleList | nn.ModuleDict) or not hasattr(type(module), "forward"):
        return False
    leaves = [child for child in module.modules() if not list(child.children())]
    return len(leaves) > 1 and any(isinstance(leaf, _CONVOLUTIONS) for leaf in leaves)


def _recomputed(block: nn.Module, forward: Callable[..., Any], selective: bool, *inputs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, block, selective))


def _contexts(block: nn.Module, selective: bool) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    first: AbstractContextManager[Any] = nullcontext()
    again: AbstractContextManager[Any] = nullcontext()
    if selective:
        first, again = create_selective_checkpoint_contexts(_keep_convolutions)  # type: ignore[no-untyped-call]
    return first, _with_frozen_statistics(block, again)


@contextmanager
def _with_frozen_statistics(block: nn.Module, inner: AbstractContextManager[Any]) -> Iterator[None]:
    norms = [child for child in block.modules() if isinstance(child, _BatchNorm)]
    kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None
    try:
        with inner:
            yield
    finally:
        for norm, momentum, count in kept:
            norm.momentum, norm.num_batches_tracked = momentum, count


def _keep_convolutions(context: Any, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    kept = operation in (torch.ops.aten.convolution.default, torch.ops.aten.addmm.default)
    return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE
