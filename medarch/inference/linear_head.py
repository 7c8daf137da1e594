"""The last, linear layer of the networks of a model, to be applied once, after everything was averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LinearHead:
    """Mean logits of all networks as ``weight @ features + bias``."""

    weight: Tensor
    """``(classes, F)`` float32; F counts the features of all networks."""
    bias: Tensor
    """``(classes,)`` float32."""

    @classmethod
    def of(cls, networks: Sequence[nn.Module], *, classes: int) -> LinearHead:
        """Read it from networks with ``features(x)`` and a 1×1 convolution ``head``; others keep their logits.

        It lies on the networks' device.
        """
        weights, bias = [], torch.zeros(classes)
        for network in networks:
            head = _pointwise_head(network)
            if head is not None:
                weights.append(head.weight.detach().flatten(1).float().cpu())
                if head.bias is not None:
                    bias += head.bias.detach().float().cpu()
            else:
                weights.append(torch.eye(classes))
        device = next(networks[0].parameters()).device
        share = 1.0 / len(networks)
        return cls((torch.cat(weights, dim=1) * share).to(device), (bias * share).to(device))

    def to(self, device: torch.device) -> LinearHead:
        """The same on another device."""
        return LinearHead(self.weight.to(device), self.bias.to(device))

    @property
    def classes(self) -> int:
        """Channels of the logits."""
        return self.weight.shape[0]

    @property
    def features(self) -> int:
        """Channels of the features of all networks."""
        return self.weight.shape[1]

    @staticmethod
    def features_of(network: nn.Module, batch: Tensor) -> Tensor:
        """What the network says before its head, or its logits when it has none to split off."""
        forward = network if _pointwise_head(network) is None else network.features
        found: Tensor = forward(batch)  # type: ignore[operator]
        return found

    def logits(self, features: Tensor) -> Tensor:
        """``(..., F)`` → ``(..., classes)`` float32."""
        flat = torch.addmm(self.bias, features.reshape(-1, self.features), self.weight.T)
        return flat.view(*features.shape[:-1], self.classes)


def _pointwise_head(network: nn.Module) -> nn.Conv2d | nn.Conv3d | None:
    head = getattr(network, "head", None)
    pointwise = isinstance(head, nn.Conv2d | nn.Conv3d) and set(head.kernel_size) == {1} and head.groups == 1
    return head if pointwise and hasattr(network, "features") else None
