"""What else the same memory could be spent on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    found: list[tuple[str, tuple[str, ...], Configuration, int, float, float]] = []
    own = configuration.network
    for architecture in dict.fromkeys((own.architecture, REVERSIBLE)):
        options = own.options if architecture == own.architecture else {}
        asked = {"architecture": architecture, "options": options}
        search = PatchSearch(plan, configuration, memory_bytes=memory_bytes, device=device, asked=asked)
        width = own.features[0] if own.features else 32
        plain = search.largest(width)
        start = plain or search.smallest(width)
        if start is None:
            continue
        names = [rung.lever for rung in lever_ladder(search, start)]
        for count in range(len(names) + 1):
            levers = tuple(names[:count])
            fitted = plain if count == 0 else search.largest(width, levers)
            if fitted is None:
                continue
            chosen = pull(fitted, levers)
            cost = search.predict(chosen)
            voxels = chosen.batch_size
            for side in chosen.patch_voxels:
                voxels *= side
            found.append((architecture, levers, chosen, cost.bytes, search.context(chosen), cost.work / voxels))
    return _compared(found)


def _compared(
    found: Sequence[tuple[str, tuple[str, ...], Configuration, int, float, float]],
) -> list[Alternative]:
    times = [work / found[0][-1] for *_, work in found]
    contexts = [context for *_, context, _ in found]
    return [
        Alternative(
            architecture,
            levers,
            chosen.patch_voxels,
            context,
            size,
            times[number],
            best=not any(
                other != number
                and contexts[other] >= context
                and times[other] <= times[number]
                and (contexts[other], -times[other]) != (context, -times[number])
                for other in range(len(found))
            ),
        )
        for number, (architecture, levers, chosen, size, context, _) in enumerate(found)
    ]
