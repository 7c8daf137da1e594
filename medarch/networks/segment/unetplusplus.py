"""UNet++ and UNet+: nested U-Nets that can be pruned after training."""

from __future__ import annotations

from torch import Tensor, nn

from medarch.core.errors import PlanError
from medarch.core.plan import NetworkPlan
from medarch.networks.require_topology import require_topology
from medarch.networks.segment.conv_encoder import ConvEncoder
from medarch.networks.segment.encoder_decoder import EncoderDecoder
from medarch.networks.segment.initialise import initialise
from medarch.networks.segment.is_paper import Preset, is_paper
from medarch.networks.segment.nested_decoder import NestedDecoder
from medarch.networks.segment.paper_topology import PaperTopology

_PAPER = PaperTopology((32, 64, 128, 256, 512), blocks=(2,) * 5, decoder_blocks=(2,) * 4)


class UNetPlusPlus(EncoderDecoder):
    """U-Nets of depth 1 to L that share their encoder, each with a head at full resolution.

    Sources: Zhou et al. 2018, arXiv:1807.10165; Zhou et al. 2020, arXiv:1912.05074. In training with deep supervision
    the logits of all heads are returned, that of the deepest U-Net first. Otherwise those of the U-Net of depth
    ``prune`` alone (the papers' fast mode), and nothing deeper is computed.

    Args:
        plan: topology.
        preset: ``paper``: no normalisation unless ``norm`` says so.
        norm: normalisation; default instance.
        dense: all skips of a level (UNet++), or only the last (UNet+).
        prune: depth of the U-Net to predict with; default the deepest.

    Raises:
        PlanError: the topology does not fit together, or ``prune`` is no depth that has a trained head.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        *,
        preset: Preset = "plan",
        norm: str | None = None,
        dense: bool = True,
        prune: int | None = None,
    ) -> None:
        require_topology(plan)
        norm = norm or ("none" if is_paper(preset) else "instance")
        encoder = ConvEncoder(plan, norm=norm)
        decoder = NestedDecoder(
            plan.dim,
            encoder,
            widths=plan.features[:-1],
            kernels=plan.kernels,
            blocks=plan.decoder_blocks,
            up="deconv",
            norm=norm,
            dense=dense,
        )
        super().__init__(plan.dim, encoder, decoder, heads=plan.heads, deep_supervision=plan.deep_supervision)
        self.apply(initialise)
        self.prune(prune or decoder.depth)

    def prune(self, depth: int) -> None:
        """Predict with the U-Net of this depth from now on.

        Raises:
            PlanError: there is no such depth, or it has no head because training had no deep supervision.
        """
        deepest = len(self.encoder.channels) - 1
        known = range(1, deepest + 1) if self.deep_supervision else (deepest,)
        if depth not in known:
            raise PlanError(
                f"UNet++ has no head at depth {depth}",
                expected=", ".join(map(str, known)),
                found=str(depth),
                fix="correct network.options.prune"
                + ("" if self.deep_supervision else ", or train with deep_supervision"),
            )
        self.depth = depth

    def features(self, x: Tensor) -> Tensor:
        """Return X(0, depth), computed from what it needs: ``(B, F, *spatial)``."""
        decoded: list[Tensor] = self.decoder(self.encoder(x, stages=self.depth + 1))
        return decoded[0]

    @property
    def head(self) -> nn.Module:
        """The head of X(0, depth)."""
        return self.heads[len(self.encoder.channels) - 1 - self.depth]


def unetplusplus_topology(plan: NetworkPlan, *, preset: Preset = "plan") -> NetworkPlan:
    """The paper's where asked for or left open, else the plan's; with deep supervision."""
    plan = plan.model_copy(update={"deep_supervision": True})
    return _PAPER.of(plan) if is_paper(preset) or not plan.strides else plan
