"""The topology that a paper gives, for plans that leave it open or ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from medarch.core.plan import NetworkPlan


@dataclass(frozen=True)
class PaperTopology:
    """Widths and depths from the finest stage to the coarsest; every stage but the first halves all axes."""

    features: tuple[int, ...]
    blocks: tuple[int, ...]
    decoder_blocks: tuple[int, ...]
    last_kernel: int = 3
    """Edge of the coarsest stage's kernels; those of the others have 3."""

    def of(self, plan: NetworkPlan) -> NetworkPlan:
        """Return the plan with this topology, in its number of dimensions."""
        stages = len(self.features)
        return plan.model_copy(
            update={
                "features": self.features,
                "strides": ((1,) * plan.dim, *((2,) * plan.dim,) * (stages - 1)),
                "kernels": (*((3,) * plan.dim,) * (stages - 1), (self.last_kernel,) * plan.dim),
                "blocks": self.blocks,
                "decoder_blocks": self.decoder_blocks,
            }
        )
