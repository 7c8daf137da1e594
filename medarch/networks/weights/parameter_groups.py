"""Which weights are trained, and how fast, when training goes on from a trained encoder."""

from __future__ import annotations

from typing import Any

from torch import nn

from medarch.core.errors import PlanError
from medarch.networks.encoder import Encoder


def find_encoder(network: nn.Module) -> Encoder | None:
    """Return the encoder with stages of a network, the innermost if one stands in another; None if it has none."""
    found = None
    part: nn.Module | None = network
    while part is not None:
        if isinstance(part, Encoder) and len(part.stages):
            found = part
        inside = getattr(part, "encoder", None)
        part = inside if isinstance(inside, nn.Module) else None
    return found


def parameter_groups(
    network: nn.Module, *, learning_rate: float, frozen_stages: int = 0, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Return groups for an optimizer, from the first stage to the head; frozen parameters need no gradients then.

    Each group has ``lr`` and ``lr_scale``: 1 behind the encoder, ``layer_decay`` for its last stage, its square for
    the one before it (Howard & Ruder 2018, arXiv:1801.06146, discriminative fine-tuning; Clark et al. 2020).

    Args:
        network: a classifier or an encoder-decoder.
        learning_rate: of the parts behind the encoder.
        frozen_stages: the first so many stages of the encoder keep their weights.
        layer_decay: factor from stage to stage.

    Raises:
        PlanError: there is no encoder to freeze, or it has not so many stages.
    """
    encoder = find_encoder(network)
    stages = 0 if encoder is None else len(encoder.stages)
    if not 0 <= frozen_stages <= stages:
        raise PlanError(
            "more stages are to be frozen than the network's encoder has",
            expected=f"frozen_stages from 0 to {stages}",
            found=str(frozen_stages),
            fix="correct training.frozen_stages in plan.json",
        )
    if frozen_stages == 0 and layer_decay == 1.0:
        return [{"params": list(network.parameters()), "lr": learning_rate, "lr_scale": 1.0}]
    depths = _depths(encoder)
    groups: dict[int, list[nn.Parameter]] = {}
    for parameter in network.parameters():
        depth = depths.get(id(parameter), stages)
        if depth < frozen_stages:
            parameter.requires_grad_(False)
        else:
            groups.setdefault(depth, []).append(parameter)
    scales = {depth: layer_decay ** (stages - depth) for depth in groups}
    return [
        {"params": groups[depth], "lr": learning_rate * scales[depth], "lr_scale": scales[depth]}
        for depth in sorted(groups)
    ]


def frozen_modules(network: nn.Module, frozen_stages: int) -> list[nn.Module]:
    """What has to stay in evaluation mode, so that statistics of a batch normalisation stay what they were."""
    encoder = find_encoder(network)
    return [] if encoder is None else list(encoder.stages[:frozen_stages])


def _depths(encoder: Encoder | None) -> dict[int, int]:
    """Parameter → number of its stage; what an encoder has before its stages counts as the first."""
    if encoder is None:
        return {}
    depths = {id(parameter): 0 for parameter in encoder.parameters()}
    for number, stage in enumerate(encoder.stages):
        depths |= {id(parameter): number for parameter in stage.parameters()}
    return depths
