"""What else the same memory could be spent on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from medarch.core.plan import Configuration, Plan
from medarch.networks.levers.pull import pull
from medarch.planning.lever_ladder import lever_ladder
from medarch.planning.search_patch import PatchSearch

REVERSIBLE = "reversible_unet"


@dataclass(frozen=True)
class Alternative:
    """One way to fill the memory."""

    architecture: str
    levers: tuple[str, ...]
    patch_voxels: tuple[int, ...]
    context: float
    """Share of a median case that a patch sees."""
    bytes: int
    time_per_voxel: float
    """Against the first alternative, predicted."""
    best: bool
    """No other alternative sees at least as much in less time (Pareto)."""


def lever_alternatives(
    plan: Plan, configuration: Configuration, *, device: str, memory_bytes: int
) -> list[Alternative]:
    """Return, for each number of levers, the largest patch that fits; and the same for reversible stages.

    Args:
        plan: of the configuration.
        configuration: of which spacing, median case, width and precision are kept.
        device: its kind.
        memory_bytes: what a step may take.
    """
    found: list[Alternative] = []
    own = configuration.network
    for architecture in dict.fromkeys((own.architecture, REVERSIBLE)):
        options = own.options if architecture == own.architecture else {}
        asked = {"architecture": architecture, "options": options}
        search = PatchSearch(plan, configuration, memory_bytes=memory_bytes, device=device, asked=asked)
        found += _of_one_network(search, own.features[0] if own.features else 32)
    return [
        replace(one, time_per_voxel=one.time_per_voxel / found[0].time_per_voxel, best=_best(one, found))
        for one in found
    ]


def _of_one_network(search: PatchSearch, width: int) -> Iterator[Alternative]:
    """With no lever, one, two and so on; times in the search's own unit."""
    plain = search.largest(width)
    start = plain or search.smallest(width)
    if start is None:
        return
    names = [rung.lever for rung in lever_ladder(search, start)]
    for count in range(len(names) + 1):
        levers = tuple(names[:count])
        fitted = search.largest(width, levers) if levers else plain
        if fitted is None:
            continue
        chosen = pull(fitted, levers)
        cost = search.predict(chosen)
        yield Alternative(
            architecture=chosen.network.architecture,
            levers=levers,
            patch_voxels=chosen.patch_voxels,
            context=search.context(chosen),
            bytes=cost.bytes,
            time_per_voxel=cost.work / (chosen.batch_size * math.prod(chosen.patch_voxels)),
            best=False,
        )


def _best(one: Alternative, found: Sequence[Alternative]) -> bool:
    return not any(
        other.context >= one.context
        and other.time_per_voxel <= one.time_per_voxel
        and (other.context, other.time_per_voxel) != (one.context, one.time_per_voxel)
        for other in found
    )
