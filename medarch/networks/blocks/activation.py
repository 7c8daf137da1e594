"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from medarch.core.errors import PlanError

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "relu6": partial(nn.ReLU6, inplace=True),
    "leaky_relu": partial(nn.LeakyReLU, 0.01, inplace=True),
    "prelu": nn.PReLU,
    "elu": partial(nn.ELU, inplace=True),
    "selu": partial(nn.SELU, inplace=True),
    "gelu": nn.GELU,
    "silu": partial(nn.SiLU, inplace=True),
    "mish": partial(nn.Mish, inplace=True),
    "hard_swish": partial(nn.Hardswish, inplace=True),
    "hard_sigmoid": partial(nn.Hardsigmoid, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "none": nn.Identity,
}
"""Swish is ``silu``."""


def activation(name: str) -> nn.Module:
    """Return an activation; same shape out as in.

    Raises:
        PlanError: no such activation.
    """
    if name not in ACTIVATIONS:
        raise PlanError(f"unknown activation {name!r}", expected=", ".join(ACTIVATIONS), found=name)
    return ACTIVATIONS[name]()
