"""Put weights that were trained elsewhere into a network, and say what fitted."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from medarch.core.errors import ModelError
from medarch.networks.weights.adapt_channels import adapt_channels
from medarch.networks.weights.inflate import Inflation, inflate
from medarch.networks.weights.translate_names import translate_names

LEAST_SHARE = 0.9
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WeightsReport:
    """What became of each tensor. Names are the network's, but in :attr:`unused`."""

    matched: tuple[str, ...]
    inflated: tuple[str, ...]
    """Of the matched: 2D kernels made 3D."""
    adapted: tuple[str, ...]
    """Of the matched: first convolutions for another number of channels."""
    resized: tuple[str, ...]
    """Present, but of another shape; the network keeps its own."""
    missing: tuple[str, ...]
    """Not in the file; the network keeps its own."""
    unused: tuple[str, ...]
    """In the file, but not in the network."""
    share: float
    """Weights that fitted, of those outside of heads: the lesser of the file's and the network's encoder's share.
    A network for small patches may have fewer stages than the file's; what is deeper does not count."""

    def __str__(self) -> str:
        parts = [f"{self.share:.1%} of the weights taken over ({len(self.matched)} tensors)"]
        for name, what in (
            ("inflated", "from 2D to 3D"),
            ("adapted", "to the number of channels"),
            ("resized", "left as they are, of another shape"),
            ("missing", "not in the file"),
            ("unused", "only in the file"),
        ):
            tensors = getattr(self, name)
            if tensors:
                parts.append(f"{len(tensors)} {what}" + (f" ({', '.join(tensors[:4])})" if len(tensors) < 5 else ""))
        return "; ".join(parts)


def fit_weights(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    *,
    inflation: Inflation = "centre",
    allow_partial: bool = False,
) -> WeightsReport:
    """Copy weights into ``network`` where name and shape agree, after translation, inflation and adaptation.

    Heads may differ (another number of classes); a decoder may be new on a trained encoder.

    Args:
        network: changed in place.
        weights: of medarch, torchvision or timm, in 2D or in the network's dimensions.
        inflation: how 2D kernels become 3D ones.
        allow_partial: take what fits, however little.

    Raises:
        ModelError: less than 90 % of the weights outside of heads fit, and ``allow_partial`` is False; nothing was
            changed then.
    """
    own = network.state_dict()
    names = translate_names(list(weights), list(own))
    first = next((name for name in own if own[name].dim() >= 4 and name in set(names.values())), None)
    fitted: dict[str, Tensor] = {}
    inflated, adapted, resized = [], [], []
    for name, mine in names.items():
        if mine not in own:
            continue
        given, wanted = weights[name], own[mine]
        tensor = _without_ones(given, wanted)
        if tensor.dim() == 4 and wanted.dim() == 5:
            tensor = inflate(tensor, wanted.shape[2], inflation)
            inflated.append(mine)
        if mine == first and tensor.dim() == wanted.dim() and tensor.shape[1] != wanted.shape[1]:
            tensor = adapt_channels(tensor, wanted.shape[1])
            adapted.append(mine)
        if tensor.shape == wanted.shape:
            fitted[mine] = tensor
        else:
            resized.append(mine)
    report = WeightsReport(
        matched=tuple(fitted),
        inflated=tuple(name for name in inflated if name in fitted),
        adapted=tuple(name for name in adapted if name in fitted),
        resized=tuple(resized),
        missing=tuple(name for name in own if name not in set(names.values())),
        unused=tuple(name for name in weights if names.get(name) not in own),
        share=_share(own, weights, names, fitted),
    )
    if report.share < LEAST_SHARE and not allow_partial:
        raise ModelError(
            "the weights are not those of this network",
            expected=f"{LEAST_SHARE:.0%} of the weights outside of heads with a place in the network",
            found=str(report),
            fix="name the architecture the file was trained with in the plan, or allow a partial match",
        )
    network.load_state_dict(fitted, strict=False)
    log.info("%s", report)
    return report


def _without_ones(given: Tensor, wanted: Tensor) -> Tensor:
    """A 1×1 convolution is a linear layer, and a factor a channel needs no axes of length 1."""
    trailing = given.shape[wanted.dim() :]
    if trailing and given.shape[: wanted.dim()] == wanted.shape and set(trailing) == {1}:
        return given.reshape(wanted.shape)
    return given


def _share(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], names: Mapping[str, str], fitted: Mapping[str, Tensor]
) -> float:
    """Of the file and of the part of the network that the file is for, without heads and without stages too deep."""
    prefix = _common_prefix(fitted)
    beyond = _is_beyond(own)
    theirs = [name for name in weights if not _in_head(names.get(name, name)) and not beyond(names.get(name, name))]
    mine = [name for name in own if name.startswith(prefix) and not _in_head(name)]
    of_file = _count(weights, [name for name in theirs if names.get(name) in fitted]) / max(1, _count(weights, theirs))
    of_network = _count(own, [name for name in mine if name in fitted]) / max(1, _count(own, mine))
    return min(of_file, of_network)


def _is_beyond(own: Mapping[str, Tensor]) -> Callable[[str], bool]:
    """Whether a name belongs to a stage that a network for small patches does without."""
    stages = {int(found[1]) for name in own if (found := _STAGE.match(name))}
    last = max(stages, default=-1)
    return lambda name: bool(stages) and (found := _STAGE.match(name)) is not None and int(found[1]) > last


_STAGE = re.compile(r"(?:encoder\.)+stages\.(\d+)\.")
_HEADS = {"head", "heads", "auxiliary", "types"}


def _in_head(name: str) -> bool:
    return not _HEADS.isdisjoint(name.split("."))


def _common_prefix(fitted: Mapping[str, Tensor]) -> str:
    """``encoder.encoder.``, ``encoder.`` or nothing: where in the network the weights went."""
    inside = [name for name in fitted if not _in_head(name)]
    for prefix in ("encoder.encoder.", "encoder."):
        if inside and all(name.startswith(prefix) for name in inside):
            return prefix
    return ""


def _count(tensors: Mapping[str, Tensor], names: Iterable[str]) -> int:
    """Numbers that are learnt or measured; counters of batches are neither."""
    return sum(tensors[name].numel() for name in names if tensors[name].is_floating_point())
