"""The optimiser of a plan."""

from __future__ import annotations

import torch
from torch import nn

from medarch.core.plan import TrainingPlan
from medarch.networks.weights.parameter_groups import parameter_groups


def build_optimizer(network: nn.Module, plan: TrainingPlan) -> torch.optim.Optimizer:
    """Return SGD with Nesterov momentum, or AdamW, over the parameters that are trained."""
    groups = parameter_groups(
        network,
        learning_rate=plan.learning_rate,
        frozen_stages=plan.frozen_stages,
        layer_decay=plan.layer_decay,
    )
    if plan.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=plan.learning_rate, weight_decay=plan.weight_decay, foreach=True)
    return torch.optim.SGD(
        groups, lr=plan.learning_rate, momentum=plan.momentum, weight_decay=plan.weight_decay, nesterov=True
    )
